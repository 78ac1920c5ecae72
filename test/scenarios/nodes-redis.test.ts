/**
 * What Redis can do to nodes while people talk (C2, C3): it is killed and comes back, cannot be reached, is slow, is full, forgets its
 * scripts, hands over to a replica. Every message is accounted for, and `readyz` and metrics tell.
 */
import { wayTo } from '../redis/way.ts';
import { type RedisServer, startRedis, startRedisCluster } from '../servers/index.ts';
import type { TestProxy } from '../support/proxy.ts';
import { Talk } from './support/accounting.ts';
import { assert, type ConfigFile, joinRoom, type Scene, scenarios } from './support/scenario.ts';
import { until, watch } from './support/witness.ts';

const scenario = scenarios('nodes-redis', { limitMs: 90_000, except: ['sameOnBoth', 'storeAlone'] });

interface Place {
  readonly proxies: readonly TestProxy[];
  readonly talk: Talk;
}

/** Two nodes, two devices on each, all of them in the room; the first one's node is the home. */
async function place(scene: Scene, store: string, config: ConfigFile = {}): Promise<Place> {
  const witness = await watch(scene);
  const proxies: TestProxy[] = [];
  for (let node = 0; node < 2; node += 1) {
    proxies.push(await scene.startProxy({ store, http: '127.0.0.1:0', ...config }));
  }
  const devices = [];
  for (let index = 0; index < 4; index += 1) {
    const through = proxies[index % 2] as TestProxy;
    const device = await scene.login('alice', { device: `d${index}`, through });
    await joinRoom(device, `${scene.room}/al`);
    devices.push(device);
  }
  assert.equal(await witness.sees(), ['+al']);
  const talk = new Talk(witness, 'al', devices);
  await talk.rounds(3);
  return { proxies, talk };
}

async function redisFor({ after }: Scene, extra: string[] = []): Promise<RedisServer> {
  const redis = await startRedis({ extra });
  after(() => redis.stop());
  return redis;
}

async function each(proxies: readonly TestProxy[], what: string, status: number, up: number): Promise<void> {
  for (const { app } of proxies) {
    const url = `http://127.0.0.1:${app.httpAddress?.port}`;
    await until(`readyz and metrics tell that ${what}`, async () => {
      // A connection that was kept may be closed just as it is used again.
      const headers = { connection: 'close' };
      const [ready, metrics] = await Promise.all([
        fetch(`${url}/readyz`, { headers }),
        fetch(`${url}/metrics`, { headers }),
      ]);
      return ready.status === status && new RegExp(`^minimix_redis_up ${up}$`, 'm').test(await metrics.text());
    });
  }
}

scenario(
  'C2',
  'Redis is killed in the midst of talk and comes back with its file: everybody has everything, once and in order',
  async (scene) => {
    const redis = await redisFor(scene, ['appendonly yes', 'appendfsync always']);
    const { proxies, talk } = await place(scene, redis.url);
    await redis.halt(true);
    await talk.rounds(5);
    await each(proxies, 'Redis is away', 503, 0);
    await talk.rounds(5);
    await redis.restart();
    await talk.rounds(5);
    await each(proxies, 'Redis is back', 200, 1);
    await talk.settle();
  },
);

scenario('C3', 'a slow Redis, and one that forgets its scripts, makes things later and no more', async (scene) => {
  const redis = await redisFor(scene);
  const way = await wayTo(redis.port, scene);
  const { proxies, talk } = await place(scene, `redis://127.0.0.1:${way.port}`);
  way.slow(150);
  await talk.rounds(5);
  await redis.cli('script', 'flush');
  await talk.rounds(5);
  way.slow(0);
  await redis.cli('script', 'flush');
  await talk.rounds(5);
  await each(proxies, 'Redis is there', 200, 1);
  await talk.settle();
});

scenario('C3', 'a Redis that is full is as one that is away, until there is room again', async (scene) => {
  const redis = await redisFor(scene, ['maxmemory-policy noeviction']);
  const { proxies, talk } = await place(scene, redis.url);
  await redis.cli('config', 'set', 'maxmemory', '1');
  await talk.rounds(5);
  await each(proxies, 'Redis is full', 503, 0);
  assert.match(
    await (proxies[0] as TestProxy).app.metrics.render(),
    /minimix_redis_errors_total\{reason="memory"\} [1-9]/,
  );
  await redis.cli('config', 'set', 'maxmemory', '0');
  await talk.rounds(5);
  await each(proxies, 'there is room', 200, 1);
  await talk.settle();
});

scenario(
  'C3',
  'Redis cannot be reached for half a minute: who is at home talks on, the others are late, or are told',
  async (scene) => {
    const redis = await redisFor(scene);
    const way = await wayTo(redis.port, scene);
    const { proxies, talk } = await place(scene, `redis://127.0.0.1:${way.port}`);
    way.cut();
    await talk.rounds(15, 1000);
    await each(proxies, 'Redis is away', 503, 0);
    await talk.rounds(15, 1000);
    way.mend();
    await each(proxies, 'Redis is back', 200, 1);
    await talk.settle({ mayRefuse: true });
    await talk.rounds(3);
    await talk.settle();
  },
  { except: ['halfMinute'] },
);

scenario('C2', 'a master of a Redis Cluster is killed: its replica goes on, and nothing is lost', async (scene) => {
  const cluster = await startRedisCluster({ replicas: true });
  scene.after(() => cluster.stop());
  const { proxies, talk } = await place(scene, cluster.url, { 'store-prefix': 'p:' });
  const home = `p:{${await scene.jid('alice')}}:home`;
  const holding = await Promise.all(cluster.masters.map((master) => master.cli('exists', home)));
  await cluster.masters[holding.indexOf('1')]?.halt(true);
  await talk.rounds(10, 500);
  await each(proxies, 'all is well', 200, 1);
  await talk.rounds(5);
  await talk.settle();
});

scenario.run();
