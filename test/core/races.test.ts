/** What crosses on the way: each promise here was broken once, or nearly. */
import { NS } from '../../proxy/xml/names.ts';
import { assert, suite } from '../support/suite.ts';
import { ROOM, World } from './world.ts';

const test = suite('what crosses on the way');

/** So many sessions are in the room, the first one carries it. */
function joined(count: number, world = new World()): World {
  for (let index = 0; index < count; index += 1) world.join(world.bind());
  world.settle();
  return world;
}

function ids(world: World): [ReturnType<World['bind']>, ReturnType<World['bind']>, ReturnType<World['bind']>] {
  const [a, b, c] = [...world.sessions.keys()];
  return [a, b ?? a, c ?? a] as never;
}

function roomOf(world: World) {
  const room = [...world.state.rooms.values()][0];
  if (!room) throw new Error('no room');
  return room;
}

test('messages without an id are not remembered for ever, and an error finds the one that is not answered', () => {
  const world = joined(2);
  const [a, b] = ids(world);
  for (let count = 0; count < 1000; count += 1) {
    world.send(a, `<message type='groupchat' to='${ROOM}'><body>x</body></message>`);
    world.settle();
  }
  assert.is(roomOf(world).sent.length, 0);
  for (let count = 0; count < 1000; count += 1)
    world.send(b, `<message type='chat' to='${ROOM}/bob'><body>x</body></message>`);
  assert.ok(roomOf(world).sent.length <= 256);
});

test('a kick in the middle of a hand-over is a kick: the join that was on its way is taken back', () => {
  for (const isNewFirst of [true, false]) {
    const world = joined(2);
    const [a, b] = ids(world);
    world.drop(a);
    if (isNewFirst) {
      // The room has let the new stream in; nobody has heard of it yet.
      while (world.room.inside.size < 2) world.arrive(true);
    }
    world.kick();
    world.settle();
    assert.is(world.client(b).place, 'out');
    assert.is(world.client(b).told.filter((one) => one.type === 'unavailable').length, 1, 'told once');
    assert.is(world.room.inside.size, 0, 'no ghost stays');
    world.join(b);
    world.settle();
    assert.is(world.client(b).place, 'in');
  }
});

test('the messages of a hand-over are compared for a while, also when the old stream is lost in the middle', () => {
  const world = joined(2);
  const [a] = ids(world);
  world.drop(a);
  world.input({ kind: 'carrier-lost', carrier: 'c1' as never });
  world.settle();
  while (world.timers.size > 0 && world.now < 1_700_000_000_000 + 60_000) world.fire();
  assert.is(roomOf(world).overlap, undefined);
});

test('what the stream before the last one still delivers in a second hand-over is not heard again', () => {
  const world = joined(3);
  const [a, b, c] = ids(world);
  world.drop(a);
  while (world.room.inside.size < 2) world.arrive(true);
  const said = world.roomSays();
  // All that the room has for the new stream arrives, and nothing for the old one.
  for (let count = 0; count < 6; count += 1) world.arrive(false, 1);
  world.drop(b);
  world.settle();
  assert.equal(world.client(c).heard, [said]);
});

test('a nick that somebody else has taken meanwhile says nothing of the service', () => {
  const world = joined(1);
  const [a] = ids(world);
  world.join(world.bind());
  world.input({ kind: 'carrier-lost', carrier: world.client(a).carrier });
  const join = world.sent.at(-2)?.stanza;
  world.arrives(
    'c3' as never,
    `<presence type='error' id='${join?.id}' from='${ROOM}/alice'><error type='cancel'><conflict xmlns='${NS.stanzaErrors}'/></error></presence>`,
  );
  assert.is(world.state.services.facts('muc.test').refusesSharedNick, false);
});

test('a gateway that answers for the room before it is in does not end a hand-over', () => {
  const world = joined(2);
  const [a, b] = ids(world);
  world.drop(a);
  const fence = world.sent.at(-1)?.stanza;
  const { jid, carrier } = world.client(b);
  world.arrives(carrier, `<iq type='result' id='${fence?.id}' from='${ROOM}' to='${jid}'/>`);
  world.settle();
  assert.is(roomOf(world).carrier, carrier);
  assert.is(world.room.inside.size, 1);
});

test('an occupant that asks something of a stream which is just coming in gets an answer', () => {
  const world = joined(2);
  const [a, b] = ids(world);
  const ask = (to: string): string =>
    `<iq type='get' id='q' from='${ROOM}/bob' to='${to}'><query xmlns='${NS.discoInfo}'/></iq>`;
  world.drop(a);
  const { jid, carrier } = world.client(b);
  world.arrives(carrier, ask(jid));
  assert.is(world.client(b).told.at(-1)?.id, 'q');
  const fresh = new World();
  const first = fresh.bind();
  fresh.join(first);
  fresh.arrives(fresh.client(first).carrier, ask(fresh.client(first).jid));
  assert.is(fresh.client(first).told.at(-1)?.id, 'q');
  fresh.send(first, `<iq type='result' id='q' to='${ROOM}/bob'/>`);
  fresh.settle();
  assert.is(fresh.sent.at(-1)?.stanza.id, 'q');
});

test('a nick change in the middle of a hand-over is not lost, and parts no streams', () => {
  const world = joined(3);
  const [a, b, c] = ids(world);
  world.drop(a);
  world.send(c, `<presence id='n' to='${ROOM}/alicia'/>`);
  world.settle();
  assert.equal([...world.room.inside.values()], ['alicia']);
  assert.is(world.client(b).place, 'in');
});

const join = (password: string, id: string): string =>
  `<presence id='${id}' to='${ROOM}/alice'><x xmlns='${NS.muc}'><password>${password}</password></x></presence>`;
const refusal = (id: string | undefined): string =>
  `<presence type='error' id='${id}' from='${ROOM}/alice'><error type='auth'><not-authorized xmlns='${NS.stanzaErrors}'/></error></presence>`;

test('a refusal is for the wish that was sent, not for whoever waits in its place', () => {
  const world = new World();
  const [a, b] = [world.bind(), world.bind()];
  const { carrier } = world.client(a);
  world.send(a, join('wrong', 'a1'));
  world.send(b, join('right', 'b1'));
  world.drop(a);
  // The stream is taken back with its client, so the other one's wish is what is asked next.
  world.settle();
  assert.equal([world.client(b).place, world.client(b).errors], ['in', 0]);
  const other = new World();
  const [c, d] = [other.bind(), other.bind()];
  other.send(c, join('wrong', 'c1'));
  other.send(d, join('right', 'd1'));
  other.leave(c);
  other.arrives(carrier, refusal('c1'));
  other.settle();
  assert.equal([other.client(d).place, other.client(d).errors], ['in', 0]);
});

test('a join that is asked anew with another password is tried, and what came behind the first is not lost', () => {
  const world = new World();
  const a = world.bind();
  world.send(a, join('wrong', 'a1'));
  world.send(a, `<iq type='get' id='q' to='${ROOM}'><query xmlns='${NS.discoInfo}'/></iq>`);
  world.send(a, join('right', 'a2'));
  world.arrives(world.client(a).carrier, refusal('a1'));
  world.settle();
  assert.is(world.client(a).errors, 0);
  assert.is(world.client(a).place, 'in');
  assert.is(world.client(a).told.at(-1)?.id, 'q');
});

test.run();
