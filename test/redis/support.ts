/** What the tests of the Redis store share. */
import { silentLog } from '../../proxy/ops/log.ts';
import { createMetrics } from '../../proxy/ops/metrics.ts';
import {
  createRedisStore,
  type RedisStore,
  type RedisStoreOptions,
  type RedisTarget,
} from '../../proxy/store/redis.ts';
import { loadScripts } from '../../proxy/store/redis-scripts.ts';
import { type RedisOptions, type RedisServer, startRedis } from '../servers/redis.ts';
import type { BusFixture } from '../store/contract-bus.ts';
import type { StoreFixture } from '../store/fixture.ts';
import type { TestContext } from '../support/suite.ts';

let fixtures = 0;

/** How to reach one Redis on 127.0.0.1. */
export function targetOf(port: number, more: Partial<RedisTarget> = {}): RedisTarget {
  const nodes = [{ host: '127.0.0.1', port }];
  return { nodes, isCluster: false, tls: undefined, username: undefined, password: undefined, database: 0, ...more };
}

/** A connected store. */
export async function openStore(target: RedisTarget, more: Partial<RedisStoreOptions> = {}): Promise<RedisStore> {
  const store = createRedisStore({ target, prefix: 'test:', log: silentLog, metrics: createMetrics(), ...more });
  await store.connected();
  return store;
}

/** A store under a prefix of its own, whose clock stands still unless it is advanced. */
export async function virtualFixture(target: RedisTarget): Promise<StoreFixture> {
  const prefix = `test${++fixtures}:`;
  const opened: RedisStore[] = [];
  let now = 1_700_000_000_000;
  const scripts = { ...loadScripts(clockAt(now)) };
  return {
    async open() {
      const store = await openStore(target, { prefix, scripts });
      opened.push(store);
      return store;
    },
    async advance(ms) {
      now += ms;
      Object.assign(scripts, loadScripts(clockAt(now)));
    },
    async close() {
      for (const store of opened) await store.close();
    },
  };
}

/** In place of scripts/clock.lua. */
function clockAt(ms: number): string {
  return `local function clock() return ${ms}000 end
local function whole(number) return string.format('%.0f', number) end`;
}

/** A bus under a prefix of its own. */
export async function busFixture(target: RedisTarget): Promise<BusFixture> {
  const prefix = `testbus${++fixtures}:`;
  const opened: RedisStore[] = [];
  return {
    async open() {
      const store = await openStore(target, { prefix });
      opened.push(store);
      return store.bus;
    },
    async close() {
      for (const store of opened) await store.close();
    },
  };
}

/** A Redis that ends with the test. */
export async function redisFor({ after }: TestContext, options: RedisOptions = {}): Promise<RedisServer> {
  const redis = await startRedis(options);
  after(() => redis.stop());
  return redis;
}

/** A connected store that is closed with the test. */
export async function storeFor({ after }: TestContext, ...how: Parameters<typeof openStore>): Promise<RedisStore> {
  const store = await openStore(...how);
  after(() => store.close());
  return store;
}
