/** Sessions, occupancies and joins in Redis. */
import { runFenced } from './redis-homes.ts';
import type { RedisParts } from './redis-nodes.ts';
import type { Script } from './redis-scripts.ts';
import {
  type Fence,
  type Joined,
  type Memberships,
  type OccupancyRecord,
  type RemovedSession,
  type SessionRecord,
  StoreError,
} from './store.ts';

/** What adding and removing a session answer: time of the step, nodes without a session now, who is gone, from where. */
type Change = [time: string, emptied: string[], gone: string | null, rooms: string[]];

export function createRedisMemberships(parts: RedisParts): Memberships {
  const { link, scripts, keys, index, turns, keepMs } = parts;

  const write = (account: string, fence: Fence | undefined, script: Script, args: string[]) =>
    turns.run(account, async () => {
      const reply = await runFenced(parts, { account, fence, script, args });
      if (!reply) throw new StoreError('stale-home', `not the home of ${account}`);
      return reply;
    });
  const change = (account: string, script: Script, args: string[]) =>
    turns.run(account, async () => (await link.run(script, keys.account(account), args)) as Change | null);
  const unlist = (account: string, [time, emptied]: Change): Promise<void>[] =>
    emptied.map((node) => index.remove(keys.sessionsOn(node), account, time));

  return {
    async addSession(account, session) {
      const { id, jid, node } = session;
      const args = [String(keepMs), id, jid, node, JSON.stringify(sessionFields(session))];
      const changed = await change(account, scripts.addSession, args);
      if (!changed) return undefined;
      await Promise.all([index.add(keys.sessionsOn(node), account, changed[0]), ...unlist(account, changed)]);
      return removedOf(changed);
    },
    async removeSession(account, id) {
      const changed = await change(account, scripts.removeSession, [String(keepMs), id]);
      if (!changed) return undefined;
      await Promise.all(unlist(account, changed));
      return removedOf(changed);
    },
    async join(account, room, id, fence) {
      const [, result, count] = await write(account, fence, scripts.join, [room, id]);
      return { result: result as Joined['result'], count: Number(count) };
    },
    async leave(account, room, id, fence) {
      const [, left, remaining] = await write(account, fence, scripts.leave, [room, id]);
      return { left: left === 1, remaining: Number(remaining) };
    },
    async setOccupancy(account, occupancy, fence) {
      await write(account, fence, scripts.setOccupancy, [occupancy.room, JSON.stringify(occupancyFields(occupancy))]);
    },
    async endOccupancy(account, room, fence) {
      const [, ids] = await write(account, fence, scripts.endOccupancy, [room]);
      return (ids as string[]).sort();
    },
    async snapshot(account) {
      const reply = (await link.run(scripts.snapshot, keys.account(account), [])) as [string[], string[], string[]];
      const [sessions, rooms, joined] = reply.map(pairsOf) as [Pairs, Pairs, Pairs];
      const joinedIn = new Map(joined.map(([room, ids]) => [room, (JSON.parse(ids) as string[]).sort()]));
      return {
        account,
        sessions: sessions.map(([, record]) => sessionFields(JSON.parse(record) as SessionRecord)),
        occupancies: rooms.map(([room, record]) => ({
          ...occupancyFields(JSON.parse(record) as OccupancyRecord),
          joined: joinedIn.get(room) ?? [],
        })),
      };
    },
    accounts: (node) => index.all(keys.sessionsOn(node)),
  };
}

type Pairs = [name: string, value: string][];

/** Fields and values of a hash, sorted by field. */
function pairsOf(flat: readonly string[]): Pairs {
  const pairs: Pairs = [];
  for (let i = 0; i < flat.length; i += 2) pairs.push([flat[i] ?? '', flat[i + 1] ?? '']);
  return pairs.sort(([a], [b]) => (a < b ? -1 : 1));
}

function removedOf([, , gone, rooms]: Change): RemovedSession | undefined {
  if (gone === null) return undefined;
  return { session: sessionFields(JSON.parse(gone) as SessionRecord), rooms: rooms.sort() };
}

/** These fields and no others, whoever has given or written the record. */
function sessionFields({ id, jid, resource, node, since }: SessionRecord): SessionRecord {
  return { id, jid, resource, node, since };
}

function occupancyFields({ room, address, nick, carrier, bookmarked, sealed }: OccupancyRecord): OccupancyRecord {
  return { room, address, nick, carrier, bookmarked, ...(sealed !== undefined && { sealed }) };
}
