/**
 * The old carrier of a hand-over leaves the room when nothing is owed to it any more: answers come back to the stream that asked.
 */
import { departTimer } from '../carriers.ts';
import type { CarrierId, Departing, Occupancy, Turn } from '../state.ts';
import { awaitLeave, departed, LEAVE_TIMEOUT_MS, leaveOn, sendLeave } from './leave.ts';
import { noteOverdue } from './overdue.ts';
import { strandUnseen } from './stranded.ts';

/** How long the old carrier stays for answers that are still to come (ms). */
const PATIENCE_MS = 3000;
/** How often a leave that is not confirmed is given more time while the stream hears the room. */
const MOST_PROLONGED = 3;
/** How long what comes late is heard on it then (ms). */
const GIVEN_UP_MS = 5000;

/** The room is carried by another stream now. */
export function beginDepart(turn: Turn, room: Occupancy, carrier: CarrierId): void {
  room.departing.set(carrier, { sent: false });
  turn.out.setTimer(departTimer(carrier, room), PATIENCE_MS);
  tryDepart(turn, room, carrier);
}

/** Leaves if the room owes this stream no answer. */
export function tryDepart(turn: Turn, room: Occupancy, carrier: CarrierId): void {
  // As the account leaves, the streams do so in an order of their own (leave.ts).
  if (room.departing.get(carrier)?.sent !== false || room.phase === 'leaving') return;
  for (const pending of turn.state.requests.values()) {
    if (pending.carrier === carrier && pending.room === room.key) return;
  }
  sendLeave(turn, room, carrier);
}

/** First the patience for answers ends and the leave is sent; then the time for its confirmation. */
export function departTimeout(turn: Turn, room: Occupancy, carrier: CarrierId): void {
  const departing = room.departing.get(carrier);
  if (!departing) return;
  if (!departing.sent && room.phase === 'leaving') leaveOn(turn, room, carrier);
  else if (!departing.sent) sendLeave(turn, room, carrier);
  // A stream that hibernates is an occupant until it is resumed, and its leave with it, or until the server gives it up.
  else if (turn.state.carriers.get(carrier)?.status === 'hibernating') awaitLeave(turn, room, carrier);
  else if (isHeardStill(turn, room, departing)) {
    departing.prolonged = (departing.prolonged ?? 0) + 1;
    awaitLeave(turn, room, carrier);
  } else if (room.phase === 'joined' && room.carrier === undefined && !departing.isGivenUp) {
    departing.isGivenUp = true;
    // What the next stream is told of the room shows which of its messages have arrived.
    strandUnseen(turn, room, carrier);
    turn.out.setTimer(departTimer(carrier, room), GIVEN_UP_MS);
  } else {
    noteOverdue(turn, room, carrier);
    departed(turn, room, carrier);
  }
}

/**
 * The room is heard on this stream, and on no other: it is slow to take the leave, or what it says is slow to come. Were the stream given up
 * now, the rest of that would be lost, and a service that shares no nicks would refuse the next one.
 */
function isHeardStill({ now }: Turn, room: Occupancy, { heardAt, prolonged = 0, isGivenUp }: Departing): boolean {
  if (isGivenUp) return false;
  if (room.phase !== 'joined' || room.carrier !== undefined || prolonged >= MOST_PROLONGED) return false;
  return heardAt !== undefined && heardAt > now - LEAVE_TIMEOUT_MS;
}
