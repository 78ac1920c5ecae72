/**
 * What reaches an account stream from others than its rooms: it has a full JID that members of non-anonymous rooms can see.
 * Messages are for the account's sessions; requests are refused; presence is nobody's. And what is kept for a session to come.
 */
import { NS } from '../../xml/names.ts';
import type { Stanza } from '../../xml/stanza.ts';
import { isWorthKeeping } from '../letter.ts';
import { detach } from '../occupancy.ts';
import { delayed } from '../replay.ts';
import type { CarrierId, Occupancy, Session, Turn } from '../state.ts';
import { answerForAbsent, isAnswerable } from './inbound.ts';

/** Messages kept for a session to come, and their bytes; beyond this many the oldest goes. */
const MOST_KEPT = 100;
const MOST_KEPT_BYTES = 256 * 1024;

export function stranger(turn: Turn, carrier: CarrierId, stanza: Stanza): void {
  const { out } = turn;
  if (stanza.name === 'iq') {
    if (stanza.type !== 'get' && stanza.type !== 'set') out.drop('unmatched-iq');
    else if (isAnswerable(stanza)) out.toCarrier(carrier, answerForAbsent(stanza));
    else out.drop('oversize');
    return;
  }
  if (stanza.root.children.some((child) => child.ns === NS.carbons)) {
    // Who was to get the message itself has it.
    out.drop('carbon-of-carrier');
    return;
  }
  if (stanza.name !== 'message' || stanza.type === 'error' || stanza.type === 'groupchat') {
    out.drop(stanza.name === 'message' ? 'left-room' : 'carrier-presence');
    return;
  }
  passOn(turn, stanza);
}

/** A message to a stream whose client has gone: it is for the account's sessions, or the next one. */
export function keepLetter(turn: Turn, stanza: Stanza): void {
  if (isWorthKeeping(stanza)) passOn(turn, stanza);
  else turn.out.drop('no-session');
}

function passOn(turn: Turn, stanza: Stanza): void {
  const { state, out, now } = turn;
  const available = [...state.sessions.values()].filter((session) => session.available);
  if (available.length > 0) {
    out.fork(
      available.map((session) => session.id),
      stanza,
    );
    return;
  }
  state.kept.push({ stanza: detach(stanza), at: now });
  trim(turn);
}

/** The account has left a room in which private messages were waiting: they are for the next session, wherever that is. */
export function keepOnwards(turn: Turn, kept: Occupancy['kept']): void {
  turn.state.kept.push(...kept.splice(0));
  trim(turn);
}

function trim(turn: Turn): void {
  while (isFull(turn)) {
    turn.state.kept.shift();
    turn.out.drop('queue-full');
  }
}

function isFull({ state }: Turn): boolean {
  return state.kept.length > MOST_KEPT || state.kept.reduce((sum, one) => sum + one.stanza.length, 0) > MOST_KEPT_BYTES;
}

/** Keeps a message that a session was to have. False: as many are kept as may be. */
export function keep(turn: Turn, stanza: Stanza): boolean {
  const { state, now } = turn;
  if (state.settings.historyAgeMs === 0) return false;
  state.kept.push({ stanza: detach(stanza), at: now });
  if (!isFull(turn)) return true;
  state.kept.pop();
  return false;
}

/** Nobody has come for what is kept: the end of its time. */
export function forgetKept({ state, out }: Turn): void {
  for (const _ of state.kept.splice(0)) out.drop('no-session');
}

/** A session has become available: it is given what was kept. */
export function deliverKept(turn: Turn, session: Session): void {
  for (const { stanza, at } of turn.state.kept.splice(0)) {
    turn.out.fork([session.id], withDelay(stanza, turn.state.bare, at));
  }
}

/** With the time of the account's receiving it, unless it tells one. */
export function withDelay(stanza: Stanza, bare: string, at: number): Stanza {
  return stanza.root.child('delay', NS.delay) ? stanza : delayed(stanza, bare, at);
}
