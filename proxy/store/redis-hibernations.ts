/** Sessions without connections, in Redis. */
import type { Hibernations, SleeperRecord } from './hibernations.ts';
import type { RedisParts } from './redis-nodes.ts';
import type { Script } from './redis-scripts.ts';

export function createRedisHibernations({ link, scripts, keys, turns }: RedisParts): Hibernations {
  const inTurn = <T>(name: string, work: () => Promise<T>): Promise<T> => turns.run(`sleeper ${name}`, work);
  const find = async (name: string, script: Script): Promise<SleeperRecord | undefined> => {
    const reply = (await link.run(script, [keys.sleeper(name)], [])) as [string, string, string] | null;
    if (!reply) return undefined;
    const [account, session, state] = reply;
    return { account, session, state };
  };
  return {
    put: (name, { account, session, state }, ttlMs) =>
      inTurn(name, async () => {
        await link.run(scripts.putSleeper, [keys.sleeper(name)], [account, session, state, String(ttlMs)]);
      }),
    read: (name) => find(name, scripts.readSleeper),
    take: (name) => inTurn(name, () => find(name, scripts.takeSleeper)),
  };
}
