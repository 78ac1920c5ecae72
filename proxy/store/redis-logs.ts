/** Stanza logs in Redis: a list for each room of an account. */
import type { LogStep, Logs } from './logs.ts';
import { runFenced } from './redis-homes.ts';
import type { Argument } from './redis-link.ts';
import type { RedisParts } from './redis-nodes.ts';
import type { Script } from './redis-scripts.ts';
import { type Fence, StoreError } from './store.ts';

export function createRedisLogs(parts: RedisParts): Logs {
  const { link, scripts, keys, turns, keepMs } = parts;
  const run = (account: string, room: string, script: Script, args: readonly Argument[], fence?: Fence) =>
    turns.run(account, async () => {
      const reply = await runFenced(parts, { account, fence, script, args, more: keys.log(account, room) });
      if (!reply) throw new StoreError('stale-home', `not the home of ${account}`);
      return reply;
    });
  return {
    async write(account, room, step, ttlMs, fence) {
      const args = argumentsOf(step, Math.min(ttlMs, keepMs));
      const [, isTaken] = await run(account, room, scripts.writeLog, args, fence);
      return isTaken === 1;
    },
    async read(account, room) {
      // Behind what has been asked for before: else a room that was just left would still have its log.
      return turns.run(account, async () => {
        const all = [...keys.account(account), ...keys.log(account, room)];
        return (await link.run(scripts.readLog, all, [], true)) as Buffer[];
      });
    },
    async forget(account, room, fence) {
      await run(account, room, scripts.forgetLog, [], fence);
    },
  };
}

function argumentsOf({ had, added, changed, keep }: LogStep, ttlMs: number): Argument[] {
  const numbers = [ttlMs, had ?? -1, keep, added.length].map((value) => String(Math.ceil(value)));
  return [...numbers, ...added, ...changed.flatMap(({ fromEnd, entry }) => [String(-1 - fromEnd), entry])];
}
