/**
 * Joins whose session has gone, or has become unavailable, before the answer (J7): they are given up, unless something was said
 * behind them.
 */
import type { Stanza } from '../../xml/stanza.ts';
import type { Occupancy, SessionId, Turn } from '../state.ts';
import { noteUnsaid } from './travellers.ts';

/** Joins of sessions that have gone, of one room, that are carried out for what came behind them. */
const MOST_FORSAKEN = 16;

/**
 * The session does not wait for its join any more. With something to say behind it the account joins all the same, unless the session
 * `saysAgain` where it goes on, as this home is at its end.
 */
export function forsake(turn: Turn, room: Occupancy, session: SessionId, saysAgain = false): void {
  const own = room.waiting.filter((wait) => wait.session === session && !wait.isForsaken);
  room.waiting = room.waiting.filter((wait) => !own.includes(wait));
  if (saysAgain) return;
  for (const wait of own) {
    if (!wait.behind.some(({ stanza }) => isWord(stanza))) continue;
    if (room.waiting.filter(({ isForsaken }) => isForsaken).length >= MOST_FORSAKEN) {
      turn.out.drop('queue-full');
      noteUnsaid(turn, session, room.key);
    } else room.waiting.push({ ...wait, isForsaken: true });
  }
}

/** Something that the room or others would see. */
export function isWord(stanza: Stanza): boolean {
  return stanza.name === 'presence' ? stanza.type === undefined : stanza.type !== 'error' && stanza.type !== 'result';
}
