/**
 * Rooms that a client hides (XEP-0437): it leaves them, and has asked their service to be told when something is said there. That is no wish
 * of the account to be out (L2, L3): it stays, and since a service may tell nothing to an account that is inside, the client is told here.
 */
import type { BareKey } from '../../xml/address.ts';
import { NS } from '../../xml/names.ts';
import type { Stanza } from '../../xml/stanza.ts';
import { escapeXml } from '../../xml/text.ts';
import { serviceOf } from '../occupancy.ts';
import type { Occupancy, Session, Turn } from '../state.ts';
import { showWithout } from './shown.ts';

/** Services of which one session may want to be told; of others nothing is known. */
const MOST_SERVICES = 16;

/** What a session says to an address that is no room: some say that it wants to be told of activity in a service's rooms, or no longer. */
export function noteWish(turn: Turn, session: Session, key: BareKey, { name, type, root }: Stanza): void {
  if (name !== 'presence') return;
  if (type === 'unavailable') session.hides?.delete(key);
  if (type !== undefined || !root.child('rai', NS.rai)) return;
  session.hides ??= new Set();
  if (session.hides.size >= MOST_SERVICES) return;
  session.hides.add(key);
  // Clients leave first, and ask then.
  for (const room of turn.state.rooms.values()) {
    if (room.leftBy !== session.id || room.members.size > 0 || room.phase !== 'joined' || serviceOf(room) !== key)
      continue;
    turn.out.clearTimer(`grace ${room.key}`);
    room.farewell = undefined;
    room.parting = undefined;
    hide(room, session);
    showWithout(turn, room);
  }
}

/** Whether the session hides the room by leaving it. */
export function isHiding(session: Session, room: Occupancy): boolean {
  return session.hides?.has(serviceOf(room) as BareKey) === true;
}

/** The session is to be told when something is said in the room. */
export function hide(room: Occupancy, session: Session): void {
  room.hiddenFrom ??= new Set();
  room.hiddenFrom.add(session.id);
}

/** Something was said: once is enough until they come in again, or hide the room anew. */
export function tellActivity({ state, out }: Turn, room: Occupancy): void {
  const { hiddenFrom } = room;
  if (!hiddenFrom || hiddenFrom.size === 0) return;
  const activity = `<rai xmlns='${NS.rai}'><activity>${escapeXml(room.name)}</activity></rai>`;
  for (const id of hiddenFrom) {
    const session = state.sessions.get(id);
    if (!session || !isHiding(session, room)) continue;
    out.toSession(
      id,
      `<message from='${escapeXml(serviceOf(room))}' to='${escapeXml(session.jid)}'>${activity}</message>`,
    );
  }
  hiddenFrom.clear();
}
