/**
 * A client that comes back to another node before its earlier session has ended there: how far its device has come in its rooms
 * (cursor.ts) is known only when that one is gone. A join to one of these rooms waits for it, not for long, with all that its
 * client sends behind it. So does one to a room that the account is just coming back to and nothing is known of (take-up.ts).
 */
import type { BareKey } from '../../xml/address.ts';
import type { Stanza } from '../../xml/stanza.ts';
import { entered } from '../entry.ts';
import { detach } from '../occupancy.ts';
import type { AccountState, Circumstances, Occupancy, Session, Turn } from '../state.ts';
import { sessionStanza } from './session-stanza.ts';
import { isUnseen } from './take-up.ts';

/** How long an earlier session, which has been told to go, may take (ms). */
const GHOST_MS = 2000;
/** How long a room may take that answers another join of the account (ms). */
const UNSEEN_MS = 10_000;
/** Stanzas that wait for it; with more the join does not wait any longer. */
const MOST_HELD = 100;

/** What a session sends: true if it has to wait. */
export function waitsForGhost(turn: Turn, session: Session, stanza: Stanza, circumstances: Circumstances): boolean {
  const room = entered(stanza);
  if (!session.held) {
    if (room === undefined) return false;
    const isComing = isComingBack(turn.state.rooms.get(room));
    if (!isComing && !hasGhost(turn.state, session, room)) return false;
    turn.out.setTimer(ghostTimer(session), isComing ? UNSEEN_MS : GHOST_MS);
  }
  session.held ??= [];
  session.held.push({ stanza: detach(stanza), ...circumstances });
  // What its client sends behind the join is for the room, wherever the client is.
  if (room !== undefined) session.rooms.add(room);
  if (session.held.length > MOST_HELD) letGo(turn, session);
  return true;
}

/** An earlier session of the same device is in the room. Sessions are known in the order of their coming. */
function hasGhost({ sessions, rooms }: AccountState, session: Session, room: BareKey): boolean {
  const members = rooms.get(room)?.members;
  if (!members || session.device === undefined) return false;
  for (const other of sessions.values()) {
    if (other === session) return false;
    if (other.asked === session.asked && other.device === session.device && members.has(other.id)) return true;
  }
  return false;
}

/**
 * The account has sent its join to the room, or is about to for those who are joined (a lost home's), and knows nothing of it yet: a join
 * could be shown nothing.
 */
function isComingBack(room: Occupancy | undefined): boolean {
  if (room?.phase !== 'joined' || room.self !== undefined) return false;
  return isUnseen(room) ? room.move !== undefined : room.carrier === undefined && room.members.size > 0;
}

/** The room has answered that join, one way or the other: those that have waited for it go on. */
export function nowSeen(turn: Turn, room: Occupancy): void {
  // The room has refused for now, and is asked again for those who are joined.
  if (isComingBack(room) && room.members.size > 0) return;
  const { key } = room;
  for (const session of turn.state.sessions.values()) {
    const [first] = session.held ?? [];
    if (first && entered(first.stanza) === key) letGo(turn, session);
  }
}

/** What the session has sent waits no longer. */
export function letGo(turn: Turn, session: Session): void {
  const { held } = session;
  if (!held) return;
  session.held = undefined;
  turn.out.clearTimer(ghostTimer(session));
  for (const { stanza } of held) {
    const room = entered(stanza);
    if (room !== undefined && !isThere(turn.state.rooms.get(room), session)) session.rooms.delete(room);
  }
  for (const { stanza, ...circumstances } of held) sessionStanza(turn, session, stanza, circumstances);
}

function isThere(room: Occupancy | undefined, { id }: Session): boolean {
  return room !== undefined && (room.members.has(id) || room.waiting.some(({ session }) => session === id));
}

/** A session of this device is gone: those that have waited for it go on. */
export function ghostGone(turn: Turn, { device }: Session): void {
  if (device === undefined) return;
  for (const other of turn.state.sessions.values()) if (other.held && other.device === device) letGo(turn, other);
}

function ghostTimer({ id }: Session): string {
  return `ghost ${id}`;
}
