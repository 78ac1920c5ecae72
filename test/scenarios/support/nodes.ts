/** Nodes that share a Redis, in this process: they can be cut off the store, and die. */
import { silentLog } from '../../../proxy/ops/log.ts';
import { createMetrics } from '../../../proxy/ops/metrics.ts';
import { createRedisStore } from '../../../proxy/store/redis.ts';
import type { Store } from '../../../proxy/store/store.ts';
import { type RedisServer, startRedis } from '../../servers/index.ts';
import { cuttable } from '../../support/cut-store.ts';
import type { ConfigFile, TestProxy } from '../../support/proxy.ts';
import { type Breakable, breakable } from './breakable.ts';
import type { Client, Scene } from './scenario.ts';

/** Short, so that a dead node is found soon; and who leaves has left. */
const config = { cluster: { lease: '1s' }, leave: { grace: '0' } };

export interface Node {
  readonly proxy: TestProxy;
  readonly upstream: Breakable;
  /** As the node sees it. */
  readonly store: Store;
  /** Cuts the node off the store, or lets it reach it again. */
  cut(isCut: boolean): void;
  /** From now on nothing that other nodes send reaches the node. */
  deafen(): void;
}

export async function nodes(scene: Scene, count = 2): Promise<Node[]> {
  const redis = await shared(scene);
  const made: Node[] = [];
  for (let index = 0; index < count; index += 1) made.push(await startNode(scene, redis));
  return made;
}

export async function shared(scene: Scene): Promise<RedisServer> {
  const redis = await startRedis();
  scene.after(() => redis.stop());
  return redis;
}

export async function startNode(scene: Scene, redis: RedisServer, more: ConfigFile = {}): Promise<Node> {
  let isCut = false;
  let isDeaf = false;
  const upstream = await breakable(scene.server.ports.plain);
  scene.after(() => upstream.stop());
  const nodesOfRedis = [{ host: '127.0.0.1', port: redis.port }];
  const unnamed = { tls: undefined, username: undefined, password: undefined };
  const store = createRedisStore({
    target: { nodes: nodesOfRedis, isCluster: false, ...unnamed, database: 0 },
    prefix: 'test:',
    log: silentLog,
    metrics: createMetrics(),
  });
  scene.after(() => store.close());
  await store.connected();
  const own = cuttable(
    store,
    () => isCut,
    () => false,
    () => isDeaf,
  );
  const proxy = await scene.startProxy({ ...config, ...more }, { upstream: upstream.upstream, store: own });
  return {
    proxy,
    upstream,
    store: own,
    cut: (value) => {
      isCut = value;
    },
    deafen: () => {
      isDeaf = true;
    },
  };
}

/** The process is gone: so are its clients, its streams at the server and its link to the store. */
export async function kill(node: Node, clients: readonly Client[]): Promise<void> {
  node.cut(true);
  node.upstream.isOpen = false;
  node.upstream.break();
  await Promise.all(clients.map((client) => client.drop()));
}
