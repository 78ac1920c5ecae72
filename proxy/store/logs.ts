/**
 * The stanza logs of an account's rooms, for a home that begins where another has ended. Everything in store.ts that holds "everywhere"
 * holds here.
 */
import type { Fence } from './store.ts';

/** One step of a log: what has come, what has changed, and how much of it stays. */
export interface LogStep {
  /** How many entries there are before this step, as the caller believes; undefined: whatever there is goes first. */
  readonly had: number | undefined;
  /** New entries, oldest first: opaque to the store. */
  readonly added: readonly Buffer[];
  /** Entries with another content, by their place from the newest one (0), counted after `added`. */
  readonly changed: readonly { readonly fromEnd: number; readonly entry: Buffer }[];
  /** So many of the newest stay. */
  readonly keep: number;
}

export interface Logs {
  /**
   * Takes one step, and keeps the log for `ttlMs` from now on. False: there are not so many entries as the caller believes; nothing has
   * changed. Rejects with `stale-home` when the fence is outdated.
   */
  write(account: string, room: string, step: LogStep, ttlMs: number, fence?: Fence): Promise<boolean>;
  /** Oldest first; empty for a room that nothing is kept of. All that was asked for before has been done, or has failed. */
  read(account: string, room: string): Promise<readonly Buffer[]>;
  /** Nothing of it is kept. Rejects with `stale-home` when the fence is outdated. */
  forget(account: string, room: string, fence?: Fence): Promise<void>;
}
