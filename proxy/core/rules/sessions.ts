/**
 * Sessions come and go (L3): going is not leaving. What a session carried for others is handed over before its stream ends.
 */
import { newCarrier, newSession } from '../beginnings.ts';
import { isReplaceable } from '../carriers.ts';
import type { Input } from '../inputs.ts';
import { sayKept } from '../language.ts';
import { forgetNudges } from '../nudge.ts';
import { detach } from '../occupancy.ts';
import type { Session, Turn } from '../state.ts';
import { isLeftToSubscription } from '../subscription.ts';
import { noteCursors } from './cursor.ts';
import { forsake } from './forsaken.ts';
import { ghostGone, letGo } from './ghost.ts';
import { inboundOver } from './inbound.ts';
import { abandonJoin, leave, leaveRoom } from './leave.ts';
import { reconcile } from './move.ts';
import { isSmallEnough } from './outbound.ts';
import { isWorthParking, park } from './parking.ts';
import { abandonRooms, retire } from './retire.ts';
import { showWithout } from './shown.ts';
import { deliverKept } from './strangers.ts';
import { setOut } from './travellers.ts';

type Bound = Extract<Input, { kind: 'session-bound' }>;
type Gone = Extract<Input, { kind: 'session-gone' }>;
type Presence = Extract<Input, { kind: 'session-presence' }>;

export function sessionBound(turn: Turn, bound: Bound): void {
  const { session: id, jid, asked, carrier, device, languages } = bound;
  const { state, out } = turn;
  // Its client's earlier connections, whatever resource they were given, make way for it.
  for (const other of state.sessions.values()) {
    if (other.asked === asked && other.id !== id) out.push({ kind: 'replace-session', session: other.id });
  }
  const session = newSession({ id, jid, asked, device, carrier, languages });
  state.sessions.set(id, session);
  sayKept(turn, [session]);
  state.carriers.set(carrier, newCarrier({ id: carrier, kind: 'borrowed', jid, session: id, languages }));
  state.lingering = 'no';
  out.clearTimer('linger');
  out.clearTimer('kept');
  reconcile(turn);
}

/** See inputs.ts. */
export function sessionGone(turn: Turn, { session: id, unseen, mayPark = false, goesOnMs }: Gone): void {
  const { state, out } = turn;
  const session = state.sessions.get(id);
  if (!session) return;
  if (goesOnMs !== undefined) setOut(turn, session, goesOnMs);
  letGo(turn, session);
  noteCursors(turn, session, unseen);
  state.sessions.delete(id);
  forgetNudges(turn, session);
  for (const key of session.rooms) {
    const room = state.rooms.get(key);
    if (!room) continue;
    forsake(turn, room, id, state.travellers.get(id)?.saysAgain);
    if (room.members.delete(id)) out.push({ kind: 'store-leave', room: key, session: id });
    if (room.phase === 'joining' && room.waiting.length === 0) abandonJoin(turn, room);
    else if (goesOnMs === undefined && isLeftToSubscription(turn, room)) leaveRoom(turn, room);
    else showWithout(turn, room);
  }
  ghostGone(turn, session);
  inboundOver(turn, id);
  const carrier = state.carriers.get(session.carrier);
  if (carrier && mayPark && isWorthParking(turn, carrier, session)) park(turn, carrier);
  else if (carrier) retire(turn, carrier);
  else if (!isReplaceable(state, session.carrier)) abandonRooms(turn, session.carrier, session.rooms);
}

/**
 * A broadcast presence (RFC 6121 section 4). `unavailable` leaves all rooms for this session, and none for the account if something can
 * stay in them.
 */
export function sessionPresence(turn: Turn, session: Session, { available, show, priority, farewell }: Presence): void {
  const { state } = turn;
  const carrier = state.carriers.get(session.carrier);
  const wasAvailable = session.available;
  session.available = available;
  session.show = show;
  session.priority = priority;
  if (available) {
    if (carrier) {
      carrier.farewell = undefined;
      carrier.isParked = false;
    }
    if (wasAvailable) return;
    deliverKept(turn, session);
    // What lies on a parked stream is taken over.
    reconcile(turn);
    return;
  }
  letGo(turn, session);
  // What no other stream can carry is left with what the client has said, as without the proxy.
  if (carrier && farewell && isSmallEnough(turn, farewell)) carrier.farewell = detach(farewell);
  for (const key of [...session.rooms]) {
    const room = state.rooms.get(key);
    if (room) leave(turn, room, session, farewell, true);
  }
  if (carrier && state.settings.parksLogout && isWorthParking(turn, carrier, session)) park(turn, carrier);
  else if (carrier) retire(turn, carrier);
}
