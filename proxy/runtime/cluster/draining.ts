/** What a node that stops does with the rooms of an account that is at home there. */
import type { AccountState, CarrierId, Session, SessionId } from '../../core/state.ts';
import type { Ports } from '../ports.ts';
import type { Guests } from './guests.ts';

/** Somebody else can take over what the streams here carry, or they carry nothing. */
export function canBeTakenOver(state: AccountState, guests: Guests, { sessions, carriers }: Ports): boolean {
  if (guests.sessionCount === 0) return false;
  const isElsewhere = ({ id, isHibernating }: Session): boolean => !isHibernating && !sessions.has(id);
  if (guests.hasCredentials || [...state.sessions.values()].some(isElsewhere)) return true;
  return ![...carriers.keys()].some((id) => isCarrying(state, id));
}

/**
 * Where nobody can, rooms go to streams that the server keeps until their clients have found another node: those that are to be
 * freed of theirs. None: there is no such stream.
 */
export function streamsToFree(state: AccountState, { sessions, carriers }: Ports): CarrierId[] {
  const ownerOf = (id: CarrierId): SessionId | undefined => state.carriers.get(id)?.session;
  const goesOn = (id: CarrierId): boolean => sessions.get(ownerOf(id) ?? ('' as SessionId))?.isTransferable === true;
  // What sleeps the server keeps already.
  const sleeps = (id: CarrierId): boolean => state.carriers.get(id)?.status === 'hibernating';
  const all = [...carriers.keys()];
  return all.some(goesOn) ? all.filter((id) => !goesOn(id) && !sleeps(id)) : [];
}

export function isCarrying({ carriers }: AccountState, id: CarrierId): boolean {
  return (carriers.get(id)?.rooms.size ?? 0) > 0;
}
