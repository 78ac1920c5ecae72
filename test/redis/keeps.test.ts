/** What the store keeps in Redis, for how long, and that its lists by node are right. */
import { silentLog } from '../../proxy/ops/log.ts';
import { createMetrics } from '../../proxy/ops/metrics.ts';
import { NodeIndex } from '../../proxy/store/redis-index.ts';
import { RedisLink } from '../../proxy/store/redis-link.ts';
import { loadScripts } from '../../proxy/store/redis-scripts.ts';
import { until } from '../servers/process.ts';
import { account, occupancyOf, room, sessionOf } from '../store/fixture.ts';
import { assert, suite } from '../support/suite.ts';
import { redisFor, storeFor, targetOf } from './support.ts';

const test = suite('redis keeps', { limitMs: 60_000 });
const second = 1000;

test('everything has an expiry, and of an account that is gone nothing is left but its epoch', async (context) => {
  const redis = await redisFor(context);
  const store = await storeFor(context, targetOf(redis.port), { keepMs: 3600 * second });
  const { memberships, homes, nodes, bus, cursors, hibernations, vault } = store;
  await nodes.announce({ id: 'n1', since: 0 }, 60 * second);
  await nodes.announce({ id: 'n2', since: 0 }, 60 * second);
  const inbox = await bus.open('n1', { envelope: () => {}, gap: () => {} });
  await bus.send('n2', 'n1', Buffer.from('x'));
  const { epoch } = await homes.claim(account, 'n1', 60 * second);
  await memberships.addSession(account, sessionOf('s1'));
  await memberships.setOccupancy(account, occupancyOf());
  await memberships.join(account, room, 's1');
  await vault.put(account, 'sealed');
  await vault.orphan(account, 0);
  const cursor = new Map([[room, { key: 'x', at: 1 }]]);
  await cursors.note(account, 'phone', cursor, 60 * second);
  await hibernations.put('sleeping', { account, session: 's0', state: 'x' }, 60 * second);
  const keys = async (): Promise<string[]> => (await redis.cli('keys', '*')).split('\n').sort();
  const all = await keys();
  assert.is(all.length, 12, all.join(' '));
  for (const key of all) {
    const ttl = Number(await redis.cli('pttl', key));
    assert.ok(ttl > 0 && ttl <= 3600 * second, `${key} ${ttl}`);
  }
  await memberships.removeSession(account, 's1');
  await memberships.endOccupancy(account, room);
  await vault.adopt(account);
  await homes.release(account, { node: 'n1', epoch });
  await inbox.close();
  await cursors.note(account, 'phone', new Map(), 60 * second);
  await hibernations.take('sleeping');
  assert.equal(await keys(), ['test:nodes', `test:{${account}}:home`]);
  assert.equal((await redis.cli('hkeys', `test:{${account}}:home`)).trim(), 'epoch');
  await homes.claim(account, 'n2', 60 * second);
  const next = await bus.open('n2', { envelope: () => {}, gap: () => {} });
  // As a node that stops does; while it is open the inbox is looked after.
  await next.close();
  for (const id of ['n1', 'n2']) await nodes.remove(id);
  assert.equal(await keys(), [`test:{${account}}:home`]);
});

test('an account whose home has moved, or has lapsed and is claimed by another, is on the list of the new one alone', async (context) => {
  const redis = await redisFor(context);
  const { homes, nodes } = await storeFor(context, targetOf(redis.port));
  for (const id of ['n1', 'n2', 'n3']) await nodes.announce({ id, since: 0 }, 60 * second);
  await homes.claim(account, 'n1', 1);
  await until('another to be granted it', second, async () => (await homes.claim(account, 'n2', 60 * second)).granted);
  assert.equal([await homes.held('n1'), await homes.held('n2')], [[], [account]]);
  const fence = await homes.holder(account);
  await homes.move(account, fence ?? { node: '', epoch: 0 }, 'n3', 60 * second);
  assert.equal([await homes.held('n2'), await homes.held('n3')], [[], [account]]);
});

test('of an account only so many devices are known, those that were noted last', async (context) => {
  const redis = await redisFor(context);
  const { cursors } = await storeFor(context, targetOf(redis.port));
  const cursor = new Map([[room, { key: 'x', at: 1 }]]);
  for (let device = 0; device < 103; device++) await cursors.note(account, `d${device}`, cursor, 60 * second);
  assert.is(await redis.cli('hlen', `test:{${account}}:cursors`), '100');
  assert.equal((await cursors.read(account, 'd2')).size, 0);
  assert.equal(await cursors.read(account, 'd3'), cursor);
  // A device whose time is over makes room, and a shorter time does not end that of others.
  await cursors.note(account, 'short', cursor, 1);
  assert.ok(Number(await redis.cli('pttl', `test:{${account}}:cursors`)) > 30 * second);
  await until('it to be over', second, async () => (await cursors.read(account, 'short')).size === 0);
  await cursors.note(account, 'next', cursor, Number.POSITIVE_INFINITY);
  assert.equal(await cursors.read(account, 'd4'), cursor);
  assert.equal(await cursors.read(account, 'next'), cursor);
});

test('of steps that put an account on a list and take it off, the later one counts, in whatever order they come', async (context) => {
  const redis = await redisFor(context);
  const options = { target: targetOf(redis.port), log: silentLog, metrics: createMetrics(), timeoutMs: second };
  const link = new RedisLink(options);
  context.after(() => link.close());
  await link.connected();
  const index = new NodeIndex(link, loadScripts(), 60 * second);
  await index.add('list', account, '5000000000000001');
  await index.remove('list', account, '5000000000000000');
  assert.equal(await index.all('list'), [account]);
  await index.add('list', account, '4000000000000000');
  await index.remove('list', account, '4500000000000000');
  assert.equal(await index.all('list'), [account], 'an addition that comes late does not make it earlier');
  await index.remove('list', account, '5000000000000001');
  assert.equal(await index.all('list'), []);
});

test('lists by node hold exactly who is there once all has settled, however steps race', async (context) => {
  const redis = await redisFor(context);
  const views = [await storeFor(context, targetOf(redis.port)), await storeFor(context, targetOf(redis.port))];
  const view = (index: number) => views[index % views.length] as (typeof views)[number];
  const work: Promise<unknown>[] = [];
  const last = new Map<string, boolean>();
  for (let turn = 0; turn < 2000; turn++) {
    const name = `a${turn % 7}`;
    const id = `s${turn % 3}`;
    const isAdded = (turn * 7919) % 5 < 3;
    const { memberships } = view(turn);
    work.push(isAdded ? memberships.addSession(name, sessionOf(id)) : memberships.removeSession(name, id));
    last.set(name, isAdded);
    if (turn % 50 === 0) await Promise.all(work.splice(0));
  }
  await Promise.all(work);
  const { memberships } = view(0);
  const listed = await memberships.accounts('n1');
  for (const name of last.keys()) {
    const { sessions } = await memberships.snapshot(name);
    if (sessions.length > 0) assert.ok(listed.includes(name), name);
    // One more step, with nothing beside it, and the list is exact.
    await memberships.addSession(name, sessionOf('last'));
    for (const { id } of [...sessions, { id: 'last' }]) await memberships.removeSession(name, id);
  }
  assert.equal(await memberships.accounts('n1'), []);
  // A session that another node has now, under its id or under its JID, is off the list of the first.
  await memberships.addSession(account, sessionOf('s1', 'n1'));
  await memberships.addSession(account, sessionOf('s1', 'n2'));
  assert.equal(await memberships.accounts('n1'), []);
  await memberships.addSession(account, sessionOf('s3', 'n3', 'r-s1'));
  assert.equal([await memberships.accounts('n2'), await memberships.accounts('n3')], [[], [account]]);
});

test.run();
