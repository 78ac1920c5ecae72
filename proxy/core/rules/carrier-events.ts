/**
 * Carriers come and go: account streams are opened, lost and opened again; a borrowed stream may break under its rooms.
 */

import { newCarrier } from '../beginnings.ts';
import { openAccountStream } from '../carriers.ts';
import { endOccupancy } from '../end.ts';
import type { Input, Owed } from '../inputs.ts';
import { chance } from '../jitter.ts';
import { forgetOccupancy } from '../occupancy.ts';
import { failRequestsOf } from '../requests.ts';
import type { Carrier, CarrierId, Occupancy, Turn } from '../state.ts';
import { endAttempt } from './early.ts';
import { noteLoss } from './heal.ts';
import { leaveRest, left } from './leave.ts';
import { catchUp, passTold } from './missed.ts';
import { reconcile } from './move.ts';
import { parkedLeaves, parkedLost } from './parking.ts';
import { retire } from './retire.ts';
import { pingLost } from './self-ping.ts';
import { strand } from './stranded.ts';

/**
 * Pause before a lost account stream is opened again (ms): doubled at each failure in a row up to the most, then half of it or up to half
 * as much again, by chance, so that a server that is back is not met by all accounts at once.
 */
const REOPEN_MS = 1000;
const REOPEN_MOST_MS = 300_000;
/** One that is refused within this time is tried once more after that pause (ms). */
const PROMPT_MS = 1000;
const ONCE_MORE_MS = 100;
/** An account stream that has lasted so long was no failure (ms). */
const STABLE_MS = 600_000;
/** Pause after the server has ended it for having too many sessions: at each return it would end a real device (ms). */
const CONFLICT_MS = 3_600_000;

const NOTHING_KNOWN: Owed = { unsent: [], unacknowledged: undefined };

export function credentials(turn: Turn, known: boolean): void {
  const { state } = turn;
  if (!known) {
    if (state.accountStream !== 'ready') state.accountStream = 'off';
    return;
  }
  if (state.accountStream === 'off') state.accountStream = 'possible';
  openIfNeeded(turn);
}

/** An account that is in rooms needs its stream now; one that is in none opens it with the first join. */
function openIfNeeded(turn: Turn): void {
  const { state } = turn;
  if (state.accountStream !== 'possible') return;
  if (![...state.rooms.values()].some((room) => room.phase !== 'ended')) return;
  openAccountStream(turn);
}

export function carrierReady(turn: Turn, ready: Extract<Input, { kind: 'carrier-ready' }>): void {
  const { carrier: id, type: kind, jid, languages } = ready;
  const { state } = turn;
  state.carriers.set(id, newCarrier({ id, kind, jid, session: undefined, languages }));
  if (kind === 'account-stream') {
    state.accountStream = 'ready';
    state.openedAt = turn.now;
  }
  reconcile(turn);
}

export function accountStreamFailed(turn: Turn, isFinal: boolean): void {
  const { state } = turn;
  if (isFinal) state.accountStream = 'off';
  else if (isPassing(turn)) turn.out.setTimer('reopen', ONCE_MORE_MS);
  else reopenLater(turn);
  if (isFinal && state.sessions.size === 0 && state.carriers.size === 0) giveUpRooms(turn);
  reconcile(turn);
}

/** Only the account stream could have brought the account back, and nobody is there to be told. */
function giveUpRooms(turn: Turn): void {
  for (const room of [...turn.state.rooms.values()]) {
    endOccupancy(turn, room);
    forgetOccupancy(turn, room);
  }
}

/**
 * Whether a stream that was refused may be had with the next try, for which joins can wait: it is the first one that fails, and the server has
 * not taken long to say so. COMPAT: jabberd2 closes a connection that it has just taken when another one has ended in the same moment.
 */
function isPassing({ state, now }: Turn): boolean {
  const isIt = state.accountStream === 'opening' && state.retries === 0 && now - state.openingSince < PROMPT_MS;
  // Not once more.
  state.openingSince = Number.NEGATIVE_INFINITY;
  return isIt;
}

function reopenLater(turn: Turn, leastMs = 0): void {
  const { state, out } = turn;
  state.accountStream = 'waiting';
  const pause = Math.min(REOPEN_MS * 2 ** state.retries, REOPEN_MOST_MS);
  const part = 0.5 + chance(state, `reopen ${state.nextId} ${state.retries}`);
  out.setTimer('reopen', leastMs + Math.round(pause * part));
  state.retries += 1;
}

export function reopen(turn: Turn): void {
  const { state, out } = turn;
  if (state.accountStream === 'opening') out.push({ kind: 'open-account-stream' });
  if (state.accountStream !== 'waiting') return;
  state.accountStream = 'possible';
  openIfNeeded(turn);
}

/** The stream is gone, and its places in rooms with it. Other occupants have seen that; sessions see what differs after the rejoin. */
export function carrierLost(turn: Turn, id: CarrierId, isConflict: boolean, owed: Owed = NOTHING_KNOWN): void {
  const { state } = turn;
  const carrier = state.carriers.get(id);
  if (!carrier) return;
  state.carriers.delete(id);
  failRequestsOf(turn, id);
  if (carrier.isParked) parkedLost(turn, carrier);
  for (const [key, pending] of [...state.inbound]) if (pending.carrier === id) state.inbound.delete(key);
  for (const room of [...state.rooms.values()]) {
    // The end of the stay forgets what was said in it; else what has been heard at last comes first.
    const isLeaving = room.phase === 'leaving';
    if (isLeaving) strand(turn, room, carrier, owed);
    lostIn(turn, carrier, room);
    if (!isLeaving) strand(turn, room, carrier, owed);
  }
  if (carrier.kind === 'account-stream') {
    if (turn.now - state.openedAt >= STABLE_MS) state.retries = 0;
    reopenLater(turn, isConflict ? CONFLICT_MS : 0);
  }
  reconcile(turn);
}

/** Their node is about to stop: what they carry is handed over, while they still can be heard. */
export function carriersLeave(turn: Turn, ids: readonly CarrierId[], mayOpen: boolean, isStored = false): void {
  const { state } = turn;
  const leaving = ids.flatMap((id) => state.carriers.get(id) ?? []);
  // All of them first: what one carries must not go to the next, which leaves as well.
  for (const carrier of leaving) carrier.isLeaving = true;
  for (const carrier of leaving) {
    if (carrier.kind === 'account-stream') state.accountStream = mayOpen ? 'possible' : 'off';
    if (carrier.isParked) parkedLeaves(turn, carrier, isStored);
    retire(turn, carrier);
  }
}

function lostIn(turn: Turn, carrier: Carrier, room: Occupancy): void {
  const { id } = carrier;
  if (room.attempt?.carrier === id) endAttempt(turn, room);
  pingLost(turn, room, id);
  if (room.carrier === id) {
    room.carrier = undefined;
    if (room.phase === 'joined') noteLoss(turn, room);
  }
  const { move } = room;
  if (move?.carrier === id) {
    room.move = undefined;
    // Nobody else has heard what it was told.
    if (move.from === undefined && room.phase === 'joined') passTold(turn, room, move);
  } else if (room.move?.from === id) room.move = { ...room.move, from: undefined, isBlind: true, isOvertaken: true };
  room.refused.delete(id);
  const wasDeparting = room.departing.delete(id);
  if (room.carrier === undefined || room.departing.size === 0)
    catchUp(turn, room, wasDeparting || room.departing.size > 0);
  if (wasDeparting) leaveRest(turn, room);
  if (wasDeparting && room.phase === 'leaving' && room.departing.size === 0) left(turn, room);
}
