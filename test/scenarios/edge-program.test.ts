/** The program behind a balancer, under what anybody can send it (S4, X6): it goes on, and says what it has refused. */
import { once } from 'node:events';
import { connect } from 'node:net';
import fc from 'fast-check';
import { proxyHeader } from '../../proxy/net/proxy-header.ts';
import { login } from '../support/client.ts';
import { startFakeServer } from '../support/fake-server.ts';
import { assert, suite } from '../support/suite.ts';
import { startProgram } from './support/program.ts';

const test = suite('edge-program', { limitMs: 120_000 });

const route = { source: { address: '203.0.113.7', port: 4711 }, destination: { address: '192.0.2.1', port: 5222 } };
const COUNT = 300;

/** Sends it, reads what comes, and is gone. Resolves with the bytes that came. */
async function throwAt(port: number, bytes: Uint8Array): Promise<number> {
  const socket = connect({ port, host: '127.0.0.1' });
  socket.on('error', () => {});
  let came = 0;
  socket.on('data', (chunk) => {
    came += chunk.length;
  });
  socket.end(bytes);
  if (!socket.closed) await once(socket, 'close');
  return came;
}

/** The same of somebody who goes on listening: it is for the other side to end that, long before its patience for a header is over. */
async function isShownOut(port: number, bytes: Uint8Array): Promise<boolean> {
  const socket = connect({ port, host: '127.0.0.1' });
  socket.on('error', () => {}).resume();
  socket.write(bytes);
  return new Promise((resolve) => {
    const patience = setTimeout(() => resolve(false), 5000);
    socket.on('close', () => {
      clearTimeout(patience);
      resolve(true);
    });
  });
}

/** Headers, headers cut or with a byte changed, and noise; never a header and a good stream. */
function hostile(): Uint8Array[] {
  const whole = fc.constantFrom(proxyHeader(1, route), proxyHeader(2, route));
  const cut = fc.tuple(whole, fc.nat(200)).map(([bytes, at]) => bytes.subarray(0, at % bytes.length));
  const changed = fc.tuple(whole, fc.nat(200), fc.integer({ min: 0, max: 255 })).map(([bytes, at, value]) => {
    const copy = Buffer.from(bytes);
    copy[at % copy.length] = value;
    return copy;
  });
  const noise = fc.uint8Array({ maxLength: 300 });
  const line = fc.string({ maxLength: 200 }).map((text) => Buffer.from(`PROXY ${text}`));
  return fc.sample(fc.oneof(cut, changed, noise, line), { numRuns: COUNT, seed: 4 });
}

test('S4 whatever comes in place of a header, the program goes on, and counts what it refuses', async (context) => {
  const server = await startFakeServer();
  context.after(() => server.stop());
  const listeners = ['tcp://127.0.0.1:0?tls=none&proxy-protocol=true', 'ws://127.0.0.1:0?proxy-protocol=true'];
  const flags = [
    ...listeners.flatMap((one) => ['--listen', one]),
    '--set',
    'balancers=127.0.0.1',
    '--http',
    '127.0.0.1:0',
  ];
  const program = await startProgram(context, server.upstream, flags);
  const { tcp, ws, http } = program.ports;
  for (const bytes of hostile()) await Promise.all([throwAt(tcp, bytes), throwAt(ws, bytes)]);
  for (const port of [tcp, ws]) assert.ok(await isShownOut(port, Buffer.from('GET / HTTP/1.1\r\n\r\n')));
  const client = await login({ access: 'tcp', port: tcp, preamble: proxyHeader(2, route) }, { user: 'alice' });
  await client.end();
  const text = await (await fetch(`http://127.0.0.1:${http}/metrics`)).text();
  for (const kind of ['tcp', 'websocket']) {
    const found = text.matchAll(
      new RegExp(`^minimix_connections_refused_total\\{kind="${kind}",reason="proxy-\\w+"\\} (\\d+)$`, 'gm'),
    );
    const refused = [...found].reduce((sum, [, count]) => sum + Number(count), 0);
    const accepted = new RegExp(`^minimix_connections_accepted_total\\{kind="${kind}"\\} (\\d+)$`, 'm').exec(text)?.[1];
    // Some of what was changed is still a header; a WebSocket counts as accepted when it is one.
    assert.ok(refused > COUNT / 2, text);
    if (kind === 'tcp') assert.is(refused + Number(accepted), COUNT + 2);
  }
  assert.not.match(program.log(), /uncaught|fault/);
  program.child.kill('SIGTERM');
  assert.is(await program.ended, 0);
});

test.run();
