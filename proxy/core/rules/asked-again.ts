/**
 * What a session has said right behind a join goes with it to another node, where it says it again, as nobody there may know of it (J7, M1). The
 * home that has had the session to the end does: there it waits still, or was said before the session came.
 */
import { bareKey } from '../../xml/address.ts';
import type { Stanza } from '../../xml/stanza.ts';
import { entered } from '../entry.ts';
import { refuseQueued } from '../occupancy.ts';
import type { Session, Turn } from '../state.ts';
import { isSaid } from './doubt.ts';

/** Whether the account has seen to it, and nothing more is to be done; a request whose answer nobody has heard is refused (M4). */
export function isSeenTo(turn: Turn, session: Session, stanza: Stanza): boolean {
  if (!session.isTakenOver || entered(stanza) !== undefined) return false;
  const key = bareKey(stanza.to ?? '');
  const room = key === undefined ? undefined : turn.state.rooms.get(key);
  if (room?.waiting.some((wait) => wait.session === session.id && wait.isTakenOver)) return true;
  // A room that has refused the join has been told nothing, also where it has let in somebody since; a status or a leave does no harm if said again.
  if (room?.phase !== 'joined' || stanza.name === 'presence' || session.unsaid?.has(room.key)) return false;
  if (stanza.name === 'iq') refuseQueued(turn, room, [{ session: session.id, stanza }]);
  return stanza.type !== 'groupchat' || stanza.id === undefined || isSaid(turn, room, session, stanza);
}
