/**
 * Hand-over (L9): an occupancy moves from one carrier to another, unseen by other occupants where the service lets an account
 * share its nick (XEP-0045 section 7.2.8); and the rejoin after a carrier was lost. Sessions see differences only.
 */
import { bareOf } from '../../xml/address.ts';
import type { Stanza } from '../../xml/stanza.ts';
import { chooseCarrier, releaseRoom, suspend } from '../carriers.ts';
import { nicksFreed } from '../kept.ts';
import {
  detach,
  isBeforeJoin,
  isNickShared,
  isSelf,
  keyOfNick,
  nickOf,
  noteAnswered,
  noteRoomCodes,
  recordOccupancy,
  serviceOf,
} from '../occupancy.ts';
import { Overlap } from '../overlap.ts';
import { statusCodes } from '../self-presence.ts';
import { REFUSAL_MS } from '../services.ts';
import type { Carrier, Move, Occupancy, Turn } from '../state.ts';
import { freshId } from '../state.ts';
import { noteRoomInfo } from './archive.ts';
import { flushQueue } from './behind.ts';
import { bringUpToDate } from './catch-up.ts';
import { beginDepart } from './depart.ts';
import { tellDifferences } from './differences.ts';
import { isNotice } from './groupchat.ts';
import { joinAgain, knownGuise } from './guise.ts';
import { isTechnical, noteBack, rejoinRefused } from './heal.ts';
import { inbound } from './inbound.ts';
import { sendFence, startJoin } from './join.ts';
import { fenceAgain, isAnswerTo, isOfEarlier, joinFailed } from './join-answer.ts';
import { sendLeave } from './leave.ts';
import { goesOn, passTold } from './missed.ts';
import { noteRole } from './moderator.ts';
import { askAgain, requestRename } from './nick.ts';
import { caughtUp, isOfStayBefore, joinsAnew } from './overdue.ts';
import { isAwake, isBetterOff, isHibernating, isMissed, isOneComing } from './placing.ts';
import { messageError } from './private-message.ts';
import { giveUpPlace, isRemoval, removal } from './removal.ts';
import { provedIn, sayAgain } from './self-ping.ts';
import { noteOutdated, showMostActive } from './shown.ts';
import { settleStranded } from './stranded.ts';

/** Hand-overs under way at a time: services limit the rooms of an account, and both places count meanwhile. */
const WINDOW = 10;
/** A room that does not answer a hand-over's join (ms). */
const MOVE_TIMEOUT_MS = 15_000;
/** A parked stream stays in a room that has refused the session which was to take over: until that is tried again (ms). */
const OFFER_AGAIN_MS = 60_000;
/** How long after a hand-over the two streams' messages are still compared (ms). */
const OVERLAP_MS = 5000;

/** Brings each room to the carrier that it should have. To be called whenever sessions or carriers have changed. */
export function reconcile(turn: Turn): void {
  const { state } = turn;
  let moving = 0;
  for (const room of state.rooms.values()) if (room.move) moving += 1;
  for (const room of [...state.rooms.values()]) {
    if (room.phase === 'joining' && !room.attempt && room.waiting.length > 0) {
      startJoin(turn, room);
      if (!room.attempt && chooseCarrier(turn, room) === undefined && !isOneComing(turn)) {
        joinFailed(turn, room, 'service-unavailable', 'There is no stream to join the room through.');
      }
      continue;
    }
    if (room.phase !== 'joined' || room.move) continue;
    if (moving < WINDOW && place(turn, room)) moving += 1;
    else if (isAwake(turn, room)) goOn(turn, room);
  }
}

/** The room stays where it is: who has come while it was about to be moved is shown it, and what has waited goes to it. */
function goOn(turn: Turn, room: Occupancy): void {
  if (bringUpToDate(turn, room)) settleStranded(turn, room);
  flushQueue(turn, room);
}

/** Whether a hand-over of this room has begun. */
function place(turn: Turn, room: Occupancy): boolean {
  const { state } = turn;
  const current = room.carrier === undefined ? undefined : state.carriers.get(room.carrier);
  const isShared = isNickShared(turn, room);
  const isForced = current === undefined || current.status === 'retiring' || isMissed(turn, room, current);
  const isBetter = current?.status === 'ready' && isBetterOff(turn, room, current);
  if (!isForced && !isBetter) return false;
  // One hand-over after the other: what the last one has left to say comes first.
  if (room.ahead && current) return false;
  if (room.retryAt !== undefined && room.retryAt > turn.now) return false;
  // The old place must be free before a service that shares no nicks lets the account in again.
  if (!current && !isShared && [...room.departing.values()].some(({ isGivenUp }) => !isGivenUp)) return false;
  const target = current ? chooseCarrier(turn, room) : anyCarrier(turn, room);
  // A session whose stream is lost is about to go; the place is taken again when the next one comes.
  // An account stream that is tried again in minutes is no reason to keep a user's logout back for as long.
  const isHopeless = target === 'pending' && current?.status === 'retiring' && state.accountStream === 'waiting';
  if ((target === 'pending' && !isHopeless) || target === current) return false;
  if (target === undefined || target === 'pending') {
    if (current?.status === 'hibernating') return false;
    if (current && isHibernating(turn, current)) {
      suspend(turn, current);
      return false;
    }
    // The account comes back when that stream is there.
    if (current && isHopeless) leaveThenJoin(turn, room, current);
    else if (current && isForced) giveUpPlace(turn, room, 'No connection is left that could stay in the room.');
    return false;
  }
  if (!isForced && target.isParked) return false;
  if (current && !isShared) leaveThenJoin(turn, room, current);
  else startMove(turn, room, target, current);
  return true;
}

/** Also one that could not take the place over while there was another: rather than wait for an account stream for minutes. */
function anyCarrier(turn: Turn, room: Occupancy): ReturnType<typeof chooseCarrier> {
  const best = chooseCarrier(turn, room);
  const isFar = best === 'pending' && turn.state.accountStream === 'waiting';
  if (best !== undefined && !isFar) return best;
  room.refused.clear();
  return chooseCarrier(turn, room);
}

/** The last resort on services that refuse a shared nick: other occupants see the account leave and come. */
function leaveThenJoin(turn: Turn, room: Occupancy, current: Carrier): void {
  room.carrier = undefined;
  room.move = undefined;
  room.isReplaced = true;
  sendLeave(turn, room, current.id, current.farewell);
}

export function startMove(
  turn: Turn,
  room: Occupancy,
  to: Carrier,
  from: Carrier | undefined,
  guise = knownGuise(room),
): Move {
  const { state, out } = turn;
  const move: Move = {
    carrier: to.id,
    from: from?.id,
    isBlind: from === undefined || from.status === 'hibernating',
    isOvertaken: false,
    nick: guise.nick,
    at: turn.now,
    isOutdated: room.presences.some(({ nick }) => keyOfNick(nick) === keyOfNick(guise.nick)),
    joinId: freshId(state),
    fenceId: freshId(state),
    isFenceSpent: false,
    self: undefined,
    created: false,
    roster: new Map(),
    notices: [],
    heard: [],
    outdated: [],
  };
  room.move = move;
  // What the stream before the last one said may still be on its way, and one that is leaving hears the room beside the new one.
  if (from || room.departing.size > 0) {
    room.overlap ??= new Overlap();
    room.overlap.isOver = false;
  }
  if (!from) forgetPlaces(turn, room, to);
  move.isBehind = joinsAnew(turn, to, room.key);
  to.rooms.add(room.key);
  compareFor(turn, room, MOVE_TIMEOUT_MS + OVERLAP_MS);
  out.setTimer(`move ${room.key}`, MOVE_TIMEOUT_MS);
  out.toCarrier(to.id, joinAgain(room, move, guise));
  sendFence(turn, room, to, move.fenceId);
  return move;
}

/** No other stream has a place in the room, but those that are still to leave it. */
function forgetPlaces(turn: Turn, room: Occupancy, to: Carrier): void {
  for (const other of [...turn.state.carriers.values()]) {
    if (other !== to && other.rooms.has(room.key) && !room.departing.has(other.id)) releaseRoom(turn, other.id, room);
  }
}

/** How long the streams' messages are compared from now on. */
function compareFor(turn: Turn, room: Occupancy, ms: number): void {
  if (room.overlap) turn.out.setTimer(`overlap ${room.key}`, ms);
}

/** A stanza from the room on the carrier that it is being moved to. */
export function moving(turn: Turn, room: Occupancy, move: Move, stanza: Stanza): void {
  if (stanza.name === 'iq') {
    if (stanza.type === 'get' || stanza.type === 'set') inbound(turn, room, move.carrier, stanza);
    else if (stanza.id === move.fenceId) fenceAnswered(turn, room, move, stanza);
    return;
  }
  if (stanza.name === 'presence') {
    movePresence(turn, room, move, stanza);
    return;
  }
  if (stanza.type === 'error') {
    // To what was said before the place was lost.
    if (move.from === undefined && !sayAgain(turn, room, stanza)) messageError(turn, room, move.carrier, stanza);
    return;
  }
  if (stanza.type === 'groupchat' && isNotice(stanza)) {
    // COMPAT: mu-conference greets whoever joins; the sessions have joined long ago.
    turn.out.drop('overlap');
    return;
  }
  // The old stream is heard to its end first; without one all this is passed on behind the differences in the roster.
  move.heard.push(detach(stanza));
}

function fenceAnswered(turn: Turn, room: Occupancy, move: Move, answer: Stanza): void {
  const last = caughtUp(move);
  if (last) movePresence(turn, room, move, last);
  if (room.move !== move) return;
  if (move.self) {
    noteRoomInfo(turn, room, answer);
    finishMove(turn, room, move);
  }
  // A gateway may answer for the room before it is in: that proves nothing.
  else move.isFenceSpent = true;
}

function movePresence(turn: Turn, room: Occupancy, move: Move, stanza: Stanza): void {
  if (isOfStayBefore({ nick: move.nick }, move, stanza)) return;
  if (stanza.type === 'error') {
    if (isAnswerTo(move.joinId, stanza)) moveRefused(turn, room, move, stanza);
    return;
  }
  const nick = nickOf(stanza);
  if (nick === '') return;
  if (!isSelf(stanza, move.nick)) noteAnswered(move, stanza);
  else if (stanza.type === undefined) {
    // The late answer to an earlier join through this stream, which was taken back.
    if (isOfEarlier(turn, move, stanza)) return;
    move.self = detach(stanza);
    if (statusCodes(stanza).includes('201')) move.created = true;
    if (move.isFenceSpent) fenceAgain(turn, room, move);
  } else if (move.self) expelled(turn, room, move, stanza);
  // COMPAT: ejabberd gives the end of an earlier session's place to the new session that has its resource.
}

/** The account has been removed just after it had come in by this stream. */
function expelled(turn: Turn, room: Occupancy, move: Move, stanza: Stanza): void {
  const isFinal = isRemoval(room, stanza) && !isTechnical(stanza);
  if (!isFinal && isBeforeJoin(move)) {
    move.self = undefined;
    move.roster.clear();
    return;
  }
  // The old stream may not have heard it; without one a refusal passes it on.
  if (isFinal || move.from !== undefined) passTold(turn, room, move);
  // It has been told.
  if (isFinal) move.heard.length = 0;
  if (isFinal) {
    // A join that is still to be answered is taken back.
    if (!isBeforeJoin(move)) room.move = undefined;
    removal(turn, room, stanza);
  } else {
    moveRefused(turn, room, move, stanza);
  }
}

/** The new carrier is in: it is the room's carrier from here on. `isLate`: the room has not told all yet. */
function finishMove(turn: Turn, room: Occupancy, move: Move, isLate = false): void {
  const { out } = turn;
  if (!move.self) return;
  if (move.created) {
    createdAnew(turn, room);
    return;
  }
  const renamed = keyOfNick(room.nick) === keyOfNick(move.nick) ? undefined : room.nick;
  out.clearTimer(`move ${room.key}`);
  room.move = undefined;
  room.carrier = move.carrier;
  room.name = bareOf(move.self.from ?? room.name);
  if (move.from === undefined) {
    // Refused beside its place, and let in at once when that was left: only the place has been in the way.
    const wasRefused = room.isReplaced && (room.nickRefusedUntil ?? 0) > turn.now;
    if (wasRefused && room.tries === 0) turn.state.services.noteNickRefused(serviceOf(room), turn.now);
    noteBack(turn, room);
    nicksFreed(room);
  }
  provedIn(turn, room, move.from === undefined);
  noteRoomCodes(room.codes, move.self);
  const previous = room.self;
  tellDifferences(turn, room, move);
  noteRole(turn, room, previous);
  recordOccupancy(turn, room);
  const { carrier, heard, outdated } = move;
  const isWhole = move.isBlind ? goesOn(turn, room, heard) : undefined;
  if (move.isBlind) passTold(turn, room, move);
  // What was said while nobody heard who came and went.
  if (move.from === undefined) nicksFreed(room);
  if (move.from !== undefined) {
    turn.state.services.noteNickShared(serviceOf(room), turn.now);
    if (!move.isBlind) room.ahead = { carrier, told: heard, outdated, stanzas: [] };
    beginDepart(turn, room, move.from);
    // The old stream was renamed while the new one came in under the old nick.
    if (renamed !== undefined) {
      requestRename(turn, room, undefined, renamed);
      // What that stream has left unanswered is asked for again behind it, and answered behind it.
      room.presences.unshift(...room.presences.splice(-1));
    }
  }
  compareFor(turn, room, OVERLAP_MS);
  out.push({ kind: 'handed-over', result: move.from ? 'seamless' : room.isReplaced ? 'leave-join' : 'rejoined' });
  room.isReplaced = false;
  askAgain(turn, room);
  noteOutdated(room, move);
  if (move.isBlind && !move.isOvertaken && !isLate) settleStranded(turn, room);
  bringUpToDate(turn, room);
  flushQueue(turn, room, isWhole);
  showMostActive(turn, room);
}

/**
 * The room that the sessions were in has ended with all that was set there, and by coming back the account has created another. That is
 * for a client to do, which knows how it is to be configured: the sessions are told that they are out.
 */
function createdAnew(turn: Turn, room: Occupancy): void {
  turn.out.clearTimer(`move ${room.key}`);
  turn.out.push({ kind: 'handed-over', result: 'failed' });
  room.move = undefined;
  giveUpPlace(turn, room, 'The room has ended.');
}

/** The new carrier was refused, or silent. The old one, if there is one, stays the room's carrier. */
function moveRefused(turn: Turn, room: Occupancy, move: Move, error: Stanza | undefined): void {
  const { state, out } = turn;
  const child = error?.root.child('error');
  out.clearTimer(`move ${room.key}`);
  room.move = undefined;
  if (!room.departing.has(move.carrier)) state.carriers.get(move.carrier)?.rooms.delete(room.key);
  const from = move.from === undefined ? undefined : state.carriers.get(move.from);
  if (from) {
    showMostActive(turn, room);
    if (child?.child('conflict')) {
      room.nickRefusedUntil = turn.now + REFUSAL_MS;
      // A place that is left for it soon shows whether it is the service that refuses, or somebody else who has a claim to the nick.
      if (from.status !== 'retiring') state.services.noteNickRefused(serviceOf(room), turn.now);
    } else room.refused.add(move.carrier);
    if (from.isParked) out.setTimer(`offer ${room.key}`, OFFER_AGAIN_MS);
    // A retiring carrier must be left; a good one is kept.
    reconcile(turn);
    return;
  }
  // It has said something to the stream all the same, and nobody else has heard that.
  passTold(turn, room, move);
  rejoinRefused(turn, room, error);
}

/** No answer to a hand-over's join. */
export function moveTimeout(turn: Turn, room: Occupancy): void {
  const { move } = room;
  if (!move) return;
  if (move.self) {
    finishMove(turn, room, move, true);
  } else {
    if (turn.state.carriers.has(move.carrier)) sendLeave(turn, room, move.carrier);
    moveRefused(turn, room, move, undefined);
  }
}

/**
 * The stream that was to carry the room must be free of it again. What the room has told it of what was missed comes before what that stream may
 * still hear.
 */
export function takeMoveBack(turn: Turn, room: Occupancy, move: Move): void {
  sendLeave(turn, room, move.carrier);
  room.move = undefined;
  passTold(turn, room, move);
}

/** What has refused the account's other streams may take them by now. */
export function offerAgain(turn: Turn, room: Occupancy): void {
  room.refused.clear();
  reconcile(turn);
}

/** The pause before another try is over. */
export function retryMove(turn: Turn, room: Occupancy): void {
  room.retryAt = undefined;
  reconcile(turn);
}
