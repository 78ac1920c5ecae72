/**
 * A room that was silent while a stream came in and went again (a hand-over that was given up) answers late: with a whole stay, from the
 * occupants to the end. It is none of the stream's own client, which has not asked for it and may have a place there by another stream. Nor is it
 * the answer to another join on that stream.
 */
import { type BareKey, resourceOf } from '../../xml/address.ts';
import type { Stanza } from '../../xml/stanza.ts';
import { inCarriersLanguage } from '../language.ts';
import { detach, isOwnEnd, isSelf } from '../occupancy.ts';
import { isPlainEnd } from '../self-presence.ts';
import { type Attempt, type Carrier, type CarrierId, isOwnId, type Occupancy, type Turn } from '../state.ts';
import { message } from './private-message.ts';
import { keepForNext } from './strangers.ts';

/** How long what the room says is kept from the client (ms): longer than servers try to reach one another. */
const OVERDUE_MS = 300_000;

/**
 * The room has not confirmed in time that the stream has left. It misleads the client of that stream, and a join that the stream is to make
 * again; a stream that has neither has nobody to mislead; that of a client which becomes unavailable has, and goes free all the same. A node that is about to stop waits for none of this.
 */
export function noteOverdue({ state, out }: Turn, room: Occupancy, id: CarrierId): void {
  const carrier = state.carriers.get(id);
  const hasClient = carrier?.session !== undefined && state.sessions.has(carrier.session);
  const mayJoin = hasClient || carrier?.kind === 'account-stream';
  if (!mayJoin || carrier.status === 'hibernating' || carrier.isLeaving || !carrier.rooms.has(room.key)) return;
  carrier.overdue ??= new Set();
  carrier.overdue.add(room.key);
  out.setTimer(timerOf(id, room.key), OVERDUE_MS);
}

/** What a room says to such a stream. False: it is for somebody else to see to. */
export function belated(turn: Turn, carrier: Carrier, key: BareKey, stanza: Stanza): boolean {
  const { name, type } = stanza;
  const isRefused = name === 'presence' && type === 'error' && isOwnId(turn.state, stanza.id);
  const isOccupants = name === 'presence' ? type === undefined || type === 'unavailable' : type === 'groupchat';
  if (!carrier.overdue?.has(key)) return false;
  const room = turn.state.rooms.get(key);
  if (room?.phase === 'joined' && isPrivate(stanza)) {
    // Its client hears the room by way of another stream, which has a copy, unless the room has forgotten that one.
    const isNew = room.carrier === undefined || room.overlap;
    if (isNew) message(turn, room, carrier.id, inCarriersLanguage(turn.state, carrier, stanza));
    else turn.out.drop('overlap');
    return true;
  }
  if (isPrivate(stanza) && keptForNext(turn, carrier, stanza)) return true;
  if (!(isOccupants || isRefused)) return false;
  turn.out.drop('left-room');
  const nick = room?.nick ?? '';
  // A removal that has crossed the leave may be followed by what the room takes for a join (leave.ts `mayComeIn`), and by its end.
  const isEnd = isOwnEnd(stanza, nick) && isPlainEnd(stanza);
  if (isEnd || isRefused) endOverdue(turn, carrier, key);
  return true;
}

/** What an occupant has said to the account before the room took its leave is for its sessions, or the next one. False: the stream's client is told. */
export function keptForNext(turn: Turn, carrier: Carrier, stanza: Stanza): boolean {
  const { session } = carrier;
  if (session !== undefined && turn.state.sessions.has(session)) return false;
  keepForNext(turn, carrier.id, inCarriersLanguage(turn.state, carrier, stanza));
  return true;
}

/** What an occupant says to another. */
export function isPrivate({ name, type, from = '' }: Stanza): boolean {
  return name === 'message' && type !== 'error' && type !== 'groupchat' && resourceOf(from) !== '';
}

/** The room has answered, or the time for it is over. */
export function endOverdue({ out }: Turn, carrier: Carrier, key: BareKey): void {
  if (!carrier.overdue?.delete(key)) return;
  out.clearTimer(timerOf(carrier.id, key));
  carrier.rooms.delete(key);
}

/** The stream must be freed of its rooms. */
export function endAllOverdue(turn: Turn, carrier: Carrier): void {
  for (const key of carrier.overdue ?? []) endOverdue(turn, carrier, key);
}

/** The stream joins the room (again): what this says from now on is heard. Whether the end of an earlier stay may be part of it. */
export function joinsAnew({ out }: Turn, carrier: Carrier, key: BareKey): boolean {
  if (!carrier.overdue?.delete(key)) return false;
  out.clearTimer(timerOf(carrier.id, key));
  return true;
}

/** Whether a presence that comes while a join is under way is of the stay before. The join's own id, or its fence, ends that. */
export function isOfStayBefore({ nick }: Pick<Occupancy, 'nick'>, attempt: Attempt, stanza: Stanza): boolean {
  if (!attempt.isBehind) return false;
  if (stanza.id === attempt.joinId) {
    caughtUp(attempt);
    return false;
  }
  if (stanza.type !== 'error' && !isSelf(stanza, nick)) return false;
  if (isOwnEnd(stanza, nick)) {
    attempt.doubtful = undefined;
    attempt.roster.clear();
  } else if (stanza.type === undefined || (stanza.type === 'error' && stanza.id === undefined)) {
    attempt.doubtful = detach(stanza);
  }
  return true;
}

/** The room has answered all up to the join. What it has said last is the answer, where it bears no id. */
export function caughtUp(attempt: Attempt): Stanza | undefined {
  const { doubtful } = attempt;
  attempt.isBehind = false;
  attempt.doubtful = undefined;
  return doubtful;
}

function timerOf(carrier: CarrierId, key: BareKey): string {
  return `overdue ${carrier} ${key}`;
}
