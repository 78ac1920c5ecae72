/**
 * The old carrier of a hand-over leaves the room when nothing is owed to it any more: answers come back to the stream that asked.
 */
import { departTimer } from '../carriers.ts';
import type { CarrierId, Occupancy, Turn } from '../state.ts';
import { sendLeave } from './leave.ts';

/** How long the old carrier stays for answers that are still to come (ms). */
const PATIENCE_MS = 3000;

/** The room is carried by another stream now. */
export function beginDepart(turn: Turn, room: Occupancy, carrier: CarrierId): void {
  room.departing.set(carrier, { sent: false });
  turn.out.setTimer(departTimer(carrier, room), PATIENCE_MS);
  tryDepart(turn, room, carrier);
}

/** Leaves if the room owes this stream no answer. */
export function tryDepart(turn: Turn, room: Occupancy, carrier: CarrierId): void {
  if (room.departing.get(carrier)?.sent !== false) return;
  for (const pending of turn.state.requests.values()) {
    if (pending.carrier === carrier && pending.room === room.key) return;
  }
  sendLeave(turn, room, carrier);
}
