/** What the streams of an account are worth to a room: whether they hear it, and whether another had better carry it. */
import { canTakeOver, sleepsAtServer } from '../carriers.ts';
import { isNickShared, serviceOf } from '../occupancy.ts';
import type { Carrier, Occupancy, Turn } from '../state.ts';

/** Whether the room is carried by a stream that is there. */
export function isAwake({ state }: Turn, { carrier }: Occupancy): boolean {
  return carrier !== undefined && state.carriers.get(carrier)?.status !== 'hibernating';
}

/** Whether a stream that is being freed of its rooms will be ready again: its client is there. */
export function isOneComing({ state }: Turn): boolean {
  for (const { status, session, isLeaving } of state.carriers.values()) {
    if (status !== 'retiring' || session === undefined || isLeaving) continue;
    const owner = state.sessions.get(session);
    if (owner && !sleepsAtServer(owner)) return true;
  }
  return false;
}

/**
 * There is a stream that had better carry what this one does. A parked stream makes way also where the room sees that, as no account can share its
 * nick at that service; but not where only this nick is refused to any other stream (ejabberd lets anybody register one): it would be lost.
 */
export function isBetterOff(turn: Turn, room: Occupancy, { kind, isParked }: Carrier): boolean {
  const { state, now } = turn;
  if (kind !== 'borrowed') return false;
  if (!isParked || !canTakeOver(state)) return state.accountStream === 'ready' && isNickShared(turn, room);
  return isNickShared(turn, room) || state.services.refusesSharedNick(serviceOf(room), now);
}

/** The stream is with its server, as its session is. */
export function isHibernating({ state }: Turn, carrier: Carrier): boolean {
  return carrier.session !== undefined && sleepsAtServer(state.sessions.get(carrier.session));
}

/** Somebody is there to hear the room, and its carrier hibernates. */
export function isMissed({ state }: Turn, room: Occupancy, carrier: Carrier): boolean {
  if (carrier.status !== 'hibernating') return false;
  for (const id of room.members.keys()) if (state.sessions.get(id)?.isHibernating === false) return true;
  return false;
}
