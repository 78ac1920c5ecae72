import { once } from 'node:events';
import { WebSocket } from 'ws';
import { listenWs } from '../../proxy/net/listen-ws.ts';
import { Liveness } from '../../proxy/net/liveness.ts';
import { assert, suite, type TestContext } from '../support/suite.ts';
import { Door, HEADER, message, setup, tcpPair } from './harness.ts';

const test = suite('net/liveness');

const TIMES = { pingMs: 60_000, idleMs: 120_000 };

test('after a silence a space is sent on an open TCP stream, once for each silence', async (t) => {
  const clock = new Clock();
  const { owner, peer, context } = await tcpPair(t, TIMES, { now: clock.now });
  owner.leg.header({ version: '1.0' });
  await peer.has(`version='1.0'>`);
  const before = peer.text;
  clock.advance(59_000);
  context.liveness.sweep();
  owner.leg.send('<a/>');
  await peer.has('<a/>');
  clock.advance(59_000);
  context.liveness.sweep();
  clock.advance(1_000);
  context.liveness.sweep();
  await peer.has('<a/> ');
  context.liveness.sweep();
  owner.leg.send('<b/>');
  await peer.has('<b/>');
  assert.is(peer.text, `${before}<a/> <b/>`);
});

test('a TCP connection on which we have opened no stream gets nothing', async (t) => {
  const clock = new Clock();
  const { owner, peer, context } = await tcpPair(t, TIMES, { now: clock.now });
  clock.advance(200_000);
  context.liveness.sweep();
  peer.write(HEADER);
  await owner.saw('header');
  assert.is(owner.leg.lastActivity, 200_000);
  owner.leg.header({ version: '1.0' });
  await peer.has('>');
  assert.is(peer.text.indexOf('<?xml'), 0);
});

test('a silent TCP peer is left alone, one that takes nothing for idleMs is ended', async (t) => {
  const clock = new Clock();
  const { owner, peer, context } = await tcpPair(t, { ...TIMES, outboxBytes: 64 * 1_048_576 }, { now: clock.now });
  owner.leg.header({ version: '1.0' });
  await peer.has('>');
  for (let hours = 0; hours < 5; hours++) {
    clock.advance(3_600_000);
    context.liveness.sweep();
  }
  assert.not(owner.leg.isClosed);
  peer.socket.pause();
  while (!owner.leg.congested) {
    for (let n = 0; n < 16; n++) owner.leg.send(message(n, 4_000));
    await new Promise(setImmediate);
  }
  context.liveness.sweep();
  clock.advance(119_000);
  context.liveness.sweep();
  clock.advance(2_000);
  context.liveness.sweep();
  await owner.closing;
  assert.is(owner.code, 'STALLED');
});

test('a peer that was asked for an answer is ended when it has been silent for silenceMs since', async (t) => {
  const clock = new Clock();
  const { owner, peer, context } = await tcpPair(t, { ...TIMES, silenceMs: 10_000 }, { now: clock.now });
  const sweepAfter = (ms: number): void => {
    clock.advance(ms);
    context.liveness.sweep();
  };
  owner.leg.header({ version: '1.0' });
  peer.write(HEADER);
  await owner.saw('header');
  // Nobody has asked it anything.
  sweepAfter(30_000);
  owner.leg.expectAnswer();
  sweepAfter(9_000);
  assert.not(owner.leg.isClosed);
  peer.write('<a/>');
  await owner.saw('<a/>');
  sweepAfter(30_000);
  assert.not(owner.leg.isClosed);
  // What is not read may be the answer.
  owner.leg.expectAnswer();
  owner.leg.pause('server');
  sweepAfter(30_000);
  assert.not(owner.leg.isClosed);
  owner.leg.resume('server');
  owner.leg.expectAnswer();
  sweepAfter(1_000);
  await owner.closing;
  assert.is(owner.code, 'SILENT');
});

test('a TCP peer that takes a little now and then is not ended', async (t) => {
  const clock = new Clock();
  const { owner, peer, context } = await tcpPair(t, { ...TIMES, outboxBytes: 64 * 1_048_576 }, { now: clock.now });
  owner.leg.header({ version: '1.0' });
  peer.socket.pause();
  while (!owner.leg.congested) {
    for (let n = 0; n < 16; n++) owner.leg.send(message(n, 4_000));
    await new Promise(setImmediate);
  }
  context.liveness.sweep();
  for (let round = 0; round < 5; round++) {
    clock.advance(100_000);
    const { backlog } = owner.leg;
    peer.socket.resume();
    await peer.until(() => owner.leg.backlog < backlog);
    peer.socket.pause();
    owner.leg.send(message(round, 4_000));
    context.liveness.sweep();
  }
  assert.not(owner.leg.isClosed);
});

test('a silent WebSocket is pinged, its pong counts as life, and without one it is ended', async (t) => {
  const clock = new Clock();
  const { owner, client, context } = await wsPair(t, clock);
  clock.advance(61_000);
  const ponged = once(client, 'ping');
  context.liveness.sweep();
  await ponged;
  await until(() => owner.leg.lastActivity === 61_000);
  client.pause();
  clock.advance(61_000);
  context.liveness.sweep();
  clock.advance(58_000);
  context.liveness.sweep();
  assert.not(owner.leg.isClosed);
  clock.advance(1_000);
  context.liveness.sweep();
  await owner.closing;
  assert.is(owner.code, 'IDLE');
  client.terminate();
});

test('a ping of the peer counts as life', async (t) => {
  const clock = new Clock();
  const { owner, client, context } = await wsPair(t, clock);
  clock.advance(119_000);
  client.ping();
  await once(client, 'pong');
  clock.advance(2_000);
  context.liveness.sweep();
  assert.is(owner.leg.lastActivity, 119_000);
  assert.not(owner.leg.isClosed);
});

test('a WebSocket from which we do not read is not blamed for its silence', async (t) => {
  const clock = new Clock();
  const { owner, context } = await wsPair(t, clock);
  owner.leg.pause('backpressure');
  clock.advance(500_000);
  context.liveness.sweep();
  assert.not(owner.leg.isClosed);
  owner.leg.resume('backpressure');
});

test('the timer runs while there is something to watch', () => {
  const liveness = new Liveness(() => 7, 1_000);
  const swept: number[] = [];
  const one = { sweep: (now: number) => void swept.push(now) };
  const leaving = { sweep: () => liveness.delete(leaving) };
  liveness.add(one);
  liveness.add(leaving);
  assert.is(liveness.size, 2);
  liveness.sweep();
  liveness.sweep();
  assert.equal(swept, [7, 7]);
  assert.is(liveness.size, 1);
  liveness.delete(one);
});

test('closed legs are watched no more', async (t) => {
  const { owner, peer, context } = await tcpPair(t);
  assert.is(context.liveness.size, 1);
  peer.socket.end();
  await owner.closing;
  assert.is(context.liveness.size, 0);
});

test.run();

class Clock {
  #now = 0;
  readonly now = (): number => this.#now;

  advance(ms: number): void {
    this.#now += ms;
  }
}

async function wsPair(t: TestContext, clock: Clock) {
  const { context } = setup(TIMES, clock.now);
  const door = new Door();
  const listener = await listenWs({ host: '127.0.0.1', port: 0, path: '/ws', context, accept: door.accept });
  t.after(() => listener.close());
  const client = new WebSocket(`ws://127.0.0.1:${listener.port}/ws`, 'xmpp');
  t.after(() => client.terminate());
  await once(client, 'open');
  const owner = await door.owner();
  t.after(() => owner.leg.destroy());
  return { context, client, owner };
}

/** For what no event tells: looks once in each turn of the event loop. */
async function until(isDone: () => boolean): Promise<void> {
  while (!isDone()) await new Promise(setImmediate);
}
