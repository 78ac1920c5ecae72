/**
 * The account joins the rooms that are bookmarked with autojoin (B2): as soon as it has a carrier, and in the name of no session.
 * A client's own join is then served from what is known.
 */
import { type BareKey, splitJid } from '../../xml/address.ts';
import { NS } from '../../xml/names.ts';
import { parseStanza, type Stanza } from '../../xml/stanza.ts';
import { escapeXml } from '../../xml/text.ts';
import { autojoinMark, BY_BOOKMARK, isByBookmark } from '../bookmark-state.ts';
import type { Bookmark } from '../bookmarks.ts';
import { createOccupancy, forgetOccupancy } from '../occupancy.ts';
import type { AccountState, Occupancy, Turn } from '../state.ts';
import { startJoin } from './join.ts';

/** Joins that may be under way at a time: servers bound the rate of a stream. */
const MOST_AT_ONCE = 8;
/** What a client has sent right behind its presence goes first: that, and its own joins (ms). */
const PAUSE_MS = 200;
/** From a join that failed to the next try (ms), doubled each time, up to the most. */
const RETRY_MS = 60_000;
const RETRY_MOST_MS = 3_600_000;

/** Whether the account may join the room by itself. */
export function isAutojoinable({ settings }: AccountState, key: BareKey): boolean {
  const { autojoin = false, exclude = [] } = settings.bookmarks ?? {};
  return autojoin && !exclude.includes(key) && !exclude.includes(splitJid(key).domain);
}

/** Joins what is due, as far as may be under way at a time. */
export function autojoin(turn: Turn): void {
  const { state, out } = turn;
  const { bookmarks } = state;
  if (!canJoin(state)) return;
  if (bookmarks.joining === 'no') {
    bookmarks.joining = 'soon';
    out.setTimer('autojoin', PAUSE_MS);
  }
  if (bookmarks.joining !== 'yes') return;
  let free = MOST_AT_ONCE;
  for (const { phase, waiting } of state.rooms.values())
    if (phase !== 'joined' && waiting.some(isByBookmark)) free -= 1;
  for (const key of bookmarks.due) {
    if (free <= 0) return;
    bookmarks.due.delete(key);
    const mark = autojoinMark(state, key);
    if (mark && enterByBookmark(turn, key, mark)) free -= 1;
  }
}

/** A server may give no presence to a stream whose client is not available (jabberd2). */
function canJoin({ sessions, accountStream, bookmarks }: AccountState): boolean {
  if (sessions.size === 0) return false;
  if (accountStream === 'off' || accountStream === 'waiting') {
    if (![...sessions.values()].some(({ available }) => available)) return false;
  }
  return bookmarks.known !== undefined;
}

/** `autojoin`: the pause is over. `autojoin ROOM`: the room is to be tried again. */
export function autojoinTimer(turn: Turn, key: string): void {
  const { bookmarks } = turn.state;
  if (key === '') bookmarks.joining = 'yes';
  else if (autojoinMark(turn.state, key as BareKey)) bookmarks.due.add(key as BareKey);
}

function enterByBookmark(turn: Turn, key: BareKey, mark: Bookmark): boolean {
  const { state, out, now } = turn;
  let room = state.rooms.get(key);
  if (room?.phase === 'ended') {
    forgetOccupancy(turn, room);
    room = undefined;
  }
  if (room?.phase === 'joined' || (room && room.waiting.length > 0)) return false;
  const nick = mark.nick ?? splitJid(state.bare).local;
  if (!room) {
    room = createOccupancy(key, mark.name, nick, state.settings);
    state.rooms.set(key, room);
  }
  out.setTimer(`join ${key}`, state.settings.joinTimeoutMs);
  out.push({ kind: 'bookmark-followed', act: 'join' });
  const stanza = joinStanza(state, mark, nick);
  room.waiting.push({ session: BY_BOOKMARK, stanza, nick, at: now, behind: [], isForsaken: false });
  if (room.phase === 'joining' && !room.attempt) startJoin(turn, room);
  return true;
}

/** What the room sees of an account with no session joined (L6). */
function joinStanza({ settings }: AccountState, { name, password }: Bookmark, nick: string): Stanza {
  const show = settings.presenceAbsent === 'xa' ? '<show>xa</show>' : '';
  const secret = password === undefined ? '' : `<password>${escapeXml(password)}</password>`;
  return parseStanza(
    `<presence to='${escapeXml(`${name}/${nick}`)}'><x xmlns='${NS.muc}'>${secret}</x>${show}</presence>`,
  );
}

/** The join of a bookmark has succeeded. */
export function autojoined({ state }: Turn, room: Occupancy): void {
  state.bookmarks.failed.delete(room.key);
}

/** It has not. `isFinal`: the room will say the same another time. */
export function autojoinFailed({ state, out }: Turn, room: Occupancy, isFinal: boolean): void {
  const { failed } = state.bookmarks;
  if (isFinal) {
    failed.delete(room.key);
    return;
  }
  const tries = failed.get(room.key) ?? 0;
  failed.set(room.key, tries + 1);
  out.setTimer(`autojoin ${room.key}`, Math.min(RETRY_MS * 2 ** tries, RETRY_MOST_MS));
}

/** Whether a room's refusal may be another one later: it says so, or somebody else has the nick now. */
export function isPassing(error: Stanza): boolean {
  const child = error.root.child('error');
  return child?.attr('type') === 'wait' || child?.child('conflict', NS.stanzaErrors) !== undefined;
}
