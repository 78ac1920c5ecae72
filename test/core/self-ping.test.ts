/** Whether the account is still in a room: asked of the room, once for all, and what follows (L8). */
import type { SessionId, Settings } from '../../proxy/core/state.ts';
import { NS } from '../../proxy/xml/names.ts';
import type { Stanza } from '../../proxy/xml/stanza.ts';
import { assert, suite } from '../support/suite.ts';
import { ROOM, World } from './world.ts';

const test = suite('pings to one’s own nick');

function inside(settings: Partial<Settings> = {}): { world: World; a: SessionId; b: SessionId } {
  const world = new World({ settings: { selfPingMs: 600_000, ...settings } });
  const [a, b] = [world.bind(), world.bind()];
  world.join(a);
  world.join(b);
  world.settle();
  world.state.services.learn('muc.test');
  for (const id of [a, b]) world.client(id).told.length = 0;
  return { world, a, b };
}

/** What happens within that time. */
function pass(world: World, ms: number, each: () => void = () => world.settle()): void {
  const end = world.now + ms;
  for (;;) {
    each();
    const next = Math.min(...world.timers.values());
    if (next > end) break;
    world.fire();
  }
  world.now = end;
}

const ping = (world: World, session: SessionId, id: string, nick = 'alice'): void =>
  world.send(session, `<iq type='get' id='${id}' to='${ROOM}/${nick}'><ping xmlns='${NS.ping}'/></iq>`);

const pings = (world: World): Stanza[] =>
  world.sent.map(({ stanza }) => stanza).filter(({ name, root }) => name === 'iq' && root.child('ping', NS.ping));

const answers = (world: World, session: SessionId): string[] =>
  world
    .client(session)
    .told.filter(({ name }) => name === 'iq')
    .map(({ type, id, root }) => `${type} ${id} ${root.child('error')?.children[0]?.name ?? ''}`.trim());

/** The room's side answers the last ping. */
function answer(world: World, error: string): void {
  const { carrier, stanza } = world.sent.findLast((one) => one.stanza.root.child('ping', NS.ping)) ?? {};
  if (!carrier || !stanza) throw new Error('nobody has asked');
  world.arrives(
    carrier,
    `<iq type='error' id='${stanza.id}' from='${stanza.to}'><error type='cancel'><${error} xmlns='${NS.stanzaErrors}'/></error></iq>`,
  );
}

test('a session is answered from what the room has just said, with nothing sent to the room', () => {
  const { world, a } = inside();
  world.roomSays();
  world.settle();
  ping(world, a, 'p1');
  assert.equal(answers(world, a), ['result p1']);
  const told = world.client(a).told.at(-1);
  assert.is(told?.from, `${ROOM}/alice`);
  assert.is(told?.to, world.client(a).jid);
  assert.is(pings(world).length, 0);
});

test('sessions that ask a silent room wait for one answer, each under its own id', () => {
  const { world, a, b } = inside();
  world.now += 11_000;
  ping(world, a, 'p1');
  ping(world, b, 'p2');
  ping(world, b, 'p3');
  for (const id of [a, b]) assert.equal(answers(world, id), []);
  world.settle();
  assert.equal(answers(world, a), ['result p1']);
  assert.equal(answers(world, b), ['result p2', 'result p3']);
  assert.is(pings(world).length, 1);
  assert.is(world.timers.has(`ping ${ROOM}`), false);
});

test('one that has left meanwhile is told that it is not inside', () => {
  const { world, a, b } = inside();
  world.now += 11_000;
  ping(world, a, 'p1');
  ping(world, b, 'p2');
  world.leave(b);
  world.settle();
  assert.equal(answers(world, a), ['result p1']);
  assert.equal(answers(world, b), ['error p2 not-acceptable']);
});

test('a ping to another occupant is no question about oneself', () => {
  const { world, a } = inside();
  world.roomSays();
  world.settle();
  ping(world, a, 'p1', 'bob');
  assert.is(pings(world).at(-1)?.to, `${ROOM}/bob`);
});

test('a silent room is asked in about the interval, one that speaks is not', () => {
  const { world } = inside();
  pass(world, 400_000);
  assert.is(pings(world).length, 0);
  world.roomSays();
  pass(world, 400_000);
  assert.is(pings(world).length, 0);
  pass(world, 700_000);
  assert.ok(pings(world).length >= 1 && pings(world).length <= 2, `${pings(world).length} pings`);
});

test('with the interval 0 it is not', () => {
  const { world } = inside({ selfPingMs: 0 });
  pass(world, 86_400_000);
  assert.is(pings(world).length, 0);
});

test('a room that has forgotten the account has it back, and sessions are told the difference', () => {
  const { world, a, b } = inside();
  world.room.forget();
  world.room.other('bob', false);
  const missed = world.roomSays();
  pass(world, 1_300_000);
  assert.is(world.room.inside.size, 1);
  for (const id of [a, b]) {
    assert.equal(world.client(id).heard, [missed]);
    assert.equal(
      world.client(id).told.map(({ name, type }) => `${name} ${type ?? ''}`.trim()),
      ['presence unavailable', 'message groupchat'],
    );
  }
});

test('what a room refuses for not knowing the account is said when it is back, once and in order', () => {
  const { world, a, b } = inside();
  world.room.forget();
  world.say(a, 'one');
  world.say(b, 'two');
  world.settle();
  world.say(a, 'three');
  pass(world, 2000);
  assert.equal(world.room.said, ['one', 'two', 'three']);
  for (const id of [a, b]) assert.equal(world.client(id).heard, ['one', 'two', 'three']);
});

test('what a room refuses for another reason is refused', () => {
  const { world, a } = inside();
  world.say(a, 'one');
  const { carrier } = world.client(a);
  world.arrives(
    carrier,
    `<message type='error' id='one' from='${ROOM}'><error type='cancel'><not-acceptable xmlns='${NS.stanzaErrors}'/></error></message>`,
  );
  assert.is(world.client(a).told.length, 0);
  world.settle();
  assert.is(world.client(a).told.filter(({ type }) => type === 'error').length, 1);
  assert.is(pings(world).length, 1);
});

test('a ping that a session has put while the room had forgotten the account is answered when it is back', () => {
  const { world, a } = inside();
  world.room.forget();
  world.now += 11_000;
  ping(world, a, 'p1');
  pass(world, 2000);
  assert.equal(answers(world, a), ['result p1']);
  assert.is(world.room.inside.size, 1);
});

test('what pings may be answered with, before the service has ever answered one', () => {
  const isOut: [string, boolean][] = [
    ['not-acceptable', true],
    ['item-not-found', true],
    ['gone', true],
    ['service-unavailable', false],
    ['feature-not-implemented', false],
    ['remote-server-not-found', false],
    ['remote-server-timeout', false],
    ['not-allowed', false],
    ['forbidden', false],
  ];
  for (const [error, expected] of isOut) {
    const { world, a } = inside();
    world.now += 11_000;
    ping(world, a, 'p1');
    answer(world, error);
    assert.is(world.timers.has(`retry ${ROOM}`), expected, error);
  }
});

test('a service that is away is asked until it is there, and then has forgotten the account', () => {
  const { world, a } = inside();
  world.now += 11_000;
  ping(world, a, 'p1');
  world.settle();
  world.room.forget();
  world.now += 11_000;
  ping(world, a, 'p2');
  answer(world, 'remote-server-not-found');
  assert.equal(answers(world, a), ['result p1', 'error p2 remote-server-timeout']);
  world.settle();
  pass(world, 30_000);
  assert.is(world.room.inside.size, 1);
  assert.is(world.client(a).place, 'in');
});

test('one that stays away ends the stay when its time is over, if it has ever answered', () => {
  for (const hasAnswered of [true, false]) {
    const { world, a } = inside({ selfPingMs: 0 });
    world.now += 11_000;
    if (hasAnswered) {
      ping(world, a, 'p1');
      world.settle();
      world.now += 11_000;
    }
    ping(world, a, 'p2');
    const asked = pings(world).length;
    // Nothing reaches anybody any more.
    pass(world, 500_000, () => {});
    assert.is(world.client(a).place, hasAnswered ? 'out' : 'in');
    assert.ok(pings(world).length > asked + 3 && pings(world).length < asked + 40);
    assert.is(world.timers.has(`ping ${ROOM}`), false);
  }
});

test('a room that speaks and does not answer is not asked again', () => {
  const { world } = inside();
  const { carrier } = world.client([...world.sessions.keys()][0] as SessionId);
  const speak = (): void =>
    world.arrives(carrier, `<message type='groupchat' from='${ROOM}/bob' id='x${world.now}'><body>x</body></message>`);
  while (pings(world).length === 0) world.fire();
  speak();
  pass(world, 20_000, () => {});
  pass(world, 86_400_000, () => {});
  assert.is(pings(world).length, 1);
});

test('only the room can answer', () => {
  const { world, a } = inside();
  world.now += 11_000;
  ping(world, a, 'p1');
  const id = pings(world).at(-1)?.id;
  const { carrier } = world.client(a);
  world.arrives(carrier, `<iq type='result' id='${id}' from='${ROOM}/bob' to='${world.client(a).jid}'/>`);
  assert.equal(answers(world, a), []);
  world.settle();
  assert.equal(answers(world, a), ['result p1']);
});

test('mu-conference sends the ping back to who has sent it: that is answered, and no session is troubled', () => {
  const { world, a } = inside();
  world.now += 11_000;
  ping(world, a, 'p1');
  const { carrier } = world.client(a);
  const asked = pings(world).at(-1);
  world.arrives(
    carrier,
    `<iq type='get' id='${asked?.id}' from='${ROOM}/alice' to='${world.client(a).jid}'><ping xmlns='${NS.ping}'/></iq>`,
  );
  const answered = world.sent.at(-1)?.stanza;
  assert.equal([answered?.type, answered?.id, answered?.to], ['result', asked?.id, `${ROOM}/alice`]);
  assert.equal(answers(world, a), []);
});

test('what waits for an answer is not lost with the stream, nor with the stay', () => {
  const { world, a, b } = inside();
  world.now += 11_000;
  ping(world, b, 'p1');
  world.lose(a);
  world.settle();
  assert.equal(answers(world, b), ['result p1']);
  world.now += 11_000;
  ping(world, b, 'p2');
  world.arrives(
    world.client(b).carrier,
    `<presence type='unavailable' from='${ROOM}/alice'><x xmlns='${NS.mucUser}'><item role='none'/><status code='110'/><status code='307'/></x></presence>`,
  );
  assert.equal(answers(world, b), ['result p1', 'error p2 not-acceptable']);
});

test.run();
