/**
 * The end of a session that the proxy has kept by itself (the server has no XEP-0198), or whose stream is parked: what its client never
 * acknowledged is not lost. To the server it was delivered long ago, so nobody else sees to it. Messages go to another session, or are kept for the
 * next one, or their senders are told; requests are refused. What rooms say is in their logs, presence is told anew.
 */
import { accountKey, bareKey, resourceOf } from '../../xml/address.ts';
import type { StanzaCondition } from '../../xml/names.ts';
import type { Stanza } from '../../xml/stanza.ts';
import { hasOtherCarrier } from '../carriers.ts';
import type { Input } from '../inputs.ts';
import { keepPrivate } from '../kept.ts';
import { isLetter, isWorthKeeping } from '../letter.ts';
import type { CarrierId, Occupancy, Session, Turn } from '../state.ts';
import { isAnswerable, refusalOn } from './inbound.ts';
import { isWorthParking } from './parking.ts';
import { keep, takers, withDelay } from './strangers.ts';

type Undelivered = Extract<Input, { kind: 'session-undelivered' }>;
type ParkedUndelivered = Extract<Input, { kind: 'parked-undelivered' }>;

/** Whose they were, and what becomes of that. */
interface Leaver {
  /** Undefined: the account has it no more. */
  readonly session: Session | undefined;
  readonly carrier: CarrierId;
  /** No other session will come. */
  readonly isFinal: boolean;
  /** Its stream stays in its rooms. */
  readonly isParked: boolean;
}

/** See the input. To be called while the account still has the session. */
export function undelivered(turn: Turn, session: Session, input: Undelivered): void {
  const { isFinal, mayPark } = input;
  const carrier = turn.state.carriers.get(session.carrier);
  const isParked = mayPark === true && carrier !== undefined && isWorthParking(turn, carrier, session);
  seeTo(turn, input.stanzas, { session, carrier: session.carrier, isFinal, isParked });
}

/** See the input. The server has been told that all of it was handled. */
export function parkedUndelivered(turn: Turn, { carrier, stanzas }: ParkedUndelivered): void {
  seeTo(turn, stanzas, { session: undefined, carrier, isFinal: false, isParked: true });
}

function seeTo(turn: Turn, stanzas: readonly Stanza[], leaver: Leaver): void {
  for (const stanza of stanzas) {
    if (stanza.name === 'iq') refuse(turn, leaver, stanza);
    else if (stanza.name === 'message' && isWanted(turn, stanza)) passOn(turn, leaver, stanza);
  }
}

/** Encrypted messages and receipts have no text of their own. What a room has given to no session may be its own word. */
function isWanted(turn: Turn, stanza: Stanza): boolean {
  return isLetter(stanza) || (isWorthKeeping(stanza) && !roomOf(turn, stanza));
}

function passOn(turn: Turn, leaver: Leaver, stanza: Stanza): void {
  const { session, carrier, isFinal, isParked } = leaver;
  const { state, out, now } = turn;
  const room = roomOf(turn, stanza);
  if (room && isShared(room, session)) return;
  const others = takers(state, session);
  if (isFinal) bounce(turn, leaver, stanza);
  else if (room?.phase === 'joined' && (isParked || hasOtherCarrier(state, carrier))) keepPrivate(turn, room, stanza);
  else if (others.length > 0) {
    out.fork(others, withDelay(stanza, state.bare, now));
  } else if (!keep(turn, stanza)) bounce(turn, leaver, stanza);
}

/** A private message went to each session that has joined the room. */
function isShared(room: Occupancy, session: Session | undefined): boolean {
  return room.members.size > (session && room.members.has(session.id) ? 1 : 0);
}

/** Its sender learns that nobody has got it. A room would throw the account out for that (M10). */
function bounce(turn: Turn, leaver: Leaver, stanza: Stanza): void {
  if (roomOf(turn, stanza) || !isLetter(stanza)) turn.out.drop('no-session');
  else answer(turn, leaver, stanza, 'recipient-unavailable');
}

/** What rooms ask has been answered when the session began to hibernate. */
function refuse(turn: Turn, leaver: Leaver, stanza: Stanza): void {
  const isRequest = stanza.type === 'get' || stanza.type === 'set';
  if (isRequest && !roomOf(turn, stanza)) answer(turn, leaver, stanza, 'service-unavailable');
}

/** On its own stream, if that is still there. What the account itself pushes (its roster) wants no answer. */
function answer(turn: Turn, { carrier }: Leaver, stanza: Stanza, condition: StanzaCondition): void {
  const { state, out } = turn;
  const { from } = stanza;
  if (from === undefined || (resourceOf(from) === '' && accountKey(from) === accountKey(state.bare))) return;
  if (!state.carriers.has(carrier) || !isAnswerable(stanza)) {
    out.drop('no-session');
    return;
  }
  const type = condition === 'recipient-unavailable' ? 'wait' : 'cancel';
  out.toCarrier(carrier, refusalOn(stanza, { type, condition }));
}

function roomOf({ state }: Turn, { from }: Stanza): Occupancy | undefined {
  const key = bareKey(from ?? '');
  return key === undefined ? undefined : state.rooms.get(key);
}
