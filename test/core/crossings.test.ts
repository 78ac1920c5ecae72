/** What crosses the end of a place, found by the model (model.ts), each on its own. */
import type { CarrierId, SessionId } from '../../proxy/core/state.ts';
import { NS } from '../../proxy/xml/names.ts';
import { assert, suite } from '../support/suite.ts';
import { ROOM, World } from './world.ts';

const test = suite('what crosses the end of a place');

/** Two sessions in the room, carried by the first one's stream. */
function inhabited(knowsOld = false): { world: World; a: SessionId; b: SessionId } {
  const world = new World({ room: { knowsOld } });
  const [a, b] = [world.bind(), world.bind()];
  for (const one of [a, b]) world.join(one);
  world.settle();
  return { world, a, b };
}

/** Everything arrives, and timers run out for that long. */
function pass(world: World, ms: number): void {
  const end = world.now + ms;
  for (;;) {
    world.settle();
    if (Math.min(...world.timers.values()) > end) return;
    world.fire();
  }
}

const fromRoom = (world: World, id: SessionId): string[] =>
  world.client(id).told.map(({ name, type }) => `${name} ${type ?? ''}`.trim());

/** The stream hears what is on its way to it, all of it or so much. */
function hear(world: World, count: number): void {
  for (let k = 0; k < count; k += 1) world.arrive(false);
}

test('a device that goes unavailable and back behind a nick change hears nothing of the room that takes it for a join', () => {
  for (const end of ['throw-out', 'kick'] as const) {
    for (const isJoin of [false, true]) {
      const { world, a, b } = inhabited(true);
      if (isJoin) world.joinAs(a, 'nick0');
      else world.rename(a, 'nick0');
      world.blink(a);
      world.client(a).told.length = 0;
      if (end === 'kick') world.kick();
      else world.throwOut();
      pass(world, 20_000);
      assert.equal(fromRoom(world, a), [], `${end} ${isJoin}`);
      assert.is(world.client(a).place, 'out');
      assert.is(world.client(b).place, end === 'kick' ? 'out' : 'in');
      assert.is(world.room.inside.size, end === 'kick' ? 0 : 1);
    }
  }
});

test('the same of two presences, of which the room refuses the first', () => {
  const { world, a } = inhabited(true);
  world.room.refusal = 'resource-constraint';
  world.rename(a, 'nick0');
  world.joinAs(a, 'nick0');
  world.kick();
  world.arrive(true);
  world.room.refusal = undefined;
  world.settle();
  assert.is(world.client(a).place, 'out');
  assert.is(world.room.inside.size, 0);
});

test('a service that answers no presence of a stranger keeps nobody waiting for one that has crossed the end', () => {
  for (const end of ['throw-out', 'kick'] as const) {
    const { world, a, b } = inhabited();
    const take = world.room.take.bind(world.room);
    world.room.take = (from, stanza, now) => {
      const isEntry = stanza.root.child('x', NS.muc) !== undefined || world.room.inside.has(from);
      return stanza.name === 'presence' && !isEntry ? [] : take(from, stanza, now);
    };
    world.rename(a, 'nick0');
    if (end === 'kick') world.kick();
    else world.throwOut();
    if (end === 'kick') {
      world.settle();
      world.join(b);
      world.settle();
    } else pass(world, 2000);
    assert.is(world.client(b).place, 'in', end);
    assert.is(world.room.inside.size, 1);
    assert.is(world.counted.filter(({ kind }) => kind === 'drop').length, 0);
  }
});

test('where the room refuses a presence that crosses the end, that is no reason to wait for anything', () => {
  const { world, a, b } = inhabited();
  world.rename(a, 'nick0');
  world.throwOut();
  pass(world, 5000);
  assert.equal([...world.room.inside.values()], ['nick0']);
  for (const id of [a, b]) assert.is(world.client(id).place, 'in');
});

test('a kick that crosses the account’s leave, and a nick change behind it, leave no stream in the room and mislead nobody', () => {
  const { world, a, b } = inhabited(true);
  world.leave(b);
  world.rename(a, 'nick0');
  world.leave(a);
  world.kick();
  assert.ok(world.fire()?.startsWith('grace'));
  world.client(a).told.length = 0;
  pass(world, 20_000);
  assert.equal(fromRoom(world, a), []);
  assert.is(world.room.inside.size, 0);
});

test('what is asked behind a join is answered, also to who has left before the account is in', () => {
  for (const isRefused of [false, true]) {
    const world = new World();
    const a = world.bind();
    world.join(a);
    world.ask(a);
    world.send(a, `<iq type='get' id='ping' to='${ROOM}'><ping xmlns='${NS.ping}'/></iq>`);
    if (isRefused) world.room.refusal = 'forbidden';
    world.blink(a);
    world.settle();
    const answers = world.client(a).told.filter(({ name }) => name === 'iq');
    assert.equal(
      answers.map(({ type }) => type),
      isRefused ? ['error', 'error'] : ['result', 'result'],
    );
  }
});

test('a join under another nick that is refused because the account is out is a join still when it is back', () => {
  const { world, a } = inhabited();
  world.room.forget();
  world.joinAs(a, 'nick0');
  world.client(a).told.length = 0;
  pass(world, 15_000);
  assert.equal([...world.room.inside.values()], ['nick0']);
  const { told } = world.client(a);
  assert.ok(
    told.some(({ name, root }) => name === 'message' && root.child('subject') !== undefined),
    'the whole answer',
  );
  assert.is(told.filter(({ type }) => type === 'error').length, 0);
});

test('one that stays refused is refused as a join', () => {
  const { world, a } = inhabited();
  world.joinAs(a, 'nick0');
  const { carrier } = world.client(a);
  const error = `<error type='cancel'><service-unavailable xmlns='${NS.stanzaErrors}'/></error>`;
  const [{ id } = {}] = world.onItsWay(a);
  world.arrives(carrier, `<presence type='error' id='${id}' from='${ROOM}/nick0' to='x'>${error}</presence>`);
  world.counted.length = 0;
  assert.ok(world.fire()?.startsWith('ping'));
  const last = world.client(a).told.at(-1);
  assert.is(last?.type, 'error');
  assert.ok(last?.root.child('x', NS.muc));
  assert.ok(world.counted.some((effect) => effect.kind === 'store-join' && effect.session === a));
});

test('a stream that goes unavailable before it is confirmed to have left is kept from what the room says later, and is free', () => {
  const { world, a, b } = inhabited();
  world.drop(a);
  world.blink(b);
  world.client(b).told.length = 0;
  const depart = [...world.timers.keys()].filter((key) => key.startsWith(`depart ${world.client(b).carrier}`));
  assert.is(depart.length, 1);
  while (world.timers.has(depart[0] ?? '')) world.fire();
  world.settle();
  assert.equal(fromRoom(world, b), []);
  assert.is(world.room.inside.size, 0);
  world.join(b);
  world.settle();
  assert.is(world.client(b).place, 'in');
  assert.is(world.room.inside.size, 1);
});

test('a rejoin that is taken back has told what was missed before what the stream still hears', () => {
  const { world, a, b } = inhabited();
  world.throwOut();
  const said = [world.roomSays()];
  world.settle();
  assert.ok(world.fire()?.startsWith('retry'));
  world.arrive(true);
  said.push(world.roomSays());
  hear(world, 3);
  world.drop(a);
  pass(world, 20_000);
  assert.equal(world.client(b).heard, said);
});

test('a hand-over from a stream that the room has forgotten, and that is taken back or lost, keeps the order', () => {
  for (const end of ['back', 'lost'] as const) {
    const { world, a, b } = inhabited();
    world.park(a);
    world.room.forget();
    const said = [world.roomSays()];
    const c = world.bind();
    world.arrive(true);
    said.push(world.roomSays());
    if (end === 'lost') {
      world.settle();
      world.lose(b);
      world.join(c, 'alice', `<history since='2000-01-01T00:00:00Z'/>`);
    } else {
      hear(world, 3);
      world.drop(b);
      world.join(c);
    }
    pass(world, 20_000);
    assert.equal(world.client(c).heard, said, end);
  }
});

test('a nick change of a device that has gone is taken back too when it crosses the end of the place', () => {
  const { world, a, b } = inhabited(true);
  world.drop(a);
  world.rename(b, 'nick0');
  const c = world.bind();
  world.drop(b);
  world.loseHeld();
  world.join(c);
  for (let turns = 0; turns < 100 && !world.sent.some(({ stanza }) => stanza.to === `${ROOM}/nick0`); turns += 1)
    world.arrive(turns % 2 > 0);
  world.throwOut();
  world.speak(c);
  pass(world, 20_000);
  const { heard, told, place } = world.client(c);
  assert.is(place, 'in');
  assert.is(heard.length, 1);
  assert.is(told.filter(({ type }) => type === 'error').length, 0);
});

test('a status that meets a hand-over is what the room is shown by the new stream too', () => {
  for (const when of ['before', 'seen', 'meanwhile'] as const) {
    const { world, a, b } = inhabited();
    world.now += 10_000;
    // The most active one is who spoke last.
    if (when !== 'meanwhile') world.send(b, `<presence id='away' to='${ROOM}/alice'><show>dnd</show></presence>`);
    world.now += 10_000;
    if (when === 'seen') world.arrive(true);
    world.drop(a);
    if (when === 'meanwhile') world.send(b, `<presence id='away' to='${ROOM}/alice'><show>dnd</show></presence>`);
    pass(world, 20_000);
    const last = world.sent.filter(
      ({ carrier, stanza }) => carrier === world.client(b).carrier && stanza.name === 'presence',
    );
    assert.is(last.at(-1)?.stanza.root.child('show')?.text(), 'dnd', when);
    assert.is(world.client(b).place, 'in');
  }
});

test('a hand-over that no status meets says nothing but the join', () => {
  const { world, a, b } = inhabited();
  world.now += 10_000;
  world.drop(a);
  pass(world, 20_000);
  const { carrier } = world.client(b);
  assert.is(world.sent.filter((one) => one.carrier === carrier && one.stanza.name === 'presence').length, 1);
});

test('what the new stream has been told in private before the account is removed again is told', () => {
  for (const isKick of [true, false]) {
    const { world, a, b } = inhabited();
    world.throwOut();
    world.settle();
    assert.ok(world.fire()?.startsWith('retry'));
    world.arrive(true);
    hear(world, 3);
    const { carrier, jid } = world.client(a);
    world.arrives(carrier, `<message type='chat' id='p' from='${ROOM}/bob' to='${jid}'><body>psst</body></message>`);
    if (isKick) world.kick();
    else world.throwOut();
    world.settle();
    for (const id of [a, b]) {
      assert.is(world.client(id).told.filter((one) => one.id === 'p').length, 1, isKick ? 'kick' : 'throw-out');
      assert.is(world.client(id).place, isKick ? 'out' : 'in');
    }
  }
});

test('what a stream whose rejoin is taken back hears beside the next one is told once', () => {
  const { world, a, b } = inhabited();
  world.throwOut();
  world.settle();
  assert.ok(world.fire()?.startsWith('retry'));
  world.drop(a);
  // Both joins have come to the room, and the leave has not.
  while (world.room.inside.size < 2) world.arrive(true, 1) || world.arrive(true);
  const body = world.roomSays();
  pass(world, 20_000);
  assert.equal(world.client(b).heard, [body]);
  assert.is(world.client(b).place, 'in');
});

test('what was on its way to the room when the account was kicked is not said in its next stay', () => {
  const { world, a, b } = inhabited(true);
  world.rename(a, 'nick0');
  world.kick();
  while (world.client(b).place !== 'out') world.arrive(false);
  world.join(b);
  pass(world, 20_000);
  assert.is(world.client(b).place, 'in');
  const before = world.sent.length;
  const c = world.bind();
  world.join(c);
  for (const id of [a, b]) world.drop(id);
  pass(world, 20_000);
  assert.is(world.client(c).place, 'in');
  const nicks = world.sent.slice(before).map(({ stanza }) => stanza.to);
  assert.is(nicks.includes(`${ROOM}/nick0`), false);
});

test('what the last device says as it leaves in the middle of a hand-over is said, also where the room does not answer in time', () => {
  const world = new World({ settings: { graceMs: 0 } });
  const [a, b] = [world.bind(), world.bind()];
  for (const one of [a, b]) world.join(one);
  world.settle();
  const { carrier } = world.client(a);
  world.drop(a);
  world.send(b, `<presence type='unavailable' to='${ROOM}/alice'><status>bye</status></presence>`);
  while (!byes(world).includes(carrier) && world.fire() !== undefined);
  assert.equal(byes(world).sort(), [carrier, world.client(b).carrier].sort());
  world.settle();
  assert.is(world.room.inside.size, 0);
});

/** The streams on which the room was told goodbye. */
function byes({ sent }: World): string[] {
  return sent.filter(({ stanza }) => stanza.root.child('status')?.text() === 'bye').map(({ carrier }) => carrier);
}

test('a presence that was refused because the account is out is not said for who has left since, or has said otherwise', () => {
  for (const then of ['left', 'joined'] as const) {
    const { world, a, b } = inhabited();
    world.drop(b);
    world.settle();
    world.room.forget();
    if (then === 'left') world.joinAs(a, 'nick0');
    else world.send(a, `<presence to='${ROOM}/alice'><show>away</show></presence>`);
    world.arrive(true);
    world.arrive(false);
    if (then === 'left') world.blink(a);
    else world.join(a);
    const before = world.sent.length;
    const c = world.bind();
    world.join(c);
    pass(world, 20_000);
    assert.is(world.client(a).place, then === 'left' ? 'out' : 'in', then);
    const shows = world.sent.slice(before).map(({ stanza }) => stanza.root.child('show')?.text());
    assert.is(shows.includes('away'), false, then);
  }
});

test('a status that waits for a stream gives way to a join of the same device', () => {
  const { world, a, b } = inhabited();
  world.lose(a);
  world.send(b, `<presence to='${ROOM}/alice'><show>away</show></presence>`);
  world.join(b);
  pass(world, 20_000);
  assert.is(
    world.sent.some(({ stanza }) => stanza.root.child('show')?.text() === 'away'),
    false,
  );
  assert.is(world.client(b).place, 'in');
});

test('a message of the account’s own that both streams of a hand-over tell has arrived once, and the next one is still on its way', () => {
  for (const id of ['', " id='1'"]) {
    for (const isNewFirst of [true, false]) {
      const { world, a, b } = inhabited();
      const [old, next] = [a, b].map((one) => world.client(one).carrier) as [CarrierId, CarrierId];
      world.drop(a);
      world.reach();
      const [room] = world.state.rooms.values();
      while (room?.move) world.arrive(false, 1);
      assert.ok(room?.ahead);
      for (const body of ['x1', 'x2'])
        world.send(b, `<message type='groupchat'${id} to='${ROOM}'><body>${body}</body></message>`);
      const mark = `<stanza-id xmlns='${NS.stanzaId}' by='${ROOM}' id='z1'/>`;
      const told = `<message type='groupchat' from='${ROOM}/alice' id='${id ? '1' : 'g1'}' to='x'><body>x1</body>${mark}</message>`;
      for (const carrier of isNewFirst ? [next, old] : [old, next]) world.arrives(carrier, told);
      assert.equal(
        room.sent.map(({ text }) => text?.root.child('body')?.text()),
        ['x2'],
      );
    }
  }
});

test('nor is one lost in silence where the account leaves before the new stream’s words are told', () => {
  for (const isNewFirst of [true, false]) {
    const world = new World({ settings: { graceMs: 0 } });
    const [a, b] = [world.bind(), world.bind()];
    for (const one of [a, b]) world.join(one);
    world.settle();
    const [old, next] = [a, b].map((one) => world.client(one).carrier) as [CarrierId, CarrierId];
    world.drop(a);
    world.reach();
    const [room] = world.state.rooms.values();
    while (room?.move) world.arrive(false, 1);
    assert.ok(room?.ahead);
    for (const body of ['x1', 'x2'])
      world.send(b, `<message type='groupchat' to='${ROOM}'><body>${body}</body></message>`);
    const mark = `<stanza-id xmlns='${NS.stanzaId}' by='${ROOM}' id='z1'/>`;
    const told = `<message type='groupchat' from='${ROOM}/alice' id='g1' to='x'><body>x1</body>${mark}</message>`;
    const [first, second] = isNewFirst ? [next, old] : [old, next];
    world.arrives(first, told);
    world.leave(b);
    assert.is(room.phase, 'leaving');
    world.arrives(second, told);
    assert.equal(
      room.sent.map(({ text }) => text?.root.child('body')?.text()),
      ['x2'],
    );
  }
});

test.run();
