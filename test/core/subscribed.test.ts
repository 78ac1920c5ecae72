/** Rooms to which the account has subscribed (MUC/Sub): it leaves them with its last session (core/subscription.ts, rules/subscribed.ts). */
import type { SessionId, Settings } from '../../proxy/core/state.ts';
import { NS } from '../../proxy/xml/names.ts';
import { assert, suite } from '../support/suite.ts';
import { ROOM, World } from './world.ts';

const test = suite('subscriptions to rooms');

const SERVICE = ROOM.slice(ROOM.indexOf('@') + 1);
const offer = `<feature var='${NS.mucSub}'/><feature var='muc_persistent'/>`;

/** A session in a room that can be subscribed to, of which nobody has said whether the account has. */
function inside(settings: Partial<Settings> = {}, info = offer): { world: World; a: SessionId } {
  const world = new World({ settings, room: { info } });
  const a = world.bind();
  world.join(a);
  world.settle();
  return { world, a };
}

/** Ids of the questions that have gone to the service. */
const asked = (world: World): string[] =>
  world.sent.filter(({ stanza }) => stanza.root.child('subscriptions', NS.mucSub)).map(({ stanza }) => stanza.id ?? '');

/** The service answers the last question. */
function answer(world: World, a: SessionId, rooms: string[], { from = SERVICE, id = asked(world).at(-1) } = {}): void {
  const list = rooms.map((jid) => `<subscription jid='${jid}'/>`).join('');
  const query = `<subscriptions xmlns='${NS.mucSub}'>${list}</subscriptions>`;
  world.arrives(world.client(a).carrier, `<iq type='result' id='${id}' from='${from}' to='x'>${query}</iq>`);
}

test('with its last session the account leaves at once a room to which it has subscribed, and another one after the grace', () => {
  for (const [rooms, seen] of [
    [[ROOM.toUpperCase(), `other@${SERVICE}`], '+-'],
    [[`other@${SERVICE}`], '+'],
    [[], '+'],
  ] as const) {
    const { world, a } = inside();
    assert.is(asked(world).length, 1);
    answer(world, a, [...rooms]);
    const b = world.bind();
    world.join(b);
    world.settle();
    world.leave(a);
    world.settle();
    assert.is(world.room.witnessed, '+', 'one is in');
    world.leave(b);
    world.settle();
    assert.is(world.room.witnessed, seen, rooms.join());
  }
});

test('a session that goes without a word leaves the room to the subscription, too', () => {
  const { world, a } = inside();
  const b = world.bind();
  answer(world, a, [ROOM]);
  world.drop(a);
  world.settle();
  assert.is(world.room.witnessed, '+-');
  assert.is(world.client(b).place, 'out');
});

test('where it is not known the service is asked when nobody is in any more, and again when a session has changed it', () => {
  const { world, a } = inside();
  answer(world, a, []);
  world.leave(a);
  world.settle();
  assert.is(world.room.witnessed, '+');
  assert.is(asked(world).length, 2);
  answer(world, a, [ROOM]);
  world.settle();
  assert.is(world.room.witnessed, '+-');
  world.join(a);
  world.settle();
  const count = asked(world).length;
  const change = { kind: 'subscription-changed', session: a } as const;
  world.input({ ...change, room: ROOM as never });
  assert.is(asked(world).length, count + 1);
  world.input({ ...change, room: `other@${SERVICE}` as never });
  assert.is(asked(world).length, count + 1, 'no room of the account');
  answer(world, a, []);
  world.leave(a);
  world.settle();
  assert.is(world.room.witnessed, '+-+');
});

test('a service that does not answer is asked again, after a while', () => {
  const { world, a } = inside();
  world.leave(a);
  world.settle();
  world.join(a);
  world.settle();
  world.now += 30_000;
  world.leave(a);
  assert.is(asked(world).length, 2);
});

test('only the service is believed, and a room that offers nothing is not asked about', () => {
  const { world, a } = inside();
  for (const from of [`${SERVICE}/x`, ROOM, 'evil.test']) answer(world, a, [ROOM], { from });
  answer(world, a, [ROOM], { id: 'guess' });
  world.leave(a);
  world.settle();
  assert.is(world.room.witnessed, '+');
  const other = inside({}, "<feature var='muc_persistent'/>");
  other.world.leave(other.a);
  assert.equal(asked(other.world), []);
});

test('who wants the account to stay in its rooms has that', () => {
  const { world, a } = inside({ leaveWhen: 'never' });
  answer(world, a, [ROOM]);
  world.leave(a);
  world.settle();
  assert.is(world.room.witnessed, '+');
});

test('the account stays in a room that a session hides, as long as it does, whether its subscription is known before or after', () => {
  for (const isKnown of [false, true]) {
    const { world, a } = inside();
    if (isKnown) answer(world, a, [ROOM]);
    world.send(a, `<presence to='${SERVICE}'><rai xmlns='${NS.rai}'/></presence>`);
    world.leave(a);
    if (!isKnown) answer(world, a, [ROOM]);
    world.settle();
    assert.is(world.room.witnessed, '+', `known: ${isKnown}`);
    const b = world.bind();
    world.join(b);
    world.settle();
    world.drop(b);
    world.settle();
    assert.is(world.room.witnessed, '+', 'another one has been in since');
    world.join(a);
    world.settle();
    world.send(a, `<presence type='unavailable' to='${SERVICE}'/>`);
    world.leave(a);
    world.settle();
    assert.is(world.room.witnessed, '+-', 'hidden no more');
  }
});

test('a client that comes back before its earlier session is gone finds the account in the room', () => {
  const world = new World({ room: { info: offer } });
  const a = world.bind('phone', 'phone');
  world.join(a);
  world.settle();
  answer(world, a, [ROOM]);
  const b = world.bind('phone', 'phone');
  world.join(b);
  world.settle();
  assert.is(world.client(b).place, 'asking', 'its join waits');
  world.drop(a);
  world.settle();
  assert.is(world.client(b).place, 'in');
  assert.is(world.room.witnessed, '+');
});

test('a session on its way to another node finds the account in the room, which leaves when it does not come', () => {
  for (const isKnown of [false, true]) {
    const world = new World({ room: { info: offer } });
    const a = world.bind();
    world.input({ kind: 'credentials', known: true });
    world.join(a);
    world.accountStream(true);
    world.settle();
    const answers = (): void => {
      const question = world.sent.findLast(({ stanza }) => stanza.root.child('subscriptions', NS.mucSub));
      assert.ok(question);
      const list = `<subscriptions xmlns='${NS.mucSub}'><subscription jid='${ROOM}'/></subscriptions>`;
      const attributes = `type='result' id='${question.stanza.id}' from='${SERVICE}' to='x'`;
      world.arrives(question.carrier, `<iq ${attributes}>${list}</iq>`);
    };
    if (isKnown) answers();
    world.setOut(a);
    if (!isKnown) answers();
    world.settle();
    assert.is(world.room.witnessed, '+', `known: ${isKnown}`);
    while (world.timers.has(`travels ${a}`)) world.fire();
    world.settle();
    assert.is(world.room.witnessed, '+-', `known: ${isKnown}`);
  }
});

test('who has subscribed may speak on a stream that is in the room for another session, and nobody else', () => {
  for (const rooms of [[ROOM], []]) {
    const { world, a } = inside();
    const b = world.bind();
    world.join(b);
    world.settle();
    world.leave(a);
    answer(world, a, rooms);
    world.client(a).told.length = 0;
    world.send(a, `<message type='groupchat' id='said' to='${ROOM}'><body>said</body></message>`);
    world.settle();
    assert.equal(world.room.said, rooms.length > 0 ? ['said'] : []);
    assert.equal(
      world.client(a).told.map(({ type }) => type),
      rooms.length > 0 ? [] : ['error'],
    );
  }
});

test.run();
