/** What is said right before a stay ends: it is shown, told once, or answered. */
import type { Occupancy, SessionId } from '../../proxy/core/state.ts';
import { NS } from '../../proxy/xml/names.ts';
import { assert, suite } from '../support/suite.ts';
import type { RoomOptions } from './model-room.ts';
import { ROOM, World } from './world.ts';

const test = suite('the last words of a stay');

function twoInside(room: Pick<RoomOptions, 'knowsOld'> = {}): { world: World; a: SessionId; b: SessionId } {
  const world = new World({ room });
  const [a, b] = [world.bind(), world.bind()] as [SessionId, SessionId];
  for (const one of [a, b]) world.join(one);
  world.settle();
  return { world, a, b };
}

function roomOf(world: World): Occupancy {
  return [...world.state.rooms.values()][0] as Occupancy;
}

/** So much time passes, with all that is on its way and all timers. */
function pass(world: World, ms: number): void {
  const end = world.now + ms;
  world.settle();
  while (Math.min(...world.timers.values()) <= end) {
    world.fire();
    world.settle();
  }
  world.now = end;
}

test('what the new stream of a hand-over has heard before a kick is told, where the old one is slow', () => {
  const { world, a, b } = twoInside();
  const { carrier } = world.client(b);
  world.drop(a);
  world.reach();
  while (roomOf(world).move && world.arriveOn(carrier));
  assert.ok(roomOf(world).ahead);
  while (world.arriveOn(carrier));
  const body = world.roomSays();
  world.kick();
  while (world.arriveOn(carrier));
  pass(world, 20_000);
  assert.equal([world.client(b).place, world.client(b).heard.filter((one) => one === body)], ['out', [body]]);
});

test('what was never sent is said or refused, where its stream is lost as the account leaves and a device wants in again', () => {
  const world = new World({ settings: { graceMs: 0 } });
  const a = world.bind() as SessionId;
  world.input({ kind: 'credentials', known: true });
  world.join(a);
  world.accountStream(true);
  world.settle();
  const start = world.client(a).told.length;
  world.say(a, 'bye');
  world.leave(a);
  world.join(a);
  world.loseAccountStream('all');
  pass(world, 60_000);
  const refused = world
    .client(a)
    .told.slice(start)
    .filter(({ id, type }) => id === 'bye' && type === 'error').length;
  assert.is(world.room.said.filter((body) => body === 'bye').length + refused, 1);
});

test('what is said in private in a stay that a status has begun and a kick ends is told once', () => {
  const { world, a, b } = twoInside({ knowsOld: true });
  world.now += 60_000;
  world.room.forget();
  const { carrier, jid } = world.client(a);
  world.send(b, `<presence id='n1' to='${ROOM}/alice'><show>chat</show></presence>`);
  world.reach();
  world.arriveOn(carrier);
  assert.ok(roomOf(world).move?.isAnew);
  while (!roomOf(world).move?.self && world.arriveOn(carrier));
  world.arrives(carrier, `<message type='chat' from='${ROOM}/bob' to='${jid}' id='p1'><body>p1</body></message>`);
  world.room.kick();
  const x = `<x xmlns='${NS.mucUser}'><item affiliation='none' role='none'/><status code='110'/><status code='307'/></x>`;
  world.arrives(carrier, `<presence type='unavailable' from='${ROOM}/alice' to='${jid}'>${x}</presence>`);
  assert.equal(
    [a, b].map((id) => world.client(id).whispered),
    [['p1'], ['p1']],
  );
  world.join(a);
  pass(world, 30_000);
  assert.equal(
    [a, b].map((id) => world.client(id).whispered),
    [['p1'], ['p1']],
  );
});

test.run();
