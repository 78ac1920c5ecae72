/** Sessions, occupancies and joins in memory. */
import type { Inhabited } from './memory-vault.ts';
import type { Fence, Memberships, OccupancyRecord, RemovedSession, SessionRecord } from './store.ts';

interface Account {
  readonly sessions: Map<string, SessionRecord>;
  readonly occupancies: Map<string, { record: OccupancyRecord; readonly joined: Set<string> }>;
}

export interface MemoryMemberships extends Inhabited {
  readonly api: Memberships;
}

/** `check` throws when a fence is given and does not hold. `changed`: sessions or occupancies of the account have come or gone. */
export function createMemberships(
  check: (account: string, fence: Fence | undefined) => void,
  changed: (account: string) => void,
): MemoryMemberships {
  const accounts = new Map<string, Account>();

  const open = (name: string): Account => {
    const account = accounts.get(name) ?? { sessions: new Map(), occupancies: new Map() };
    accounts.set(name, account);
    return account;
  };
  const forgetIfEmpty = (name: string): void => {
    const account = accounts.get(name);
    if (account && account.sessions.size === 0 && account.occupancies.size === 0) accounts.delete(name);
  };
  const remove = (account: Account | undefined, id: string): RemovedSession | undefined => {
    const session = account?.sessions.get(id);
    if (!account || !session) return undefined;
    account.sessions.delete(id);
    const rooms = [...account.occupancies].filter(([, { joined }]) => joined.delete(id)).map(([room]) => room);
    return { session: { ...session }, rooms: rooms.sort() };
  };

  const api: Memberships = {
    async addSession(name, session) {
      const account = open(name);
      const rival = [...account.sessions.values()].find(({ id, jid }) => jid === session.jid && id !== session.id);
      const removed = rival && remove(account, rival.id);
      account.sessions.set(session.id, { ...session });
      changed(name);
      return removed;
    },
    async removeSession(name, id) {
      const removed = remove(accounts.get(name), id);
      forgetIfEmpty(name);
      changed(name);
      return removed;
    },
    async join(name, room, id, fence) {
      check(name, fence);
      const account = accounts.get(name);
      const joined = account?.occupancies.get(room)?.joined;
      const count = joined?.size ?? 0;
      if (!account?.sessions.has(id)) return { result: 'no-session', count };
      if (!joined) return { result: 'no-occupancy', count };
      const result = joined.has(id) ? 'already' : 'joined';
      joined.add(id);
      return { result, count: joined.size };
    },
    async leave(name, room, id, fence) {
      check(name, fence);
      const joined = accounts.get(name)?.occupancies.get(room)?.joined;
      return { left: joined?.delete(id) ?? false, remaining: joined?.size ?? 0 };
    },
    async setOccupancy(name, occupancy, fence) {
      check(name, fence);
      const { occupancies } = open(name);
      const joined = occupancies.get(occupancy.room)?.joined ?? new Set();
      occupancies.set(occupancy.room, { record: { ...occupancy }, joined });
    },
    async endOccupancy(name, room, fence) {
      check(name, fence);
      const account = accounts.get(name);
      const joined = account?.occupancies.get(room)?.joined ?? [];
      account?.occupancies.delete(room);
      forgetIfEmpty(name);
      changed(name);
      return [...joined].sort();
    },
    async snapshot(name) {
      const account = accounts.get(name);
      const sessions = [...(account?.sessions.values() ?? [])].map((session) => ({ ...session }));
      const occupancies = [...(account?.occupancies.values() ?? [])].map(({ record, joined }) => ({
        ...record,
        joined: [...joined].sort(),
      }));
      return {
        account: name,
        sessions: sessions.sort((a, b) => order(a.id, b.id)),
        occupancies: occupancies.sort((a, b) => order(a.room, b.room)),
      };
    },
    async accounts(node) {
      const hasNode = ({ sessions }: Account) => [...sessions.values()].some((session) => session.node === node);
      return [...accounts]
        .filter(([, account]) => hasNode(account))
        .map(([name]) => name)
        .sort();
    },
  };
  return {
    api,
    hasSessions: (name) => (accounts.get(name)?.sessions.size ?? 0) > 0,
    hasOccupancies: (name) => (accounts.get(name)?.occupancies.size ?? 0) > 0,
  };
}

/** By code unit, as `sort()` without a function does. */
function order(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
