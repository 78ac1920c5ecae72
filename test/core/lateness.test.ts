/** Streams that are late, and words left behind by who has gone: found by the model (model.ts), each on its own. */
import type { SessionId } from '../../proxy/core/state.ts';
import { NS } from '../../proxy/xml/names.ts';
import { assert, suite } from '../support/suite.ts';
import { type Happening, happen, inhabited, rest } from './model.ts';
import { ROOM, World } from './world.ts';

const test = suite('what comes late, or is left behind');

interface Ways {
  readonly isShared?: boolean;
  readonly knowsOld?: boolean;
}

/** Two sessions in the room, carried by the first one's stream. */
function twoInside({ isShared = true, knowsOld = false }: Ways = {}): { world: World; a: SessionId; b: SessionId } {
  const world = inhabited(new World({ isShared, room: { knowsOld } }));
  const [a, b] = [...world.sessions.keys()] as [SessionId, SessionId];
  return { world, a, b };
}

/** One after the other; with `arrive` a stanza towards the room (even) or the account (odd), of the stream that is named by half of it. */
function happenAll(world: World, ...events: Happening[]): void {
  for (const event of events) happen(world, event);
}

test('a message that one stream has told is not told again by another that is later than streams are compared', () => {
  const { world, a, b } = twoInside();
  world.drop(a);
  happenAll(world, ['arrive', 0], ['arrive', 0], ['arrive', 1], ['arrive', 1]);
  const body = world.roomSays();
  world.arrive(false);
  world.throwOut();
  world.arrive(false);
  assert.ok(world.fire()?.startsWith('move'));
  assert.ok(world.fire()?.startsWith('overlap'));
  rest(world);
  assert.equal(world.client(b).heard, [body]);
  assert.is([...world.timers.keys()].filter((key) => key.startsWith('overlap')).length, 0);
});

test('streams are not compared for ever in a room that answers no fence', () => {
  const { world, a } = twoInside();
  world.drop(a);
  happenAll(world, ['arrive', 0], ['arrive', 1], ['arrive', 1]);
  for (let timers = 0; timers < 40; timers += 1) world.fire('silence');
  assert.is([...world.timers.keys()].filter((key) => key.startsWith('overlap')).length, 0);
});

test('a join under another nick that a device has left behind is a nick change too', () => {
  const { world, a, b } = twoInside({ isShared: false });
  const c = world.bind();
  world.drop(a);
  world.arrive(true);
  world.joinAs(b, 'nick0');
  world.park(b);
  // The hand-over is refused, as the service shares no nicks, and there is a stream to come: the old one stays meanwhile.
  world.input({ kind: 'credentials', known: true });
  world.settle();
  const changes = world.sent.filter(({ stanza }) => stanza.to === `${ROOM}/nick0` && stanza.type === undefined);
  assert.is(changes.length, 1);
  assert.is(changes[0]?.stanza.root.child('x', NS.muc), undefined);
  world.join(c, 'nick0');
  rest(world);
  assert.is(world.client(c).place, 'in');
  assert.equal([...world.room.inside.values()], ['nick0']);
});

test('a message is not refused while the room has still to tell of it', () => {
  const { world, a, b } = twoInside();
  world.speak(b);
  world.arrive(true);
  world.lose(a);
  happenAll(world, ['arrive', 0], ['arrive', 3], ['arrive', 3]);
  assert.ok(world.fire()?.startsWith('move'));
  rest(world);
  const { told, heard } = world.client(b);
  assert.is(heard.length, 1);
  assert.is(told.filter(({ type }) => type === 'error').length, 0);
});

test('one of which the room does not tell in the end is', () => {
  const { world, a, b } = twoInside();
  world.speak(b);
  world.lose(a);
  happenAll(world, ['arrive', 0], ['arrive', 1], ['arrive', 1]);
  assert.ok(world.fire()?.startsWith('move'));
  rest(world);
  assert.is(world.client(b).told.filter(({ type }) => type === 'error').length, 1);
});

test('a stream that was refused beside the place is tried again before an account stream that comes in minutes', () => {
  const world = inhabited(new World({ settings: { selfPingMs: 60_000 } }));
  const [a, b] = [...world.sessions.keys()] as [SessionId, SessionId];
  world.park(a);
  world.input({ kind: 'credentials', known: true });
  world.accountStream(true);
  world.loseAccountStream();
  world.room.refusal = 'resource-constraint';
  world.arrive(true);
  world.room.refusal = undefined;
  world.settle();
  assert.ok(world.timers.has('reopen'));
  assert.is(world.room.inside.size, 1);
  assert.is(world.client(b).place, 'in');
});

test('the end of the stay that a nick change has begun is not the end of the one that the account asks for', () => {
  for (const isGoing of [false, true]) {
    const { world, a, b } = twoInside({ knowsOld: true });
    world.roomSays();
    world.room.forget();
    world.joinAs(a, 'nick0');
    happenAll(world, ['arrive', 0], ['arrive', 1], ['throw-out', 0]);
    if (isGoing) {
      happenAll(world, ['arrive', 1], ['arrive', 1]);
      world.blink(a);
    } else world.leave(a);
    world.client(a).told.length = 0;
    rest(world);
    assert.equal(fromRoom(world, a), []);
    assert.is(world.client(b).place, 'in');
    assert.is(world.room.inside.size, 1);
    assert.is(world.client(b).heard.length, 1);
  }
});

test('a removal that ends what one presence has begun says nothing of what the next one may begin', () => {
  const { world, a, b } = twoInside({ knowsOld: true });
  world.throwOut();
  world.rename(a, 'nick0');
  world.joinAs(a, 'nick0');
  world.arrive(true);
  world.kick();
  world.arrive(true);
  world.blink(a);
  world.client(a).told.length = 0;
  rest(world);
  assert.equal(fromRoom(world, a), []);
  assert.is(world.client(b).place, 'in');
  assert.is(world.room.inside.size, 1);
});

function fromRoom(world: World, id: SessionId): string[] {
  return world.client(id).told.map(({ name, type }) => `${name} ${type ?? ''}`.trim());
}

test.run();
