/** Sessions without connections, of a single process. */
import type { Hibernations, Sleeper, SleeperRecord } from './hibernations.ts';

interface Kept {
  readonly record: SleeperRecord;
  readonly due: string[];
  readonly expiresAt: number;
}

/** `now`: milliseconds of a clock that never goes back. */
export function createMemoryHibernations(now: () => number): Hibernations {
  const sleepers = new Map<string, Kept>();
  const find = (name: string): Kept | undefined => {
    const kept = sleepers.get(name);
    return kept && kept.expiresAt > now() ? kept : undefined;
  };
  return {
    async put(name, record, ttlMs) {
      // In the order of putting, which is nearly that of expiry: what nobody asks for any more is found from the front.
      for (const [other, { expiresAt }] of sleepers) {
        if (expiresAt > now()) break;
        sleepers.delete(other);
      }
      sleepers.delete(name);
      const { account, session, state } = record;
      sleepers.set(name, { record: { account, session, state }, due: [], expiresAt: now() + ttlMs });
    },
    async append(name, due) {
      const kept = find(name);
      kept?.due.push(...due);
      return kept !== undefined;
    },
    async read(name) {
      return copyOf(find(name));
    },
    async take(name) {
      const kept = find(name);
      sleepers.delete(name);
      return copyOf(kept);
    },
  };
}

function copyOf(kept: Kept | undefined): Sleeper | undefined {
  return kept && { ...kept.record, due: [...kept.due] };
}
