/** What a store that has not done something means, and how it is logged. */
import type { Log } from '../ops/log.ts';
import { StoreError } from './store.ts';

/** Another home sees to the account now. */
export function isOfAnotherHome(error: unknown): boolean {
  return error instanceof StoreError && error.code === 'stale-home';
}

/** Another home writes instead, or the store is away and all is written anew when it is back: neither is worth more than a debug line. */
export function logFault(log: Log, error: unknown, what: string): void {
  const isExpected = isOfAnotherHome(error) || (error instanceof StoreError && error.code === 'unavailable');
  log[isExpected ? 'debug' : 'error']({ error }, what);
}
