/** Cursors in Redis: those of all devices of an account in one hash. */
import type { CursorRecord, Cursors } from './cursors.ts';
import type { RedisParts } from './redis-nodes.ts';

/** Of one account; web clients come under a new name each time. Those that were noted first go first. */
const MOST_DEVICES = 100;
/** In place of an endless time (ms). */
const LONGEST_MS = 10 * 365 * 86_400_000;

export function createRedisCursors({ link, scripts, keys, turns }: RedisParts): Cursors {
  return {
    note: (account, device, cursors, ttlMs) =>
      turns.run(account, async () => {
        const text =
          cursors.size === 0 ? '' : JSON.stringify([...cursors].map(([room, { key, at }]) => [room, key, at]));
        const args = [device, String(Math.min(ttlMs, LONGEST_MS)), text, String(MOST_DEVICES)];
        await link.run(scripts.noteCursors, [keys.cursors(account)], args);
      }),
    async read(account, device) {
      const text = (await link.run(scripts.readCursors, [keys.cursors(account)], [device])) as string | null;
      const list = text === null ? [] : (JSON.parse(text) as [room: string, key: string, at: number][]);
      return new Map(list.map(([room, key, at]): [string, CursorRecord] => [room, { key, at }]));
    },
  };
}
