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
import type { Occupancy, Session, Turn } from '../state.ts';
import { isAnswerable, refusalOn } from './inbound.ts';
import { keep, withDelay } from './strangers.ts';

type Undelivered = Extract<Input, { kind: 'session-undelivered' }>;

/** See the input. To be called while the account still has the session. */
export function undelivered(turn: Turn, session: Session, input: Undelivered): void {
  for (const stanza of input.stanzas) {
    if (stanza.name === 'iq') refuse(turn, session, stanza);
    else if (stanza.name === 'message' && isWanted(turn, stanza)) passOn(turn, session, stanza, input);
  }
}

/** Encrypted messages and receipts have no text of their own. What a room has given to no session may be its own word. */
function isWanted(turn: Turn, stanza: Stanza): boolean {
  return isLetter(stanza) || (isWorthKeeping(stanza) && !roomOf(turn, stanza));
}

function passOn(turn: Turn, session: Session, stanza: Stanza, { isFinal, mayPark = false }: Undelivered): void {
  const { state, out, now } = turn;
  const room = roomOf(turn, stanza);
  if (room && isShared(room, session)) return;
  const others = [...state.sessions.values()].filter((one) => one !== session && one.available && !one.isHibernating);
  if (isFinal) bounce(turn, session, stanza);
  else if (room?.phase === 'joined' && (mayPark || hasOtherCarrier(state, session.carrier)))
    keepPrivate(turn, room, stanza);
  else if (others.length > 0) {
    out.fork(
      others.map(({ id }) => id),
      withDelay(stanza, state.bare, now),
    );
  } else if (!keep(turn, stanza)) bounce(turn, session, stanza);
}

/** A private message went to each session that has joined the room. */
function isShared(room: Occupancy, session: Session): boolean {
  return room.members.size > (room.members.has(session.id) ? 1 : 0);
}

/** Its sender learns that nobody has got it. A room would throw the account out for that (M10). */
function bounce(turn: Turn, session: Session, stanza: Stanza): void {
  if (roomOf(turn, stanza) || !isLetter(stanza)) turn.out.drop('no-session');
  else answer(turn, session, stanza, 'recipient-unavailable');
}

/** What rooms ask has been answered when the session began to hibernate. */
function refuse(turn: Turn, session: Session, stanza: Stanza): void {
  const isRequest = stanza.type === 'get' || stanza.type === 'set';
  if (isRequest && !roomOf(turn, stanza)) answer(turn, session, stanza, 'service-unavailable');
}

/** On the session's own stream, if it is still there. What the account itself pushes (its roster) wants no answer. */
function answer(turn: Turn, session: Session, stanza: Stanza, condition: StanzaCondition): void {
  const { state, out } = turn;
  const { from } = stanza;
  if (from === undefined || (resourceOf(from) === '' && accountKey(from) === accountKey(state.bare))) return;
  if (!state.carriers.has(session.carrier) || !isAnswerable(stanza)) {
    out.drop('no-session');
    return;
  }
  const type = condition === 'recipient-unavailable' ? 'wait' : 'cancel';
  out.toCarrier(session.carrier, refusalOn(stanza, { type, condition }));
}

function roomOf({ state }: Turn, { from }: Stanza): Occupancy | undefined {
  const key = bareKey(from ?? '');
  return key === undefined ? undefined : state.rooms.get(key);
}
