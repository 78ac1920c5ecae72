/** Rooms that a client leaves to hide them (XEP-0437), told apart from rooms that are left (L2, L3). */
import type { SessionId, Settings } from '../../proxy/core/state.ts';
import { NS } from '../../proxy/xml/names.ts';
import { assert, suite } from '../support/suite.ts';
import { ROOM, World } from './world.ts';

const test = suite('hidden rooms');
const SERVICE = 'muc.test';

function inside(settings: Partial<Settings> = {}): { world: World; a: SessionId } {
  const world = new World({ settings });
  const a = world.bind();
  world.join(a);
  world.settle();
  world.client(a).told.length = 0;
  return { world, a };
}

const wish = (world: World, session: SessionId): void =>
  world.send(session, `<presence to='${SERVICE}'><rai xmlns='${NS.rai}'/></presence>`);

const activities = (world: World, session: SessionId): string[] =>
  world.client(session).told.flatMap(({ root, from }) => {
    const activity = root.child('rai', NS.rai)?.child('activity')?.text();
    return activity === undefined ? [] : [`${from} ${activity}`];
  });

/** The grace passes. */
function pass(world: World): void {
  world.settle();
  if (world.timers.delete(`grace ${ROOM}`)) world.input({ kind: 'timer', key: `grace ${ROOM}` });
  world.settle();
}

test('a client that asks for activity and leaves hides the room: the account stays, and the client is told, once', () => {
  const { world, a } = inside();
  wish(world, a);
  world.leave(a);
  pass(world);
  assert.is(world.room.witnessed, '+');
  assert.is(world.client(a).place, 'out');
  assert.equal(activities(world, a), []);
  world.roomSays();
  world.roomSays();
  world.settle();
  assert.equal(activities(world, a), [`${SERVICE} ${ROOM}`]);
  world.join(a);
  world.settle();
  assert.equal(world.client(a).heard, ['1', '2']);
  world.leave(a);
  world.roomSays();
  world.settle();
  assert.is(activities(world, a).length, 2);
});

test('one that leaves first and asks then, within the grace, too', () => {
  const { world, a } = inside();
  world.leave(a);
  wish(world, a);
  pass(world);
  assert.is(world.room.witnessed, '+');
  world.roomSays();
  world.settle();
  assert.is(activities(world, a).length, 1);
});

test('the wish goes to the service as well', () => {
  const { world, a } = inside();
  const before = world.sent.length;
  wish(world, a);
  assert.is(world.sent.length, before, 'not through the carrier as one of the account’s');
  assert.is(world.onItsWay(a).at(-1)?.to, SERVICE);
});

test('a client that does not ask, asks another service, or has taken the wish back, leaves', () => {
  const cases: ((world: World, a: SessionId) => void)[] = [
    () => {},
    (world, a) => world.send(a, `<presence to='other.test'><rai xmlns='${NS.rai}'/></presence>`),
    (world, a) => world.send(a, `<presence to='${SERVICE}'/>`),
    (world, a) => {
      wish(world, a);
      world.send(a, `<presence type='unavailable' to='${SERVICE}'/>`);
    },
  ];
  for (const say of cases) {
    const { world, a } = inside();
    say(world, a);
    world.leave(a);
    pass(world);
    assert.is(world.room.witnessed, '+-');
  }
});

test('what another client wants is no reason to stay', () => {
  const { world, a } = inside();
  const b = world.bind();
  wish(world, b);
  world.leave(a);
  pass(world);
  assert.is(world.room.witnessed, '+-');
});

test('one that is inside, or gone, is told nothing', () => {
  const { world, a } = inside();
  const b = world.bind();
  world.join(b);
  world.settle();
  wish(world, a);
  world.roomSays();
  world.settle();
  assert.equal(activities(world, a), []);
  world.leave(a);
  world.drop(a);
  world.settle();
  world.roomSays();
  world.settle();
  assert.equal(activities(world, b), []);
});

test.run();
