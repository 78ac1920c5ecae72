/**
 * What reaches an account stream from others than its rooms: it has a full JID that members of non-anonymous rooms can see.
 * Messages are for the account's sessions; requests are refused; presence is nobody's. And what is kept for a session to come.
 */
import { bareKey } from '../../xml/address.ts';
import { NS } from '../../xml/names.ts';
import type { Stanza } from '../../xml/stanza.ts';
import { isWorthKeeping } from '../letter.ts';
import { keepLetter, lettersRead, takeLetters } from '../letters.ts';
import type { LogEntry } from '../log-entry.ts';
import { detach } from '../occupancy.ts';
import { delayed } from '../replay.ts';
import type { AccountState, CarrierId, Session, SessionId, Turn } from '../state.ts';
import { answerForAbsent, isAnswerable, refusalOn } from './inbound.ts';

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
  passOn(turn, carrier, stanza);
}

/** A message to a stream whose client has gone: it is for the account's sessions, or the next one. `carrier`: where it came; `detached`: the same in bytes of its own. */
export function keepForNext(turn: Turn, carrier: CarrierId | undefined, stanza: Stanza, detached?: Stanza): void {
  if (isWorthKeeping(stanza)) passOn(turn, carrier, stanza, detached);
  else turn.out.drop('no-session');
}

/**
 * Who is given what was written to another stream of the account: the sessions that are available and awake. One that sleeps is given what
 * is kept when it wakes; were it given copies now, what it never comes back for would be passed on once more. `leaver` is about to go.
 */
export function takers({ sessions }: AccountState, leaver?: Session): SessionId[] {
  const ids: SessionId[] = [];
  for (const session of sessions.values()) {
    if (session.available && !session.isHibernating && session !== leaver) ids.push(session.id);
  }
  return ids;
}

function passOn(turn: Turn, carrier: CarrierId | undefined, stanza: Stanza, detached?: Stanza): void {
  const ids = takers(turn.state);
  if (ids.length > 0) turn.out.fork(ids, stanza);
  else if (!keepLetter(turn, detached ?? detach(stanza))) giveBack(turn, carrier, stanza);
}

/** Its sender learns that nobody has got it; a room does not, which would throw the account out for that (M10). */
function giveBack({ state, out }: Turn, carrier: CarrierId | undefined, stanza: Stanza): void {
  const key = bareKey(stanza.from ?? '');
  const isOfRoom = key !== undefined && state.rooms.has(key);
  if (carrier === undefined || isOfRoom || !isAnswerable(stanza)) out.drop('letters-full');
  else out.toCarrier(carrier, refusalOn(stanza, { type: 'wait', condition: 'recipient-unavailable' }));
}

/** Keeps a message that a session was to have. False: as many are kept as may be. */
export function keep(turn: Turn, stanza: Stanza): boolean {
  return turn.state.settings.historyAgeMs > 0 && keepLetter(turn, detach(stanza));
}

/** Nobody has come for what is kept: the end of its time. */
export function forgetKept(turn: Turn): void {
  for (const _ of takeLetters(turn)) turn.out.drop('no-session');
}

/** A session has become available: it is given what was kept. */
export function deliverKept(turn: Turn, session: Session): void {
  for (const { stanza, at } of takeLetters(turn)) {
    turn.out.fork([session.id], withDelay(stanza, turn.state.bare, at));
  }
}

/** So is one that has come to this home while an earlier one's letters were still being read. */
export function deliverRead(turn: Turn, entries: readonly LogEntry[]): void {
  lettersRead(turn, entries);
  const [first] = takers(turn.state);
  const session = first && turn.state.sessions.get(first);
  if (session) deliverKept(turn, session);
}

/** With the time of the account's receiving it, unless it tells one. */
export function withDelay(stanza: Stanza, bare: string, at: number): Stanza {
  return stanza.root.child('delay', NS.delay) ? stanza : delayed(stanza, bare, at);
}
