/** Cursors of a single process. */
import type { CursorRecord, Cursors } from './cursors.ts';

/** Devices that are known of at a time; beyond this many the one that was noted first is forgotten. */
const MOST_DEVICES = 20_000;

interface Known {
  readonly cursors: ReadonlyMap<string, CursorRecord>;
  readonly expiresAt: number;
}

/** `now`: milliseconds of a clock that never goes back. */
export function createMemoryCursors(now: () => number): Cursors {
  const devices = new Map<string, Known>();
  return {
    async note(account, device, cursors, ttlMs) {
      const name = nameOf(account, device);
      devices.delete(name);
      if (cursors.size === 0) return;
      devices.set(name, { cursors: copyOf(cursors), expiresAt: now() + ttlMs });
      for (const [oldest, known] of devices) {
        if (devices.size <= MOST_DEVICES && known.expiresAt > now()) break;
        devices.delete(oldest);
      }
    },
    async read(account, device) {
      const known = devices.get(nameOf(account, device));
      return known && known.expiresAt > now() ? copyOf(known.cursors) : new Map();
    },
  };
}

/** A bare JID has no space in it. */
function nameOf(account: string, device: string): string {
  return `${account} ${device}`;
}

function copyOf(cursors: ReadonlyMap<string, CursorRecord>): Map<string, CursorRecord> {
  return new Map([...cursors].map(([room, { key, at }]) => [room, { key, at }]));
}
