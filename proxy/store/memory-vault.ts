/** Deposits in memory: of use only to apps of one process that share the store. */
import type { Vault } from './vault.ts';

/** What the vault must know of the account. */
export interface Inhabited {
  hasSessions(account: string): boolean;
  hasOccupancies(account: string): boolean;
}

export interface MemoryVault extends Vault {
  /** Sessions or occupancies of the account have changed. */
  changed(account: string): void;
}

interface Kept {
  text: string;
  /** Since when there is no session; undefined: there is one. */
  aloneAt: number | undefined;
}

/** `now`: milliseconds of a clock that never goes back. */
export function createMemoryVault(now: () => number, inhabited: Inhabited): MemoryVault {
  const deposits = new Map<string, Kept>();
  /** Since when each waits. */
  const orphans = new Map<string, number>();
  return {
    changed(account) {
      const kept = deposits.get(account);
      if (!kept) return;
      if (inhabited.hasSessions(account)) kept.aloneAt = undefined;
      else if (!inhabited.hasOccupancies(account)) deposits.delete(account);
      else kept.aloneAt ??= now();
    },
    async put(account, text) {
      const hasSessions = inhabited.hasSessions(account);
      if (!hasSessions && !inhabited.hasOccupancies(account)) return false;
      const aloneAt = hasSessions ? undefined : (deposits.get(account)?.aloneAt ?? now());
      deposits.set(account, { text, aloneAt });
      return true;
    },
    async read(account) {
      const kept = deposits.get(account);
      if (!kept) return undefined;
      const { text, aloneAt } = kept;
      return { text, aloneMs: aloneAt === undefined ? undefined : now() - aloneAt };
    },
    async forget(account, text) {
      if (text === undefined || deposits.get(account)?.text === text) deposits.delete(account);
    },
    async orphan(account, agoMs) {
      const kept = deposits.get(account);
      if (!kept || !inhabited.hasOccupancies(account)) return false;
      if (!inhabited.hasSessions(account)) kept.aloneAt = Math.min(kept.aloneAt ?? now(), now() - agoMs);
      orphans.delete(account);
      orphans.set(account, now());
      return true;
    },
    async orphans(from, most) {
      const accounts = [...orphans.keys()].slice(from, from + most);
      return { accounts, next: accounts.length < most ? 0 : from + most };
    },
    async waiting(leastMs, most) {
      const long = [...orphans].filter(([, since]) => since <= now() - leastMs);
      return long.slice(0, most).map(([account]) => account);
    },
    async adopt(account) {
      orphans.delete(account);
    },
  };
}
