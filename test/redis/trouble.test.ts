/** What the store does when Redis forgets its scripts, restarts, is away, is full, or refuses (C2, C3). */
import { captureLog } from '../../proxy/ops/log.ts';
import { createMetrics } from '../../proxy/ops/metrics.ts';
import { redisRights } from '../../proxy/store/redis-rights.ts';
import { StoreError } from '../../proxy/store/store.ts';
import { startRedis } from '../servers/index.ts';
import { until } from '../servers/process.ts';
import { account, occupancyOf, room, sessionOf } from '../store/fixture.ts';
import { assert, suite } from '../support/suite.ts';
import { openStore, redisFor, storeFor, targetOf, virtualFixture } from './support.ts';
import { wayTo } from './way.ts';

const test = suite('redis in trouble', { limitMs: 60_000 });
const second = 1000;

/** The message of the error `unavailable` that it must reject with. */
async function unavailable(promise: Promise<unknown>): Promise<string> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.instance(error, StoreError);
  assert.is((error as StoreError).code, 'unavailable');
  return (error as StoreError).message;
}

test('by the real clock too leases and lives end', async (context) => {
  const redis = await redisFor(context);
  const { homes, nodes } = await storeFor(context, targetOf(redis.port));
  await nodes.announce({ id: 'n1', since: 0 }, 60 * second);
  await nodes.announce({ id: 'n2', since: 0 }, 200);
  const first = await homes.claim(account, 'n1', 100);
  const other = await homes.claim('romeo@example.org', 'n2', 60 * second);
  assert.ok(first.granted && other.granted);
  await until('the lease to end', second, async () => (await homes.holder(account)) === undefined);
  await until('the node to expire', second, async () => (await nodes.expired()).includes('n2'));
  assert.is(await homes.holder('romeo@example.org'), undefined);
  const again = await homes.claim(account, 'n1', 60 * second);
  assert.ok(again.granted && again.epoch > first.epoch);
});

test('a script flush in mid-run goes unnoticed', async (context) => {
  const redis = await redisFor(context);
  const { memberships } = await storeFor(context, targetOf(redis.port));
  for (let turn = 0; turn < 20; turn++) {
    const steps = [sessionOf(`a${turn}`), sessionOf(`b${turn}`)].map((one) => memberships.addSession(account, one));
    const flush = redis.cli('script', 'flush');
    await Promise.all([...steps, memberships.setOccupancy(account, occupancyOf()), flush]);
    await memberships.join(account, room, `a${turn}`);
  }
  const { sessions, occupancies } = await memberships.snapshot(account);
  assert.equal([sessions.length, occupancies[0]?.joined.length], [40, 20]);
});

test('with an append-only file all that was acknowledged is there after a crash and a restart', async (context) => {
  const redis = await redisFor(context, { extra: ['appendonly yes', 'appendfsync always'] });
  const { memberships, homes, nodes, connected } = await storeFor(context, targetOf(redis.port));
  await nodes.announce({ id: 'n1', since: 1 }, 60 * second);
  const claim = await homes.claim(account, 'n1', 60 * second);
  const fence = { node: 'n1', epoch: claim.epoch };
  await memberships.addSession(account, sessionOf('s1'));
  await memberships.setOccupancy(account, occupancyOf(), fence);
  await memberships.join(account, room, 's1', fence);
  const before = await memberships.snapshot(account);
  await redis.halt(true);
  await unavailable(memberships.snapshot(account));
  await redis.restart();
  await connected();
  assert.equal(await memberships.snapshot(account), before);
  assert.equal(await homes.holder(account), fence);
  assert.equal(await memberships.accounts('n1'), [account]);
  assert.is(await homes.renew(account, fence, second), true);
});

test('without persistence all is gone, told by each step, and epochs go on growing', async (context) => {
  const redis = await redisFor(context);
  const { memberships, homes, nodes, connected } = await storeFor(context, targetOf(redis.port));
  await nodes.announce({ id: 'n1', since: 1 }, 60 * second);
  const { epoch } = await homes.claim(account, 'n1', 60 * second);
  await redis.restart();
  await connected();
  assert.is(await nodes.heartbeat('n1', second), false);
  const stale = await memberships.setOccupancy(account, occupancyOf(), { node: 'n1', epoch }).catch((error) => error);
  assert.is((stale as StoreError).code, 'stale-home');
  await nodes.announce({ id: 'n2', since: 1 }, 60 * second);
  const next = await homes.claim(account, 'n2', 60 * second);
  assert.ok(next.granted && next.epoch > epoch);
});

test('epochs grow also when the clock of Redis is set back', async ({ after }) => {
  const redis = await startRedis();
  after(() => redis.stop());
  const fixture = await virtualFixture(targetOf(redis.port));
  const { homes, nodes } = await fixture.open();
  after(() => fixture.close());
  let last = 0;
  for (const id of ['n1', 'n2', 'n3']) {
    await nodes.announce({ id, since: 0 }, second);
    const { epoch } = await homes.claim(account, id, second);
    assert.ok(epoch > last);
    last = epoch;
    await homes.release(account, { node: id, epoch });
    await fixture.advance(-3600 * second);
  }
});

test('while Redis is away each step fails at once, and nothing of it is done later', async (context) => {
  const redis = await redisFor(context);
  const way = await wayTo(redis.port, context);
  const log = captureLog();
  const store = await storeFor(context, targetOf(way.port), { log });
  const { memberships } = store;
  await memberships.addSession(account, sessionOf('s1'));
  assert.is(store.trouble, undefined);
  way.cut();
  await until('it to be noticed', second, () => store.trouble !== undefined);
  const started = performance.now();
  for (let step = 0; step < 100; step++) {
    assert.is(await unavailable(memberships.addSession(account, sessionOf('late'))), 'Redis cannot be reached');
  }
  assert.ok(performance.now() - started < second);
  way.mend();
  await store.connected();
  assert.is(store.trouble, undefined);
  assert.equal(
    (await memberships.snapshot(account)).sessions.map(({ id }) => id),
    ['s1'],
  );
  const said = log.lines.map(({ level, message }) => `${level} ${message}`);
  assert.equal(said, ['info redis is connected', 'warn redis cannot be reached', 'info redis is connected']);
});

test('a Redis that does not answer is not waited for, and a connection that leads nowhere is made anew', async (context) => {
  const redis = await redisFor(context);
  const way = await wayTo(redis.port, context);
  const metrics = createMetrics();
  const store = await storeFor(context, targetOf(way.port), { timeoutMs: 200, metrics });
  way.swallow();
  const started = performance.now();
  const steps = Array.from({ length: 50 }, () => unavailable(store.memberships.snapshot(account)));
  for (const message of await Promise.all(steps)) assert.is(message, 'Redis does not answer in time');
  assert.ok(performance.now() - started < 2 * second);
  assert.is(store.trouble, 'Redis does not answer in time.');
  await until('another connection', 20 * second, () => way.made > 1);
  await store.connected();
  await store.memberships.snapshot(account);
  assert.is(store.trouble, undefined);
  assert.match(await metrics.render(), /minimix_redis_errors_total\{reason="timeout"\} 50/);
});

test('a paused Redis that goes on does what it has taken, once', async (context) => {
  const redis = await redisFor(context);
  const store = await storeFor(context, targetOf(redis.port), { timeoutMs: 300 });
  await store.memberships.addSession(account, sessionOf('s0'));
  redis.pause();
  await unavailable(store.memberships.addSession(account, sessionOf('s1')));
  redis.resume();
  await until('it to answer', 5 * second, async () => {
    const { sessions } = await store.memberships.snapshot(account).catch(() => ({ sessions: [] }));
    return sessions.length === 2;
  });
});

test('when memory is full nothing new is taken, which is said, and all else goes on', async (context) => {
  const redis = await redisFor(context);
  const store = await storeFor(context, targetOf(redis.port));
  const { memberships, homes, nodes, bus } = store;
  await nodes.announce({ id: 'n1', since: 0 }, 60 * second);
  await nodes.announce({ id: 'n2', since: 0 }, 60 * second);
  const { epoch } = await homes.claim(account, 'n1', 60 * second);
  const fence = { node: 'n1', epoch };
  const heard: string[] = [];
  await bus.open('n1', { envelope: ({ body }) => void heard.push(body.toString()), gap: () => void heard.push('gap') });
  for (const id of ['s1', 's2', 's3']) await memberships.addSession(account, sessionOf(id));
  await memberships.setOccupancy(account, occupancyOf(), fence);
  for (const id of ['s1', 's2', 's3']) await memberships.join(account, room, id, fence);
  await redis.cli('config', 'set', 'maxmemory-policy', 'noeviction');
  await redis.cli('config', 'set', 'maxmemory', '1');

  const full = 'Redis is out of memory';
  assert.is(await unavailable(memberships.addSession(account, sessionOf('s4'))), full);
  assert.is(store.trouble, `${full}.`);
  assert.is(await unavailable(memberships.setOccupancy(account, occupancyOf('other@c'), fence)), full);
  assert.is(await unavailable(homes.claim('romeo@example.org', 'n1', second)), full);
  assert.is(await unavailable(bus.send('n2', 'n1', Buffer.from('lost'))), full);
  assert.is(await nodes.heartbeat('n1', 60 * second), true);
  assert.is(await homes.renew(account, fence, 60 * second), true);
  assert.equal(await memberships.leave(account, room, 's1', fence), { left: true, remaining: 2 });
  assert.equal((await memberships.removeSession(account, 's2'))?.rooms, [room]);
  const moved = await homes.move(account, fence, 'n2', 60 * second);
  assert.equal((await memberships.snapshot(account)).occupancies[0]?.joined, ['s3']);

  await redis.cli('config', 'set', 'maxmemory', '0');
  const home = { node: 'n2', epoch: moved ?? 0 };
  assert.equal(await homes.holder(account), home);
  assert.ok((await homes.held('n2')).includes(account));
  await memberships.addSession(account, sessionOf('s4'));
  assert.equal(await memberships.join(account, room, 's4', home), { result: 'joined', count: 2 });
  await bus.send('n2', 'n1', Buffer.from('taken'));
  await until('it to be heard', 5 * second, () => heard.length > 0);
  assert.equal(heard, ['taken']);
  assert.is(store.trouble, undefined);
});

test('a refused user is told from a Redis that is away, and no secret is said anywhere', async (context) => {
  const redis = await redisFor(context, { password: 'of the operator' });
  await redis.cli('acl', 'setuser', 'proxy', 'on', '>right', ...redisRights('test:'));
  const log = captureLog();
  const wrong = targetOf(redis.port, { username: 'proxy', password: 'geheim' });
  const opening = openStore(wrong, { log });
  await until('the refusal', 5 * second, () => log.lines.length > 0);
  assert.is(log.lines[0]?.message, 'redis cannot be reached');
  assert.match(JSON.stringify(log.lines), 'WRONGPASS');
  assert.not.match(JSON.stringify(log.lines), 'geheim');
  await redis.cli('acl', 'setuser', 'proxy', '>geheim');
  const store = await opening;
  context.after(() => store.close());
  await redis.cli('acl', 'setuser', 'proxy', '-hset');
  const message = await unavailable(store.memberships.addSession(account, sessionOf('s1')));
  assert.is(message, 'Redis refuses this user or what it does');
  assert.is(store.trouble, `${message}.`);
});

test('where a name leads to another Redis after a fail-over, the connection to what is a replica now is given up', async (context) => {
  const old = await redisFor(context);
  const next = await redisFor(context);
  const way = await wayTo(old.port, context);
  const store = await storeFor(context, targetOf(way.port));
  await store.memberships.addSession(account, sessionOf('s1'));
  await next.cli('replicaof', '127.0.0.1', String(old.port));
  await until('the replica to have all', 20 * second, async () => /link_status:up/.test(await next.cli('info')));
  await next.cli('replicaof', 'no', 'one');
  way.leadTo(next.port);
  await old.cli('replicaof', '127.0.0.1', String(next.port));
  assert.is(await unavailable(store.memberships.addSession(account, sessionOf('s2'))), 'this Redis is a replica');
  await store.connected();
  await store.memberships.addSession(account, sessionOf('s2'));
  assert.is((await store.memberships.snapshot(account)).sessions.length, 2);
});

test.run();
