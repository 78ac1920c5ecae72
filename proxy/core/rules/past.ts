/**
 * What an earlier home of the account has heard of a room lies in the store (M6): it is read when the account joins, or when its home is taken
 * over, and comes before what is known here. What the room tells is newer, and counts.
 */
import { markLog } from '../archive.ts';
import type { Input } from '../inputs.ts';
import { keepAlso } from '../kept.ts';
import type { Occupancy, Turn } from '../state.ts';

/** What was heard so lately (ms) the sessions here may not have been given: the room is to tell it again. */
const UNCERTAIN_MS = 60_000;

/** The account joins: its answer waits for what was known before. */
export function askForPast({ state, out }: Turn, room: Occupancy): void {
  if (!state.settings.keepsLogs || room.past !== undefined) return;
  room.past = 'awaited';
  out.push({ kind: 'read-log', room: room.key });
}

/** The home is another now: what it knows of the room is what its own sessions have been shown. */
export function askForMore({ state, out }: Turn, room: Occupancy): void {
  if (state.settings.keepsLogs) out.push({ kind: 'read-log', room: room.key });
}

/** The store has answered, or cannot. Returns whether a join waits for just that. */
export function pastRead({ state, out, now }: Turn, read: Extract<Input, { kind: 'log-read' }>): Occupancy | undefined {
  const { room: key, entries: past, kept } = read;
  const room = state.rooms.get(key);
  if (!room || room.phase === 'ended') return undefined;
  keepAlso(room, kept);
  if (room.past === 'awaited') {
    room.past = past;
    return room.attempt?.isDue ? room : undefined;
  }
  if (room.phase !== 'joined' || past.length === 0) return undefined;
  room.log.precede(past, now, (entry) => entry.heardAt < now - UNCERTAIN_MS);
  markLog(room);
  out.push({ kind: 'store-log', room: key });
  return undefined;
}

/**
 * The account is in: what the room has given as history goes on from what was known before. Where the two have no message in common some
 * was said in between, and a log with a gap would be taken for a whole one. A room that was made anew has no past.
 */
export function adoptPast({ now }: Turn, room: Occupancy, isNew: boolean): void {
  const { past, log } = room;
  room.past = undefined;
  if (typeof past !== 'object' || isNew) return;
  log.precede(past, now, () => log.size === 0);
}
