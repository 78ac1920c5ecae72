/**
 * Chance for pure rules: accounts whose rooms are lost in one moment, or checked at one interval, must not act in one moment. It comes
 * from the account's own unguessable prefix, so that one account's numbers say nothing of another's.
 */
import type { AccountState } from './state.ts';

/** FNV-1a, 32 bit: its offset basis and prime. */
const BASIS = 0x811c9dc5;
const PRIME = 0x01000193;

/** A number from 0 up to 1, always the same for one account and one `word`, and as good as random over many of them. */
export function chance({ idPrefix }: Pick<AccountState, 'idPrefix'>, word: string): number {
  let hash = BASIS;
  for (const character of `${idPrefix}${word}`) hash = Math.imul(hash ^ (character.codePointAt(0) ?? 0), PRIME);
  // The low bits of FNV-1a differ where the last characters do, the high ones hardly.
  hash ^= hash >>> 16;
  hash = Math.imul(hash, 0x85ebca6b);
  hash ^= hash >>> 13;
  return (hash >>> 0) / 2 ** 32;
}
