/**
 * A room that was silent while a stream came in and went again (a hand-over that was given up) answers late: with a whole stay, from the
 * occupants to the end. It is none of the stream's own client, which has not asked for it and may have a place there by another stream.
 */
import { type BareKey, resourceOf } from '../../xml/address.ts';
import type { Stanza } from '../../xml/stanza.ts';
import { isOwnEnd } from '../occupancy.ts';
import { isPlainEnd } from '../self-presence.ts';
import { type Carrier, type CarrierId, isOwnId, type Occupancy, type Turn } from '../state.ts';
import { message } from './private-message.ts';

/** How long what the room says is kept from the client (ms): longer than servers try to reach one another. */
const OVERDUE_MS = 300_000;

/**
 * The room has not confirmed in time that the stream has left. A stream without a client has nobody to mislead; that of a client which becomes
 * unavailable has, and goes free all the same. A node that is about to stop waits for none of this.
 */
export function noteOverdue({ state, out }: Turn, room: Occupancy, id: CarrierId): void {
  const carrier = state.carriers.get(id);
  const hasClient = carrier?.session !== undefined && state.sessions.has(carrier.session);
  if (!hasClient || carrier.status === 'hibernating' || carrier.isLeaving || !carrier.rooms.has(room.key)) return;
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
    if (room.carrier === undefined || room.overlap) message(turn, room, carrier.id, stanza);
    else turn.out.drop('overlap');
    return true;
  }
  if (!(isOccupants || isRefused)) return false;
  turn.out.drop('left-room');
  const nick = room?.nick ?? '';
  // A removal that has crossed the leave may be followed by what the room takes for a join (leave.ts `mayComeIn`), and by its end.
  const isEnd = isOwnEnd(stanza, nick) && isPlainEnd(stanza);
  if (isEnd || isRefused) endOverdue(turn, carrier, key);
  return true;
}

/** What an occupant says to another. */
function isPrivate({ name, type, from = '' }: Stanza): boolean {
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

/** The stream joins the room (again): what this says from now on is the answer to that. */
export function joinsAnew({ out }: Turn, carrier: Carrier, key: BareKey): void {
  if (carrier.overdue?.delete(key)) out.clearTimer(timerOf(carrier.id, key));
}

function timerOf(carrier: CarrierId, key: BareKey): string {
  return `overdue ${carrier} ${key}`;
}
