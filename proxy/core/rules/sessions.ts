/**
 * Sessions come and go (L3): going is not leaving. What a session carried for others is handed over before its stream ends.
 */
import type { Stanza } from '../../xml/stanza.ts';
import { freeIfDone, hasOtherCarrier, occupies } from '../carriers.ts';
import type { Input } from '../inputs.ts';
import { forgetNudges } from '../nudge.ts';
import { detach, endOccupancy, forgetOccupancy } from '../occupancy.ts';
import { RoomSet } from '../room-set.ts';
import type { Carrier, CarrierId, Session, SessionId, Turn } from '../state.ts';
import { noteCursors } from './cursor.ts';
import { forsake } from './forsaken.ts';
import { ghostGone, letGo } from './ghost.ts';
import { inboundOver } from './inbound.ts';
import { abandonJoin, leave, sendLeave } from './leave.ts';
import { reconcile } from './move.ts';
import { isSmallEnough } from './outbound.ts';
import { endAllOverdue } from './overdue.ts';
import { showWithout } from './shown.ts';
import { deliverKept } from './strangers.ts';

type Bound = Extract<Input, { kind: 'session-bound' }>;
type Presence = Extract<Input, { kind: 'session-presence' }>;

export function sessionBound(turn: Turn, { session: id, jid, asked, carrier, device }: Bound): void {
  const { state, out } = turn;
  // Its client's earlier connections, whatever resource they were given, make way for it.
  for (const other of state.sessions.values()) {
    if (other.asked === asked && other.id !== id) out.push({ kind: 'replace-session', session: other.id });
  }
  state.sessions.set(id, {
    id,
    jid,
    asked,
    device,
    cursors: new Map(),
    carrier,
    available: false,
    show: '',
    priority: 0,
    carbons: false,
    isHibernating: false,
    isStreamKept: false,
    isLagging: false,
    push: undefined,
    rooms: new RoomSet(),
  });
  state.carriers.set(carrier, {
    id: carrier,
    kind: 'borrowed',
    jid,
    session: id,
    status: 'ready',
    rooms: new RoomSet(),
    heardAt: 0,
  });
  state.lingering = 'no';
  out.clearTimer('linger');
  out.clearTimer('kept');
  reconcile(turn);
}

/** `unseen`: what its client was given and has not acknowledged; undefined where it acknowledges nothing. */
export function sessionGone(turn: Turn, id: SessionId, unseen: readonly Stanza[] | undefined): void {
  const { state, out } = turn;
  const session = state.sessions.get(id);
  if (!session) return;
  letGo(turn, session);
  noteCursors(turn, session, unseen);
  state.sessions.delete(id);
  forgetNudges(turn, session);
  for (const key of session.rooms) {
    const room = state.rooms.get(key);
    if (!room) continue;
    forsake(turn, room, id);
    if (room.members.delete(id)) out.push({ kind: 'store-leave', room: key, session: id });
    if (room.phase === 'joining' && room.waiting.length === 0) abandonJoin(turn, room);
    else showWithout(turn, room);
  }
  ghostGone(turn, session);
  inboundOver(turn, id);
  const carrier = state.carriers.get(session.carrier);
  if (carrier) retire(turn, carrier);
  else if (!hasOtherCarrier(state, session.carrier)) abandonRooms(turn, session.carrier, session.rooms);
}

/** A broadcast presence (RFC 6121 section 4). `unavailable` leaves all rooms for this session, and none for the account. */
export function sessionPresence(turn: Turn, session: Session, { available, show, priority, farewell }: Presence): void {
  const { state } = turn;
  const carrier = state.carriers.get(session.carrier);
  const wasAvailable = session.available;
  session.available = available;
  session.show = show;
  session.priority = priority;
  if (available) {
    if (carrier) carrier.farewell = undefined;
    if (!wasAvailable) deliverKept(turn, session);
    return;
  }
  letGo(turn, session);
  // What no other stream can carry is left with what the client has said, as without the proxy.
  if (carrier && farewell && isSmallEnough(turn, farewell)) carrier.farewell = detach(farewell);
  for (const key of [...session.rooms]) {
    const room = state.rooms.get(key);
    if (room) leave(turn, room, session, farewell, true);
  }
  if (carrier) retire(turn, carrier);
}

/** The stream must be freed of its rooms; it is free at once when it has none. */
export function retire(turn: Turn, carrier: Carrier): void {
  const { state, out } = turn;
  carrier.status = 'retiring';
  endAllOverdue(turn, carrier);
  const isClientGone = carrier.session === undefined || !state.sessions.has(carrier.session);
  if (isClientGone && !hasOtherCarrier(state, carrier.id)) abandonRooms(turn, carrier.id, carrier.rooms);
  if (carrier.rooms.size > 0 && isClientGone) out.push({ kind: 'hold-carrier', carrier: carrier.id });
  for (const key of [...carrier.rooms]) {
    const room = state.rooms.get(key);
    if (!room || room.phase === 'ended') carrier.rooms.delete(key);
    else if (room.attempt?.carrier === carrier.id) {
      // What came behind a join that nobody waits for any more is said before the stream is given up.
      if (!room.waiting.some(({ isForsaken }) => isForsaken)) restartJoin(turn, carrier, key);
    } else if (room.move?.carrier === carrier.id) {
      room.move = undefined;
      sendLeave(turn, room, carrier.id);
    } else if (room.phase === 'joined' && room.carrier === undefined && !room.departing.has(carrier.id)) {
      // It has lost its place there.
      carrier.rooms.delete(key);
    }
  }
  reconcile(turn);
  if (state.carriers.get(carrier.id) === carrier) freeIfDone(turn, carrier);
}

/** Nobody can take the rooms over, and nobody is in them: the end of the stream leaves them, as without the proxy. */
function abandonRooms(turn: Turn, id: CarrierId, keys: Carrier['rooms']): void {
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
  room.attempt = undefined;
  room.carrier = undefined;
  sendLeave(turn, room, carrier.id);
}
