/**
 * A service that shares no nicks, and is slow (L9, C4): the account must leave before it comes in by its next stream, and what is heard meanwhile
 * on either of the two is passed on, however late the room answers.
 */
import type { CarrierId, SessionId } from '../../proxy/core/state.ts';
import type { BareKey } from '../../proxy/xml/address.ts';
import { assert, suite } from '../support/suite.ts';
import { ROOM, World } from './world.ts';

const test = suite('a slow service that shares no nicks');

/** As many as a room gives as history, three times. */
const MANY = 60;

/** Two sessions in the room; the first one's stream carries it, and is to be freed. */
function leaving() {
  const world = new World({ isShared: false, room: { historyMost: 20 } });
  const [a, b] = [world.bind(), world.bind()] as [SessionId, SessionId];
  for (const id of [a, b]) {
    world.join(id);
    world.settle();
  }
  // It is refused to the second one's once, which is remembered.
  world.input({ kind: 'credentials', known: true });
  world.accountStream(true);
  world.settle();
  world.loseAccountStream();
  world.settle();
  const [carrier, other] = [world.client(a).carrier, world.client(b).carrier];
  assert.is(world.state.rooms.get(ROOM as BareKey)?.carrier, carrier);
  world.client(b).heard = [];
  const said: string[] = [];
  const talk = (count: number): void => {
    for (let index = 0; index < count; index += 1) said.push(world.roomSays());
  };
  const frees = (): void => world.input({ kind: 'carriers-leave', carriers: [carrier], mayOpen: false });
  return { world, a, b, carrier, other, said, talk, frees };
}

const timer = (carrier: CarrierId): string => `depart ${carrier} ${ROOM}`;

/** So much time passes, and the timer of the leave runs out. */
function runsOut(world: World, carrier: CarrierId): void {
  const at = world.timers.get(timer(carrier));
  if (at === undefined) throw new Error('no leave is awaited');
  world.now = Math.max(world.now, at);
  world.timers.delete(timer(carrier));
  world.input({ kind: 'timer', key: timer(carrier) });
}

test('while the room is heard on the stream that leaves it is not given up', () => {
  const { world, b, carrier, said, talk, frees } = leaving();
  talk(MANY);
  frees();
  for (let count = 0; count < MANY / 3; count += 1) world.arrive(false);
  runsOut(world, carrier);
  for (let count = 0; count < MANY / 3; count += 1) world.arrive(false);
  runsOut(world, carrier);
  world.settle();
  assert.equal(world.client(b).heard, said);
  assert.is(world.room.witnessed, '+-+');
});

test('one on which nothing is heard is given up in its time, and so is one that the room never answers', () => {
  const { world, carrier, other, talk, frees } = leaving();
  talk(MANY);
  frees();
  runsOut(world, carrier);
  // The next stream comes in; what is late is heard for a while.
  assert.is(world.state.rooms.get(ROOM as BareKey)?.move?.carrier, other);
  runsOut(world, carrier);
  assert.is(world.timers.has(timer(carrier)), false);
  const chatty = leaving();
  chatty.frees();
  let most = 0;
  while (chatty.world.timers.has(timer(chatty.carrier))) {
    chatty.talk(1);
    chatty.world.now += 5000;
    chatty.world.arrive(false);
    runsOut(chatty.world, chatty.carrier);
    most += 1;
  }
  assert.is(most, 5);
});

test('what comes on a stream that was given up, before the next one is in, is passed on once', () => {
  const { world, b, carrier, said, talk, frees } = leaving();
  talk(MANY);
  frees();
  runsOut(world, carrier);
  world.settle();
  assert.equal(world.client(b).heard, said);
});

test('what was said last by way of a stream that is given up is answered when the next one has been told what has arrived', () => {
  const { world, b, carrier, frees } = leaving();
  const take = world.room.take.bind(world.room);
  const isLost = (body: string | undefined): boolean => body === 'lost';
  world.room.take = (from, stanza, now) =>
    isLost(stanza.root.child('body')?.text())
      ? []
      : take(from, stanza, now).filter(() => stanza.type !== 'unavailable');
  world.say(b, 'arrived');
  world.say(b, 'lost');
  frees();
  while (world.arrive(true, 0) && world.room.said.length === 0);
  runsOut(world, carrier);
  world.settle();
  const { told, heard } = world.client(b);
  assert.equal(
    told.filter(({ type }) => type === 'error').map(({ id }) => id),
    ['lost'],
  );
  assert.equal(heard, ['arrived']);
});

for (const when of ['before', 'after'] as const) {
  test(`a stream that was given up sets no subject back, heard ${when} the next one is in`, () => {
    const { world, a, b, carrier, frees } = leaving();
    const { jid } = world.client(a);
    const take = world.room.take.bind(world.room);
    // What is said to the old stream is late.
    world.room.take = (from, stanza, now) =>
      take(from, stanza, now)
        .filter(({ to }) => to !== jid)
        .map(({ to, xml }) => ({ to, xml: xml.replace('<subject/>', '<subject>newest</subject>') }));
    frees();
    world.settle();
    const start = world.client(b).told.length;
    runsOut(world, carrier);
    const late = `<message type='groupchat' from='${ROOM}/bob' to='${jid}'><subject>old</subject></message>`;
    if (when === 'before') world.arrives(carrier, late);
    world.settle();
    if (when === 'after') world.arrives(carrier, late);
    assert.ok(world.timers.has(timer(carrier)), 'it is heard still');
    const told = world.client(b).told.slice(start);
    assert.equal(
      told.flatMap(({ root }) => root.child('subject')?.text() ?? []),
      ['newest'],
    );
  });
}

test('what a stream is told that never hears that it is in is passed on, once', () => {
  const { world, b, other, said, talk, frees } = leaving();
  frees();
  const take = world.room.take.bind(world.room);
  // COMPAT: jabberd2 gives no presence to a session that has sent none.
  world.room.take = (from, stanza, now) =>
    take(from, stanza, now).filter(({ to, xml }) => to !== world.client(b).jid || !/^<(presence|iq)/.test(xml));
  world.settle();
  assert.is(world.state.rooms.get(ROOM as BareKey)?.move?.carrier, other);
  talk(MANY);
  world.settle();
  assert.equal(world.client(b).heard, []);
  world.room.take = take;
  world.input({ kind: 'timer', key: `move ${ROOM}` });
  assert.equal(world.client(b).heard, said);
  world.settle();
  world.now = world.timers.get(`retry ${ROOM}`) ?? Number.NaN;
  world.input({ kind: 'timer', key: `retry ${ROOM}` });
  world.settle();
  assert.is(world.state.rooms.get(ROOM as BareKey)?.carrier, other);
  assert.equal(world.client(b).heard, said);
});

test.run();
