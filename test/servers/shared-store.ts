/** What the nodes of a service share in tests: a Redis, or a Redis Cluster. */
import { startRedis, startRedisCluster } from './redis.ts';

export interface SharedStore {
  /** As the proxy's setting `store` takes it. */
  readonly url: string;
  stop(): Promise<void>;
}

/** Starts one of that kind: `redis`, `cluster`. The URL of one that runs is taken as it is, and that one left alone. */
export async function startSharedStore(kind: string): Promise<SharedStore> {
  if (kind.includes('://')) return { url: kind, stop: async () => {} };
  if (kind === 'redis') return startRedis();
  if (kind === 'cluster') return startRedisCluster();
  throw new Error(`there is no store ${kind} for nodes to share: redis, cluster, or a URL`);
}
