/**
 * What is said while streams and nicks of the account are on their way, found by the model (model.ts), each on its own: what a room goes on to
 * see of the account, and what occupants say to it alone.
 */
import type { SessionId } from '../../proxy/core/state.ts';
import { NS } from '../../proxy/xml/names.ts';
import { assert, suite } from '../support/suite.ts';
import { checkAgreement, type Happening, notice, rest, type Service } from './model.ts';
import { ROOM, World } from './world.ts';

const test = suite('what is said on the way');

/** Two sessions in the room, carried by the first one's stream. */
function inhabited({ knowsOld = false, isShared = true } = {}): { world: World; a: SessionId; b: SessionId } {
  const world = new World({ isShared, room: { knowsOld }, settings: { selfPingMs: 60_000 } });
  const [a, b] = [world.bind(), world.bind()];
  for (const one of [a, b]) world.join(one);
  world.settle();
  return { world, a, b };
}

/** In the end the room shows the account so. */
function assertShown(world: World, show: string): void {
  rest(world);
  notice(world);
  assert.equal([...world.room.shows.values()], [show]);
}

test('a presence of the proxy’s own that the room refuses, having forgotten the account, is shown when it is back', () => {
  const { world, a, b } = inhabited();
  world.status(b, 'dnd');
  world.leave(a);
  world.room.forget();
  assertShown(world, 'dnd');
});

test('a nick change holds its sender’s availability; the room goes on to see that of the most active session', () => {
  const { world, a, b } = inhabited();
  world.status(a, 'away');
  world.settle();
  world.rename(a, 'nick0');
  world.settle();
  assert.equal([...world.room.inside.values()], ['nick0']);
  assertShown(world, '');
  world.drop(b);
  assertShown(world, 'away');
});

test('a nick change that the room refuses says nothing of its sender’s availability', () => {
  const { world, a, b } = inhabited();
  world.status(a, 'away');
  world.drop(b);
  assertShown(world, 'away');
  world.send(a, `<presence id='n' to='${ROOM}/bob'/>`);
  world.sent.length = 0;
  assertShown(world, 'away');
  assert.equal(
    world.sent.filter(({ stanza }) => stanza.name === 'presence'),
    [],
  );
});

test('a status that is said behind a nick change does not undo it', () => {
  const { world, a, b } = inhabited();
  world.rename(a, 'nick0');
  world.status(b, 'dnd');
  world.status(a, 'away');
  assertShown(world, 'dnd');
  assert.equal([...world.room.inside.values()], ['nick0']);
});

test('the same where both wait for a hand-over', () => {
  const { world, a, b } = inhabited();
  world.drop(a);
  world.rename(b, 'nick0');
  world.status(b, 'away');
  assertShown(world, 'away');
  assert.equal([...world.room.inside.values()], ['nick0']);
});

test('a status behind a nick change holds also where the room refuses that, having forgotten the account', () => {
  const { world, a, b } = inhabited();
  world.drop(b);
  world.settle();
  world.rename(a, 'nick0');
  world.room.forget();
  world.status(a, 'away');
  assertShown(world, 'away');
  assert.equal([...world.room.inside.values()], ['nick0']);
});

test('a status that a lost stream had taken is asked for again, with the nick change behind it', () => {
  const { world, a, b } = inhabited();
  world.status(a, 'away');
  world.rename(a, 'nick0');
  world.lose(a);
  assertShown(world, '');
  assert.is(world.client(b).nick, 'nick0');
});

test('the last word of a session that is said for it is what the room is shown', () => {
  const { world, a, b } = inhabited({ isShared: false });
  world.drop(a);
  world.status(b, 'dnd');
  const c = world.bind();
  world.join(c);
  world.rename(c, 'nick0');
  world.drop(c);
  assertShown(world, 'dnd');
});

test('so is a join that its sender sends behind a nick change', () => {
  const { world, a, b } = inhabited();
  world.drop(b);
  world.status(a, 'away');
  world.settle();
  world.rename(a, 'nick0');
  world.join(a);
  assertShown(world, '');
});

test('a join that its sender has made of a nick change says less than what it has said since', () => {
  const { world, a, b } = inhabited();
  world.joinAs(a, 'nick0');
  world.join(a, 'alice', "<history maxstanzas='0'/>");
  world.status(a, 'away');
  world.drop(b);
  assertShown(world, 'away');
});

test('a nick change behind a join under another nick keeps its availability when that join is answered', () => {
  const { world, a, b } = inhabited();
  world.drop(b);
  world.settle();
  world.joinAs(a, 'nick0');
  world.send(a, `<presence id='n' to='${ROOM}/nick1'><show>away</show></presence>`);
  assertShown(world, 'away');
  assert.equal([...world.room.inside.values()], ['nick1']);
});

test('what was said before a new stream came in, and behind the old one’s removal, is passed on', () => {
  const { world, a, b } = inhabited();
  world.blink(a);
  world.settle();
  world.drop(b);
  world.throwOut();
  world.join(a);
  const body = world.roomSays();
  rest(world);
  assert.equal(world.client(a).heard, [body]);
});

/** Orders of events as the model has found them (`happen`): `word` or `word:number`; on services that share nicks or not, with groupchat 1.0 or not. */
const FOUND: readonly (readonly [what: string, service: Service, events: string])[] = [
  [
    'in the middle of a rejoin whose stream is lost',
    { isShared: true, knowsOld: false },
    'credentials account-stream:1 arrive whisper arrive arrive:2 arrive:2 lose arrive:2 arrive:6 lose-account-stream',
  ],
  [
    'in the middle of a rejoin for which no stream is left',
    { isShared: true, knowsOld: false },
    'bind drop lose-held arrive say whisper arrive arrive arrive arrive arrive farewell:3 arrive farewell:7',
  ],
  [
    'in the middle of a rejoin after which the account leaves',
    { isShared: true, knowsOld: true },
    'forget join-as arrive whisper arrive arrive arrive:1 arrive:3 farewell:1 leave fire',
  ],
  [
    'behind a removal, to a stream that comes in',
    { isShared: true, knowsOld: false },
    'park kick arrive whisper arrive:7 arrive arrive:2 arrive:2 arrive:2',
  ],
  [
    'behind a join that ends in a removal',
    { isShared: true, knowsOld: false },
    'kick arrive join arrive whisper throw-out',
  ],
  [
    'before the answer to a join for which nobody waits any more',
    { isShared: true, knowsOld: false },
    'drop kick arrive:1 fire arrive whisper farewell',
  ],
  [
    'late, to a stream whose leave the room has not confirmed',
    { isShared: false, knowsOld: false },
    'park whisper unavailable arrive arrive:7 fire fire',
  ],
  [
    'late, to a stream that was to come in',
    { isShared: true, knowsOld: true },
    'farewell arrive:2 whisper bind fire fire',
  ],
  [
    'late, to a stream that was to come in, by a room that has forgotten the other one',
    { isShared: true, knowsOld: true },
    'forget drop bind fire arrive whisper fire',
  ],
];

for (const [what, service, events] of FOUND) {
  test(`what is said in private ${what} is told or kept, once`, () => checkAgreement(service, played(events)));
}

function played(events: string): Happening[] {
  return events.split(' ').map((one) => {
    const [word = '', number = '0'] = one.split(':');
    return [word, Number(number)];
  });
}

test('a status that the room has refused, having forgotten the account, is not said again behind what its sender has said since', () => {
  checkAgreement({ isShared: false, knowsOld: false }, played('park settle forget status:10 arrive arrive join-as'));
});

test('a status on its way as the stream leaves to come back is said again', () => {
  const events = 'status:21 unavailable fire credentials account-stream:1 fire lose-account-stream';
  checkAgreement({ isShared: true, knowsOld: true }, played(events));
});

test('a status that is sent between the two presences of a nick change is newer than that', () => {
  const events = 'credentials park rename farewell arrive arrive:3 fire arrive arrive arrive bind join';
  for (const knowsOld of [true, false]) checkAgreement({ isShared: true, knowsOld }, played(events));
});

test('a kick that crosses a nick change and the leave behind it is not the end of what the room has taken for a join', () => {
  checkAgreement({ isShared: false, knowsOld: true }, played('farewell settle rename bind unavailable kick'));
});

test('a stream that was renamed as the next one came in is not another occupant', () => {
  const events = 'kick arrive bind park join:7 settle unavailable:3 join:1 park join-as';
  checkAgreement({ isShared: true, knowsOld: false }, played(events));
});

test('another stream’s coming is no answer to a status: a kick that crosses this leaves no stream in the room', () => {
  const events = 'drop bind settle credentials fire say unavailable fire account-stream arrive:2 kick join';
  checkAgreement({ isShared: true, knowsOld: true }, played(events));
});

/** The stream that carries the room is renamed as the next one comes in, under the nick of before, which takes its place. */
function renamedAsItGoes(): { world: World; b: SessionId } {
  const { world, a, b } = inhabited();
  world.rename(a, 'nick0');
  world.reach();
  world.park(a);
  world.reach();
  return { world, b };
}

test('a nick change of the stream that is left is asked for again on the next one, also where the room refuses that, having forgotten the account', () => {
  const { world, b } = renamedAsItGoes();
  world.room.forget();
  rest(world);
  notice(world);
  assert.equal([...world.room.inside.values()], ['nick0']);
  assert.is(world.client(b).nick, 'nick0');
});

test('where the next stream cannot have that nick devices are told that the account has the old one', () => {
  const { world, b } = renamedAsItGoes();
  world.room.others.add('nick0');
  rest(world);
  assert.equal([...world.room.inside.values()], ['alice']);
  assert.is(world.client(b).nick, 'alice');
  const ends = world.client(b).told.filter(({ type, from }) => type === 'unavailable' && from === `${ROOM}/alice`);
  assert.ok(
    ends.every((stanza) => stanza.bytes.includes("code='303'")),
    'nobody else had it',
  );
});

test('one that the room refuses on the next one as its nicks are locked is waited for no more', () => {
  const { world, b } = renamedAsItGoes();
  const take = world.room.take.bind(world.room);
  const locked = `<error type='cancel'><not-acceptable xmlns='${NS.stanzaErrors}'/></error>`;
  world.room.take = (from, stanza, now) => {
    const { name, type, id, to, root } = stanza;
    const isChange = name === 'presence' && type === undefined && to === `${ROOM}/nick0` && !root.child('x', NS.muc);
    if (!isChange) return take(from, stanza, now);
    return [{ to: from, xml: `<presence type='error' from='${to}' to='${from}' id='${id}'>${locked}</presence>` }];
  };
  rest(world);
  assert.is(world.client(b).nick, 'alice');
  assert.equal(
    [...world.state.rooms.values()].map(({ presences }) => presences),
    [[]],
  );
  world.status(b, 'away');
  world.settle();
  assert.equal([...world.room.shows.values()], ['away']);
});

test('what is said in private to a stream that was to come in, and to the one that carries the room, is told once', () => {
  const { world, a, b } = inhabited();
  world.bind();
  world.drop(a);
  world.reach();
  world.whisper();
  while (!world.fire()?.startsWith('depart'));
  rest(world);
  assert.is(world.client(b).whispered.length, 1);
});

test('a message that waits for the old stream’s end has arrived, though the nick has been changed since', () => {
  const events = 'forget park settle speak join-as settle forget';
  for (const knowsOld of [true, false]) checkAgreement({ isShared: true, knowsOld }, played(events));
});

test('nor is it to a join behind a nick change that the room has taken for one: no other stream takes the place meanwhile', () => {
  for (const end of ['throw-out', 'kick']) {
    checkAgreement({ isShared: true, knowsOld: true }, played(`forget rename arrive ${end} credentials`));
  }
});

test('a stream that was to come in, and leaves again, sets no subject back', () => {
  for (const events of ['park arrive bind subject park join', 'bind park fire arrive subject'])
    for (const knowsOld of [true, false]) checkAgreement({ isShared: true, knowsOld }, played(events));
});

test('a late stay, which a presence that crossed a kick has begun, is no answer to a join', () => {
  const { world, a } = inhabited({ knowsOld: true });
  world.kick();
  world.rename(a, 'nick0');
  world.reach();
  world.arrive(false);
  // The room does not confirm in time that it has taken that back.
  world.fire();
  world.join(a);
  rest(world);
  assert.is(world.client(a).errors, 0);
  assert.is(world.client(a).place, 'in');
  assert.equal([...world.client(a).sees], ['bob']);
});

test.run();
