/** The store that the configuration names. */
import { readFileSync } from 'node:fs';
import type { StoreConfig } from './config.ts';
import type { Log } from './ops/log.ts';
import type { Metrics } from './ops/metrics.ts';
import { createMemoryStore } from './store/memory.ts';
import { createRedisStore, type RedisStore } from './store/redis.ts';
import type { Store } from './store/store.ts';

export interface AppStore {
  readonly store: Store;
  /** Waits a while for it to be reached, so that a start-up tells early what will fail. */
  settle(): Promise<void>;
  /** Why it does not do its work, a sentence without secrets; undefined when it does. */
  trouble(): string | undefined;
  close(): Promise<void>;
}

/** How long a start-up waits for the store (ms); then it goes on, not ready. */
const SETTLE_MS = 3000;

/** Opens it; throws when a file that it needs cannot be read. */
export function openStore(config: StoreConfig, log: Log, metrics: Metrics): AppStore {
  if (config.kind === 'memory') {
    const store = createMemoryStore({ now: () => performance.now() });
    return { ...givenStore(store), close: () => store.close() };
  }
  const store = openRedis(config, log, metrics);
  metrics.onScrape(() => metrics.redisUp.set(store.trouble === undefined ? 1 : 0));
  return { store, settle: () => settle(store), trouble: () => store.trouble, close: () => store.close() };
}

/** One that others have opened, and close. */
export function givenStore(store: Store): AppStore {
  return { store, settle: async () => {}, trouble: () => undefined, close: async () => {} };
}

function openRedis(config: Extract<StoreConfig, { kind: 'redis' }>, log: Log, metrics: Metrics): RedisStore {
  const { nodes, isCluster, sentinel, isTls, verify, ca, username, password, database, prefix } = config;
  const tls = isTls ? { verify, ca: ca === undefined ? undefined : readFileSync(ca, 'utf8') } : undefined;
  const target = { nodes, isCluster, sentinel, tls, username, password, database };
  return createRedisStore({ target, prefix, log, metrics });
}

async function settle(store: RedisStore): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, SETTLE_MS);
  });
  await Promise.race([store.connected(), late]);
  clearTimeout(timer);
}
