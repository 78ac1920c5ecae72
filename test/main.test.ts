/** The program as it is started: arguments, signals, exit codes (O1). */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { assert, suite, type TestContext } from './support/suite.ts';

const test = suite('main', { limitMs: 60_000 });

interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
}

interface Program {
  readonly child: ChildProcess;
  /** Resolves when the log says so; rejects when the program ends before. */
  logged(message: string): Promise<Record<string, unknown>>;
  readonly ended: Promise<Ended>;
}

/** Starts the program. Its environment has none of our own variables. */
function start({ after }: TestContext, args: string[], env: Record<string, string> = {}): Program {
  const clean = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('MINIMIX_')));
  const child = spawn(process.execPath, ['--import', 'tsx', 'proxy/main.ts', ...args], {
    env: { ...clean, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  after(() => child.kill('SIGKILL'));
  const output = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => {
      output[name] += text;
    });
  }
  const ended = new Promise<Ended>((resolve) => child.on('close', (code) => resolve({ code, ...output })));
  const logged = (message: string) =>
    new Promise<Record<string, unknown>>((resolve, reject) => {
      const look = (): void => {
        const line = output.stdout.split('\n').find((one) => one.endsWith(`"msg":"${message}"}`));
        if (line) resolve(JSON.parse(line));
      };
      child.stdout.on('data', look);
      look();
      void ended.then(({ code, stderr }) => reject(new Error(`ended with ${code} without "${message}": ${stderr}`)));
    });
  return { child, logged, ended };
}

/** A server that accepts connections and says nothing. */
async function listen({ after }: TestContext): Promise<number> {
  const server: Server = createServer((socket) => socket.on('error', () => {}).resume());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  after(() => server.close());
  const address = server.address();
  return typeof address === 'object' && address ? address.port : 0;
}

async function goodArgs(context: TestContext): Promise<string[]> {
  const upstream = `xmpp://127.0.0.1:${await listen(context)}`;
  return ['--listen', 'tcp://127.0.0.1:0', '--host', 'localhost', '--upstream', upstream, '--http', '127.0.0.1:0'];
}

async function temporary({ after }: TestContext, name: string, content: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'minimix-main-'));
  after(() => rm(folder, { recursive: true }));
  await writeFile(join(folder, name), content);
  return join(folder, name);
}

test('--help and --version say what they are asked and end with 0', async (context) => {
  const [help, shown] = await Promise.all([
    start(context, ['--help', '--nonsense']).ended,
    start(context, ['--version']).ended,
  ]);
  assert.equal([help.code, help.stderr], [0, '']);
  for (const flag of ['--config', '--listen', '--check-config', 'MINIMIX_CONFIG']) assert.match(help.stdout, flag);
  const { version } = JSON.parse(await readFile('package.json', 'utf8'));
  assert.equal([shown.code, shown.stdout], [0, `minimix-proxy ${version}\n`]);
});

test('wrong usage and wrong configuration end with 2 and every reason', async (context) => {
  const file = await temporary(context, 'a.yaml', 'linger: 7\nlisteners: [tcp://x]\n');
  const { code, stdout, stderr } = await start(context, ['--config', file, '--what']).ended;
  assert.equal([code, stdout], [2, '']);
  const lines = stderr.trimEnd().split('\n');
  assert.is(lines.length, 4);
  assert.is(lines[0], 'minimix-proxy: --what: unknown flag');
  assert.ok(lines.some((line) => line.startsWith(`minimix-proxy: ${file}:1: linger: 7 is not allowed`)));
  assert.ok(lines.some((line) => line.startsWith(`minimix-proxy: ${file}:2: listeners[0]: "tcp://x" is not allowed`)));
});

test('--check-config shows what holds, and starts nothing', async (context) => {
  const args = ['--check-config', '--listen', 'tcp://192.0.2.1:5222', '--host', 'a', '--upstream', 'xmpp://192.0.2.2'];
  const { code, stdout, stderr } = await start(context, args, { MINIMIX_LINGER: '3d' }).ended;
  assert.is(code, 0);
  assert.match(stdout, /^configuration is valid\n/);
  assert.match(stdout, /^linger: 3d$/m);
  assert.match(stdout, /^ {2}stanza-size: 1 MiB$/m);
  assert.match(stderr, 'warning: hosts[a].certificate is not set');
});

test('--check-config shows a store without its password', async (context) => {
  const store = { MINIMIX_STORE: 'redis+cluster://me:geheim@10.0.0.1:7000,10.0.0.2:7000' };
  const { code, stdout, stderr } = await start(context, ['--check-config', ...(await goodArgs(context))], store).ended;
  assert.is(code, 0);
  assert.match(stdout, /^store: redis\+cluster:\/\/\[masked\]@10\.0\.0\.1:7000,10\.0\.0\.2:7000$/m);
  assert.match(stderr, 'warning: the password of the store goes over the network in the clear');
  assert.not.match(stdout + stderr, 'geheim');
});

test('keys that cannot be read, or are none, end the start with their name, without a stack and a word of them', async (context) => {
  const file = await temporary(context, 'seal.key', 'geheim\n');
  const good = [...(await goodArgs(context)), '--store', 'redis://127.0.0.1:1'];
  const cases: [flags: string[], code: number, said: string][] = [
    [['--check-config', '--set', `sealing.key-file=${file}`], 2, `sealing.key-file: ${file}: key 1 is not 32 bytes`],
    [['--set', `sealing.key-file=${file}`], 1, `sealing.key-file: ${file}: key 1 is not 32 bytes`],
    [
      ['--set', 'sealing.key-file=/nowhere/seal.key'],
      1,
      'sealing.key-file: cannot read /nowhere/seal.key: no such file',
    ],
    [['--set', 'sealing.secret-key=geheim'], 2, 'sealing.secret-key: [masked] is not allowed'],
  ];
  for (const [flags, code, said] of cases) {
    const ended = await start(context, [...good, ...flags]).ended;
    assert.is(ended.code, code, said);
    assert.match(ended.stderr, said);
    assert.not.match(ended.stderr, ' at ');
    assert.not.match(ended.stdout + ended.stderr, 'geheim');
  }
});

test('--check-config finds files that cannot be read', async (context) => {
  const args = [
    '--check-config',
    ...(await goodArgs(context)),
    '--set',
    'hosts[localhost].upstream-tls.ca=/nowhere/ca.pem',
    '--store',
    'rediss://localhost',
    '--set',
    'store-tls.ca=/nowhere/redis.pem',
  ];
  const { code, stderr } = await start(context, args).ended;
  assert.is(code, 2);
  assert.match(stderr, 'hosts[localhost].upstream-tls.ca: cannot read /nowhere/ca.pem: no such file');
  assert.match(stderr, 'store-tls.ca: cannot read /nowhere/redis.pem: no such file');
});

test('a signal stops it in good order, with 0', async (context) => {
  const args = await goodArgs(context);
  const stop = async (signal: 'SIGTERM' | 'SIGINT'): Promise<void> => {
    const { child, logged, ended } = start(context, args);
    const { http } = (await logged('started')) as { http: { port: number } };
    assert.is((await fetch(`http://127.0.0.1:${http.port}/healthz`)).status, 200);
    child.kill(signal);
    await logged('stopped');
    assert.equal(await ended.then(({ code, stderr }) => [code, stderr]), [0, ''], signal);
  };
  await Promise.all([stop('SIGTERM'), stop('SIGINT')]);
});

test('SIGHUP reloads and ends nothing', async (context) => {
  const { child, logged, ended } = start(context, await goodArgs(context));
  await logged('started');
  child.kill('SIGHUP');
  await logged('reloaded');
  child.kill('SIGTERM');
  assert.is((await ended).code, 0);
});

test('an address in use ends it with 1 and is named', async (context) => {
  const port = await listen(context);
  const good = await goodArgs(context);
  const refuse = async (...args: string[]): Promise<void> => {
    const { code, stderr } = await start(context, [...good, ...args]).ended;
    assert.is(code, 1);
    assert.match(stderr, new RegExp(`^minimix-proxy: cannot listen on .*127\\.0\\.0\\.1:${port}.*EADDRINUSE.*\n$`));
  };
  await Promise.all([refuse('--listen', `ws://127.0.0.1:${port}`), refuse('--http', `127.0.0.1:${port}`)]);
});

test('who does not want to wait for a slow stop signals twice', async (context) => {
  const { child, logged, ended } = start(context, await goodArgs(context));
  const { port } = await logged('listening');
  await logged('started');
  // A client that never closes its side makes the stop take its time.
  const client = connect({ port: Number(port), host: '127.0.0.1', allowHalfOpen: true }).on('error', () => {});
  context.after(() => client.destroy());
  client.write(
    `<stream:stream to='localhost' version='1.0' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>`,
  );
  await once(client, 'connect');
  child.kill('SIGTERM');
  await logged('stopping');
  child.kill('SIGINT');
  assert.is((await ended).code, 130);
});

test.run();
