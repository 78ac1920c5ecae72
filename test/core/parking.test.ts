import { assert, suite } from '../support/suite.ts';
import { BARE, ROOM, World } from './world.ts';

const test = suite('parked streams');

/** A session that is alone in the room. */
function alone(world = new World()): { world: World; desk: ReturnType<World['bind']> } {
  const desk = world.bind();
  world.join(desk);
  world.settle();
  return { world, desk };
}

function parked({ state }: World): number {
  return [...state.carriers.values()].filter(({ isParked }) => isParked).length;
}

test('a parked stream stays in the room, and the next session takes it over unseen', () => {
  const { world, desk } = alone();
  world.park(desk);
  const said = world.roomSays();
  world.settle();
  assert.is(parked(world), 1);
  const next = world.bind();
  world.join(next);
  world.settle();
  assert.is(parked(world), 0);
  assert.equal(world.client(next).heard, [said]);
  assert.is(world.room.witnessed, '+');
  assert.is(world.room.inside.size, 1);
});

test('a session that is gone again before it has taken the rooms over is parked, and the earlier stream ends', () => {
  const { world, desk } = alone();
  world.park(desk);
  const next = world.bind();
  world.arrive(true);
  world.park(next);
  world.settle();
  assert.is(parked(world), 1);
  assert.is(world.state.carriers.size, 1);
  assert.is(world.room.witnessed, '+');
});

test('no stream is parked for a session that is in no room, with linger 0, nor for one that the server pushes for', () => {
  const idle = new World();
  idle.park(idle.bind());
  assert.is(idle.state.carriers.size, 0);
  const { world: brief, desk } = alone(new World({ settings: { lingerMs: 0 } }));
  brief.park(desk);
  brief.settle();
  assert.is(brief.room.inside.size, 0);
  const { world, desk: phone } = alone();
  world.input({ kind: 'session-push', session: phone, enabled: true });
  world.park(phone);
  world.settle();
  assert.is(parked(world), 0);
  assert.is(world.room.inside.size, 0);
});

test('a stream whose session sleeps goes on when it may be parked, and its session hears the room', () => {
  const { world, desk } = alone();
  world.input({ kind: 'session-hibernates', session: desk, isDeaf: false, mayPark: true });
  const said = world.roomSays();
  world.settle();
  assert.equal(world.client(desk).heard, [said]);
  assert.not.ok(world.counted.some(({ kind }) => kind === 'suspend-carrier'));
  world.park(desk);
  world.settle();
  assert.is(parked(world), 1);
  assert.is(world.room.witnessed, '+');
});

test("one that the server may push for, or that somebody else can stand in for, is the server's to keep", () => {
  const suspended = ({ counted }: World): number => counted.filter(({ kind }) => kind === 'suspend-carrier').length;
  const { world: pushed, desk: phone } = alone();
  pushed.input({ kind: 'session-push', session: phone, enabled: true });
  pushed.input({ kind: 'session-hibernates', session: phone, isDeaf: false, mayPark: true });
  assert.is(suspended(pushed), 1);

  const { world, desk } = alone();
  world.input({ kind: 'session-hibernates', session: desk, isDeaf: false, mayPark: true });
  world.settle();
  const next = world.bind();
  world.settle();
  assert.is(suspended(world), 1);
  const said = world.roomSays();
  world.settle();
  // It has joined, and the room comes by the other one's stream.
  assert.equal([world.client(desk).heard, world.client(next).heard], [[said], []]);
  assert.is(world.room.witnessed, '+');
});

test('private messages that waited for somebody in a room are given to the next session when the parked stream is lost', () => {
  const { world, desk } = alone();
  const { carrier } = world.client(desk);
  world.park(desk);
  world.settle();
  const words = `<body>psst</body><x xmlns='http://jabber.org/protocol/muc#user'/>`;
  world.arrives(carrier, `<message type='chat' from='${ROOM}/bob' to='${BARE}/r1' id='psst'>${words}</message>`);
  world.loseHeld();
  world.settle();
  const next = world.bind();
  world.settle();
  assert.equal(
    world.client(next).told.map(({ id }) => id),
    ['psst'],
  );
});

test('a parked stream that is lost takes the account out of its rooms, and nothing is left', () => {
  const { world, desk } = alone();
  world.park(desk);
  world.settle();
  world.loseHeld();
  world.settle();
  assert.is(world.room.witnessed, '+-');
  assert.is(world.state.rooms.size + world.state.carriers.size, 0);
  assert.ok(world.isIdle);
});

test.run();
