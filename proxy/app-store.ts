/** The store that the configuration names. */
import { readFileSync } from 'node:fs';
import type { StoreConfig } from './config.ts';
import type { Log } from './ops/log.ts';
import type { Metrics } from './ops/metrics.ts';
import type { Logs } from './store/logs.ts';
import { createMemoryStore } from './store/memory.ts';
import { createRedisStore, type RedisStore } from './store/redis.ts';
import type { Fence, Store } from './store/store.ts';
import { SureLogs } from './store/sure-logs.ts';

export interface AppStore {
  readonly store: Store;
  /** Its stanza logs, as accounts use them. */
  readonly logs: Logs;
  /** Waits a while for it to be reached, so that a start-up tells early what will fail. */
  settle(): Promise<void>;
  /** Why it does not do its work, a sentence without secrets; undefined when it does. */
  trouble(): string | undefined;
  close(): Promise<void>;
}

/** How long a start-up waits for the store (ms); then it goes on, not ready. */
const SETTLE_MS = 3000;

/** What a store is used with. `fenceOf`: as in `SureLogsDeps`. */
export interface AppStoreDeps {
  readonly log: Log;
  readonly metrics: Metrics;
  readonly fenceOf: (account: string) => Fence | undefined;
}

/** Opens it; throws when a file that it needs cannot be read. */
export function openStore(config: StoreConfig, deps: AppStoreDeps): AppStore {
  const { log, metrics } = deps;
  if (config.kind === 'memory') {
    const store = createMemoryStore({ now: () => performance.now() });
    return closing(givenStore(store, deps), store);
  }
  const store = openRedis(config, log, metrics);
  metrics.onScrape(() => metrics.redisUp.set(store.trouble === undefined ? 1 : 0));
  const given = givenStore(store, deps);
  return closing({ ...given, settle: () => settle(store), trouble: () => store.trouble }, store);
}

function closing(state: AppStore, store: Store): AppStore {
  const close = async (): Promise<void> => {
    await state.close();
    await store.close();
  };
  return { ...state, close };
}

/** One that others have opened, and close. */
export function givenStore(store: Store, deps: AppStoreDeps): AppStore {
  const logs = new SureLogs(store.logs, { ...deps, homes: store.homes });
  return { store, logs, settle: async () => {}, trouble: () => undefined, close: async () => logs.close() };
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
