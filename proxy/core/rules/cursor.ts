/**
 * How far each device has come in each room: what it has acknowledged (XEP-0198) is known when its session ends. A device that
 * could not resume and joins again without a wish of its own is given all that it missed, not only the usual end of the
 * discussion.
 */
import { type BareKey, bareKey } from '../../xml/address.ts';
import type { Stanza } from '../../xml/stanza.ts';
import { historyWish } from '../history.ts';
import { entryContentKey, entryStanza, type LogEntry } from '../log-entry.ts';
import { contentKey } from '../message-key.ts';
import type { AccountState, Cursor, Member, Occupancy, Session, SessionId, Turn } from '../state.ts';

/** Rooms whose cursors are kept for a device; beyond this many the oldest goes. */
const MOST_CURSORS = 500;

/** The session is about to end, or may be lost with its node: how far its device has come goes to the store. */
export function noteCursors(turn: Turn, session: Session, unseen: readonly Stanza[] | undefined): void {
  const { device } = session;
  if (device === undefined || unseen === undefined) return;
  // Rooms that it has not joined again stay as they were.
  const cursors = new Map(session.cursors);
  for (const key of session.rooms) {
    const room = turn.state.rooms.get(key);
    const member = room?.members.get(session.id);
    if (!room || !member) continue;
    cursors.delete(key);
    cursors.set(key, cursorOf(turn, room, member, unseen));
  }
  for (const key of cursors.keys()) {
    if (cursors.size <= MOST_CURSORS) break;
    cursors.delete(key);
  }
  turn.out.push({ kind: 'store-cursors', device, cursors });
  // One that has come back before this one was known to be gone has read what was known before.
  for (const other of turn.state.sessions.values()) {
    if (other.device !== device || other.id === session.id) continue;
    for (const [key, cursor] of cursors) {
      if (!turn.state.rooms.get(key)?.members.has(other.id)) other.cursors.set(key, cursor);
    }
  }
}

/** What the store knows of a session's device; its last session may have told more meanwhile. */
export function sessionCursors({ state }: Turn, id: SessionId, cursors: ReadonlyMap<BareKey, Cursor>): void {
  const session = state.sessions.get(id);
  for (const [room, cursor] of cursors) if (!session?.cursors.has(room)) session?.cursors.set(room, cursor);
}

function cursorOf(turn: Turn, room: Occupancy, member: Member, unseen: readonly Stanza[]): Cursor {
  const missing = new Set<string>();
  for (const stanza of unseen) if (isMessageOf(stanza, room.key)) missing.add(contentKey(stanza));
  const entries = room.log.entries(turn.now);
  const told = member.lag === undefined ? room.log.end : member.lag.from;
  const heard = entries.slice(0, Math.max(0, entries.length - (room.log.end - told)));
  const first = missing.size === 0 ? -1 : heard.findIndex((entry) => isMissing(entry, missing));
  const last = first < 0 ? heard.at(-1) : heard[first - 1];
  if (last) return { key: entryContentKey(last), at: last.at };
  // Nothing that is known of here has been seen: everything from the first message on is missing.
  return { key: '', at: first < 0 ? turn.now : (heard[0]?.at ?? turn.now) };
}

/** What was taken back may have been given as it was said, or as what is left of it. */
function isMissing(entry: LogEntry, missing: ReadonlySet<string>): boolean {
  return (
    missing.has(entryContentKey(entry)) || (entry.keys !== undefined && missing.has(contentKey(entryStanza(entry))))
  );
}

function isMessageOf(stanza: Stanza, room: BareKey): boolean {
  return stanza.type === 'groupchat' && stanza.name === 'message' && bareKey(stanza.from ?? '') === room;
}

/** The session is being answered: what was known of its device and this room is used up. */
export function takeCursor(session: Session, room: Occupancy): Cursor | undefined {
  const cursor = session.cursors.get(room.key);
  session.cursors.delete(room.key);
  return cursor;
}

/** Whether somebody who waits for the account's join wants all that was missed, and so as much as the room gives. */
export function isGapWaiting(state: AccountState, room: Occupancy): boolean {
  return room.waiting.some(({ session, stanza }) => {
    return state.sessions.get(session)?.cursors.has(room.key) === true && !historyWish(stanza).stated;
  });
}
