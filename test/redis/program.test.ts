/** The program as it is built and run, with a store in Redis: it has its scripts, starts and stops whether Redis is there or not. */
import { execFile, spawn } from 'node:child_process';
import { createServer } from 'node:net';
import process from 'node:process';
import { promisify } from 'node:util';
import { startRedis } from '../servers/index.ts';
import { until } from '../servers/process.ts';
import { assert, suite, type TestContext } from '../support/suite.ts';
import { wayTo } from './way.ts';

const test = suite('redis and the program', { limitMs: 60_000, hookLimitMs: 120_000 });

test.before(async () => {
  await promisify(execFile)('npm', ['run', '--silent', 'build']);
});

/** Started in front of a server that says nothing; resolves when it says that it has started. */
async function start({ after }: TestContext, store: string) {
  const server = createServer((socket) => socket.on('error', () => {}).resume());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  after(() => server.close());
  const address = server.address();
  const upstream = `xmpp://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}`;
  const args = ['--listen', 'tcp://127.0.0.1:0', '--host', 'localhost', '--upstream', upstream];
  const env = { ...process.env, MINIMIX_STORE: store, MINIMIX_HTTP: '127.0.0.1:0' };
  const child = spawn(process.execPath, ['dist/proxy/main.js', ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  after(() => child.kill('SIGKILL'));
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  }
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  await until('it to start', 20_000, () => output.includes('"msg":"started"') || child.exitCode !== null);
  const line = output.split('\n').find((one) => one.includes('"msg":"started"'));
  assert.ok(line, output);
  const { http } = JSON.parse(line) as { http: { port: number } };
  const ready = async () => (await fetch(`http://127.0.0.1:${http.port}/readyz`)).status;
  const stop = async () => {
    child.kill('SIGTERM');
    return ended;
  };
  return { ready, stop, output: () => output };
}

test('with Redis it starts ready, and ends in good order when Redis has gone', async (context) => {
  const redis = await startRedis({ password: 'geheim' });
  context.after(() => redis.stop());
  const program = await start(context, redis.url);
  assert.is(await program.ready(), 200);
  await redis.halt(true);
  await until('it to notice', 5000, async () => (await program.ready()) === 503);
  assert.is(await program.stop(), 0);
  assert.not.match(program.output(), 'geheim');
});

test('without Redis it starts all the same and is not ready, until Redis is there', async (context) => {
  const redis = await startRedis();
  context.after(() => redis.stop());
  const way = await wayTo(redis.port, context);
  way.cut();
  const program = await start(context, `redis://127.0.0.1:${way.port}`);
  assert.is(await program.ready(), 503);
  way.mend();
  await until('it to be ready', 10_000, async () => (await program.ready()) === 200);
  assert.is(await program.stop(), 0);
});

test.run();
