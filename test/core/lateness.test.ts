/** Streams that are late, and words left behind by who has gone: found by the model (model.ts), each on its own. */
import type { CarrierId, Occupancy, SessionId } from '../../proxy/core/state.ts';
import type { BareKey } from '../../proxy/xml/address.ts';
import { NS } from '../../proxy/xml/names.ts';
import type { Stanza } from '../../proxy/xml/stanza.ts';
import { assert, suite } from '../support/suite.ts';
import { type Happening, happen, inhabited, rest } from './model.ts';
import { ROOM, World } from './world.ts';

const test = suite('what comes late, or is left behind');

const KEY = ROOM as BareKey;

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
  happenAll(world, ['arrive', 0], ['arrive', 0], ['arrive', 1], ['arrive', 1], ['arrive', 1]);
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

test('nor what the new stream tells late behind all that it was told with its join, unless nobody has named it', () => {
  for (const id of ["id='m1'", '']) {
    const { world, a, b } = twoInside();
    const [old, carrier] = [world.client(a).carrier, world.client(b).carrier];
    const message = `<message type='groupchat' ${id} from='${ROOM}/bob'><body>hm</body></message>`;
    world.drop(a);
    happenAll(world, ['arrive', 0], ['arrive', 0]);
    world.arrives(old, message);
    world.settle();
    assert.is(world.state.rooms.get(KEY)?.carrier, carrier);
    assert.ok(world.fire()?.startsWith('overlap'));
    world.arrives(carrier, message);
    assert.equal(world.client(b).heard, id === '' ? ['hm', 'hm'] : ['hm']);
  }
});

test('streams are not compared for ever, nor in a room that answers no fence', () => {
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

test('a kick on a stream that is leaving, while no other has come in, is the account’s', () => {
  for (const isShared of [false, true]) {
    const { world, a, b } = twoInside({ isShared, knowsOld: true });
    if (isShared) {
      world.room.forget();
      world.joinAs(a, 'nick0');
      happenAll(world, ['arrive', 0], ['kick', 0], ['arrive', 1], ['arrive', 1]);
      world.blink(a);
    } else {
      // It is known that the service refuses shared nicks.
      world.drop(a);
      while (world.state.rooms.get(KEY)?.carrier !== undefined) world.arrive(true) || world.arrive(false);
      world.kick();
    }
    rest(world);
    assert.is(world.client(b).place, 'out');
    assert.is(world.room.inside.size, 0);
    const last = world.client(b).told.filter(({ name, type }) => name === 'presence' && type === 'unavailable');
    assert.equal(
      last.map(({ from }) => from),
      [`${ROOM}/alice`],
    );
  }
});

test('a removal that ends what one presence has begun says nothing of what the next one may begin', () => {
  const { world, a, b } = twoInside({ knowsOld: true });
  world.throwOut();
  world.rename(a, 'nick0');
  world.joinAs(a, 'nick0');
  world.arrive(true);
  world.throwOut();
  world.arrive(true);
  world.blink(a);
  world.client(a).told.length = 0;
  rest(world);
  assert.equal(fromRoom(world, a), []);
  assert.is(world.client(b).place, 'in');
  assert.is(world.room.inside.size, 1);
});

test('a nick change that the room has answered while the stream left is not waited for by what is to be shown', () => {
  const { world, a, b } = twoInside({ isShared: false });
  world.drop(a);
  world.settle();
  world.bind();
  world.rename(b, 'nick0');
  world.blink(b);
  rest(world);
  assert.is([...world.timers.keys()].filter((key) => key.startsWith('presence')).length, 0);
});

test('what the old stream of a hand-over was not told, as it was out of the room, is told by the new one', () => {
  const { world, a, b } = twoInside();
  world.drop(a);
  world.throwOut();
  const body = world.roomSays();
  // The new stream is in before the old one hears that it was out.
  const { carrier } = world.client(b);
  while (world.state.rooms.get(KEY)?.carrier !== carrier && world.arrive(true, 1));
  rest(world);
  assert.equal(world.client(b).heard, [body]);
});

/** The room has not answered a join in time, nor the leave that takes it back, and a device joins by that stream again. */
function rejoined(isAccountStream: boolean): { world: World; a: SessionId; carrier: CarrierId; jid: string } {
  const world = new World();
  const a = world.bind();
  if (isAccountStream) world.input({ kind: 'credentials', known: true });
  world.join(a);
  world.accountStream(true);
  while (world.state.rooms.get(KEY)?.phase !== 'ended') world.fire();
  assert.is(world.client(a).errors, 1);
  world.join(a);
  const carrier = [...world.state.carriers.values()].find(
    ({ kind }) => (kind === 'account-stream') === isAccountStream,
  );
  if (!carrier) throw new Error('no stream carries the room');
  return { world, a, carrier: carrier.id, jid: carrier.jid };
}

test('the end of a stay that the room confirms late is no answer to the next join on that stream', () => {
  for (const isAccountStream of [false, true]) {
    const { world, a } = rejoined(isAccountStream);
    world.settle();
    assert.is(world.client(a).errors, 1);
    assert.is(world.client(a).place, 'in');
    assert.is(world.room.inside.size, 1);
    assert.is(world.state.rooms.get(KEY)?.phase, 'joined');
  }
});

test('nor is an answer to what was sent in that stay, whether it bears an id or not', () => {
  for (const knowsOld of [false, true]) {
    for (const isJoin of [false, true]) {
      const { world, a } = twoInside({ knowsOld });
      if (isJoin) world.joinAs(a, 'nick0');
      else world.rename(a, 'nick0');
      world.kick();
      world.arrive(false);
      assert.ok(world.fire()?.startsWith('depart'));
      world.join(a);
      rest(world);
      assert.is(world.client(a).place, 'in');
      assert.is(world.client(a).errors, 0);
      assert.equal([...world.room.inside.values()], ['alice']);
      assert.is(world.state.rooms.get(KEY)?.nick, 'alice');
    }
  }
});

test('of a service that takes ids away the last word before the fence is the answer', () => {
  const self = (type = ''): string =>
    `<x xmlns='${NS.mucUser}'><item role='${type ? 'none' : 'participant'}'/><status code='110'/></x>`;
  const error = `<error type='cancel'><conflict xmlns='${NS.stanzaErrors}'/></error>`;
  for (const isRefused of [false, true]) {
    const { world, a, carrier, jid } = rejoined(false);
    const fence = world.sent.at(-1)?.stanza.id;
    const says = (type: string, content: string): void => {
      const attributes = type === '' ? '' : ` type='${type}'`;
      world.arrives(carrier, `<presence from='${ROOM}/alice' to='${jid}'${attributes}>${content}</presence>`);
    };
    says('', self());
    says('unavailable', self('unavailable'));
    assert.is(world.client(a).place, 'asking');
    if (isRefused) says('error', error);
    else says('', self());
    assert.is(world.client(a).place, 'asking');
    world.arrives(carrier, `<iq type='result' id='${fence}' from='${ROOM}' to='${jid}'/>`);
    assert.is(world.client(a).place, isRefused ? 'out' : 'in');
  }
});

test('what was said in a stay is not refused in the next one, in which its history may have told of it', () => {
  const { world, a } = twoInside({ knowsOld: true });
  world.kick();
  world.rename(a, 'nick0');
  world.speak(a);
  world.arrive(false);
  world.join(a);
  assert.ok(world.fire()?.startsWith('depart'));
  rest(world);
  assert.is(world.client(a).heard.length, 1);
  world.throwOut();
  rest(world);
  assert.is(world.client(a).place, 'in');
  assert.is(world.client(a).told.filter(({ type }) => type === 'error').length, 0);
});

test('a message that waits for the old stream’s end is not lost for its sender when the nick changes meanwhile', () => {
  const { world, a, b } = twoInside();
  world.room.forget();
  world.drop(a);
  // The old stream's leave is not answered, as the room has forgotten it.
  world.settle();
  world.speak(b);
  world.rename(b, 'nick0');
  world.settle();
  assert.ok(world.fire()?.startsWith('overlap'));
  world.lose(b);
  assert.is(world.state.rooms.get(KEY)?.sent.length, 0);
});

test('a stream that the room owes the end of two stays is kept from its client until both have ended', () => {
  const { world, a, b } = twoInside();
  world.drop(a);
  const c = world.bind();
  world.join(c);
  // The hand-over to the second stream is taken back, and so late that it has been tried once more, and taken back again.
  world.blink(b);
  world.join(b);
  const depart = `depart ${world.client(b).carrier} ${ROOM}`;
  while (world.timers.has(depart)) world.fire();
  world.drop(c);
  world.blink(b);
  world.client(b).told.length = 0;
  rest(world);
  assert.equal(fromRoom(world, b), []);
  assert.is(world.room.inside.size, 0);
});

test('a nick change on the old stream of a hand-over that crosses the loss of its place is kept from its client', () => {
  const { world, a, b } = twoInside({ knowsOld: true });
  world.joinAs(a, 'nick0');
  world.throwOut();
  world.blink(a);
  world.client(a).told.length = 0;
  // The new stream is in before the old one hears that it was out.
  const { carrier } = world.client(b);
  while (world.state.rooms.get(KEY)?.carrier !== carrier && (world.arrive(true, 1) || world.arrive(false, 1)));
  rest(world);
  assert.equal(fromRoom(world, a), []);
  assert.is(world.client(b).place, 'in');
});

test('the same of two joins that were given up', () => {
  for (const isAccountStream of [false, true]) {
    const { world, a } = rejoined(isAccountStream);
    while (world.client(a).place === 'asking') world.fire();
    const { told } = world.client(a);
    const before = told.length;
    rest(world);
    assert.is(told.length, before);
    assert.is(world.room.inside.size, 0);
  }
});

function fromRoom(world: World, id: SessionId): string[] {
  return world.client(id).told.map(({ name, type }) => `${name} ${type ?? ''}`.trim());
}

test('who joins under another nick behind a nick change that a hand-over crosses is answered', () => {
  for (const isRefused of [false, true]) {
    const { world, a, b } = twoInside();
    world.rename(a, 'nickb');
    world.joinAs(b, 'nickc');
    const { joinId } = world.client(b);
    world.reach();
    world.drop(a);
    world.reach();
    happenAll(world, ['arrive', 1], ['arrive', 1]);
    const room = (): Occupancy | undefined => world.state.rooms.get(KEY);
    assert.is(room()?.nick, 'nickb');
    while (room()?.move) happen(world, ['arrive', 3]);
    assert.ok(room()?.ahead);
    if (isRefused) world.room.others.add('nickc');
    const { told } = world.client(b);
    told.length = 0;
    rest(world);
    const isError = ({ id, type }: Stanza): boolean => id === joinId && type === 'error';
    assert.is(told.filter(isError).length, isRefused ? 1 : 0);
    assert.is(told.filter(({ root }) => root.child('subject')).length, isRefused ? 0 : 1, 'the whole answer');
    assert.equal([...world.room.inside.values()], [isRefused ? 'nickb' : 'nickc']);
  }
});

test.run();
