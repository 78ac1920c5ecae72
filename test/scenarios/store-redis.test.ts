/** One node with its store in Redis: what stands there, and that nobody in a room notices when Redis is away. */
import { silentLog } from '../../proxy/ops/log.ts';
import { createMetrics } from '../../proxy/ops/metrics.ts';
import { createRedisStore } from '../../proxy/store/redis.ts';
import { type RedisServer, startRedis } from '../servers/index.ts';
import type { TestProxy } from '../support/proxy.ts';
import { assert, createRoom, joinRoom, leaveRoom, type Scene, sayInRoom, scenarios } from './support/scenario.ts';
import { until } from './support/witness.ts';

const scenario = scenarios('store-redis', { limitMs: 60_000 });

async function withRedis(scene: Scene): Promise<{ redis: RedisServer; proxy: TestProxy }> {
  const redis = await startRedis({ extra: ['appendonly yes', 'appendfsync always'], password: 'se/cret' });
  scene.after(() => redis.stop());
  const store = `redis://:se%2Fcret@127.0.0.1:${redis.port}`;
  const proxy = await scene.startProxy({ store, 'store-prefix': 'mine:', http: '127.0.0.1:0' });
  return { redis, proxy };
}

async function readiness({ app }: TestProxy): Promise<[status: number, text: string]> {
  const answer = await fetch(`http://127.0.0.1:${app.httpAddress?.port}/readyz`);
  return [answer.status, await answer.text()];
}

scenario('C1', 'who has joined what stands in Redis, and goes when they go', async (scene) => {
  const { room } = scene;
  const { redis, proxy } = await withRedis(scene);
  const nodes = [{ host: '127.0.0.1', port: redis.port }];
  const store = createRedisStore({
    target: { nodes, isCluster: false, tls: undefined, username: undefined, password: 'se/cret', database: 0 },
    prefix: 'mine:',
    log: silentLog,
    metrics: createMetrics(),
  });
  scene.after(() => store.close());
  await store.connected();
  const account = await scene.jid('alice');
  const joined = async () => {
    const { sessions, occupancies } = await store.memberships.snapshot(account);
    const jids = new Map(sessions.map(({ id, jid }) => [id, jid]));
    return occupancies.map((one) => [one.room, one.nick, ...one.joined.map((id) => jids.get(id)).sort()].join(' '));
  };
  const stands = (...expected: string[]) =>
    until(`${expected.join(', ') || 'nothing'} to stand in Redis`, async () => {
      return JSON.stringify(await joined()) === JSON.stringify(expected);
    });

  const bob = await scene.direct('bob');
  await createRoom(bob, `${room}/bob`);
  const phone = await scene.login('alice', { through: proxy });
  const desk = await scene.login('alice', { through: proxy });
  await joinRoom(phone, `${room}/al`);
  await stands(`${room} al ${phone.jid}`);
  await joinRoom(desk, `${room}/al`);
  await stands(`${room} al ${[phone.jid, desk.jid].sort().join(' ')}`);
  await leaveRoom(phone, `${room}/al`);
  await stands(`${room} al ${desk.jid}`);
  await desk.end();
  await phone.end();
  await until('the sessions to be gone', async () => (await store.memberships.snapshot(account)).sessions.length === 0);
  assert.not.match(proxy.log.join('\n'), 'se/cret');
  assert.not.match(proxy.log.join('\n'), 'se%2Fcret');
});

scenario('C3', 'with Redis away devices join and talk as ever, and readyz tells until it is back', async (scene) => {
  const { room } = scene;
  const { redis, proxy } = await withRedis(scene);
  const bob = await scene.direct('bob');
  await createRoom(bob, `${room}/bob`);
  const phone = await scene.login('alice', { through: proxy });
  await joinRoom(phone, `${room}/al`);
  assert.equal(await readiness(proxy).then(([status]) => status), 200);

  await redis.halt(true);
  await until('readyz to tell', async () => (await readiness(proxy))[0] === 503);
  assert.match((await readiness(proxy))[1], 'Redis cannot be reached.');
  const desk = await scene.login('alice', { through: proxy });
  await joinRoom(desk, `${room}/al`);
  const id = sayInRoom(bob, room, 'is anybody there?');
  for (const device of [phone, desk]) {
    await device.expect(`<message type='groupchat' id='${id}' from='${room}/bob' to='${device.jid}'/>`);
  }
  await redis.restart();
  await until('readyz to be content', async () => (await readiness(proxy))[0] === 200);
  assert.match(await proxy.app.metrics.render(), /^minimix_redis_up 1$/m);
  for (const device of [phone, desk]) await device.expectNothing({ room });
});

scenario.run();
