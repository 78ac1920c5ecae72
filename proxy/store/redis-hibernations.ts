/** Sessions without connections, in Redis. */
import type { Hibernations, Sleeper } from './hibernations.ts';
import type { RedisParts } from './redis-nodes.ts';
import type { Script } from './redis-scripts.ts';

export function createRedisHibernations({ link, scripts, keys, turns }: RedisParts): Hibernations {
  const inTurn = <T>(name: string, work: () => Promise<T>): Promise<T> => turns.run(`sleeper ${name}`, work);
  const find = async (name: string, script: Script): Promise<Sleeper | undefined> => {
    const reply = (await link.run(script, keys.sleeper(name), [])) as [string, string, string, string[]] | null;
    if (!reply) return undefined;
    const [account, session, state, due] = reply;
    return { account, session, state, due };
  };
  return {
    put: (name, { account, session, state }, ttlMs) =>
      inTurn(name, async () => {
        await link.run(scripts.putSleeper, keys.sleeper(name), [account, session, state, String(ttlMs)]);
      }),
    append: (name, due) =>
      inTurn(name, async () => (await link.run(scripts.appendSleeper, keys.sleeper(name), due)) === 1),
    read: (name) => find(name, scripts.readSleeper),
    take: (name) => inTurn(name, () => find(name, scripts.takeSleeper)),
  };
}
