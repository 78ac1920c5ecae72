/**
 * Presence from a room in which the account is (L4, L5, L7): the roster is kept, every joined session sees the change.
 */

import { NS } from '../../xml/names.ts';
import type { Stanza } from '../../xml/stanza.ts';
import { shownPresence } from '../archive.ts';
import { carrierJids, hearerIds } from '../carriers.ts';
import { nickFreed } from '../kept.ts';
import {
  detach,
  isSelf,
  keyOfNick,
  nickOf,
  noteOccupant,
  noteRoomPresence,
  recordOccupancy,
  standing,
} from '../occupancy.ts';
import { actedPresenceFor, actorOf, itemCount, selfDigest, statusCodes } from '../self-presence.ts';
import type { Occupancy, Turn } from '../state.ts';
import { comesInAnew, comesInUnder, isRepeated, noteAsker, takeHeld } from './anew.ts';
import { isTechnical, losePlace } from './heal.ts';
import { noteRole } from './moderator.ts';
import { presenceSettled } from './nick.ts';
import { answerChange, joinsAmong } from './other-nick.ts';
import { answersProbe } from './probe.ts';
import { isRemoval, removal } from './removal.ts';
import { presenceRefused, presencesTaken } from './rename.ts';
import { forkSelf, renamed } from './self-fork.ts';

/** The account's nick in the store and in mind. */
function setNick(turn: Turn, room: Occupancy, nick: string): void {
  room.nick = nick;
  // Another stream may have had it already, and was shown as another occupant.
  room.roster.delete(keyOfNick(nick));
  recordOccupancy(turn, room);
}

/** What the room has said of itself turns out not to be part of a removal that is healed. */
export function passFarewell({ out }: Turn, room: Occupancy): void {
  if (room.roomFarewell) out.fork(hearerIds(room), room.roomFarewell);
  room.roomFarewell = undefined;
}

export function roomPresence(turn: Turn, room: Occupancy, stanza: Stanza): void {
  if (answersProbe(turn, room, stanza)) return;
  if (stanza.type === 'error') {
    passHeld(turn, room);
    presenceRefused(turn, room, stanza);
    return;
  }
  const nick = nickOf(stanza);
  if (room.presences.length === 0) passHeld(turn, room);
  if (nick === '') {
    // COMPAT: ejabberd announces one's own removal by an `unavailable` of the bare room, which is part of it.
    if (stanza.type === 'unavailable') room.roomFarewell = detach(stanza);
    else if (!comesInAnew(turn, room, stanza)) {
      if (stanza.type === undefined) noteRoomPresence(room, stanza);
      turn.out.fork(hearerIds(room), shownPresence(room, stanza));
    }
    return;
  }
  if (!isSelf(stanza, room.nick)) {
    if (comesInAnew(turn, room, stanza)) return;
    if (stanza.type === 'unavailable') nickFreed(room, stanza.from ?? '');
    noteOccupant(room.roster, stanza);
    forkOther(turn, room, stanza);
    return;
  }
  if (comesInUnder(turn, room, stanza, nick)) return;
  passHeld(turn, room);
  if (stanza.type === 'unavailable') selfUnavailable(turn, room, stanza);
  else if (stanza.type === undefined) selfAvailable(turn, room, stanza, nick);
}

/** What was kept back turns out not to be part of the answer to a join. */
function passHeld(turn: Turn, room: Occupancy): void {
  for (const stanza of takeHeld(room)) {
    // What the occupant has shown since, or that it has gone, was told already.
    if (!isRepeated(room, stanza)) turn.out.drop('overlap');
    else if (nickOf(stanza) === '') turn.out.fork(hearerIds(room), shownPresence(room, stanza));
    else forkOther(turn, room, stanza);
  }
}

/** Another occupant's presence to each joined session. */
function forkOther({ state, out }: Turn, room: Occupancy, stanza: Stanza): void {
  const ids = hearerIds(room);
  const actor = actorOf(stanza);
  const carriers = actor === undefined ? undefined : carrierJids(state);
  if (actor === undefined || !carriers?.has(actor)) {
    out.fork(ids, stanza);
    return;
  }
  for (const id of ids) {
    const session = state.sessions.get(id);
    if (session) out.toSession(id, actedPresenceFor(stanza, { to: session.jid, carriers }), stanza);
  }
}

function selfUnavailable(turn: Turn, room: Occupancy, stanza: Stanza): void {
  if (statusCodes(stanza).includes('303')) {
    nickFreed(room, stanza.from ?? '');
    forkSelf(turn, room, stanza);
    const item = stanza.root.child('x', NS.mucUser)?.child('item');
    setNick(turn, room, item?.attr('nick') ?? room.nick);
    return;
  }
  if (!isRemoval(room, stanza)) return;
  const { carrier } = room;
  const isHealed = carrier !== undefined && isTechnical(stanza) && losePlace(turn, room, carrier);
  if (isHealed) room.roomFarewell = undefined;
  else {
    passFarewell(turn, room);
    removal(turn, room, stanza);
  }
}

function selfAvailable(turn: Turn, room: Occupancy, stanza: Stanza, nick: string): void {
  const previous = room.self;
  if (keyOfNick(nick) !== keyOfNick(room.nick)) {
    // COMPAT: ejabberd renames one of several sessions of a nick without a 303, and the old nick stays with the others.
    forkSelf(turn, room, renamed(room, nick));
    if (previous) room.roster.set(keyOfNick(room.nick), { nick: room.nick, presence: previous });
    setNick(turn, room, nick);
  }
  room.self = standing(stanza);
  noteRole(turn, room, previous);
  const before = previous && nickOf(previous);
  const settled = isOfStreams(room, stanza, previous) ? [] : presenceSettled(room, stanza, before);
  if (previous && keyOfNick(nickOf(previous)) !== keyOfNick(nick)) noteAsker(room, settled.at(-1), nick);
  const isAsked = settled.length > 0;
  if (!isAsked && previous && nickOf(previous) === nick && isAboutStreams(turn, room, previous, stanza)) return;
  const joins = joinsAmong(settled);
  forkSelf(turn, room, stanza, joins);
  presencesTaken(turn, room, settled, before);
  for (const [session, join] of joins) answerChange(turn, room, session, join);
}

/**
 * Whether the presence may be about the account's streams alone, and is no answer: one comes or goes, and the room has not repeated the id
 * of what is on its way to it.
 */
function isOfStreams(room: Occupancy, stanza: Stanza, previous: Stanza | undefined): boolean {
  if (!isMoving(room) || !previous || keyOfNick(nickOf(previous)) !== keyOfNick(nickOf(stanza))) return false;
  return room.presences.every(({ id }) => id !== undefined && id !== stanza.id);
}

function isMoving({ move, departing, overlap }: Occupancy): boolean {
  return move !== undefined || departing.size > 0 || overlap?.isOver === false;
}

/**
 * Whether the presence only shows that one of the account's streams came or went, which is nobody's business. When none does, a room
 * that says the same again has a reason: it confirms a registration so (Prosody), or what an admin has asked for.
 */
function isAboutStreams(turn: Turn, room: Occupancy, previous: Stanza, stanza: Stanza): boolean {
  const carriers = carrierJids(turn.state);
  if (selfDigest(previous, carriers) !== selfDigest(stanza, carriers)) return false;
  return isMoving(room) || itemCount(previous) !== itemCount(stanza);
}
