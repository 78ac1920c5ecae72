/**
 * The room answers the account's own join (J2, J6, J7, J12): collected until the fence, then replayed to each waiting session.
 */
import { bareKey, bareOf, nickKey, resourceOf } from '../../xml/address.ts';
import { type ErrorType, NS, type StanzaCondition } from '../../xml/names.ts';
import type { Stanza } from '../../xml/stanza.ts';
import { escapeXml } from '../../xml/text.ts';
import { markLog } from '../archive.ts';
import { isByBookmark } from '../bookmark-state.ts';
import { releaseRoom } from '../carriers.ts';
import { endOccupancy } from '../end.ts';
import type { Input } from '../inputs.ts';
import { isForNext, keepPrivate } from '../kept.ts';
import {
  detach,
  forgetDiscussion,
  forgetOccupancy,
  keyOfNick,
  nickOf,
  noteAnswered,
  noteRoomCodes,
  recordOccupancy,
  serviceOf,
} from '../occupancy.ts';
import { replay } from '../replay.ts';
import { statusCodes } from '../self-presence.ts';
import type { Attempt, CarrierId, EntryAttempt, Occupancy, Turn, WaitingJoin } from '../state.ts';
import { freshId } from '../state.ts';
import { noteRoomInfo } from './archive.ts';
import { autojoined, autojoinFailed, isPassing } from './autojoin.ts';
import { flushBehind } from './behind.ts';
import { bringUpToDate } from './catch-up.ts';
import { takeCursor } from './cursor.ts';
import { endAttempt, isEarly, keepEarly, mayBeIn, tellEarly } from './early.ts';
import { isNotice, isSubject, noteLogged, noteSubject } from './groupchat.ts';
import { inbound } from './inbound.ts';
import { enter, sendFence, startJoin, wishedPassword } from './join.ts';
import { leaveRoom } from './leave.ts';
import { caughtUp, isOfStayBefore } from './overdue.ts';
import { adoptPast, pastRead } from './past.ts';
import { sessionStanza } from './session-stanza.ts';
import { noteShown, showIfMore } from './shown.ts';

/** How long a room that has said 110 may owe the fence's answer before the join counts as complete (ms). */
const SETTLE_MS = 3000;

/** Time for a human to solve what the room asks before it lets them in (XEP-0158), in ms. */
const CHALLENGE_MS = 180_000;

/**
 * Whether a presence error answers that join. COMPAT: old services leave out the id, and answer from the address that was asked; what comes without
 * an id from the room's bare address may answer a client's presence to all, or a subscription.
 */
export function isAnswerTo(joinId: string, { id, from = '' }: Stanza): boolean {
  return id === joinId || (id === undefined && resourceOf(from) !== '');
}

/** A presence in a join's answer. */
export function joinPresence(turn: Turn, room: Occupancy, attempt: Attempt, stanza: Stanza): 'refused' | undefined {
  if (isOfStayBefore(room, attempt, stanza)) return undefined;
  if (stanza.type === 'error') {
    return isAnswerTo(attempt.joinId, stanza) ? 'refused' : undefined;
  }
  const nick = nickOf(stanza);
  if (nick === '') {
    if (stanza.type === undefined) {
      room.roomPresence = detach(stanza);
      room.isRoomPresenceLast = attempt.self !== undefined;
    }
    return undefined;
  }
  const codes = statusCodes(stanza);
  const isOwn = codes.includes('110') || (!room.marksSelf && keyOfNick(nick) === keyOfNick(room.nick));
  if (!isOwn) {
    noteAnswered(attempt, stanza);
    return undefined;
  }
  // COMPAT: ejabberd gives the end of an earlier session's place to the new session that has its resource.
  if (stanza.type === 'unavailable') return attempt.self ? 'refused' : undefined;
  // The late answer to an earlier join through this stream, which was taken back, is none to this one.
  if (stanza.type !== undefined || isOfEarlier(turn, attempt, stanza)) return undefined;
  room.marksSelf = codes.includes('110');
  if (codes.includes('201')) attempt.created = true;
  // What came between the end of an earlier stay and the answer to this join is part of that answer again.
  if (attempt.self && stanza.id === attempt.joinId) {
    forgetDiscussion(room, turn.state.settings);
    attempt.notices.length = 0;
  }
  attempt.self = detach(stanza);
  attempt.roster.delete(keyOfNick(nick));
  turn.out.setTimer(`settle ${room.key}`, SETTLE_MS);
  return undefined;
}

/** Whether a self-presence answers a join of the proxy's own other than this one. */
export function isOfEarlier({ state }: Turn, { joinId }: Attempt, { id }: Stanza): boolean {
  return id !== joinId && id?.startsWith(state.idPrefix) === true;
}

/** A stanza from the room while the account's own join is under way. */
export function joining(turn: Turn, room: Occupancy, attempt: EntryAttempt, stanza: Stanza): void {
  const { out, now } = turn;
  const { texts } = turn.state.services;
  if (stanza.name === 'presence') {
    const { self, doubtful } = attempt;
    if (joinPresence(turn, room, attempt, stanza) === 'refused') refused(turn, room, stanza);
    // No room repeats what is private.
    else if (self && self !== attempt.self)
      attempt.early.splice(0, attempt.early.length, ...attempt.early.filter(({ type }) => type !== 'groupchat'));
    // The stay before has ended: what was heard is of that.
    else if (doubtful && !attempt.doubtful) {
      forgetDiscussion(room, turn.state.settings);
      attempt.notices.length = 0;
      attempt.early.length = 0;
    }
    if (room.attempt !== attempt) return;
    if (attempt.self && attempt.isFenceSpent) fenceAgain(turn, room, attempt);
    return;
  }
  if (stanza.name === 'iq') {
    const asked = turn.state.sessions.get(asker(room, attempt)?.session ?? attempt.wish.session);
    if (stanza.type === 'get' || stanza.type === 'set') inbound(turn, room, attempt.carrier, stanza, asked);
    else if (stanza.id === attempt.fenceId) {
      const last = caughtUp(attempt);
      if (last) joining(turn, room, attempt, last);
      if (room.attempt !== attempt) return;
      if (isConference(stanza)) turn.state.services.learn(serviceOf(room));
      noteRoomInfo(turn, room, stanza);
      fenceAnswered(turn, room);
    }
    return;
  }
  if (stanza.type === 'groupchat') {
    // Before the self-presence it belongs to an earlier stay (XEP-0045 section 7.1 gives the order).
    if (!mayBeIn(attempt)) {
      out.drop('left-room');
      return;
    }
    if (isEarly(attempt, room, stanza)) keepEarly(turn, attempt, room, stanza);
    else if (isSubject(stanza)) noteSubject(room, stanza, undefined);
    else if (isNotice(stanza)) attempt.notices.push(detach(stanza));
    else room.log.add(stanza, now, { isAnswer: true, texts });
    return;
  }
  if (isEarly(attempt, room, stanza) && stanza.type !== 'error') {
    keepEarly(turn, attempt, room, stanza);
    return;
  }
  // Anything else before the self-presence is for the one who joins: a captcha challenge (XEP-0158), a refusal in words.
  const first = asker(room, attempt);
  if (stanza.type === 'error') return;
  if (!first) {
    // Nobody waits any more.
    if (isForNext(stanza)) keepPrivate(turn, room, stanza);
    else out.drop('no-session');
    return;
  }
  out.fork([first.session], stanza);
  if (!attempt.self && !room.challenged) {
    room.challenged = true;
    if (stanza.root.child('captcha', NS.captcha)) out.setTimer(`join ${room.key}`, CHALLENGE_MS);
    for (const { stanza: behind, isUnsure } of first.behind.splice(0)) {
      const session = turn.state.sessions.get(first.session);
      if (session) sessionStanza(turn, session, behind, { isUnsure });
    }
  }
}

/** The waiting session whose join was sent, or the one that has taken its place. */
function asker(room: Occupancy, attempt: EntryAttempt): WaitingJoin | undefined {
  const present = room.waiting.filter((wait) => !wait.isForsaken && !isByBookmark(wait));
  return present.find((wait) => wait.session === attempt.wish.session) ?? present[0];
}

/**
 * Whether a domain may count as a MUC service, which concerns all accounts: its own word on the room is wanted
 * (XEP-0045 section 6.4). Anybody's client can send a self-presence, so that directed presence to its whole server would stop.
 */
function isConference(answer: Stanza): boolean {
  const { children = [] } = answer.root.child('query', NS.discoInfo) ?? {};
  return children.some((child) => child.name === 'identity' && child.attr('category') === 'conference');
}

/** All that the room has to say about the join has come; without a self-presence it is still to come. */
export function fenceAnswered(turn: Turn, room: Occupancy): void {
  if (room.attempt?.self) settle(turn, room);
  else if (room.attempt) room.attempt.isFenceSpent = true;
}

/** Nothing came behind the self-presence for a while, or a fence was answered too early: ask once more. */
export function settleTimer(turn: Turn, room: Occupancy): void {
  if (room.phase === 'joining' && room.attempt?.self) settle(turn, room);
}

/** What the store has of the room's log has come. */
export function logRead(turn: Turn, read: Extract<Input, { kind: 'log-read' }>): void {
  const room = pastRead(turn, read);
  if (room) settle(turn, room);
}

/** The account is in: each waiting session gets its own complete answer. */
function settle(turn: Turn, room: Occupancy): void {
  const { state, out, now } = turn;
  const attempt = room.attempt;
  if (!attempt?.self) return;
  if (room.past === 'awaited') {
    attempt.isDue = true;
    return;
  }
  out.clearTimer(`settle ${room.key}`);
  out.clearTimer(`join ${room.key}`);
  room.self = attempt.self;
  room.name = bareOf(attempt.self.from ?? room.name);
  room.nick = nickOf(attempt.self);
  noteRoomCodes(room.codes, attempt.self);
  const waiting = room.waiting;
  room.waiting = [];
  // A bookmark of a room that is no more must not make it anew: it would be locked, and nobody there to configure it.
  if (waiting.length === 0 || (attempt.created && waiting.every(isByBookmark))) {
    leaveRoom(turn, room);
    return;
  }
  room.attempt = undefined;
  room.phase = 'joined';
  const live = countLive(room, now);
  room.log.freeAll(live);
  adoptPast(turn, room, attempt.created);
  markLog(room);
  noteLogged(turn, room);
  autojoined(turn, room);
  room.heardAt = now;
  recordOccupancy(turn, room);
  noteShown(turn, room, attempt.wish.stanza);
  const liveFrom = live > 0 ? room.log.entries(now).at(-live) : undefined;
  const present = waiting.filter((wait) => !isByBookmark(wait));
  const creator = present.find((wait) => wait.session === attempt.wish.session) ?? present[0];
  for (const [index, wait] of waiting.entries()) {
    const session = state.sessions.get(wait.session);
    if (isByBookmark(wait)) out.push({ kind: 'joined', result: 'upstream' });
    if (!session || wait.isForsaken) continue;
    out.push({ kind: 'joined', result: index === 0 ? 'upstream' : 'local' });
    enter(turn, room, session, wait.stanza, wait.nick);
    const isCreator = attempt.created && wait === creator;
    const { notices } = attempt;
    const cursor = takeCursor(session, room);
    replay(turn, room, session, { join: wait.stanza, asked: wait.nick, isCreator, notices, liveFrom, cursor });
  }
  tellEarly(turn, room, attempt);
  bringUpToDate(turn, room);
  showIfMore(turn, room);
  for (const wait of waiting) flushBehind(turn, room, wait);
}

/** The messages without the room's delay stamp at the end of the log were said while the join was being answered. */
function countLive(room: Occupancy, now: number): number {
  const entries = room.log.entries(now);
  let from = entries.length;
  while (from > 0 && !entries[from - 1]?.delayed) from -= 1;
  return entries.length - from;
}

/** The room refuses the wish that was sent, and whoever waits with the same; another wish is tried (J6, J7). */
function refused(turn: Turn, room: Occupancy, error: Stanza): void {
  const { out } = turn;
  const { attempt } = room;
  if (!attempt) return;
  endAttempt(turn, room);
  out.clearTimer(`settle ${room.key}`);
  const answered = room.waiting.filter((wait) => isSameWish(wait, attempt.wish));
  room.waiting = room.waiting.filter((wait) => !answered.includes(wait));
  for (const wait of answered) {
    out.push({ kind: 'joined', result: 'refused' });
    if (isByBookmark(wait)) autojoinFailed(turn, room, !isPassing(error));
    answerRefused(turn, room, wait, errorOf(error), error.from);
  }
  releaseAttempt(turn, room, attempt.carrier);
  if (room.waiting.length > 0) startJoin(turn, room);
  else forget(turn, room);
  for (const wait of answered) flushBehind(turn, room, wait);
}

function isSameWish(a: WaitingJoin, b: WaitingJoin): boolean {
  return keyOfNick(a.nick) === keyOfNick(b.nick) && wishedPassword(a) === wishedPassword(b);
}

function releaseAttempt(turn: Turn, room: Occupancy, id: CarrierId): void {
  room.carrier = undefined;
  releaseRoom(turn, id, room);
}

function forget(turn: Turn, room: Occupancy): void {
  endOccupancy(turn, room);
  forgetOccupancy(turn, room);
}

/** The room's own words; a removal in mid-join has none and becomes `not-acceptable`. */
function errorOf(stanza: Stanza): string {
  const error = stanza.root.child('error');
  if (!error) return errorXml('cancel', 'not-acceptable', 'The room has removed the occupant.');
  return stanza.bytes.toString('utf8', error.start, error.end);
}

/**
 * An error to a session's own join: its id, the `muc` child, the address that it asked for (XEP-0045 section 7.2), as the room writes
 * it where `from` is that.
 */
function answerRefused(turn: Turn, room: Occupancy, wait: WaitingJoin, error: string, from = ''): void {
  const { state, out } = turn;
  const session = state.sessions.get(wait.session);
  if (!session || wait.isForsaken) return;
  session.rooms.delete(room.key);
  const id = wait.stanza.id;
  const asked = wait.stanza.to ?? room.name;
  const address = bareKey(from) === room.key && nickKey(resourceOf(from)) === nickKey(wait.nick) ? from : asked;
  out.toSession(
    session.id,
    `<presence type='error' from='${escapeXml(address)}' to='${escapeXml(session.jid)}'${
      id === undefined ? '' : ` id='${escapeXml(id)}'`
    }><x xmlns='${NS.muc}'/>${error}</presence>`,
  );
}

function errorXml(type: ErrorType, condition: StanzaCondition, text: string): string {
  return `<error type='${type}'><${condition} xmlns='${NS.stanzaErrors}'/><text xmlns='${NS.stanzaErrors}'>${escapeXml(text)}</text></error>`;
}

/** No answer within the limit, or no stream to ask through: always type `wait`, as some clients delete a bookmark on anything else (J7). */
export function joinFailed(turn: Turn, room: Occupancy, condition: StanzaCondition, text: string): void {
  const { out, state } = turn;
  const { attempt } = room;
  const waiting = room.waiting.splice(0);
  for (const wait of waiting) {
    out.push({ kind: 'joined', result: 'timeout' });
    if (isByBookmark(wait)) autojoinFailed(turn, room, false);
    answerRefused(turn, room, wait, errorXml('wait', condition, text));
  }
  const carrier = attempt ? state.carriers.get(attempt.carrier) : undefined;
  out.clearTimer(`settle ${room.key}`);
  // A success that comes later is left again: the leave goes out now and reaches the room behind the join.
  if (room.phase === 'leaving') turn.out.clearTimer(`join ${room.key}`);
  else if (carrier) leaveRoom(turn, room);
  else {
    endAttempt(turn, room);
    forget(turn, room);
  }
  for (const wait of waiting) flushBehind(turn, room, wait);
}

/** A fresh fence for a join that was answered after its first fence (captcha, slow remote service). */
export function fenceAgain(turn: Turn, room: Occupancy, attempt: Attempt): void {
  const carrier = turn.state.carriers.get(attempt.carrier);
  if (!carrier) return;
  attempt.isFenceSpent = false;
  attempt.fenceId = freshId(turn.state);
  sendFence(turn, room, carrier, attempt.fenceId);
}
