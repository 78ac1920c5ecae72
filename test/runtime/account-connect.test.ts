import { createServer, type Socket } from 'node:net';
import { createSecureContext, TLSSocket } from 'node:tls';
import type { HostConfig } from '../../proxy/config.ts';
import { Certificates } from '../../proxy/net/certificates.ts';
import { LegContext } from '../../proxy/net/context.ts';
import { Dialer } from '../../proxy/net/dial.ts';
import { captureLog } from '../../proxy/ops/log.ts';
import { createMetrics } from '../../proxy/ops/metrics.ts';
import {
  AccountConnectError,
  type AccountConnection,
  type AccountConnectRequest,
  connectAccountStream,
} from '../../proxy/runtime/account-connect.ts';
import { saslCrypto } from '../../proxy/runtime/sasl-crypto.ts';
import { NS } from '../../proxy/xml/names.ts';
import { assert, suite, type TestContext } from '../support/suite.ts';
import { LIMITS, recorder, Speaker } from './scripted.ts';

const test = suite('account streams: connecting');

const welcome = (id: string) =>
  `<stream:stream xmlns='${NS.client}' xmlns:stream='${NS.streams}' id='${id}' from='localhost' version='1.0'>`;
const offer = (...names: string[]) =>
  `<stream:features><mechanisms xmlns='${NS.sasl}'>${names.map((name) => `<mechanism>${name}</mechanism>`).join('')}</mechanisms></stream:features>`;
const after = (inner = '') => `<stream:features><bind xmlns='${NS.bind}'/>${inner}</stream:features>`;
const base64 = (text: string) => Buffer.from(text).toString('base64');
const plain = `<auth xmlns='${NS.sasl}' mechanism='PLAIN'>${base64('\0alice\0secret')}</auth>`;
const success = `<success xmlns='${NS.sasl}'/>`;
const failure = (condition: string) => `<failure xmlns='${NS.sasl}'><${condition}/></failure>`;

interface Scene {
  server: Speaker;
  connecting: Promise<AccountConnection>;
}

interface SceneOptions {
  request?: Partial<AccountConnectRequest>;
  scheme?: HostConfig['upstream']['scheme'];
  verify?: boolean;
  openTimeoutMs?: number;
  nonce?: string;
}

/** A server that has been connected to, and the connecting under way. */
async function scene({ after }: TestContext, options: SceneOptions = {}): Promise<Scene & { socket: Socket }> {
  const listening = createServer();
  await new Promise<void>((resolve) => listening.listen(0, '127.0.0.1', resolve));
  after(() => listening.close());
  const arrived = new Promise<Socket>((resolve) => listening.once('connection', resolve));
  const { port } = listening.address() as { port: number };
  const context = new LegContext({ limits: LIMITS, log: captureLog(), metrics: createMetrics() });
  const dialer = new Dialer(context);
  const upstream = {
    scheme: options.scheme ?? 'xmpp',
    host: '127.0.0.1',
    port,
    path: '',
    verify: options.verify ?? false,
  };
  const crypto = options.nonce === undefined ? saslCrypto : { ...saslCrypto, nonce: () => options.nonce ?? '' };
  const connecting = connectAccountStream(
    {
      host: { name: 'localhost', upstream, accountStreams: true },
      username: 'alice',
      domain: 'localhost',
      password: 'secret',
      resource: 'carrier<1>',
      ...options.request,
    },
    {
      dial: (host, { signal }) => dialer.dial(host.upstream, host.name, { signal }),
      log: captureLog(),
      crypto,
      ...(options.openTimeoutMs === undefined ? {} : { openTimeoutMs: options.openTimeoutMs }),
    },
  );
  connecting.catch(() => {});
  const socket = await arrived;
  after(() => socket.destroy());
  return { server: new Speaker(socket), connecting, socket };
}

/** Up to the answer to the bind request, which is left to the test: resolves with the request's id. */
async function toBind({ server }: Scene, features = after()): Promise<string> {
  await server.hear("version='1.0'>");
  server.send(welcome('s1') + offer('PLAIN', 'X-OTHER'));
  assert.is(await server.hear('</auth>'), plain);
  server.send(success);
  assert.match(await server.hear("version='1.0'>"), /^<\?xml/);
  server.send(welcome('s2') + features);
  const request = await server.hear('</iq>');
  assert.match(request, /<bind xmlns='[^']*bind'><resource>carrier&lt;1(>|&gt;)<\/resource><\/bind>/);
  return /id='([^']*)'/.exec(request)?.[1] ?? '';
}

const bound = (id: string) =>
  `<iq type='result' id='${id}'><bind xmlns='${NS.bind}'><jid>alice@localhost/carrier</jid></bind></iq>`;

async function failed(connecting: Promise<AccountConnection>): Promise<AccountConnectError> {
  try {
    await connecting;
  } catch (error) {
    if (error instanceof AccountConnectError) return error;
    throw error;
  }
  throw new Error('connected');
}

test('authenticates, binds, and hands the leg over with nothing lost', async (context) => {
  const played = await scene(context);
  const id = await toBind(
    played,
    after(`<session xmlns='${NS.session}'><optional/></session><csi xmlns='${NS.csi}'/>`),
  );
  played.server.send(`<message id='0'/>${bound(id)}<message id='1'/><message id='2'/>`);
  const connection = await played.connecting;
  assert.is(connection.jid, 'alice@localhost/carrier');
  assert.is(connection.mechanism, 'PLAIN');
  assert.is(connection.serverHeader.attributes.get('id'), 's2');
  assert.ok(connection.features.namespaces.has(NS.csi));
  const ear = recorder();
  connection.leg.handler = ear;
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal(ear.heard, []);
  connection.leg.release();
  assert.equal(ear.heard, ["<message id='1'/>", "<message id='2'/>"]);
  assert.is(played.server.rest, '');
});

test('asks for a session only where that is not optional', async (context) => {
  const played = await scene(context);
  const id = await toBind(played, after(`<session xmlns='${NS.session}'/>`));
  played.server.send(bound(id));
  const request = await played.server.hear('</iq>');
  assert.match(request, new RegExp(`<session xmlns='${NS.session}'/>`));
  played.server.send(`<iq type='result' id='${/id='([^']*)'/.exec(request)?.[1]}'/>`);
  assert.is((await played.connecting).jid, 'alice@localhost/carrier');
});

test('takes SCRAM before PLAIN, and believes only a server that knows the password', async (context) => {
  const password = 'pencil';
  const played = await scene(context, {
    nonce: 'fyko+d2lbbFgONRv9qkxdawL',
    request: { username: 'user', password },
  });
  const { server } = played;
  await server.hear("version='1.0'>");
  server.send(welcome('s1') + offer('PLAIN', 'SCRAM-SHA-1', 'SCRAM-SHA-1-PLUS', 'DIGEST-MD5'));
  assert.match(await server.hear('</auth>'), /mechanism='SCRAM-SHA-1'/);
  const challenge = 'r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096';
  server.send(`<challenge xmlns='${NS.sasl}'>${base64(challenge)}</challenge>`);
  const response = await server.hear('</response>');
  assert.match(Buffer.from(response.replace(/<[^>]*>/g, ''), 'base64').toString(), /p=v0X8v3Bz2T0CJGbJQyF0X\+HI4Ts=$/);
  server.send(`<success xmlns='${NS.sasl}'>${base64('v=AAAAAAAAAAAAAAAAAAAAAAAAAAA=')}</success>`);
  assert.is((await failed(played.connecting)).code, 'protocol');
  await server.hearEnd();
});

test('a mechanism that is refused as such makes room for the next, a password that is refused for none', async (context) => {
  const played = await scene(context);
  const { server } = played;
  await server.hear("version='1.0'>");
  server.send(welcome('s1') + offer('SCRAM-SHA-1', 'PLAIN'));
  await server.hear('</auth>');
  server.send(failure('mechanism-too-weak'));
  assert.is(await server.hear('</auth>'), plain);
  server.send(failure('not-authorized'));
  const error = await failed(played.connecting);
  assert.is(error.code, 'refused');
  assert.is(error.condition, 'not-authorized');
  assert.is(await server.hearEnd(), '</stream:stream>');
});

const first: [string, string, AccountConnectError['code']][] = [
  ['no mechanism for us', offer('EXTERNAL'), 'no-mechanism'],
  ['a shutdown', `<stream:error><system-shutdown xmlns='${NS.streamErrors}'/></stream:error>`, 'unreachable'],
  ['a conflict', `<stream:error><conflict xmlns='${NS.streamErrors}'/></stream:error>`, 'conflict'],
  ['the end of the stream', '</stream:stream>', 'unreachable'],
  ['bad XML', '<a></b>', 'protocol'],
];

for (const [what, said, code] of first) {
  test(`${what} in the place of features: ${code}`, async (context) => {
    const { server, connecting } = await scene(context);
    server.send(welcome('s1') + said);
    assert.is((await failed(connecting)).code, code);
    await server.hearEnd();
  });
}

const bindErrors: [string, string, AccountConnectError['code']][] = [
  ['conflict', 'cancel', 'conflict'],
  ['resource-constraint', 'wait', 'conflict'],
  ['internal-server-error', 'wait', 'unreachable'],
  ['bad-request', 'modify', 'protocol'],
];

for (const [condition, type, code] of bindErrors) {
  test(`a bind request answered with ${condition}: ${code}`, async (context) => {
    const played = await scene(context);
    const id = await toBind(played);
    const error = `<error type='${type}'><${condition} xmlns='${NS.stanzaErrors}'/></error>`;
    played.server.send(`<iq type='error' id='${id}'>${error}</iq>`);
    const thrown = await failed(played.connecting);
    assert.is(thrown.code, code);
    assert.is(thrown.condition, condition);
    await played.server.hearEnd();
  });
}

test('a server that falls silent, and a caller that gives up: unreachable', async (context) => {
  const silent = await scene(context, { request: { timeoutMs: 60 } });
  silent.server.send(welcome('s1'));
  assert.is((await failed(silent.connecting)).code, 'unreachable');
  await silent.server.hearEnd();
  const abort = new AbortController();
  const given = await scene(context, { request: { signal: abort.signal } });
  given.server.send(welcome('s1'));
  abort.abort();
  assert.is((await failed(given.connecting)).code, 'unreachable');
  await given.server.hearEnd();
});

test('with STARTTLS to the server: its steps stay between proxy and server', async (context) => {
  const { server, socket, connecting } = await scene(context, { scheme: 'xmpp+starttls' });
  await server.hear("version='1.0'>");
  server.send(`${welcome('s0')}<stream:features><starttls xmlns='${NS.tls}'/></stream:features>`);
  assert.is(await server.hear('/>'), `<starttls xmlns='${NS.tls}'/>`);
  const hosts = { localhost: {} };
  const certificates = await Certificates.load({ hosts, log: captureLog() });
  const pair = certificates.defaultPair();
  socket.removeAllListeners('data');
  server.send(`<proceed xmlns='${NS.tls}'/>`);
  const secured = new TLSSocket(socket, { isServer: true, secureContext: createSecureContext(pair) });
  const inside = { server: new Speaker(secured), connecting };
  const id = await toBind(inside);
  inside.server.send(bound(id));
  const { leg } = await connecting;
  assert.is(leg.encrypted, true);
});

const noTls: [string, string][] = [
  ['does not offer it', '<stream:features/>'],
  [
    'refuses it',
    `<stream:features><starttls xmlns='${NS.tls}'/></stream:features><failure xmlns='${NS.tls}'/></stream:stream>`,
  ],
];

for (const [what, said] of noTls) {
  test(`STARTTLS is wanted and the server ${what}: tls`, async (context) => {
    const { server, connecting } = await scene(context, { scheme: 'xmpp+starttls' });
    await server.hear("version='1.0'>");
    server.send(welcome('s0') + said);
    assert.is((await failed(connecting)).code, 'tls');
  });
}

test('STARTTLS is wanted and nothing comes: unreachable', async (context) => {
  const { connecting } = await scene(context, { scheme: 'xmpp+starttls', openTimeoutMs: 40 });
  assert.is((await failed(connecting)).code, 'unreachable');
});

test.run();
