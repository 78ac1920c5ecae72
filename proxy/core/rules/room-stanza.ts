/**
 * What comes from a room on a carrier, by the state of the occupancy and the part that this carrier has in it.
 */
import { bareKey, resourceOf } from '../../xml/address.ts';
import { NS } from '../../xml/names.ts';
import type { Stanza } from '../../xml/stanza.ts';
import { isOwnEnd } from '../occupancy.ts';
import { isPlainEnd, statusCodes } from '../self-presence.ts';
import { delayStamp } from '../stanza-log.ts';
import type { Carrier, CarrierId, Departing, Occupancy, Turn } from '../state.ts';
import { stray } from '../stray.ts';
import { groupchat, isSubject, noteReflected } from './groupchat.ts';
import { isTechnical } from './heal.ts';
import { inbound } from './inbound.ts';
import { answer, mamResult } from './iq.ts';
import { joining } from './join-answer.ts';
import { departed, leaveAgain, mayComeIn } from './leave.ts';
import { hear, passMissed } from './missed.ts';
import { listAnswered } from './moderator.ts';
import { moving } from './move.ts';
import { isPrivate, keptForNext } from './overdue.ts';
import { message, messageError } from './private-message.ts';
import { removal } from './removal.ts';
import { passFarewell, roomPresence } from './room-presence.ts';
import { doubt, doubtMessage, doubtPresence, sayAgain, selfPingAnswered } from './self-ping.ts';

export function roomStanza(turn: Turn, room: Occupancy, carrier: Carrier, stanza: Stanza): void {
  const isAnswer = stanza.name === 'iq' && (stanza.type === 'result' || stanza.type === 'error');
  if (isAnswer && selfPingAnswered(turn, room, carrier, stanza)) return;
  if (isAnswer && listAnswered(room, carrier.id, stanza)) return;
  if (isAnswer && answer(turn, carrier.id, stanza)) {
    if (stanza.type === 'error' && room.carrier === carrier.id) doubt(turn, room, stanza);
    return;
  }
  if (isToAccount(room, stanza)) stray(turn, carrier.id, stanza, 'carrier-stray');
  else if (isOver(room, carrier)) aftermath(turn, room, carrier, stanza);
  else if (room.departing.has(carrier.id)) departing(turn, room, carrier, stanza);
  else if (room.attempt?.carrier === carrier.id) {
    if (isAnswer && !isFence(room, room.attempt.fenceId, stanza)) stray(turn, carrier.id, stanza, 'unmatched-iq');
    else joining(turn, room, room.attempt, stanza);
  } else if (room.move?.carrier === carrier.id) {
    if (isAnswer && !isFence(room, room.move.fenceId, stanza)) stray(turn, carrier.id, stanza, 'unmatched-iq');
    else moving(turn, room, room.move, stanza);
  } else if (room.carrier === carrier.id) live(turn, room, carrier, stanza);
  else if (room.phase === 'joined' && room.carrier === undefined) outside(turn, room, carrier, stanza);
  else stray(turn, carrier.id, stanza, 'carrier-stray');
}

/** The fence is answered by the room alone: ids on a join are seen by all occupants, who could guess the fence's from it. */
function isFence(room: Occupancy, fenceId: string | undefined, stanza: Stanza): boolean {
  const from = stanza.from ?? '';
  return fenceId !== undefined && stanza.id === fenceId && bareKey(from) === room.key && resourceOf(from) === '';
}

/** What is sent to the bare JID (an invitation, a subscription refused) is the stream's own client's: the server has sent it to each device. */
function isToAccount(room: Occupancy, stanza: Stanza): boolean {
  if (stanza.to === undefined || stanza.type === 'groupchat') return false;
  const isBare = !stanza.to.includes('/');
  if (stanza.name === 'presence') return isBare && stanza.type === 'error' && !isRefusal(room, stanza);
  if (stanza.name !== 'message') return false;
  if (isBare) return true;
  // COMPAT: jabberd2 writes each device's address in place of the account's. A refusal holds the invitation too, and is its sender's.
  return stanza.type !== 'error' && stanza.root.child('x', NS.mucUser)?.child('invite') !== undefined;
}

/** Whether a presence error answers what went through the carrier. */
function isRefusal({ presences }: Occupancy, { id }: Stanza): boolean {
  return presences.some((pending) => pending.id === id);
}

/** Whether this carrier has no part in the room any more. */
function isOver(room: Occupancy, carrier: Carrier): boolean {
  return room.phase === 'ended' || (room.phase === 'leaving' && !room.departing.has(carrier.id));
}

function live(turn: Turn, room: Occupancy, carrier: Carrier, stanza: Stanza): void {
  if (stanza.name !== 'iq' && stanza.type !== 'error') room.heardAt = turn.now;
  if (room.roomFarewell && stanza.type !== 'unavailable') passFarewell(turn, room);
  switch (stanza.name) {
    case 'message':
      if (stanza.type === 'groupchat') hear(turn, room, carrier.id, stanza);
      else otherMessage(turn, room, carrier, stanza);
      return;
    case 'presence':
      if (stanza.type !== 'error' || !doubtPresence(turn, room, stanza)) roomPresence(turn, room, stanza);
      return;
    default:
      if (stanza.type === 'get' || stanza.type === 'set') inbound(turn, room, carrier.id, stanza);
      else stray(turn, carrier.id, stanza, 'unmatched-iq');
  }
}

function otherMessage(turn: Turn, room: Occupancy, carrier: Carrier, stanza: Stanza): void {
  if (mamResult(turn, carrier.id, stanza)) return;
  else if (stanza.type === 'error') {
    const isDoubted = room.carrier === carrier.id && doubtMessage(turn, room, stanza);
    if (!isDoubted) messageError(turn, room, carrier.id, stanza);
  } else if (room.carrier === carrier.id) hear(turn, room, carrier.id, stanza);
  else message(turn, room, carrier.id, stanza);
}

/** This carrier is leaving the room: its own `unavailable` ends that. Messages may come here first, or only here. */
function departing(turn: Turn, room: Occupancy, carrier: Carrier, stanza: Stanza): void {
  const { out } = turn;
  if (stanza.name === 'presence') {
    const isBehind = room.departing.get(carrier.id)?.isBehind === true;
    const isEnd = !isBehind && (isRefused(room, carrier, stanza) || isEndOfStay(room, carrier, stanza));
    // What a stream has heard to whose end the room has given another reason may not be all.
    if (isEnd) departed(turn, room, carrier.id, !(stanza.type === 'unavailable' && isPlainEnd(stanza)));
    else out.drop('overlap');
    // Somebody has put the account out while it was in by this stream alone: it does not come back by another.
    const isWilled = isOwnEnd(stanza, room.nick) && !isTechnical(stanza);
    if (isWilled && room.phase === 'joined' && room.carrier === undefined) removal(turn, room, stanza);
  } else if (stanza.name === 'message') {
    if (room.phase !== 'joined') {
      if (stanza.type === 'groupchat') {
        // Another stream may have told of it before.
        if (!room.overlap || room.overlap.isNew(carrier.id, stanza)) noteReflected(room, stanza);
        out.drop('left-room');
      } else otherMessage(turn, room, carrier, stanza);
    } else if (stanza.type === 'groupchat') departingGroupchat(turn, room, carrier, stanza);
    else otherMessage(turn, room, carrier, stanza);
  } else if (stanza.type === 'get' || stanza.type === 'set') {
    inbound(turn, room, carrier.id, stanza);
  } else if (isFence(room, room.departing.get(carrier.id)?.fenceId, stanza)) departed(turn, room, carrier.id);
  else stray(turn, carrier.id, stanza, 'unmatched-iq');
}

/** The room does not know the stream, or will not have it. */
function isRefused(room: Occupancy, { id }: Carrier, { type }: Stanza): boolean {
  return type === 'error' && isAnsweredLast(room, id);
}

/** The room's answer to the leave. A removal that this has crossed is none where a presence behind it may be taken for a join, or is one. */
function isEndOfStay(room: Occupancy, { id }: Carrier, stanza: Stanza): boolean {
  if (!isOwnEnd(stanza, room.nick)) return false;
  if (isPlainEnd(stanza)) return true;
  return room.departing.get(id)?.isAnew !== true && !mayComeIn(room, id) && isAnsweredLast(room, id);
}

/** One of the presences that the room may have taken for a join has come to nothing: whether there is no other. */
function isAnsweredLast({ departing }: Occupancy, id: CarrierId): boolean {
  const known = departing.get(id);
  if (!known?.unasked || known.unasked <= 1) return true;
  departing.set(id, { ...known, unasked: known.unasked - 1 });
  return false;
}

/** The stream is not heard to its end: it never carried the room, or is given up. */
function isToldElsewhere({ carrier, move, ahead }: Occupancy, departing: Departing | undefined): boolean {
  return carrier !== undefined
    ? !ahead || departing?.isGivenUp === true
    : move !== undefined && departing?.isGivenUp === true;
}

function departingGroupchat(turn: Turn, room: Occupancy, carrier: Carrier, stanza: Stanza): void {
  const departing = room.departing.get(carrier.id);
  if (departing && room.carrier === undefined) departing.heardAt = turn.now;
  if (departing?.unasked !== undefined) {
    // The rejoin is told of it. It has arrived, though, if it is the account's own.
    noteReflected(room, stanza);
    turn.out.drop('left-room');
  }
  // Another stream is told the subject, or will be: what comes here is no newer, and may be the one of before, at the end of the answer to a join.
  else if (isSubject(stanza) && isToldElsewhere(room, departing)) {
    noteReflected(room, stanza);
    turn.out.drop('overlap');
  }
  // What the room repeats is known as far as the log goes.
  else if (delayStamp(stanza) !== undefined) passMissed(turn, room, carrier.id, stanza);
  else if (room.overlap?.isOver === false) groupchat(turn, room, carrier.id, stanza);
  else if (room.carrier === undefined || departing?.isGivenUp) passMissed(turn, room, carrier.id, stanza);
  else turn.out.drop('overlap');
}

/** The stream has lost its place in the room, and has not come back yet. */
function outside(turn: Turn, room: Occupancy, carrier: Carrier, stanza: Stanza): void {
  if (stanza.name === 'message' && stanza.type === 'error') {
    if (!sayAgain(turn, room, stanza)) messageError(turn, room, carrier.id, stanza);
  } else if (isNoise(stanza)) {
    turn.out.drop('left-room');
    if (isInside(stanza)) leaveAgain(turn, room, carrier.id);
  } else stray(turn, carrier.id, stanza, 'left-room');
}

/** What only an occupant is told. */
function isNoise({ name, type }: Stanza): boolean {
  return type === 'groupchat' || (name === 'presence' && type !== 'error');
}

/**
 * What a service still says after the end: other streams' removals are swallowed; answers to a stranger are passed. Services
 * that know groupchat 1.0 take a status or nick change which crosses the removal for a join (XEP-0045 section 7.2.18): that is
 * taken back.
 */
function aftermath(turn: Turn, room: Occupancy, carrier: Carrier, stanza: Stanza): void {
  if (!isNoise(stanza)) {
    // To a message that crossed the end.
    if (stanza.name === 'message' && stanza.type === 'error') messageError(turn, room, carrier.id, stanza);
    else if (room.departing.has(carrier.id) && isPrivate(stanza) && keptForNext(turn, carrier, stanza)) return;
    else stray(turn, carrier.id, stanza, 'left-room');
    return;
  }
  turn.out.drop('left-room');
  if (isInside(stanza)) leaveAgain(turn, room, carrier.id);
}

/** The stream is an occupant, as far as the room says. */
function isInside(stanza: Stanza): boolean {
  return stanza.name === 'presence' && stanza.type === undefined && statusCodes(stanza).includes('110');
}
