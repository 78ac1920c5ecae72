/** Where a configuration comes from, and what its author is told when it is wrong (O1). */
import { type Config, type ConfigError, hostKey, loadConfig, parseConfig } from '../proxy/config.ts';
import { assert, suite } from './support/suite.ts';

const test = suite('config');

const file = `
listeners:
  - { kind: tcp, address: '0.0.0.0:5222', tls: starttls }
hosts:
  example.org:
    upstream: xmpp://10.0.0.5
linger: 3d
log:
  level: warn
`;

const minimal = ['--listen', 'tcp://127.0.0.1:5222', '--host', 'localhost', '--upstream', 'xmpp://127.0.0.1:15222'];

interface Input {
  argv?: string[];
  env?: Record<string, string>;
  files?: Record<string, string>;
}

function load({ argv = [], env = {}, files = { 'a.yaml': file } }: Input): Config | ConfigError[] {
  const readFile = (name: string): string => {
    const text = files[name];
    if (text === undefined) throw Object.assign(new Error(`ENOENT: ${name}`), { code: 'ENOENT' });
    return text;
  };
  return loadConfig({ argv, env, readFile });
}

function loadGood(input: Input): Config {
  const config = load(input);
  if (Array.isArray(config)) throw new Error(config.map(({ message }) => message).join('\n'));
  return config;
}

function loadBad(input: Input): ConfigError[] {
  const errors = load(input);
  if (!Array.isArray(errors)) throw new Error('it was accepted');
  assert.ok(errors.length > 0);
  return errors;
}

/** Messages for a file that is the minimal one with these lines behind it. */
function messagesFor(lines: string): string[] {
  const errors = loadBad({ argv: ['--config', 'a.yaml'], files: { 'a.yaml': file + lines } });
  return errors.map(({ message }) => message);
}

test('flags alone are enough for one host', () => {
  const alone = { proxyProtocol: false, balancers: [] };
  const config = loadGood({ argv: [...minimal, '--listen', 'ws://127.0.0.1:5280'] });
  assert.equal(config.listeners, [
    { kind: 'tcp', host: '127.0.0.1', port: 5222, path: '', tls: 'starttls', trusted: true, ...alone },
    { kind: 'websocket', host: '127.0.0.1', port: 5280, path: '/xmpp-websocket', tls: 'none', trusted: true, ...alone },
  ]);
  const plain = { ca: undefined, clientAddress: undefined };
  assert.equal(config.hosts.localhost, {
    name: 'localhost',
    upstream: { scheme: 'xmpp', host: '127.0.0.1', port: 15222, path: '', verify: true, ...plain },
    certificate: undefined,
    carrierStanzaBytes: undefined,
    accountStreams: true,
  });
  assert.is(config.http, undefined);
  assert.equal(config.store, { kind: 'memory' });
});

test('flags override the environment, which overrides the file', () => {
  const argv = ['--config', 'a.yaml'];
  assert.is(loadGood({ argv }).lingerMs, 3 * 86_400_000);
  assert.is(loadGood({ argv, env: { MINIMIX_LINGER: '2h' } }).lingerMs, 7_200_000);
  assert.is(loadGood({ argv: [...argv, '--linger', '0'], env: { MINIMIX_LINGER: '2h' } }).lingerMs, 0);
  assert.is(loadGood({ argv: [...argv, '--linger=forever'] }).lingerMs, Number.POSITIVE_INFINITY);
});

test('the environment names the file, unless a flag does', () => {
  const files = { 'a.yaml': file, 'b.yaml': file.replace('3d', '1d') };
  assert.is(loadGood({ env: { MINIMIX_CONFIG: 'b.yaml' }, files }).lingerMs, 86_400_000);
  const argv = ['--config', 'a.yaml'];
  assert.is(loadGood({ argv, env: { MINIMIX_CONFIG: 'b.yaml' }, files }).lingerMs, 3 * 86_400_000);
});

test('the environment alone is enough for a container', () => {
  const env = {
    MINIMIX_LISTEN: 'tcp://0.0.0.0:5222 wss://[::]:5281/ws?trusted=false',
    MINIMIX_HOST: 'example.org',
    MINIMIX_UPSTREAM: 'xmpps://prosody',
    MINIMIX_HTTP: '0.0.0.0:9090',
    MINIMIX_LOG_LEVEL: 'debug',
    MINIMIX_LIMITS_STANZA_SIZE: '512 KiB',
    MINIMIX_RATE_CARRIER_PER_SECOND: '7',
    MINIMIX_ROOMS_EXCLUDE: 'irc.example.org, Room@chat.example.org',
    MINIMIX_STORE: '',
    PATH: '/bin',
  };
  const config = loadGood({ env });
  assert.equal(config.listeners[1], {
    kind: 'websocket',
    host: '::',
    port: 5281,
    path: '/ws',
    tls: 'direct',
    trusted: false,
    proxyProtocol: false,
    balancers: [],
  });
  assert.is(config.hosts['example.org']?.upstream.port, 5223);
  assert.equal(config.http, { host: '0.0.0.0', port: 9090 });
  assert.is(config.limits.stanzaBytes, 512 * 1024);
  assert.equal(config.rate.carrier, { perSecond: 7, burst: 1000 });
  assert.equal(config.exclude, ['irc.example.org', 'room@chat.example.org']);
});

test('variables that Kubernetes sets for a service called minimix are no settings', () => {
  const names = ['SERVICE_HOST', 'SERVICE_PORT', 'SERVICE_PORT_C2S', 'PORT', 'PORT_5222_TCP', 'PORT_5222_TCP_ADDR'];
  const env = Object.fromEntries(names.map((name) => [`MINIMIX_PROXY_${name}`, 'tcp://10.0.0.1:5222']));
  loadGood({ argv: minimal, env: { ...env, MINIMIX_PORT: 'tcp://10.0.0.1:5222' } });
  loadBad({ argv: minimal, env: { MINIMIX_HTTP_PORT: '9090' } });
});

test('listeners given as flags replace those of the file, hosts are added to it', () => {
  const config = loadGood({ argv: ['--config', 'a.yaml', ...minimal] });
  assert.equal(
    config.listeners.map(({ host }) => host),
    ['127.0.0.1'],
  );
  assert.equal(Object.keys(config.hosts).sort(), ['example.org', 'localhost']);
});

test('a host keeps what the file says of it when a flag changes its upstream, however it is spelled', () => {
  const files = { 'a.yaml': file.replace('10.0.0.5', '10.0.0.5\n    account-streams: false') };
  const argv = ['--config', 'a.yaml', '--host', 'Example.ORG.', '--upstream', 'xmpp://other'];
  const config = loadGood({ argv, files });
  assert.equal(Object.keys(config.hosts), ['example.org']);
  assert.is(config.hosts['example.org']?.upstream.host, 'other');
  assert.is(config.hosts['example.org']?.accountStreams, false);
});

test('--set reaches every key', () => {
  const settings = ['leave.when=never', 'hosts[example.org].account-streams=false', 'listeners[0].tls=none'];
  const argv = ['--config', 'a.yaml', ...settings.flatMap((one) => ['--set', one])];
  const config = loadGood({ argv });
  assert.is(config.leave.when, 'never');
  assert.is(config.hosts['example.org']?.accountStreams, false);
  assert.is(config.listeners[0]?.tls, 'none');
});

test('a listener is trusted by itself only on a loopback address', () => {
  const trusted = (url: string) => {
    const config = loadGood({ argv: ['--listen', url, ...minimal.slice(2)] });
    return config.listeners[0]?.trusted;
  };
  for (const host of ['127.0.0.1', '127.8.8.8', '[::1]', 'localhost'])
    assert.is(trusted(`tcp://${host}:0`), true, host);
  for (const host of ['0.0.0.0', '[::]', '10.0.0.1', '127.example.org']) {
    assert.is(trusted(`tcp://${host}:0`), false, host);
  }
  assert.is(trusted('tcp://10.0.0.1:0?trusted=true'), true);
  assert.is(trusted('tcp://127.0.0.1:0?trusted=false'), false);
});

test('the configuration cannot be changed', () => {
  const config = loadGood({ argv: minimal });
  for (const part of [config, config.listeners, config.listeners[0], config.hosts, config.hosts.localhost]) {
    assert.ok(Object.isFrozen(part));
  }
  assert.ok(Object.isFrozen(config.limits.upstream));
});

test('a host is found by its normalised name, and no name finds what is inherited', () => {
  const { hosts } = loadGood({
    argv: ['--listen', 'tcp://127.0.0.1:0', '--host', 'MÜLLER.example', '--upstream', 'ws://x'],
  });
  for (const spelling of ['müller.example', 'Müller.Example.', 'xn--mller-kva.example']) {
    assert.is(hosts[hostKey(spelling)]?.name, 'müller.example', spelling);
  }
  for (const name of ['constructor', 'toString', '__proto__', 'hasOwnProperty', ''])
    assert.is(hosts[hostKey(name)], undefined);
});

test('every fault is reported, with key, value, what is allowed, and where it stands', () => {
  const errors = loadBad({
    argv: ['--config', 'a.yaml', '--log-level', 'loud', '--set', 'join.timeout=0'],
    env: { MINIMIX_NICK: 'none' },
    files: {
      'a.yaml':
        "listeners:\n  - kind: tcp\n    address: '[::1]:70000'\nhosts:\n  a.b:\n    upstream: http://x\nlinger: 7\n",
    },
  });
  const found = errors.map(({ source, key, value }) => [source, key, value].join(' '));
  assert.equal(found, [
    'a.yaml:3 listeners[0].address "[::1]:70000"',
    'a.yaml:6 hosts[a.b].upstream "http://x"',
    'a.yaml:7 linger 7',
    'MINIMIX_NICK nick "none"',
    '--set join.timeout "0"',
    '--log-level log.level "loud"',
  ]);
  for (const { allowed } of errors) assert.ok(allowed.length > 0);
  assert.is(
    errors.at(-1)?.message,
    '--log-level: log.level: "loud" is not allowed; allowed: debug, info, warn, error, silent',
  );
});

test('an unknown key is an error that names the one that was meant', () => {
  const [typo, ...none] = messagesFor('limits:\n  stanza_size: 1 MiB\n');
  assert.match(typo ?? '', /^a\.yaml:11: limits\.stanza_size: unknown key; did you mean stanza-size\?/);
  assert.equal(none, []);
  assert.match(messagesFor('outbox: 1 MiB\n')[0] ?? '', /did you mean limits\.outbox\?/);
  assert.match(messagesFor('processes: 4\n')[0] ?? '', /processes: unknown key/);
});

test('unknown flags, variables and stray arguments are errors', () => {
  const messages = (input: Input) => loadBad(input).map(({ message }) => message);
  assert.equal(messages({ argv: [...minimal, '--lingr', '7d'] }), ['--lingr: unknown flag; did you mean --linger?']);
  assert.equal(messages({ argv: [...minimal, 'start'] }), ['unexpected argument "start"']);
  assert.equal(messages({ argv: [...minimal, '--http'] }), ['--http: needs a value']);
  assert.equal(messages({ argv: ['--http', ...minimal] })[0], '--http: needs a value');
  assert.equal(messages({ argv: minimal, env: { MINIMIX_LINGR: '1d' } }), [
    'MINIMIX_LINGR: unknown variable; did you mean MINIMIX_LINGER?',
  ]);
  assert.match(messages({ argv: ['--host', 'a', ...minimal] })[0] ?? '', /--host: "a" is not allowed/);
  assert.match(
    messages({ argv: ['--upstream', 'xmpp://a', ...minimal] })[0] ?? '',
    /--upstream: "xmpp:\/\/a" is not allowed/,
  );
  assert.match(messages({ argv: [...minimal, '--set', 'linger'] })[0] ?? '', /--set: takes KEY=VALUE/);
  assert.match(messages({ argv: minimal, env: { MINIMIX_HOST: 'a' } })[0] ?? '', /MINIMIX_UPSTREAM/);
});

test('without listeners or hosts it says how to give them', () => {
  const messages = loadBad({}).map(({ message }) => message);
  assert.is(messages.length, 2);
  assert.match(messages[0] ?? '', /^listeners: missing; allowed: at least one, such as --listen tcp:/);
  assert.match(messages[1] ?? '', /^hosts: missing; allowed: at least one, such as --host example\.org --upstream/);
});

test('a file that is missing or no YAML is named, with the line', () => {
  const messages = (text?: string) => {
    const files: Record<string, string> = text === undefined ? {} : { 'a.yaml': text };
    return loadBad({ argv: ['--config', 'a.yaml'], files }).map(({ message }) => message);
  };
  assert.equal(messages(), ['cannot read a.yaml: no such file']);
  assert.match(messages('a: 1\nb: [1, 2\nc: 3\n')[0] ?? '', /^a\.yaml:\d: bad YAML: /);
  assert.match(messages('linger: 1d\nlinger: 2d\n')[0] ?? '', /^a\.yaml:2: bad YAML: .*unique/);
  assert.equal(messages('- a\n- b\n'), ['a.yaml:1: must be a mapping of keys to values']);
  assert.match(messages(`a: &a [1,1,1,1,1,1,1,1,1]\n${bomb()}`)[0] ?? '', /bad YAML/);
});

test('no message shows a secret', () => {
  const secret = 'geheim';
  const inputs: Input[] = [
    { argv: [...minimal, '--store', `redis://user:${secret}@`] },
    { argv: [...minimal, '--store', `redis://user:a/${secret}@localhost`] },
    { argv: [...minimal, '--store', `redis://user:a@${secret}@localhost`] },
    { argv: [...minimal, '--store', `redis://user:a ${secret}?#@localhost`] },
    { argv: [...minimal, '--store', `redis:/user:${secret}@localhost`] },
    { argv: minimal, env: { MINIMIX_STORE: `rediss://:${secret}@localhost:0` } },
    { argv: ['--listen', 'tcp://127.0.0.1:0', '--host', 'a', '--upstream', `xmpp://u:${secret}@b`] },
    { argv: ['--upstream', `xmpp://u:${secret}@b`] },
    { argv: ['--config', 'a.yaml'], files: { 'a.yaml': `${file}password: ${secret}\n` } },
    { argv: ['--config', 'a.yaml'], files: { 'a.yaml': `${file}sasl: { mode: { password: ${secret} } }\n` } },
    { argv: ['--config', 'a.yaml'], files: { 'a.yaml': `${file}bad: [${secret}\n` } },
    { argv: [...minimal, '--set', `password=${secret}`] },
  ];
  for (const input of inputs) assert.not.match(JSON.stringify(loadBad(input)), secret);
});

test('a store in Redis is a URL, with its password out of sight', () => {
  const store = (value: string, more: string[] = []) =>
    loadGood({ argv: [...minimal, '--store', value, ...more] }).store;
  const base = {
    kind: 'redis',
    isCluster: false,
    isTls: false,
    nodes: [{ host: 'localhost', port: 6379 }],
    username: undefined,
    password: undefined,
    database: 0,
    prefix: 'minimix:',
    verify: true,
    ca: undefined,
  };
  assert.equal(store('redis://localhost'), base);
  assert.equal(store('redis://:p%40%2Fw@localhost/2'), { ...base, password: 'p@/w', database: 2 });
  const tls = ['--set', 'store-tls.ca=/etc/ca.pem', '--set', 'store-prefix=a/b:'];
  assert.equal(store('rediss://me:p@[::1]:6380', tls), {
    ...base,
    isTls: true,
    nodes: [{ host: '::1', port: 6380 }],
    username: 'me',
    password: 'p',
    prefix: 'a/b:',
    ca: '/etc/ca.pem',
  });
  const nodes = [
    { host: 'a', port: 1 },
    { host: 'b', port: 6379 },
  ];
  assert.equal(store('redis+cluster://a:1,b'), { ...base, isCluster: true, nodes });
  assert.equal(store('rediss+cluster://a:1,b'), { ...base, isCluster: true, isTls: true, nodes });
  const sentinels = [nodes[0], { host: 'b', port: 26379 }];
  assert.equal(store('redis+sentinel://a:1,b/rooms'), { ...base, nodes: sentinels, sentinel: 'rooms' });
  assert.equal(store('rediss+sentinel://a:1,b/1'), { ...base, isTls: true, nodes: sentinels, sentinel: '1' });
  const bad = [
    'redis',
    'redis://',
    'redis://a,b',
    'redis://me@a',
    'redis://a/x',
    'redis://a:0',
    'redis+cluster://a/1',
    'redis+sentinel://a',
  ];
  for (const url of [...bad, 'redis://:%zz@a', 'http://a', 'constructor://a', 'redis://a?x=1']) {
    const [error] = loadBad({ argv: [...minimal, '--store', url] });
    assert.match(error?.message ?? '', /^--store: store: ".*" is not allowed; allowed: memory, redis:/, url);
  }
  assert.is(loadBad({ argv: [...minimal, '--set', 'store-prefix={x}'] })[0]?.key, 'store-prefix');
});

test('what does not fit together is refused', () => {
  const conflicts: [lines: string, message: RegExp][] = [
    ['limits: { stanza-size: 8 MiB }', /limits\.stanza-size: "8 MiB" .* no more than limits\.outbox/],
    ['limits: { pre-auth-stanza-size: 2 MiB }', /pre-auth-stanza-size: .* no more than limits\.stanza-size/],
    ['limits: { idle: 6min }', /limits\.idle: .* at least twice limits\.ping/],
  ];
  for (const [lines, message] of conflicts) assert.match(messagesFor(lines)[0] ?? '', message);
  const raw = (listeners: unknown[]) => parseConfig({ listeners, hosts: { a: { upstream: 'xmpp://b' } } });
  const listenerFaults: [listeners: unknown[], key: string][] = [
    [[{ kind: 'websocket', address: '127.0.0.1:0', tls: 'starttls' }], 'listeners[0].tls'],
    [[{ kind: 'tcp', address: '127.0.0.1:0', path: '/x' }], 'listeners[0].path'],
    [['tcp://127.0.0.1:5222', 'ws://127.0.0.1:5222'], 'listeners[1]'],
  ];
  for (const [listeners, key] of listenerFaults) {
    const errors = raw(listeners);
    assert.equal(Array.isArray(errors) && errors.map((error) => error.key), [key]);
  }
  assert.not(Array.isArray(raw(['tcp://127.0.0.1:0', 'ws://127.0.0.1:0'])), 'port 0 may stand twice');
});

test('one domain cannot be configured twice, nor something that is none', () => {
  const keys = (names: string[]) => {
    const hosts = Object.fromEntries(names.map((name) => [name, { upstream: 'xmpp://b' }]));
    const errors = parseConfig({ listeners: ['tcp://127.0.0.1:0'], hosts });
    return Array.isArray(errors) ? errors.map(({ key }) => key) : [];
  };
  assert.equal(keys(['example.org', 'EXAMPLE.org']), ['hosts[EXAMPLE.org]']);
  for (const name of ['a b', 'user@a', 'a/b', '<a>', '.a', 'a..b', 'a:5222'])
    assert.equal(keys([name]), [`hosts[${name}]`]);
});

test('nothing can be set on what all objects inherit from', () => {
  const yaml = `${file}"__proto__": { polluted: 1 }\n`;
  for (const input of [
    { argv: [...minimal, '--set', '__proto__.polluted=1'] },
    { argv: [...minimal, '--set', 'constructor.prototype.polluted=1'] },
    { argv: [...minimal, '--host', '__proto__', '--upstream', 'xmpp://a'] },
    { argv: ['--config', 'a.yaml'], files: { 'a.yaml': yaml } },
  ]) {
    loadBad(input);
    assert.is(({} as Record<string, unknown>).polluted, undefined);
    assert.is(({} as Record<string, unknown>).upstream, undefined);
  }
});

test('a section with nothing under it has its defaults', () => {
  const config = loadGood({ argv: ['--config', 'a.yaml'], files: { 'a.yaml': `${file}limits:\nrate:\n  carrier:\n` } });
  assert.is(config.limits.stanzaBytes, 1024 * 1024);
  assert.equal(config.rate, { stanzas: undefined, bytes: undefined, carrier: { perSecond: 200, burst: 1000 } });
});

test.run();

/** Aliases of aliases: a few lines that would become gigabytes. */
function bomb(): string {
  const levels = ['b', 'c', 'd', 'e', 'f', 'g', 'h'];
  return levels
    .map(
      (name, index) =>
        `${name}: &${name} [${Array(9)
          .fill(`*${String.fromCharCode(97 + index)}`)
          .join(', ')}]\n`,
    )
    .join('');
}
