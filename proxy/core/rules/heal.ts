/**
 * A place in a room that is lost without anybody's will (L5): to a service that stops (XEP-0045 section 11.2), a room that has thrown
 * its occupant out over an error (11.1) or has forgotten it, a stream that broke. The account comes back by itself (move.ts), and sessions
 * see differences only; they are told when it cannot come back in time.
 */
import { NS } from '../../xml/names.ts';
import type { Stanza } from '../../xml/stanza.ts';
import { releaseRoom } from '../carriers.ts';
import { chance } from '../jitter.ts';
import { presencesLost, serviceOf } from '../occupancy.ts';
import { statusCodes } from '../self-presence.ts';
import type { CarrierId, Occupancy, Turn } from '../state.ts';
import { leaveAgain, mayComeIn } from './leave.ts';
import { catchUp } from './missed.ts';
import { removedForGood } from './removal.ts';
import { strandUnseen } from './stranded.ts';

/** Pause before the account comes back (ms): doubled at each try up to the most, then half of it or up to half as much again, by chance. */
const PAUSE_MS = 500;
const PAUSE_MOST_MS = 30_000;
/** Tries that are made however little time there is. */
const LEAST_TRIES = 4;
/** A place that was kept for so long was a good one: losing it is another loss (ms). */
const STABLE_MS = 60_000;

/** Somebody has put the account out. */
const WILLED: ReadonlySet<string> = new Set(['301', '321', '322']);
/** Conditions with which the room will not let the account in, however often it asks. */
const FINAL = ['registration-required', 'gone', 'not-allowed', 'not-authorized'] as const;

/** Whether an `unavailable` of the account's own nick, for which it has not asked, is nobody's will. */
export function isTechnical(stanza: Stanza): boolean {
  if (stanza.root.child('x', NS.mucUser)?.child('destroy')) return false;
  const codes = statusCodes(stanza);
  if (codes.some((code) => WILLED.has(code))) return false;
  // COMPAT: where Prosody says 333, ejabberd and mu-conference give no code.
  return codes.includes('332') || codes.includes('333') || !codes.includes('307');
}

/** The account has no place in the room any more. Losses that follow upon each other are one, and must be healed in one time. */
export function noteLoss({ now }: Turn, room: Occupancy): void {
  if (room.lostAt === undefined || isStable(room, now)) {
    room.lostAt = now;
    room.tries = 0;
  } else if (room.backAt !== undefined) {
    room.tries += 1;
  }
  room.backAt = undefined;
}

/** Whether the account has been back for so long that another loss has nothing to do with the last one. */
export function isStable({ backAt }: Occupancy, now: number): boolean {
  return backAt !== undefined && now - backAt >= STABLE_MS;
}

/**
 * The room has the account no more, and the stream that carried it goes on. `isIn`: but it has let the stream in again. False: that cannot be
 * healed in time and is to be told.
 */
export function losePlace(turn: Turn, room: Occupancy, id: CarrierId, isIn = false): boolean {
  const { state, now } = turn;
  const { healMs } = state.settings;
  const isLate = room.lostAt !== undefined && !isStable(room, now) && now >= room.lostAt + healMs;
  if (healMs === 0 || isLate) return false;
  noteLoss(turn, room);
  room.carrier = undefined;
  if (room.move) room.move = { ...room.move, from: undefined, isBlind: true };
  else comeBackLater(turn, room);
  if (!isIn && mayComeIn(room, id)) leaveAgain(turn, room, id);
  // They are asked for again, as if their stream had been lost with them.
  presencesLost(room, id);
  catchUp(turn, room, true);
  strandUnseen(turn, room, id);
  if (state.carriers.get(id)?.status === 'retiring' && !room.departing.has(id)) releaseRoom(turn, id, room);
  return true;
}

/** The room is not to be asked again before a while has passed. */
function comeBackLater({ state, out, now }: Turn, room: Occupancy): void {
  const pause = Math.min(PAUSE_MS * 2 ** room.tries, PAUSE_MOST_MS);
  const ms = Math.round(pause * (0.5 + chance(state, `${room.key} ${room.lostAt ?? 0} ${room.tries}`)));
  room.retryAt = now + ms;
  out.setTimer(`retry ${room.key}`, ms);
}

/** A try to come back was refused (`error`), or not answered. */
export function rejoinRefused(turn: Turn, room: Occupancy, error: Stanza | undefined): void {
  const { state, out, now } = turn;
  const child = error?.root.child('error');
  room.lostAt ??= now;
  room.tries += 1;
  // It is somebody else who has the nick, or a claim to it.
  if (room.isReplaced && child?.child('conflict')) state.services.forgetNickRefused(serviceOf(room));
  // COMPAT: ejabberd forbids all to everybody for a moment when its rooms are being started: believed when it is said twice in a row.
  const isForbidden = child?.child('forbidden') !== undefined;
  const isFinal =
    (isForbidden && room.isForbidden === true) || FINAL.some((condition) => child?.child(condition) !== undefined);
  room.isForbidden = isForbidden;
  // Whoever has taken the nick will not give it back soon; a ghost of one's own is gone by then.
  const isOver = child?.child('conflict') !== undefined || now >= room.lostAt + state.settings.healMs;
  if (isFinal || (isOver && room.tries >= LEAST_TRIES)) {
    out.push({ kind: 'handed-over', result: 'failed' });
    removedForGood(turn, room, 'The room could not be joined again.');
  } else {
    comeBackLater(turn, room);
  }
}

/** The account is in the room again. */
export function noteBack({ now }: Turn, room: Occupancy): void {
  room.nickRefusedUntil = undefined;
  room.isForbidden = undefined;
  room.retryAt = undefined;
  room.backAt = now;
}
