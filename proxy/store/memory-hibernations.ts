/** Sessions without connections, of a single process. */
import type { Hibernations, SleeperRecord } from './hibernations.ts';

interface Kept {
  readonly record: SleeperRecord;
  readonly expiresAt: number;
}

/** `now`: milliseconds of a clock that never goes back. */
export function createMemoryHibernations(now: () => number): Hibernations {
  const sleepers = new Map<string, Kept>();
  const find = (name: string): SleeperRecord | undefined => {
    const kept = sleepers.get(name);
    return kept && kept.expiresAt > now() ? { ...kept.record } : undefined;
  };
  return {
    async put(name, { account, session, state }, ttlMs) {
      // In the order of putting, which is nearly that of expiry: what nobody asks for any more is found from the front.
      for (const [other, { expiresAt }] of sleepers) {
        if (expiresAt > now()) break;
        sleepers.delete(other);
      }
      sleepers.delete(name);
      sleepers.set(name, { record: { account, session, state }, expiresAt: now() + ttlMs });
    },
    async read(name) {
      return find(name);
    },
    async take(name) {
      const found = find(name);
      sleepers.delete(name);
      return found;
    },
  };
}
