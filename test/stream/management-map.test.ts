/**
 * Stream management between a client and a server (S9) against a reference: both ends keep XEP-0198 counters of their own, the
 * proxy relays, swallows and adds in between, and connections break at any point with what is on its way.
 */
import fc from 'fast-check';
import { Inbound, WRAP } from '../../proxy/stream/management/inbound.ts';
import { Outbound } from '../../proxy/stream/management/outbound.ts';
import { parseStanza } from '../../proxy/xml/stanza.ts';
import { assert, suite } from '../support/suite.ts';
import { MapWorld } from './map-world.ts';

const test = suite('management-map');

/** What may happen, and how often for each cut. */
const acts = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom('client-relayed', 'client-room', 'client-asked') },
  { weight: 8, arbitrary: fc.constantFrom('server-relayed', 'server-room', 'server-swallowed', 'own') },
  { weight: 24, arbitrary: fc.constantFrom('to-proxy', 'to-server', 'from-server', 'to-client') },
  { weight: 4, arbitrary: fc.constantFrom('client-r', 'server-r', 'client-a', 'server-a', 'answer-late') },
  { weight: 2, arbitrary: fc.constantFrom('cut-client', 'cut-server', 'suspend', 'congest', 'drain', 'move') },
  { weight: 3, arbitrary: fc.constantFrom('resume', 'resume-slowly', 'resume-elsewhere', 'refused') },
);

test('S9 nothing that was acknowledged is lost, nothing comes twice, and all keeps its order', () => {
  fc.assert(
    fc.property(fc.array(acts, { maxLength: 150, size: 'max' }), fc.constantFrom(0, WRAP - 3), (list, start) => {
      const world = new MapWorld(start);
      for (const act of list) world.act(act);
      world.settle();
      world.check();
    }),
    { numRuns: 1500 },
  );
});

test('S9 an own stanza keeps its place among those that the server sends again', () => {
  const world = new MapWorld(0);
  for (const act of ['server-relayed', 'from-server', 'own', 'server-relayed', 'from-server', 'own'] as const)
    world.act(act);
  for (const act of ['cut-client', 'suspend', 'own', 'resume'] as const) world.act(act);
  world.act('own');
  assert.equal(world.client.heard, [], 'nothing before what the server sends again');
  world.settle();
  world.check();
});

test('S9 a second cut in the midst of what is sent again loses nothing of it', () => {
  const world = new MapWorld(0);
  for (const act of ['server-relayed', 'own', 'server-relayed', 'own'] as const) {
    world.act(act);
    world.act('from-server');
  }
  for (const act of ['cut-client', 'suspend', 'resume', 'from-server', 'cut-client', 'suspend', 'own'] as const)
    world.act(act);
  world.act('resume');
  world.settle();
  world.check();
});

test('S9 a session that goes on elsewhere as the text that was kept of it has lost nothing', () => {
  const world = new MapWorld(WRAP - 2);
  for (const act of ['server-relayed', 'own', 'client-relayed', 'client-room', 'server-relayed', 'own'] as const) {
    world.act(act);
    for (const way of ['from-server', 'to-proxy', 'to-server'] as const) world.act(way);
  }
  // Interrupted in the midst of what is sent again, and kept once more.
  for (const act of ['cut-server', 'own', 'move', 'own', 'resume', 'from-server', 'cut-server', 'move'] as const)
    world.act(act);
  world.settle();
  world.check();
});

test('S9 what is not to be acknowledged before it comes again is not, when the connection is dropped', () => {
  const { legs } = new MapWorld(0);
  const nudge = parseStanza(`<message id='n' type='groupchat'/>`);
  const handled = (): number | undefined => legs.managed?.management.fromServer.handled;
  legs.begin('server', nudge);
  legs.leaveUnsafe('server');
  legs.finish('server');
  legs.isHibernating = true;
  legs.suspend();
  assert.is(handled(), 0);
  legs.begin('server', nudge);
  legs.finish('server');
  assert.is(handled(), 0, 'behind one that is not safe');
});

test('S9 a client that claims more than it was sent is told so by handled-count-too-high, and nothing else changes', () => {
  const world = new MapWorld(0);
  for (const act of ['server-relayed', 'from-server', 'own'] as const) world.act(act);
  assert.is(world.clientClaims(9), 'too-high');
  assert.is(world.prepare(3), undefined);
  assert.is(world.clientClaims(2), 'done');
  assert.is(world.clientClaims(3), 'too-high', 'what came before <enabled/> is no excuse any more');
});

test('S9 what a client leaves out when it sends again was never sent, and what comes behind it is still known', () => {
  const first = new Inbound();
  const [, , last] = ['message 1', 'presence 2', 'message 3'].map((mark) => first.take(mark) as number);
  first.safe(last as number);
  const inbound = Inbound.resume(first.snapshot());
  inbound.safe(inbound.take('message 1') as number);
  assert.is(inbound.take('message 3'), undefined, 'it was safe before');
  assert.is(inbound.h, 2);
  assert.is(inbound.take('message 4'), 2);
});

test('S9 counters that have wrapped are told wrapped', () => {
  const outbound = Outbound.resume({ acknowledged: WRAP - 1, queue: [] });
  outbound.sent(1);
  outbound.sent(2);
  assert.equal(outbound.ticketsUpTo(1), [1, 2]);
  assert.is(outbound.acknowledge(2), undefined);
});

test.run();
