/** What a stream takes with it when it is lost, and what its sender does not wait for (M4, J7, L7). */
import type { CarrierId } from '../../proxy/core/state.ts';
import { NS } from '../../proxy/xml/names.ts';
import { parseStanza, type Stanza } from '../../proxy/xml/stanza.ts';
import { assert, suite } from '../support/suite.ts';
import { ROOM, World } from './world.ts';

const test = suite('what a lost stream takes with it');

type Id = ReturnType<World['bind']>;

/** Two sessions in the room by an account stream. */
function carried(): { world: World; a: Id; b: Id } {
  const world = new World();
  const [a, b] = [world.bind(), world.bind()];
  world.input({ kind: 'credentials', known: true });
  world.join(a);
  world.accountStream(true);
  world.join(b);
  world.settle();
  return { world, a, b };
}

/** Two sessions in the room, carried by the first one's stream. */
function borrowed(): { world: World; a: Id; b: Id } {
  const world = new World();
  const [a, b] = [world.bind(), world.bind()];
  world.join(a);
  world.join(b);
  world.settle();
  return { world, a, b };
}

function errorsOf(world: World, session: Id): Stanza[] {
  return world.client(session).told.filter(({ name, type }) => name === 'message' && type === 'error');
}

function roomOf(world: World) {
  const room = [...world.state.rooms.values()][0];
  if (!room) throw new Error('no room');
  return room;
}

/** Texts of the messages that went to carriers from the given number on. */
function messagesFrom(world: World, start: number): string[] {
  return world.sent.slice(start).flatMap(({ stanza }) => (stanza.name === 'message' ? [stanza.id ?? ''] : []));
}

/** Lets time run out until nothing is due before the given time has passed. */
function pass(world: World, ms: number): void {
  const end = world.now + ms;
  for (;;) {
    const next = Math.min(...world.timers.values());
    if (next > end) break;
    world.fire();
  }
  world.now = end;
}

const whisper = (world: World, session: Id, id: string): void =>
  world.send(session, `<message type='chat' id='${id}' to='${ROOM}/bob'><body>${id}</body></message>`);

test('what never reached the server goes through the next stream, in order, and before what came later', () => {
  const { world, a, b } = carried();
  world.say(a, 'one');
  world.say(b, 'two');
  world.loseAccountStream('all');
  const start = world.sent.length;
  world.say(a, 'three');
  world.settle();
  assert.equal(messagesFrom(world, start), ['one', 'two', 'three']);
  for (const session of [a, b]) {
    assert.equal(world.client(session).heard, ['one', 'two', 'three']);
    assert.equal(errorsOf(world, session), []);
  }
});

test('a private message that is sent again is shown to siblings once', () => {
  const { world, a, b } = carried();
  world.input({ kind: 'session-carbons', session: b, enabled: true });
  whisper(world, a, 'psst');
  world.loseAccountStream('all');
  const start = world.sent.length;
  world.settle();
  assert.equal(messagesFrom(world, start), ['psst']);
  const copies = world.client(b).told.filter(({ bytes }) => bytes.includes('psst') && bytes.includes(NS.carbons));
  assert.is(copies.length, 1);
});

test('a message that the room shows in its history was delivered; the sender of another gets an error of type wait', () => {
  for (const known of ['nothing', 'doubtful'] as const) {
    const { world, a, b } = carried();
    world.say(a, 'one');
    world.say(b, 'two');
    const start = world.sent.length;
    // Half of it reaches the room.
    world.loseAccountStream(known);
    assert.equal([...errorsOf(world, a), ...errorsOf(world, b)], [], 'not before the room has been asked');
    world.settle();
    assert.equal(world.client(a).heard, ['one'], known);
    assert.equal(world.client(b).heard, ['one'], known);
    assert.equal(messagesFrom(world, start), [], 'nothing is said twice');
    const [error] = errorsOf(world, b);
    assert.is(error?.id, 'two');
    assert.is(error?.from, ROOM);
    assert.is(error?.to, world.client(b).jid);
    assert.is(error?.root.child('error')?.attr('type'), 'wait');
    assert.is(errorsOf(world, a).length, 0);
    assert.is(roomOf(world).sent.length, 0);
    assert.is(world.timers.has(`stranded ${ROOM}`), false);
  }
});

test('a private message that may be lost gets its error at once, one that has certainly arrived gets none', () => {
  const cases = [
    { name: 'the server acknowledges nothing', unacknowledged: undefined, pauseMs: 0, isLost: true },
    { name: 'and was heard long after', unacknowledged: undefined, pauseMs: 20_000, isLost: false },
    { name: 'the server has not acknowledged it', unacknowledged: ['psst'], pauseMs: 20_000, isLost: true },
    { name: 'the server has acknowledged it', unacknowledged: [], pauseMs: 0, isLost: false },
  ];
  for (const { name, unacknowledged, pauseMs, isLost } of cases) {
    const { world, a } = carried();
    whisper(world, a, 'psst');
    world.now += pauseMs;
    world.roomSays();
    while (world.arrive(false));
    const carrier = roomOf(world).carrier as CarrierId;
    const text = (id: string) =>
      parseStanza(`<message type='chat' id='${id}' to='${ROOM}/bob'><body>x</body></message>`);
    const owed = { unsent: [], unacknowledged: unacknowledged?.map(text) };
    world.input({ kind: 'carrier-lost', carrier, owed });
    assert.is(errorsOf(world, a).length, isLost ? 1 : 0, name);
    if (isLost) assert.is(errorsOf(world, a)[0]?.from, `${ROOM}/bob`);
  }
});

test('when no stream comes into the room again, what is waiting is answered in time, and nothing is answered twice', () => {
  const { world, a } = carried();
  world.say(a, 'one');
  world.loseAccountStream('nothing');
  world.say(a, 'two');
  world.send(a, `<iq type='get' id='q' to='${ROOM}/bob'><query xmlns='${NS.version}'/></iq>`);
  world.send(a, `<presence id='n' to='${ROOM}/alicia'/>`);
  // The room answers no join.
  pass(world, 29_000);
  assert.is(errorsOf(world, a).length, 0);
  pass(world, 2000);
  assert.equal(
    errorsOf(world, a).map(({ id }) => id),
    ['one', 'two'],
  );
  assert.is(world.client(a).told.filter(({ id, type }) => id === 'q' && type === 'error').length, 1);
  assert.equal(
    roomOf(world).queue.map(({ stanza }) => stanza.id),
    ['n'],
    'the nick change waits',
  );
});

test('what is lost with the account’s place is answered when that is given up', () => {
  const { world, a } = carried();
  world.say(a, 'one');
  world.loseAccountStream('nothing');
  const join = world.sent.at(-2);
  const error = `<error type='auth'><registration-required xmlns='${NS.stanzaErrors}'/></error>`;
  world.arrives(
    join?.carrier as CarrierId,
    `<presence type='error' id='${join?.stanza.id}' from='${ROOM}/alice'>${error}</presence>`,
  );
  assert.is(world.client(a).place, 'out');
  assert.is(errorsOf(world, a).length, 1);
});

test('a message whose stream is out of the room before it was shown does not vanish', () => {
  const { world, a, b } = borrowed();
  world.drop(a);
  world.say(b, 'one');
  const old = 'c1' as CarrierId;
  world.arrives(old, `<presence type='unavailable' from='${ROOM}/alice'><x xmlns='${NS.mucUser}'/></presence>`);
  assert.is(roomOf(world).carrier, old, 'it is still in');
  while (roomOf(world).departing.size === 0) world.arrive(true, 1);
  world.arrives(
    old,
    `<presence type='unavailable' from='${ROOM}/alice'><x xmlns='${NS.mucUser}'><item role='none'/><status code='110'/></x></presence>`,
  );
  pass(world, 31_000);
  assert.is(errorsOf(world, b).length, 1);
});

test('what was said between the end of an old stream and the coming in of the new one is heard, the subject too', () => {
  const { world, a, b } = borrowed();
  world.drop(a);
  const said = world.roomSays();
  // Nothing of it arrives: the old stream was dead, and the hand-over under way.
  world.loseHeld();
  world.settle();
  assert.equal(world.client(b).heard, [said]);
});

test('a subject that the lost stream of a hand-over has brought is not undone by an older one', () => {
  const { world, a, b } = borrowed();
  const subject = (text: string) => `<message type='groupchat' from='${ROOM}/bob'><subject>${text}</subject></message>`;
  world.arrives('c1' as CarrierId, subject('old'));
  world.drop(a);
  const heard = (): string[] =>
    world
      .client(b)
      .told.filter(({ name }) => name === 'message')
      .map(({ root }) => root.child('subject')?.text() ?? '');
  const start = heard().length;
  world.arrives('c1' as CarrierId, subject('new'));
  // The new stream's join has reached the room before.
  world.arrives(
    world.client(b).carrier,
    `<presence from='${ROOM}/alice'><x xmlns='${NS.mucUser}'><item role='participant'/><status code='110'/></x></presence>`,
  );
  world.arrives(world.client(b).carrier, subject('old'));
  world.loseHeld();
  const fence = world.sent.find(({ carrier, stanza }) => carrier === world.client(b).carrier && stanza.name === 'iq');
  world.arrives(world.client(b).carrier, `<iq type='result' id='${fence?.stanza.id}' from='${ROOM}'/>`);
  assert.equal(heard().slice(start), ['new']);
});

test('the subject that ends the answer to a join is told where it is newer than the last that the lost stream has brought', () => {
  const { world, a, b } = borrowed();
  const subject = (text: string) => `<message type='groupchat' from='${ROOM}/bob'><subject>${text}</subject></message>`;
  const told = (): (string | undefined)[] =>
    world.client(b).told.flatMap(({ name, root }) => (name === 'message' ? [root.child('subject')?.text()] : []));
  world.drop(a);
  const start = told().length;
  world.arrives('c1' as CarrierId, subject('one'));
  world.loseHeld();
  const { carrier } = world.client(b);
  const status = `<x xmlns='${NS.mucUser}'><item role='participant'/><status code='110'/></x>`;
  world.arrives(carrier, `<presence from='${ROOM}/alice'>${status}</presence>`);
  world.arrives(carrier, subject('two'));
  const fence = world.sent.findLast((one) => one.carrier === carrier && one.stanza.name === 'iq');
  world.arrives(carrier, `<iq type='result' id='${fence?.stanza.id}' from='${ROOM}'/>`);
  assert.equal(told().slice(start), ['one', 'two']);
});

test('what was said behind a join by somebody who has gone reaches the room, whoever carries it', () => {
  for (const isUnavailable of [false, true]) {
    const alone = new World();
    const body = alone.farewell(alone.bind(), isUnavailable);
    alone.settle();
    assert.equal(alone.room.said, [body], 'its own stream');
    assert.is(alone.room.witnessed, '+-', 'and the place is given up behind it');
    for (let round = 0; round < 5; round += 1) alone.fire();
    assert.is(alone.isIdle, true);

    const world = new World();
    const sibling = world.bind();
    const said = world.farewell(world.bind(), isUnavailable);
    world.settle();
    assert.equal(world.room.said, [said], 'with a sibling');
    assert.is(world.client(sibling).told.length, 0, 'which has not joined');
    assert.is(world.room.witnessed, '+', 'and carries the room on');

    const kept = new World({ settings: { lingerMs: 0 } });
    const guest = kept.bind();
    kept.input({ kind: 'credentials', known: true });
    const last = kept.farewell(guest, isUnavailable);
    kept.accountStream(true);
    kept.settle();
    assert.equal(kept.room.said, [last], 'an account stream');
    assert.is(kept.room.witnessed, '+-', 'that stays for as long as linger says');
  }
});

test('a session that is gone for good is no reason to join when it has said nothing', () => {
  const world = new World();
  const a = world.bind();
  world.input({ kind: 'credentials', known: true });
  world.join(a);
  world.leave(a);
  world.drop(a);
  world.accountStream(true);
  world.settle();
  assert.equal(world.sent, []);
});

test('joins of sessions that have gone are bounded', () => {
  const world = new World();
  world.bind();
  world.input({ kind: 'credentials', known: true });
  for (let k = 0; k < 40; k += 1) world.farewell(world.bind());
  assert.is(roomOf(world).waiting.length, 16);
  assert.is(world.counted.filter((effect) => effect.kind === 'drop' && effect.reason === 'queue-full').length, 24);
  world.accountStream(true);
  world.settle();
  assert.is(world.room.said.length, 16);
});

test('a nick change that is lost with its stream is asked for again, and its answer reaches who asked', () => {
  const { world, a, b } = carried();
  world.send(a, `<presence id='n' to='${ROOM}/alicia'><show>away</show></presence>`);
  world.loseAccountStream('nothing');
  world.settle();
  assert.equal([...world.room.inside.values()], ['alicia']);
  for (const session of [a, b]) {
    const shown = world.client(session).told.filter(({ from }) => from === `${ROOM}/alicia`);
    assert.ok(shown.length > 0);
    assert.is(world.client(session).place, 'in');
  }
  const again = world.sent.findLast(({ stanza }) => stanza.id === 'n');
  assert.match(again?.stanza.bytes.toString() ?? '', '<show>away</show>');
  assert.is(roomOf(world).presences.length, 0);
});

test('a nick change that is refused at the second try is refused to who asked', () => {
  const { world, a, b } = carried();
  world.send(a, `<presence id='n' to='${ROOM}/bob'/>`);
  world.loseAccountStream('all');
  while (!roomOf(world).carrier) world.arrive(true);
  const carrier = roomOf(world).carrier as CarrierId;
  world.arrives(
    carrier,
    `<presence type='error' id='n' from='${ROOM}/bob'><error type='cancel'><conflict xmlns='${NS.stanzaErrors}'/></error></presence>`,
  );
  const refused = (session: Id) =>
    world.client(session).told.filter(({ name, type }) => name === 'presence' && type === 'error').length;
  assert.equal([refused(a), refused(b)], [1, 0]);
});

test('the last status that was lost with its stream is stated again, under the nick that holds then', () => {
  const { world, b } = carried();
  world.now += 60_000;
  world.send(b, `<presence id='p1' to='${ROOM}/alice'><show>chat</show></presence>`);
  world.now += 60_000;
  world.send(b, `<presence id='p2' to='${ROOM}/alice'><show>chat</show><status>now</status></presence>`);
  world.loseAccountStream('all');
  const start = world.sent.length;
  world.settle();
  const stated = world.sent
    .slice(start)
    .filter(({ stanza }) => stanza.name === 'presence' && !stanza.root.child('x', NS.muc));
  assert.equal(
    stated.map(({ stanza }) => [stanza.id, stanza.to]),
    [['p2', `${ROOM}/alice`]],
  );
});

for (const historyStanzas of [0, 3, 500]) {
  test(`what a rejoin is told again comes to nobody twice, whether the log keeps it or not (${historyStanzas})`, () => {
    const world = new World({ settings: { historyStanzas } });
    const [a, b] = [world.bind(), world.bind()];
    world.join(a);
    world.join(b);
    world.settle();
    world.now += 60_000;
    const said = [world.roomSays(), world.roomSays(), world.roomSays(), world.roomSays(), world.roomSays()];
    world.settle();
    world.lose(a);
    world.settle();
    while (world.fire() !== undefined) world.settle();
    assert.equal(world.client(b).heard, said);
  });
}

test.run();
