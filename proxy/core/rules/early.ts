/**
 * What a room says when it has let the account in, and the answer to the join is not known to be complete: it is no part of that answer, and each
 * session that waits is told of it right behind its own (XEP-0045 section 7.1).
 */

import type { Stanza } from '../../xml/stanza.ts';
import { isForNext, keepPrivate } from '../kept.ts';
import { detach, noteConfigChange } from '../occupancy.ts';
import { delayStamp } from '../stanza-log.ts';
import type { EntryAttempt, Occupancy, Turn } from '../state.ts';
import { groupchat, isKept, isNotice, isSubject } from './groupchat.ts';
import { message } from './private-message.ts';

/** More of them are dropped: rooms answer in one go, or a human has just been let in. */
const MOST_EARLY = 200;

/**
 * Whether the message is live, and cannot be had from the log: a notice of changes, a chat state, what is private. What is said behind such a
 * message keeps its place.
 */
export function isEarly(attempt: EntryAttempt, room: Occupancy, stanza: Stanza): boolean {
  const { self, early } = attempt;
  if (stanza.type !== 'groupchat') return self !== undefined;
  if (!mayBeIn(attempt)) return false;
  if (delayStamp(stanza) !== undefined || isNotice(stanza)) return false;
  // The first subject ends the answer (section 7.2.15).
  if (isSubject(stanza)) return early.length > 0 && room.subject !== undefined;
  return early.length > 0 || !isKept(stanza);
}

/** The room has let the account in, or will turn out to have where it takes ids away (overdue.ts). */
export function mayBeIn({ self, doubtful }: EntryAttempt): boolean {
  return self !== undefined || (doubtful !== undefined && doubtful.type === undefined);
}

/** A change of what codes tell shows in the self-presence too, which is still to come. */
export function keepEarly({ out }: Turn, { early }: EntryAttempt, room: Occupancy, stanza: Stanza): void {
  if (stanza.type === 'groupchat') noteConfigChange(room.codes, stanza);
  if (early.length < MOST_EARLY) early.push(detach(stanza));
  else out.drop('queue-full');
}

/** To be called when all that waited have been answered. */
export function tellEarly(turn: Turn, room: Occupancy, { carrier, early }: EntryAttempt): void {
  for (const stanza of early) {
    if (stanza.type === 'groupchat') groupchat(turn, room, carrier, stanza);
    else message(turn, room, carrier, stanza);
  }
}

/** The join comes to nothing, or to nobody: what occupants have said to the account meanwhile waits for the next session. */
export function endAttempt(turn: Turn, room: Occupancy): void {
  const { attempt } = room;
  room.attempt = undefined;
  for (const stanza of attempt?.early ?? []) if (isForNext(stanza)) keepPrivate(turn, room, stanza);
}
