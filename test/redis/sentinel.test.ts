/** The store where sentinels say which Redis is the master (C2). */
import { silentLog } from '../../proxy/ops/log.ts';
import { createMetrics } from '../../proxy/ops/metrics.ts';
import { createRedisStore } from '../../proxy/store/redis.ts';
import { type Store, StoreError } from '../../proxy/store/store.ts';
import { until } from '../servers/process.ts';
import type { RedisServer } from '../servers/redis.ts';
import { startSentinel } from '../servers/sentinel.ts';
import { account, sessionOf } from '../store/fixture.ts';
import { assert, suite } from '../support/suite.ts';
import { redisFor, storeFor, targetOf } from './support.ts';

const test = suite('redis sentinel', { limitMs: 120_000 });
const second = 1000;

test('the store follows the master that sentinels name: nothing acknowledged is lost, and the old one is left alone', async (context) => {
  const old = await redisFor(context);
  const next = await redisFor(context, { extra: [`replicaof 127.0.0.1 ${old.port}`] });
  await until('the replica to have all', 20 * second, async () => /link_status:up/.test(await next.cli('info')));
  const sentinel = await startSentinel('rooms', old.port);
  context.after(() => sentinel.stop());
  // The first is not there, as it may be on a machine that was lost together with the master.
  const sentinels = [1, sentinel.port].map((port) => ({ host: '127.0.0.1', port }));
  const store = await storeFor(context, targetOf(0, { nodes: sentinels, sentinel: 'rooms' }), { timeoutMs: second });
  const ids = async () => (await store.memberships.snapshot(account)).sessions.map(({ id }) => id).sort();
  await store.memberships.addSession(account, sessionOf('s1'));
  assert.ok(Number(await old.cli('dbsize')) > 0);
  await replicated(old);
  await until('the sentinel to know the replica', 30 * second, async () => {
    const known = await sentinel.cli('sentinel', 'replicas', 'rooms');
    return known.includes(String(next.port));
  });

  await old.halt(true);
  const error = await store.memberships.addSession(account, sessionOf('lost')).catch((reason: unknown) => reason);
  assert.is((error as StoreError).code, 'unavailable');
  assert.is.not(store.trouble, undefined);
  await taken(store, 's2');
  assert.is(store.trouble, undefined);
  assert.equal(await ids(), ['s1', 's2']);

  await old.restart();
  await until('it to be a replica', 30 * second, async () =>
    /link_status:up/.test(await old.cli('info', 'replication')),
  );
  await store.memberships.addSession(account, sessionOf('s3'));
  assert.equal(await ids(), ['s1', 's2', 's3']);
  await replicated(next);

  // A master that lives is made a replica, as for maintenance.
  await until('the sentinel to agree', 30 * second, async () => {
    return (await sentinel.cli('sentinel', 'failover', 'rooms')) === 'OK';
  });
  await until('it to be a replica', 30 * second, async () => /role:slave/.test(await next.cli('info', 'replication')));
  await taken(store, 's4');
  assert.equal(await ids(), ['s1', 's2', 's3', 's4']);
  assert.match(await old.cli('info', 'replication'), 'role:master');
});

/** Waits until the replica has what its master has: Redis tells a client before. */
function replicated(master: RedisServer): Promise<void> {
  return until('the replica to have all', 10 * second, async () => {
    const state = await master.cli('info', 'replication');
    return /,offset=(\d+)/.exec(state)?.[1] === /master_repl_offset:(\d+)/.exec(state)?.[1];
  });
}

/** Tries until the session is in the store. */
function taken(store: Store, id: string): Promise<void> {
  return until(`${id} to be taken`, 60 * second, async () => {
    const error = await store.memberships.addSession(account, sessionOf(id)).catch((reason: unknown) => reason);
    if (error !== undefined && !(error instanceof StoreError)) throw error;
    return error === undefined;
  });
}

test('a master that no sentinel knows is said to be away', async (context) => {
  const redis = await redisFor(context);
  const sentinel = await startSentinel('rooms', redis.port);
  context.after(() => sentinel.stop());
  const nodes = [{ host: '127.0.0.1', port: sentinel.port }];
  const target = targetOf(0, { nodes, sentinel: 'others' });
  const store = createRedisStore({ target, prefix: 'test:', log: silentLog, metrics: createMetrics() });
  context.after(() => store.close());
  await until('it to be said', 10 * second, () => store.trouble !== undefined);
  const error = await store.memberships.snapshot(account).catch((reason: unknown) => reason);
  assert.is((error as StoreError).code, 'unavailable');
});

test.run();
