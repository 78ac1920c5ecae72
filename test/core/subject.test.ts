/** The subject as a later device is given it (core/replay.ts): as the room gives it to who joins then (M8). */
import { createOccupancy } from '../../proxy/core/occupancy.ts';
import { subjectOf } from '../../proxy/core/replay.ts';
import { noteSubject } from '../../proxy/core/rules/groupchat.ts';
import type { Occupancy } from '../../proxy/core/state.ts';
import { factsOf, watchedRoom } from '../../proxy/core/watch.ts';
import { parseStanza } from '../../proxy/xml/stanza.ts';
import { assert, suite } from '../support/suite.ts';
import { ROOM, World } from './world.ts';

const test = suite('the subject');

const AT = Date.parse('2026-11-28T10:00:00Z');
const delay = `<delay xmlns='urn:xmpp:delay' from='${ROOM}' stamp='2026-11-28T10:00:00.000Z'/>`;
const { settings } = new World().state;

const message = (attributes: string, inner: string) =>
  parseStanza(`<message type='groupchat' from='${ROOM}/bob'${attributes} to='alice@test/x'>${inner}</message>`);

/** A room whose service shows it itself, before its occupants or behind the subject; or not at all. */
function roomOf(order: 'first' | 'last' | 'never'): Occupancy {
  const room = createOccupancy(ROOM as never, ROOM, 'alice', settings);
  if (order !== 'never') room.roomPresence = parseStanza(`<presence from='${ROOM}' to='alice@test/x'/>`);
  room.isRoomPresenceLast = order === 'last';
  return room;
}

test('one that was heard live has no id and no marks, and its time unless the service gives none', () => {
  const live = message(" id='s1'", `<subject>tea</subject><stanza-id xmlns='urn:xmpp:sid:0' id='1' by='${ROOM}'/>`);
  for (const [order, stamp] of [
    ['last', delay],
    ['never', delay],
    ['first', ''],
  ] as const) {
    const room = roomOf(order);
    noteSubject(room, live, AT);
    const given = subjectOf(room).bytes.toString();
    const wanted = message('', `<subject>tea</subject>${stamp}`).bytes.toString();
    assert.is(given, wanted, order);
  }
});

test('one that the room gave with the join, or that has a time of the room already, is given as it was', () => {
  const room = roomOf('first');
  const answered = message(" id='s2'", `<subject>tea</subject>${delay}`);
  for (const at of [undefined, AT]) {
    noteSubject(room, answered, at);
    assert.is(subjectOf(room).bytes.toString(), answered.bytes.toString());
  }
});

test('another node knows where the service shows the room itself', () => {
  for (const order of ['first', 'last'] as const) {
    const watched = watchedRoom(factsOf(roomOf(order), { nickRefusedUntil: 0, nickSharedUntil: 0 }), settings);
    assert.is(watched.isRoomPresenceLast, order === 'last');
  }
});

test('another node knows that a room is for subscribers, and that its service is to be asked who is one', () => {
  const room = roomOf('first');
  room.subscription = { isHeld: true };
  for (const [isOffered, expected] of [
    [true, { isHeld: false }],
    [false, undefined],
  ] as const) {
    if (!isOffered) room.subscription = undefined;
    const facts = factsOf(room, { nickRefusedUntil: 0, nickSharedUntil: 0 });
    assert.equal(watchedRoom(facts, settings).subscription, expected);
  }
});

test.run();
