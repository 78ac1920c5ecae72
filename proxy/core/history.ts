/**
 * Discussion history for one session (XEP-0045 section 7.2.13): what it asked for in `<history/>`, taken from the stanza log.
 */
import { NS } from '../xml/names.ts';
import type { Stanza } from '../xml/stanza.ts';
import { entryContentKey, entryStanza, type LogEntry } from './log-entry.ts';
import { writtenStamp } from './stanza-log.ts';
import type { Cursor } from './state.ts';

/** Undefined fields are limits that the client did not state. */
export interface HistoryWish {
  readonly stated: boolean;
  readonly maxStanzas: number | undefined;
  readonly maxChars: number | undefined;
  readonly seconds: number | undefined;
  /** Epoch ms. */
  readonly since: number | undefined;
  /** The same as it was written, which may be finer. */
  readonly sinceStamp: string;
}

/** Malformed numbers and dates count as not stated. */
export function historyWish(join: Stanza): HistoryWish {
  const history = join.root.child('x', NS.muc)?.child('history');
  const count = (name: string): number | undefined => {
    const value = history?.attr(name);
    return value !== undefined && /^\d{1,9}$/.test(value) ? Number(value) : undefined;
  };
  const sinceStamp = history?.attr('since') ?? '';
  const since = Date.parse(sinceStamp);
  return {
    stated: history !== undefined,
    maxStanzas: count('maxstanzas'),
    maxChars: count('maxchars'),
    seconds: count('seconds'),
    since: Number.isNaN(since) ? undefined : since,
    sinceStamp,
  };
}

/**
 * The entries that a session is given, oldest first. All limits hold together; counts take the newest.
 * `maxchars` counts the characters of the complete stanzas (XEP-0045 section 7.2.13);
 * `addressChars`: what the session's own address takes, which is not in the log.
 */
export function selectHistory(
  entries: readonly LogEntry[],
  wish: HistoryWish,
  defaultStanzas: number,
  now: number,
  addressChars = 0,
): readonly LogEntry[] {
  const isBounded =
    wish.maxStanzas !== undefined ||
    wish.maxChars !== undefined ||
    wish.seconds !== undefined ||
    wish.since !== undefined;
  const most = wish.maxStanzas ?? (isBounded ? Number.POSITIVE_INFINITY : defaultStanzas);
  const chars = wish.maxChars ?? Number.POSITIVE_INFINITY;
  const earliest = Math.max(
    wish.since ?? Number.NEGATIVE_INFINITY,
    wish.seconds === undefined ? Number.NEGATIVE_INFINITY : now - wish.seconds * 1000,
  );
  let from = entries.length;
  let used = 0;
  while (from > 0 && entries.length - from < most) {
    const entry = entries[from - 1];
    if (entry === undefined || entry.at < earliest) break;
    if (entry.at === wish.since && isNoLater(entry, wish.sinceStamp)) break;
    used += Number.isFinite(chars) ? entry.text.toString('utf8').length + addressChars : 0;
    if (used > chars) break;
    from -= 1;
  }
  return entries.slice(from);
}

/** A stamp (XEP-0082) in UTC that is finer than a millisecond. */
const FINE_STAMP = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.(\d{4,})Z$/;

/**
 * Of the same millisecond: whether the room's own stamp is that one or an earlier one. A client that names the stamp of the last message
 * that it has wants what came behind it. Coarser stamps may be those of several messages: rather one twice than never.
 */
function isNoLater(entry: LogEntry, stamp: string): boolean {
  const asked = FINE_STAMP.exec(stamp)?.[1];
  if (asked === undefined || !entry.delayed) return false;
  const own = FINE_STAMP.exec(writtenStamp(entryStanza(entry)) ?? '')?.[1];
  return own !== undefined && own.padEnd(asked.length, '0') <= asked.padEnd(own.length, '0');
}

/** How far the clocks of room and proxy, and stamps in whole seconds, may lie apart (ms): rather a message twice than never. */
const CLOCKS_MS = 5000;

/** How many of the entries a device that had come so far has not got; none when that is not known. */
export function countBehind(entries: readonly LogEntry[], cursor: Cursor | undefined): number {
  if (!cursor) return 0;
  const known = entries.findLastIndex((entry) => entryContentKey(entry) === cursor.key);
  if (known >= 0) return entries.length - known - 1;
  const first = entries.findIndex((entry) => entry.at >= cursor.at - CLOCKS_MS);
  return first < 0 ? 0 : entries.length - first;
}

/**
 * The `<history/>` of the account's own join, so that the log can serve later sessions too: never less than the asking
 * session wants, and the room's own default where it states no wish or only wants less. A span of time may be less than that
 * or more: all that the room gives is asked for, `most` at most. Undefined: none is sent.
 */
export function accountHistory(wish: HistoryWish, most: number): string | undefined {
  if (wish.maxStanzas !== undefined && wish.maxStanzas > 20) return historyOf(wish.maxStanzas);
  if (wish.maxStanzas !== undefined || (wish.since === undefined && wish.seconds === undefined)) return undefined;
  return historyOf(most);
}

/** It may come to stand in an element with a prefix. */
export function historyOf(maxStanzas: number): string {
  return `<history xmlns='${NS.muc}' maxstanzas='${maxStanzas}'/>`;
}
