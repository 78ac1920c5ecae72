/** Stanza logs of a single process. */
import type { LogStep, Logs } from './logs.ts';
import type { Fence } from './store.ts';

/** Rooms of all accounts; beyond this many the one that was written first is forgotten. */
const MOST_ROOMS = 20_000;

interface Kept {
  readonly entries: readonly Buffer[];
  readonly expiresAt: number;
}

/** `now`: milliseconds of a clock that never goes back. `check`: throws where the fence is outdated. */
export function createMemoryLogs(now: () => number, check: (account: string, fence?: Fence) => void): Logs {
  const rooms = new Map<string, Kept>();
  const entriesOf = (name: string): readonly Buffer[] => {
    const kept = rooms.get(name);
    return kept && kept.expiresAt > now() ? kept.entries : [];
  };
  return {
    async write(account, room, step, ttlMs, fence) {
      check(account, fence);
      const name = nameOf(account, room);
      const entries = step.had === undefined ? [] : entriesOf(name);
      if (step.had !== undefined && entries.length !== step.had) return false;
      rooms.delete(name);
      rooms.set(name, { entries: after(entries, step), expiresAt: now() + ttlMs });
      for (const [oldest, kept] of rooms) {
        if (rooms.size <= MOST_ROOMS && kept.expiresAt > now()) break;
        rooms.delete(oldest);
      }
      return true;
    },
    async read(account, room) {
      return entriesOf(nameOf(account, room)).map((entry) => Buffer.from(entry));
    },
    async forget(account, room, fence) {
      check(account, fence);
      rooms.delete(nameOf(account, room));
    },
  };
}

/** The entries as they are when the step has been taken. */
function after(entries: readonly Buffer[], { added, changed, keep }: LogStep): Buffer[] {
  const all = [...entries, ...added.map((entry) => Buffer.from(entry))];
  for (const { fromEnd, entry } of changed) {
    const place = all.length - 1 - fromEnd;
    if (place >= 0) all[place] = Buffer.from(entry);
  }
  return all.slice(Math.max(0, all.length - keep));
}

/** A bare JID has no space in it. */
function nameOf(account: string, room: string): string {
  return `${account} ${room}`;
}
