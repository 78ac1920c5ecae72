/**
 * What an earlier home of the account has heard of a room lies in the store (M6): it is read when the account joins, or when its home is taken
 * over, and comes before what is known here. What the room tells is newer, and counts.
 */
import { markLog } from '../archive.ts';
import { hearerIds } from '../carriers.ts';
import type { Input } from '../inputs.ts';
import { keepAlso, takeKept } from '../kept.ts';
import { entryContentKey, entryStanza, type LogEntry } from '../log-entry.ts';
import { delayed } from '../replay.ts';
import type { Occupancy, Turn } from '../state.ts';
import { noteReflected } from './groupchat.ts';

/** What was heard so lately (ms) the sessions here may not have been given: the room is to tell it again. */
const UNCERTAIN_MS = 60_000;

/** The account joins: its answer waits for what was known before. */
export function askForPast({ state, out }: Turn, room: Occupancy): void {
  if (!state.settings.keepsLogs || room.past !== undefined) return;
  room.past = 'awaited';
  out.push({ kind: 'read-log', room: room.key });
}

/** A rejoin waits no longer for what the store has (ms). */
const WAIT_MS = 3000;

/**
 * The home is another now: what it knows of the room is what its own sessions have been shown. The last one may have heard more, what they have
 * said among it, and more than the room tells a stream that comes in: that is known before the account does.
 */
export function askForMore({ state, out, now }: Turn, room: Occupancy): void {
  if (!state.settings.keepsLogs) return;
  out.push({ kind: 'read-log', room: room.key });
  if (room.carrier !== undefined) return;
  room.retryAt = now + WAIT_MS;
  out.setTimer(`retry ${room.key}`, WAIT_MS);
}

/** The store has answered, or cannot. Returns whether a join waits for just that. */
export function pastRead(turn: Turn, read: Extract<Input, { kind: 'log-read' }>): Occupancy | undefined {
  const { state, out, now } = turn;
  const { room: key, entries: past, kept, isLate = false } = read;
  const room = state.rooms.get(key);
  if (!room || room.phase === 'ended') return undefined;
  keepAlso(room, kept);
  if (room.past === 'awaited' || (isLate && room.past !== undefined)) {
    const isAwaited = room.past === 'awaited';
    room.past = past;
    return isAwaited && room.attempt?.isDue ? room : undefined;
  }
  if (room.phase !== 'joined') return undefined;
  if (room.members.size > 0) giveKept(turn, room);
  if (!isLate && room.carrier === undefined) {
    room.retryAt = undefined;
    out.clearTimer(`retry ${key}`);
    passOn(turn, room, past);
  }
  if (past.length === 0) return undefined;
  // Where nobody is joined nobody can be given anything twice.
  const isNobodys = room.members.size === 0 && room.log.size === 0;
  const isSure = ({ heardAt }: LogEntry): boolean =>
    isLate ? room.log.size === 0 : isNobodys || heardAt < now - UNCERTAIN_MS;
  room.log.precede(past, now, isSure);
  markLog(room);
  out.push({ kind: 'store-log', room: key });
  return undefined;
}

/** What comes behind the last message that is known here, nobody here has been given. */
function passOn(turn: Turn, room: Occupancy, past: readonly LogEntry[]): void {
  const known = new Set(room.log.entries(turn.now).map(entryContentKey));
  const last = past.findLastIndex((entry) => known.has(entryContentKey(entry)));
  if (last < 0 || room.move) return;
  for (const entry of past.slice(last + 1)) {
    const stanza = entryStanza(entry);
    noteReflected(room, stanza);
    room.log.append(entry, turn.now);
    turn.out.fork(hearerIds(room), stanza);
  }
}

/** Who is in already would have been given it with the answer to its join. */
function giveKept(turn: Turn, room: Occupancy): void {
  for (const { stanza, at } of takeKept(turn, room))
    turn.out.fork([...room.members.keys()], delayed(stanza, room.name, at));
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
