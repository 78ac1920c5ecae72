/**
 * The user's bookmarks are read and followed (B1): from PEP, else from private storage, through a stream of the account and
 * unseen by its client. Nothing is ever written. What is seen of a change on any stream only says that the list is to be read
 * anew: what the server then has is what counts, whoever has written it and in whatever form.
 */
import { type BareKey, bareKey, bareOf, resourceOf } from '../../xml/address.ts';
import { NS } from '../../xml/names.ts';
import type { Stanza } from '../../xml/stanza.ts';
import { autojoinMark, isReading } from '../bookmark-state.ts';
import {
  BOOKMARK_QUERIES,
  type BookmarkSource,
  type Bookmarks,
  isBookmarkEvent,
  MOST_BOOKMARKS,
  readBookmarks,
} from '../bookmarks.ts';
import { chance } from '../jitter.ts';
import { recordOccupancy } from '../occupancy.ts';
import { type AccountState, type Carrier, freshId, type Turn } from '../state.ts';
import { autojoin, isAutojoinable } from './autojoin.ts';
import { renameByBookmark } from './bookmark-nick.ts';
import { unbookmarked } from './unbookmarked.ts';

/** From a change to the reading (ms): a device may change a list in several steps. */
const SETTLE_MS = 500;
/** The same right after a reading: a device that writes without end is not read without end. */
const BUSY_MS = 3000;
/** For the server's answer (ms). */
const ANSWER_MS = 20_000;
/** From a reading that failed to the next (ms), where none comes earlier. */
const RETRY_MS = 60_000;

/** To be called after each input: asks when something is to be asked, and joins what is to be joined. */
export function tendBookmarks(turn: Turn): void {
  const { state } = turn;
  const { bookmarks, settings } = state;
  if (!settings.bookmarks) return;
  if (bookmarks.asking && !state.carriers.has(bookmarks.asking.carrier)) {
    bookmarks.asking = undefined;
    bookmarks.isDue = true;
  }
  if (bookmarks.isDue && !bookmarks.asking && isWanted(state)) ask(turn, bookmarks.hasPep ? 'pep' : 'private');
  if (bookmarks.due.size > 0) autojoin(turn);
}

/** Without autojoin bookmarks matter as soon as the account is in a room. */
function isWanted({ settings, sessions, rooms }: AccountState): boolean {
  if (settings.bookmarks?.autojoin && sessions.size > 0) return true;
  for (const { phase } of rooms.values()) if (phase === 'joined') return true;
  return false;
}

/** Something on a stream of the account tells of a change. */
export function bookmarksChanged({ state, out, now }: Turn): void {
  const { bookmarks, settings } = state;
  if (!settings.bookmarks || bookmarks.isDue || bookmarks.isStale) return;
  bookmarks.isStale = true;
  out.setTimer('bookmarks', now - bookmarks.askedAt < BUSY_MS ? BUSY_MS : SETTLE_MS);
}

/** Time for the next reading. */
export function bookmarksDue({ state }: Turn): void {
  const { bookmarks } = state;
  bookmarks.isStale = false;
  bookmarks.isDue = true;
  // Who has no use for the list any more begins anew one day.
  if (!isWanted(state)) bookmarks.known = undefined;
}

function ask(turn: Turn, source: BookmarkSource): void {
  const { state, out, now } = turn;
  const carrier = streamFor(state);
  if (!carrier) return;
  const { bookmarks } = state;
  const id = freshId(state);
  bookmarks.isDue = false;
  bookmarks.asking = { id, carrier: carrier.id, source };
  bookmarks.askedAt = now;
  out.setTimer('bookmarks-asked', ANSWER_MS);
  out.toCarrier(carrier.id, `<iq type='get' id='${id}'>${BOOKMARK_QUERIES[source]}</iq>`);
}

/** Any stream will do: the account's own first, which no device can slow down. */
function streamFor({ carriers, sessions }: AccountState): Carrier | undefined {
  let found: Carrier | undefined;
  for (const carrier of carriers.values()) {
    if (carrier.status !== 'ready') continue;
    if (carrier.kind === 'account-stream') return carrier;
    const session = carrier.session === undefined ? undefined : sessions.get(carrier.session);
    if (session?.isHibernating === false || carrier.isParked) found ??= carrier;
  }
  return found;
}

/** What comes on a stream of the account and is about its bookmarks. False: it is about something else. */
export function bookmarkStanza(turn: Turn, carrier: Carrier, stanza: Stanza): boolean {
  const { state } = turn;
  const { asking } = state.bookmarks;
  if (stanza.name === 'message') {
    // A stream with a client is looked at where it is relayed.
    if (carrier.session !== undefined || !isOfAccount(state, stanza, true) || !isBookmarkEvent(stanza)) return false;
    bookmarksChanged(turn);
    return true;
  }
  const isAnswer = stanza.name === 'iq' && (stanza.type === 'result' || stanza.type === 'error');
  if (!isAnswer || !asking || stanza.id !== asking.id || carrier.id !== asking.carrier) return false;
  // Members of rooms see ids of ours and may guess others from them: only the own server answers for the account.
  // COMPAT: jabberd2 gives the stream's own full address.
  if (stanza.from !== carrier.jid && !isOfAccount(state, stanza, false)) return false;
  answered(turn, asking.source, stanza);
  return true;
}

/** RFC 6120 section 8.1.2.1: what comes from the own account has its bare address, or none. */
function isOfAccount({ bare }: AccountState, { from }: Stanza, isNamed: boolean): boolean {
  if (from === undefined) return !isNamed;
  return resourceOf(from) === '' && bareKey(from) === bareKey(bareOf(bare));
}

function answered(turn: Turn, source: BookmarkSource, stanza: Stanza): void {
  const { state, out } = turn;
  const { bookmarks } = state;
  out.clearTimer('bookmarks-asked');
  bookmarks.asking = undefined;
  const list = stanza.type === 'result' ? readBookmarks(source, stanza) : undefined;
  if (list) {
    out.push({ kind: 'bookmarks-read', result: source });
    learn(turn, list, source);
    nextReading(turn, state.settings.bookmarks?.pollMs ?? 0);
  } else if (source === 'pep' && mayBeElsewhere(turn, stanza)) ask(turn, 'private');
  else failed(turn);
}

/**
 * Whether the list may be in private storage, as PEP has none. Once it was in PEP, trouble there must not pass for its end: the account
 * would leave all its rooms.
 */
function mayBeElsewhere({ state }: Turn, answer: Stanza): boolean {
  const error = answer.root.child('error');
  const has = (condition: string): boolean => error?.child(condition, NS.stanzaErrors) !== undefined;
  if (has('item-not-found')) return true;
  if (state.bookmarks.source === 'pep') return false;
  const isAbsent = has('feature-not-implemented') || has('service-unavailable');
  if (isAbsent) state.bookmarks.hasPep = false;
  return isAbsent;
}

/** The server owes the answer: what is known stays. */
export function bookmarksUnanswered(turn: Turn): void {
  turn.state.bookmarks.asking = undefined;
  failed(turn);
}

function failed(turn: Turn): void {
  turn.out.push({ kind: 'bookmarks-read', result: 'failed' });
  const { pollMs = 0 } = turn.state.settings.bookmarks ?? {};
  nextReading(turn, Math.max(pollMs, RETRY_MS));
}

/** A change that has been seen meanwhile has set its own time. Accounts that have come together do not ask together for ever. */
function nextReading({ state, out }: Turn, ms: number): void {
  if (ms > 0 && !isReading(state))
    out.setTimer('bookmarks', Math.round(ms * (0.75 + 0.5 * chance(state, 'bookmarks'))));
}

/**
 * The list as it is now: what differs from what was known is acted upon. The first one tells of no change, nor does the first one of
 * another place: a device that begins to use PEP need not have taken all over that private storage has.
 */
function learn(turn: Turn, list: Bookmarks, source: BookmarkSource): void {
  const { state } = turn;
  const { bookmarks } = state;
  const stored = bookmarks.known;
  const before = bookmarks.source === source ? stored : undefined;
  bookmarks.known = list;
  bookmarks.source = source;
  for (const [key, mark] of list) {
    const was = before?.get(key);
    if (mark.autojoin && !was?.autojoin && isAutojoinable(state, key)) bookmarks.due.add(key);
    if (was && mark.nick !== undefined && mark.nick !== was.nick) renameByBookmark(turn, key);
  }
  for (const [key, was] of before ?? []) {
    // Of a list that is too long it is not known what is missing.
    if (!list.has(key) && list.size >= MOST_BOOKMARKS) continue;
    if (!list.has(key)) bookmarks.renames.delete(key);
    if (was.autojoin && !autojoinMark(state, key)) unbookmarked(turn, key);
  }
  noteInStore(turn, stored);
}

/** Which rooms are bookmarked with autojoin is part of what the store knows of an occupancy. */
function noteInStore(turn: Turn, before: Bookmarks | undefined): void {
  for (const room of turn.state.rooms.values()) {
    const was = before?.get(room.key as BareKey)?.autojoin === true;
    const is = autojoinMark(turn.state, room.key) !== undefined;
    if (room.phase === 'joined' && was !== is) recordOccupancy(turn, room);
  }
}
