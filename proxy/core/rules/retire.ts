/** A stream is freed of its rooms: its client has gone, or wants to be unavailable, or its node is about to stop. */
import { freeIfDone, isReplaceable, occupies } from '../carriers.ts';
import { endOccupancy } from '../end.ts';
import { forgetOccupancy } from '../occupancy.ts';
import type { Carrier, CarrierId, Turn } from '../state.ts';
import { endAttempt } from './early.ts';
import { sendLeave } from './leave.ts';
import { reconcile, takeMoveBack } from './move.ts';
import { endAllOverdue } from './overdue.ts';

/** The stream must be freed of its rooms; it is free at once when it has none. */
export function retire(turn: Turn, carrier: Carrier): void {
  const { state, out } = turn;
  carrier.status = 'retiring';
  const isClientGone = carrier.session === undefined || !state.sessions.has(carrier.session);
  if (isClientGone || carrier.isLeaving) endAllOverdue(turn, carrier);
  if (isClientGone && !isReplaceable(state, carrier.id)) abandonRooms(turn, carrier.id, carrier.rooms);
  if (carrier.rooms.size > 0 && isClientGone) out.push({ kind: 'hold-carrier', carrier: carrier.id });
  for (const key of [...carrier.rooms]) {
    if (carrier.overdue?.has(key)) continue;
    const room = state.rooms.get(key);
    if (!room || room.phase === 'ended') carrier.rooms.delete(key);
    else if (room.attempt?.carrier === carrier.id) {
      // What came behind a join that nobody waits for any more is said before the stream is given up.
      if (!room.waiting.some(({ isForsaken }) => isForsaken)) restartJoin(turn, carrier, key);
    } else if (room.move?.carrier === carrier.id) {
      takeMoveBack(turn, room, room.move);
    } else if (room.phase === 'joined' && room.carrier === undefined && !room.departing.has(carrier.id)) {
      // It has lost its place there.
      carrier.rooms.delete(key);
    }
  }
  reconcile(turn);
  if (state.carriers.get(carrier.id) === carrier) freeIfDone(turn, carrier);
}

/** Nobody can take the rooms over, and nobody is in them: the end of the stream leaves them, as without the proxy. */
export function abandonRooms(turn: Turn, id: CarrierId, keys: Carrier['rooms']): void {
  for (const key of [...keys]) {
    const room = turn.state.rooms.get(key);
    if (!room || room.members.size > 0 || room.waiting.length > 0) continue;
    // Another stream, which is being freed of its rooms, has still to leave in order.
    if ([...turn.state.carriers.values()].some((other) => other.id !== id && occupies(other, key))) continue;
    endOccupancy(turn, room);
    forgetOccupancy(turn, room);
  }
}

/** Others wait for a join that was sent on this stream: it is taken back and sent on another. */
function restartJoin(turn: Turn, carrier: Carrier, key: Carrier['rooms'] extends Set<infer K> ? K : never): void {
  const room = turn.state.rooms.get(key);
  if (!room) return;
  room.carrier = undefined;
  sendLeave(turn, room, carrier.id);
  endAttempt(turn, room);
}
