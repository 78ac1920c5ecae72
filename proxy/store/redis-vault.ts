/** Deposits in Redis: each in the hash of its account's home, in one slot with what it depends on; the list of those that wait elsewhere. */
import type { RedisParts } from './redis-nodes.ts';
import type { Script } from './redis-scripts.ts';
import type { Vault } from './vault.ts';

export function createRedisVault({ link, scripts, keys, index, turns, keepMs }: RedisParts): Vault {
  // In the order of the account's other steps, on which it depends whether a text may be kept.
  const inTurn = (account: string, script: Script, args: string[]): Promise<unknown> =>
    turns.run(account, () => link.run(script, keys.account(account), args));
  return {
    put: async (account, text) => (await inTurn(account, scripts.putDeposit, [String(keepMs), text])) === 1,
    async read(account) {
      const reply = (await link.run(scripts.readDeposit, keys.account(account), [])) as [string, number] | null;
      if (!reply) return undefined;
      const [text, aloneMs] = reply;
      return { text, aloneMs: aloneMs < 0 ? undefined : aloneMs };
    },
    async forget(account, text) {
      await inTurn(account, scripts.forgetDeposit, text === undefined ? [] : [text]);
    },
    async orphan(account, agoMs) {
      const args = [String(keepMs), String(Math.round(agoMs))];
      const time = (await inTurn(account, scripts.orphan, args)) as string | null;
      if (time === null) return false;
      await index.add(keys.orphans, account, time);
      return true;
    },
    async orphans(from, most) {
      const last = String(from + most - 1);
      const accounts = (await link.send(keys.orphans, ['ZRANGE', keys.orphans, String(from), last])) as string[];
      return { accounts, next: accounts.length < most ? 0 : from + most };
    },
    waiting: async (leastMs, most) =>
      (await link.run(scripts.waiting, [keys.orphans], [String(leastMs), String(most)])) as string[],
    async adopt(account) {
      await link.send(keys.orphans, ['ZREM', keys.orphans, account]);
    },
  };
}
