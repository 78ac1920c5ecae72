/**
 * The store that many nodes share, in Redis or a Redis Cluster (6.2 or newer). Everything has an expiry: what no node writes
 * or renews any more is gone after `keepMs`. What the contract says of time goes by Redis' own clock; in a cluster the clocks
 * of its machines must agree to well below a lease.
 *
 * What is acknowledged survives as far as Redis itself promises: with `appendfsync always` all of it, with `everysec` all but
 * the last second, over a fail-over all that had reached the replica.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Log } from '../ops/log.ts';
import type { Metrics } from '../ops/metrics.ts';
import { createRedisBus } from './redis-bus.ts';
import type { RedisTarget } from './redis-client.ts';
import { createRedisCursors } from './redis-cursors.ts';
import { createRedisHibernations } from './redis-hibernations.ts';
import { createRedisHomes } from './redis-homes.ts';
import { NodeIndex } from './redis-index.ts';
import { keysWith } from './redis-keys.ts';
import { RedisLink } from './redis-link.ts';
import { createRedisLogs } from './redis-logs.ts';
import { createRedisMemberships } from './redis-memberships.ts';
import { createRedisNodes, Lives, type RedisParts } from './redis-nodes.ts';
import { loadScripts, type Scripts } from './redis-scripts.ts';
import { Turns } from './redis-turns.ts';
import { createRedisVault } from './redis-vault.ts';
import type { Store } from './store.ts';

export type { RedisTarget } from './redis-client.ts';

export interface RedisStoreOptions {
  readonly target: RedisTarget;
  /** In front of all keys; no braces. */
  readonly prefix: string;
  readonly log: Log;
  readonly metrics: Pick<Metrics, 'redisSeconds' | 'redisErrors' | 'busLag'>;
  /** How long a command may take before it counts as failed (ms). */
  readonly timeoutMs?: number;
  /** How long state is kept that nobody writes or renews (ms). */
  readonly keepMs?: number;
  /** Tests bring those with a clock that they set. */
  readonly scripts?: Scripts;
}

export interface RedisStore extends Store {
  /** Undefined: Redis is there. Else why not, in a sentence without secrets. */
  readonly trouble: string | undefined;
  /** Resolves when it has been reached. */
  connected(): Promise<void>;
}

const TIMEOUT_MS = 2000;
/** Twice the time for which an account stays in its rooms by default: it only runs while no node serves the account. */
const KEEP_MS = 14 * 86_400_000;

/** Starts to connect, and goes on by itself for ever; while Redis is away every step is rejected with `unavailable`. */
export function createRedisStore(options: RedisStoreOptions): RedisStore {
  const { target, log, metrics, timeoutMs = TIMEOUT_MS, keepMs = KEEP_MS, scripts = loadScripts() } = options;
  const link = new RedisLink({ target, log, metrics, timeoutMs });
  const keys = keysWith(options.prefix);
  const index = new NodeIndex(link, scripts, keepMs);
  const lives = new Lives(link, scripts, keys.nodes);
  const turns = new Turns();
  const parts: RedisParts = { link, scripts, keys, index, lives, turns, keepMs };
  const bus = createRedisBus({ link, scripts, keys, log, metrics });
  return {
    memberships: createRedisMemberships(parts),
    homes: createRedisHomes(parts),
    nodes: createRedisNodes(parts),
    cursors: createRedisCursors(parts),
    logs: createRedisLogs(parts),
    hibernations: createRedisHibernations(parts),
    vault: createRedisVault(parts),
    bus,
    get trouble() {
      return link.trouble;
    },
    connected: () => link.connected(),
    async close() {
      bus.close();
      // What was asked for before, such as the end of sessions, is still done if Redis is there.
      await Promise.race([turns.idle(), delay(timeoutMs, undefined, { ref: false })]);
      link.close();
    },
  };
}
