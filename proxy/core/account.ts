/**
 * The account: one input at a time in, effects out. Dispatch only; the rules are in rules/.
 */
import { type BareKey, bareKey } from '../xml/address.ts';
import type { Stanza } from '../xml/stanza.ts';
import type { Effect } from './effects.ts';
import { Effects } from './effects.ts';
import type { Input } from './inputs.ts';
import { inCarriersLanguage, inOwnLanguage } from './language.ts';
import { askForLetters, writeLettersAnew } from './letters.ts';
import { notePush, payNudge } from './nudge.ts';
import { forgetOccupancy, recordOccupancy } from './occupancy.ts';
import { LATENESS_MS } from './overlap.ts';
import { failRequestsOf } from './requests.ts';
import { arrive } from './rules/arrive.ts';
import { autojoinTimer } from './rules/autojoin.ts';
import { renameByBookmark } from './rules/bookmark-nick.ts';
import {
  bookmarkStanza,
  bookmarksChanged,
  bookmarksDue,
  bookmarksUnanswered,
  tendBookmarks,
} from './rules/bookmarks.ts';
import {
  accountStreamFailed,
  carrierLost,
  carrierReady,
  carriersLeave,
  credentials,
  reopen,
} from './rules/carrier-events.ts';
import { noteCursors, sessionCursors } from './rules/cursor.ts';
import { departTimeout } from './rules/depart.ts';
import { letGo, nowSeen, waitsForGhost } from './rules/ghost.ts';
import { sessionAwakes, sessionHibernates } from './rules/hibernation.ts';
import { inboundUnanswered } from './rules/inbound.ts';
import { lateAnswer, requestTimeout } from './rules/iq.ts';
import { joinFailed, logRead, settleTimer } from './rules/join-answer.ts';
import { sessionLags } from './rules/lag.ts';
import { graceOver, left } from './rules/leave.ts';
import { lingerOver, settleAccount } from './rules/linger.ts';
import { catchUp } from './rules/missed.ts';
import { moveTimeout, offerAgain, reconcile, retryMove } from './rules/move.ts';
import { belated, endOverdue } from './rules/overdue.ts';
import { parkedDropped, parkedStanza, tendParked } from './rules/parking.ts';
import { roomStanza } from './rules/room-stanza.ts';
import { askSilent, selfPingTimeout, watchSilence } from './rules/self-ping.ts';
import { sessionStanza } from './rules/session-stanza.ts';
import { sessionBound, sessionGone, sessionPresence } from './rules/sessions.ts';
import { showMostActive } from './rules/shown.ts';
import { patienceOver } from './rules/stranded.ts';
import { deliverRead, forgetKept, keepForNext, stranger } from './rules/strangers.ts';
import { leaveToSubscription, subscriptionsAnswered } from './rules/subscribed.ts';
import { missed, notArrived } from './rules/travellers.ts';
import { parkedUndelivered, undelivered } from './rules/undelivered.ts';
import type { AccountState, Carrier, CarrierId, Occupancy, SessionId, Turn } from './state.ts';
import { subscriptionChanged } from './subscription.ts';

/** How much longer messages are compared while an old stream has not confirmed its leave (ms). */
const OVERLAP_MORE_MS = 5000;

/** Handles one input. Changes `state` and returns what is to be done, in order. `now`: epoch ms. */
export function step(state: AccountState, input: Input, now: number): readonly Effect[] {
  const out = new Effects();
  const turn: Turn = { state, out, now };
  dispatch(turn, input);
  tendBookmarks(turn);
  watchSilence(turn);
  tendParked(turn);
  askForLetters(turn);
  if (state.sessions.size === 0) settleAccount(turn);
  return out.list;
}

function dispatch(turn: Turn, input: Input): void {
  const { state } = turn;
  switch (input.kind) {
    case 'carrier-stanza':
      carrierStanza(turn, input.carrier, input.stanza);
      return;
    case 'session-stanza': {
      const session = state.sessions.get(input.session);
      const stanza = session ? inOwnLanguage(state, session, input.stanza) : input.stanza;
      const { isUnsure, isAskedAgain } = input;
      const circumstances = { isUnsure, isAskedAgain };
      if (session && !waitsForGhost(turn, session, stanza, circumstances)) {
        sessionStanza(turn, session, stanza, circumstances);
      }
      // A session that joins may be the first to hear a room whose carrier hibernates.
      if (input.stanza.name === 'presence') reconcile(turn);
      return;
    }
    case 'session-bound':
      sessionBound(turn, input);
      return;
    case 'session-cursors':
      sessionCursors(turn, input.session, input.cursors);
      return;
    case 'session-progress': {
      const session = state.sessions.get(input.session);
      if (session) noteCursors(turn, session, input.unseen);
      return;
    }
    case 'session-gone':
      sessionGone(turn, input);
      return;
    case 'sessions-missed':
      missed(turn, input.sessions, input.stanza);
      return;
    case 'session-hibernates': {
      const session = state.sessions.get(input.session);
      if (session) sessionHibernates(turn, session, input);
      return;
    }
    case 'session-lags': {
      const session = state.sessions.get(input.session);
      if (session) sessionLags(turn, session);
      return;
    }
    case 'session-awakes': {
      const session = state.sessions.get(input.session);
      if (session) sessionAwakes(turn, session);
      return;
    }
    case 'session-undelivered': {
      const session = state.sessions.get(input.session);
      if (session) undelivered(turn, session, input);
      return;
    }
    case 'parked-undelivered':
      parkedUndelivered(turn, input);
      return;
    case 'session-presence': {
      const session = state.sessions.get(input.session);
      if (session) sessionPresence(turn, session, input);
      return;
    }
    case 'session-carbons': {
      const session = state.sessions.get(input.session);
      if (session) session.carbons = input.enabled;
      return;
    }
    case 'session-push': {
      const session = state.sessions.get(input.session);
      if (session) notePush(turn, session, input.enabled);
      return;
    }
    case 'bookmarks-changed':
      bookmarksChanged(turn);
      return;
    case 'subscription-changed':
      subscriptionChanged(turn, input.room);
      return;
    case 'late-letter':
      keepForNext(turn, undefined, input.stanza);
      return;
    case 'credentials':
      credentials(turn, input.known);
      return;
    case 'carrier-ready':
      carrierReady(turn, input);
      return;
    case 'carrier-lost':
      carrierLost(turn, input.carrier, input.isConflict === true, input.owed);
      return;
    case 'account-stream-failed':
      accountStreamFailed(turn, input.final);
      return;
    case 'arrive':
      arrive(turn, input.arrival);
      return;
    case 'carriers-leave':
      carriersLeave(turn, input.carriers, input.mayOpen, input.isStored);
      return;
    case 'parked-stream-dropped':
      parkedDropped(turn, input.carrier, input.isStored);
      return;
    case 'session-rests':
      turn.out.push({ kind: 'rest-session', session: input.session, rests: input.rests });
      return;
    case 'home-lost':
      for (const id of state.carriers.keys()) failRequestsOf(turn, id);
      return;
    case 'log-read':
      logRead(turn, input);
      // A room whose home is another now may have waited for it.
      reconcile(turn);
      return;
    case 'letters-read':
      deliverRead(turn, input.letters);
      return;
    case 'record':
      record(turn);
      return;
    case 'timer':
      timer(turn, input.key);
      reconcile(turn);
      return;
  }
}

function carrierStanza(turn: Turn, id: CarrierId, stanza: Stanza): void {
  const carrier = turn.state.carriers.get(id);
  if (!carrier) return;
  carrier.heardAt = turn.now;
  const key = bareKey(stanza.from ?? '');
  const room = key === undefined ? undefined : turn.state.rooms.get(key);
  if (key !== undefined && belated(turn, carrier, key, stanza)) return;
  if (room && carrier.rooms.has(room.key)) {
    const wasMoving = room.move !== undefined || room.ahead !== undefined;
    const wasRetiring = carrier.status === 'retiring';
    roomStanza(turn, room, carrier, inCarriersLanguage(turn.state, carrier, stanza));
    // A hand-over that is done makes way for the next one.
    const isMoved = wasMoving && !room.move && !room.ahead;
    if (wasMoving && !room.move) nowSeen(turn, room);
    if (isMoved || wasRetiring || carrier.status === 'retiring' || needsPlace(room)) reconcile(turn);
  } else if (isOfOwn(turn, carrier, stanza)) {
    return;
  } else if (carrier.session === undefined || !turn.state.sessions.has(carrier.session)) {
    if (carrier.isParked) parkedStanza(turn, carrier, stanza);
    else stranger(turn, id, stanza);
  } else if (isOwn(turn.state, stanza) || (key !== undefined && isHeard(turn.state, carrier.session, key, stanza))) {
    turn.out.drop('overlap');
  } else {
    // On another node it was on its way here while the stream was still in that room.
    turn.out.push({ kind: 'relay-downstream', carrier: id, stanza });
  }
}

/** What answers a question of the account's own, or comes late to one of a session's. */
function isOfOwn(turn: Turn, carrier: Carrier, stanza: Stanza): boolean {
  const isAnswer = bookmarkStanza(turn, carrier, stanza) || subscriptionsAnswered(turn, carrier, stanza);
  return isAnswer || lateAnswer(turn, carrier.id, stanza);
}

/** The late answer to something of the proxy's own. */
function isOwn({ idPrefix }: AccountState, { id }: Stanza): boolean {
  return id?.startsWith(idPrefix) === true;
}

/** What only an occupant is told, of a room that the session hears by way of the account. */
function isHeard({ sessions }: AccountState, session: SessionId, key: BareKey, { name, type }: Stanza): boolean {
  const isOccupants = name === 'presence' ? type === undefined || type === 'unavailable' : type === 'groupchat';
  return isOccupants && sessions.get(session)?.rooms.has(key) === true;
}

/** All that the store knows of occupancies, once more. */
function record(turn: Turn): void {
  writeLettersAnew(turn);
  for (const room of turn.state.rooms.values()) {
    // Who had asked for it may have been another home.
    if (room.past === 'awaited') turn.out.push({ kind: 'read-log', room: room.key });
    if (room.phase !== 'joined') continue;
    if (turn.state.settings.keepsLogs) turn.out.push({ kind: 'store-log', room: room.key, isAnew: true });
    recordOccupancy(turn, room);
    for (const session of room.members.keys()) turn.out.push({ kind: 'store-join', room: room.key, session });
  }
}

/** Whether the room waits for a carrier that this turn may have brought about. */
function needsPlace(room: Occupancy): boolean {
  if (room.phase === 'joining') return room.attempt === undefined;
  return room.phase === 'joined' && room.carrier === undefined && room.move === undefined;
}

/** Timer keys are a word and what it is about: `join ROOM`, `depart CARRIER ROOM`, `iq ID`. */
function timer(turn: Turn, key: string): void {
  const space = key.indexOf(' ');
  const word = space < 0 ? key : key.slice(0, space);
  const rest = space < 0 ? '' : key.slice(space + 1);
  switch (word) {
    case 'linger':
      lingerOver(turn);
      return;
    case 'kept':
      forgetKept(turn);
      return;
    case 'bookmarks':
      bookmarksDue(turn);
      return;
    case 'bookmarks-asked':
      bookmarksUnanswered(turn);
      return;
    case 'autojoin':
      autojoinTimer(turn, rest);
      return;
    case 'rename':
      renameByBookmark(turn, rest as BareKey);
      return;
    case 'silence':
      askSilent(turn);
      return;
    case 'reopen':
      reopen(turn);
      return;
    case 'iq':
      requestTimeout(turn, rest);
      return;
    case 'inbound':
      inboundUnanswered(turn, rest);
      return;
    case 'ghost': {
      const session = turn.state.sessions.get(rest as SessionId);
      if (session) letGo(turn, session);
      return;
    }
    case 'travels':
      notArrived(turn, rest as SessionId);
      for (const room of [...turn.state.rooms.values()]) leaveToSubscription(turn, room);
      return;
    case 'nudge': {
      const session = turn.state.sessions.get(rest as SessionId);
      if (session) payNudge(turn, session);
      return;
    }
    case 'overdue': {
      const cut = rest.indexOf(' ');
      const carrier = turn.state.carriers.get(rest.slice(0, cut) as CarrierId);
      if (carrier) endOverdue(turn, carrier, rest.slice(cut + 1) as BareKey);
      return;
    }
    case 'depart': {
      const cut = rest.indexOf(' ');
      const room = roomOf(turn, rest.slice(cut + 1));
      if (room) departTimeout(turn, room, rest.slice(0, cut) as CarrierId);
      return;
    }
    default: {
      const room = roomOf(turn, rest);
      if (room) roomTimer(turn, room, word);
    }
  }
}

function roomOf(turn: Turn, key: string): Occupancy | undefined {
  return turn.state.rooms.get(key as Occupancy['key']);
}

function roomTimer(turn: Turn, room: Occupancy, word: string): void {
  switch (word) {
    case 'join':
      joinFailed(turn, room, 'remote-server-timeout', 'The room did not answer in time.');
      return;
    case 'settle':
      settleTimer(turn, room);
      return;
    case 'grace':
      graceOver(turn, room);
      return;
    case 'leave':
      if (room.phase === 'leaving') left(turn, room);
      return;
    case 'move':
      moveTimeout(turn, room);
      nowSeen(turn, room);
      return;
    case 'offer':
      offerAgain(turn, room);
      return;
    case 'retry':
      retryMove(turn, room);
      return;
    case 'presence':
      showMostActive(turn, room);
      return;
    case 'stranded':
      patienceOver(turn, room);
      return;
    case 'ping':
      selfPingTimeout(turn, room);
      return;
    case 'overlap':
      catchUp(turn, room, true);
      // As long as an old stream has not left, it may be the slower one; behind that the new one may.
      if (room.departing.size > 0) turn.out.setTimer(`overlap ${room.key}`, OVERLAP_MORE_MS);
      else if (room.overlap?.isOver === false) {
        room.overlap.end();
        turn.out.setTimer(`overlap ${room.key}`, LATENESS_MS);
      } else room.overlap = undefined;
      return;
    case 'ended':
      if (room.phase === 'ended') forgetOccupancy(turn, room);
      return;
    default:
      throw new Error(`unknown timer: ${word}`);
  }
}
