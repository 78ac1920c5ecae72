/**
 * What was written to the account's devices while nobody was there to get it (L3, M6): kept for the next session, bounded. With a shared store
 * it lies there too, for a home that comes after this one.
 */
import type { Stanza } from '../xml/stanza.ts';
import { isLetter } from './letter.ts';
import { entryStanza, type LogEntry } from './log-entry.ts';
import { detach } from './occupancy.ts';
import type { AccountState, Turn } from './state.ts';

const MOST = { count: 100, bytes: 256 * 1024 };

/** A message that is kept, and when it came (epoch ms). */
type Kept = AccountState['kept'][number];

/**
 * Keeps a message. What is no letter, such as a receipt, makes way for what comes later. False: as many letters are kept as may be, and its
 * sender, who believes it delivered, is to be told otherwise.
 */
export function keepLetter(turn: Turn, stanza: Stanza, at = turn.now): boolean {
  const { state, out } = turn;
  state.kept.push({ stanza: detach(stanza), at });
  while (isFull(state)) {
    const least = state.kept.findIndex((one) => !isLetter(one.stanza));
    if (least < 0) {
      state.kept.pop();
      return false;
    }
    state.kept.splice(least, 1);
    out.drop('letters-full');
  }
  noteLetters(turn);
  return true;
}

/** All that is kept, oldest first: it is the caller's from now on. */
export function takeLetters(turn: Turn): readonly Kept[] {
  if (turn.state.kept.length > 0) noteLetters(turn);
  return turn.state.kept.splice(0);
}

/** To be called after each input: what an earlier home has kept is asked for when there is a session to be given it. */
export function askForLetters({ state, out }: Turn): void {
  if (!state.settings.keepsLogs || state.hasLetters) return;
  if (![...state.sessions.values()].some(({ available }) => available)) return;
  state.hasLetters = true;
  out.push({ kind: 'read-letters' });
}

/** The store has answered: older than what came since. */
export function lettersRead({ state }: Turn, entries: readonly LogEntry[]): void {
  state.kept.unshift(...entries.map((entry) => ({ stanza: entryStanza(entry), at: entry.at })));
}

function noteLetters({ state, out }: Turn): void {
  if (state.settings.keepsLogs) out.push({ kind: 'store-letters' });
}

function isFull({ kept }: AccountState): boolean {
  return kept.length > MOST.count || kept.reduce((sum, one) => sum + one.stanza.length, 0) > MOST.bytes;
}
