/** Which nodes live, in Redis: one hash for all of them. */
import type { NodeIndex } from './redis-index.ts';
import type { Keys } from './redis-keys.ts';
import type { RedisLink } from './redis-link.ts';
import type { Scripts } from './redis-scripts.ts';
import type { Turns } from './redis-turns.ts';
import { type NodeRecord, type Nodes, StoreError } from './store.ts';

/** What the parts of the store share. */
export interface RedisParts {
  readonly link: RedisLink;
  readonly scripts: Scripts;
  readonly keys: Keys;
  readonly index: NodeIndex;
  readonly lives: Lives;
  readonly turns: Turns;
  /** For how long what nobody writes or renews is kept (ms). */
  readonly keepMs: number;
}

/** Most nodes whose life is remembered here; there are never that many. */
const MOST_LIVES = 10_000;
/** How often a heart beats that keeps its node's lists from being forgotten; they are kept for days. */
const KEEP_EVERY_MS = 3_600_000;
const VOIDED_AT_ONCE = 100;

/**
 * Until when nodes are known to live, by Redis' clock (ms). A life only ever grows longer, unless its node is removed; so
 * what is remembered here is never too much, and when it is over, Redis is asked anew. That spares steps of an account,
 * which cannot see the nodes' slot, a question each.
 */
export class Lives {
  readonly #link: RedisLink;
  readonly #scripts: Scripts;
  readonly #key: string;
  readonly #known = new Map<string, number>();

  constructor(link: RedisLink, scripts: Scripts, key: string) {
    this.#link = link;
    this.#scripts = scripts;
    this.#key = key;
  }

  /** As remembered; 0 when nothing is. */
  known(node: string): number {
    return this.#known.get(node) ?? 0;
  }

  /** As it is now; 0: it is not alive. */
  async ask(node: string): Promise<number> {
    const until = Number(await this.#link.run(this.#scripts.life, [this.#key], [node]));
    this.note(node, until);
    return until;
  }

  note(node: string, until: number): void {
    if (this.#known.size >= MOST_LIVES) this.#known.clear();
    if (until > 0) this.#known.set(node, until);
    else this.#known.delete(node);
  }
}

export function createRedisNodes(parts: RedisParts): Nodes {
  const { link, scripts, keys, index, lives, keepMs } = parts;
  const keptAt = new Map<string, number>();

  const list = async (isWanted: (isAlive: boolean) => boolean) => {
    const flat = (await link.run(scripts.nodes, [keys.nodes], [])) as (string | number)[];
    const found: NodeRecord[] = [];
    for (let i = 0; i < flat.length; i += 3) {
      if (isWanted(flat[i + 2] === 1)) found.push(recordOf(String(flat[i]), String(flat[i + 1])));
    }
    return found.sort((a, b) => (a.id < b.id ? -1 : 1));
  };

  return {
    async announce({ id, since, opens }, ttlMs) {
      const facts = opens ? `${since} ${opens.join(',')}` : String(since);
      const args = [String(keepMs), id, facts, String(ttlMs)];
      const until = Number(await link.run(scripts.announce, [keys.nodes], args));
      lives.note(id, until);
      if (until === 0) throw new StoreError('node-expired', `node ${id} has expired`);
    },
    async heartbeat(id, ttlMs) {
      const args = [String(keepMs), id, String(ttlMs)];
      const until = Number(await link.run(scripts.heartbeat, [keys.nodes], args));
      lives.note(id, until);
      if (until > 0 && performance.now() - (keptAt.get(id) ?? 0) > KEEP_EVERY_MS) {
        keptAt.set(id, performance.now());
        // The heart has beaten all the same; a failure is counted, and the lists are kept for many times as long.
        await index.keep(keys.sessionsOn(id), keys.homesOn(id)).catch(() => {});
      }
      return until > 0;
    },
    alive: () => list((isAlive) => isAlive),
    expired: async () => (await list((isAlive) => !isAlive)).map(({ id }) => id),
    deadMs: async (id) => Number(await link.run(scripts.ended, [keys.nodes], [id])),
    async remove(id) {
      // First of all: from here on its claims are void for whoever looks. Then they are ended, so that they are for those
      // too who remember that it lives.
      await link.send(keys.nodes, ['HDEL', keys.nodes, id]);
      lives.note(id, 0);
      keptAt.delete(id);
      const held = await index.all(keys.homesOn(id));
      for (let start = 0; start < held.length; start += VOIDED_AT_ONCE) {
        const some = held.slice(start, start + VOIDED_AT_ONCE);
        await Promise.all(some.map((account) => link.run(scripts.void, keys.account(account), [id])));
      }
      const [stream, count] = keys.inbox(id);
      await link.send(count, ['DEL', count, stream]);
      await index.forget(keys.homesOn(id));
    },
  };
}

function recordOf(id: string, facts: string): NodeRecord {
  const [since, opens] = facts.split(' ');
  return { id, since: Number(since), ...(opens !== undefined && { opens: opens.split(',') }) };
}
