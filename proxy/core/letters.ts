/**
 * What was written to the account's devices while nobody was there to get it (L3, M6): kept for the next session, bounded. With a shared store
 * it lies there too, for a home that comes after this one.
 */
import type { Stanza } from '../xml/stanza.ts';
import { isLetter } from './letter.ts';
import { entryStanza, type LogEntry } from './log-entry.ts';
import type { AccountState, Turn } from './state.ts';

const MOST = { count: 100, bytes: 256 * 1024 };

/** A message that is kept, and when it came (epoch ms). */
type Kept = AccountState['kept'][number];

/**
 * Keeps a message (detached). What is no letter, such as a receipt, makes way for what comes later. False: as many letters are kept as may be, and its
 * sender, who believes it delivered, is to be told otherwise.
 */
export function keepLetter(turn: Turn, stanza: Stanza, at = turn.now): boolean {
  const { kept } = turn.state;
  const one = { stanza, at };
  if (isLetter(stanza) && isTooMuch([...kept.filter((other) => isLetter(other.stanza)), one])) return false;
  kept.push(one);
  while (isTooMuch(kept)) {
    const least = kept.findIndex((other) => !isLetter(other.stanza));
    // There are more letters than are taken now: an earlier home's and this one's.
    if (least < 0) break;
    kept.splice(least, 1);
    turn.out.drop('letters-full');
  }
  noteLetters(turn);
  return true;
}

/** All that is kept, oldest first: it is the caller's from now on. */
export function takeLetters(turn: Turn): readonly Kept[] {
  if (turn.state.kept.length > 0) noteLetters(turn);
  return turn.state.kept.splice(0);
}

/** Somebody has been given these otherwise. */
export function forgetLetters(turn: Turn, given: readonly Pick<Kept, 'stanza'>[]): void {
  const { kept } = turn.state;
  const left = kept.filter((one) => !given.some(({ stanza }) => stanza === one.stanza));
  if (left.length === kept.length) return;
  kept.splice(0, kept.length, ...left);
  noteLetters(turn);
}

/** To be called after each input: what an earlier home has kept is asked for when there is a session to be given it, or more to be kept. */
export function askForLetters({ state, out }: Turn): void {
  if (!state.settings.keepsLogs || state.letters !== 'unasked') return;
  if (state.kept.length === 0 && ![...state.sessions.values()].some(({ available }) => available)) return;
  state.letters = 'asked';
  out.push({ kind: 'read-letters' });
}

/** The store has answered: older than what came since. */
export function lettersRead(turn: Turn, entries: readonly LogEntry[]): void {
  turn.state.letters = 'read';
  turn.state.kept.unshift(...entries.map((entry) => ({ stanza: entryStanza(entry), at: entry.at })));
  // What has been written meanwhile was without them.
  if (entries.length > 0) noteLetters(turn);
}

/** The store has lost what this home has written. */
export function writeLettersAnew(turn: Turn): void {
  // Who had asked for them may have been another home.
  if (turn.state.letters === 'asked') turn.out.push({ kind: 'read-letters' });
  if (turn.state.kept.length > 0) noteLetters(turn);
}

function noteLetters({ state, out }: Turn): void {
  if (state.settings.keepsLogs) out.push({ kind: 'store-letters' });
}

function isTooMuch(kept: readonly Kept[]): boolean {
  return kept.length > MOST.count || kept.reduce((sum, one) => sum + one.stanza.length, 0) > MOST.bytes;
}
