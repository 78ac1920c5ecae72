/** The store and the bus while a Redis Cluster loses a master, and while slots move between masters (C2, C6). */
import { StoreError } from '../../proxy/store/store.ts';
import { startRedisCluster } from '../servers/index.ts';
import { until } from '../servers/process.ts';
import { occupancyOf, room, sessionOf } from '../store/fixture.ts';
import { assert, suite } from '../support/suite.ts';
import { openStore, targetOf } from './support.ts';

const test = suite('redis cluster in trouble', { limitMs: 180_000 });
const second = 1000;
const names = Array.from({ length: 30 }, (_, index) => `user${index}@example.org`);

async function codeOf(promise: Promise<unknown>): Promise<string> {
  const error = await promise.catch((reason: unknown) => reason);
  return error instanceof StoreError ? error.code : 'none';
}

test('a master that dies is replaced by its replica; what concerns the others goes on meanwhile', async ({ after }) => {
  const cluster = await startRedisCluster({ replicas: true });
  after(() => cluster.stop());
  const nodes = cluster.masters.slice(1).map(({ port }) => ({ host: '127.0.0.1', port }));
  const store = await openStore(targetOf(0, { nodes, isCluster: true }), { timeoutMs: 500 });
  after(() => store.close());
  const { homes, memberships } = store;
  await store.nodes.announce({ id: 'n1', since: 0 }, 300 * second);
  const heard: string[] = [];
  const handler = {
    envelope: ({ body }: { body: Buffer }) => void heard.push(`${body}`),
    gap: () => void heard.push('gap'),
  };
  const inboxes = ['n1', 'n2', 'n3', 'n4', 'n5', 'n6', 'n7', 'n8'];
  for (const id of inboxes) await store.bus.open(id, handler);
  const claims = new Map<string, number>();
  for (const name of names) {
    claims.set(name, (await homes.claim(name, 'n1', 300 * second)).epoch);
    await memberships.addSession(name, sessionOf('s1'));
    await memberships.setOccupancy(name, occupancyOf());
  }
  const sizes = await Promise.all(cluster.masters.map((master) => master.cli('dbsize')));
  assert.ok(
    sizes.every((size) => Number(size) > 10),
    `keys on all masters: ${sizes}`,
  );
  // Redis tells a client before the replica has it.
  await until('the replicas to have all', 10 * second, async () => {
    const states = await Promise.all(cluster.masters.map((master) => master.cli('info', 'replication')));
    return states.every((state) => /offset=(\d+)/.exec(state)?.[1] === /master_repl_offset:(\d+)/.exec(state)?.[1]);
  });

  await cluster.masters[0]?.halt(true);
  const codes = await Promise.all(names.map((name) => codeOf(memberships.snapshot(name))));
  assert.ok(codes.includes('none') && codes.includes('unavailable'), codes.join());
  assert.is.not(store.trouble, undefined);
  await until('the replica to serve', 60 * second, async () => {
    const now = await Promise.all(names.map((name) => codeOf(memberships.snapshot(name))));
    return now.every((code) => code === 'none');
  });
  for (const name of names) {
    assert.equal(await memberships.join(name, room, 's1', { node: 'n1', epoch: claims.get(name) ?? 0 }), {
      result: 'joined',
      count: 1,
    });
  }
  for (const id of inboxes) {
    await until(
      `the inbox of ${id}`,
      20 * second,
      async () => (await codeOf(store.bus.send('s', id, Buffer.from(id)))) === 'none',
    );
  }
  await until('all to be heard', 20 * second, () => inboxes.every((id) => heard.includes(id)));
  assert.ok(heard.includes('gap'), 'a replica may be behind');
  await until('it to be well', 10 * second, () => store.trouble === undefined);
});

test('slots that move to another master take their accounts along, in the middle of work', async ({ after }) => {
  const cluster = await startRedisCluster();
  after(() => cluster.stop());
  const [from, to] = cluster.masters;
  if (!from || !to) throw new Error('no masters');
  const nodes = [{ host: '127.0.0.1', port: from.port }];
  const store = await openStore(targetOf(0, { nodes, isCluster: true }));
  after(() => store.close());
  const { memberships } = store;
  const heard: string[] = [];
  await store.bus.open('n1', { envelope: ({ body }) => void heard.push(`${body}`), gap: () => void heard.push('gap') });
  for (const name of names) await memberships.setOccupancy(name, occupancyOf());
  let isDone = false;
  const moving = from
    .cli('cluster', 'myid')
    .then(async (source) => {
      const target = await to.cli('cluster', 'myid');
      const what = ['--cluster-from', source, '--cluster-to', target, '--cluster-slots', '5000', '--cluster-yes'];
      await from.cli('--cluster', 'reshard', `127.0.0.1:${from.port}`, ...what, '--cluster-pipeline', '100');
    })
    .finally(() => {
      isDone = true;
    });
  const failed = new Set<string>();
  let turn = 0;
  const sent: string[] = [];
  for (; !isDone || turn < 20; turn++) {
    for (const name of names) {
      const code = await codeOf(memberships.addSession(name, sessionOf(`s${turn}`)));
      if (code !== 'none') failed.add(`${name} ${turn}`);
    }
    if ((await codeOf(store.bus.send('s', 'n1', Buffer.from(String(turn))))) === 'none') sent.push(String(turn));
  }
  await moving;
  const size = Number(await from.cli('dbsize'));
  assert.is(size, 0, 'all of its slots but a few have moved');
  for (const name of names) {
    const ids = new Set((await memberships.snapshot(name)).sessions.map(({ id }) => id));
    for (let done = 0; done < turn; done++) {
      assert.ok(ids.has(`s${done}`) || failed.has(`${name} ${done}`), `${name} s${done}`);
    }
  }
  await until('all to be heard', 20 * second, () => heard.at(-1) === sent.at(-1));
  assert.equal(
    heard.filter((body) => body !== 'gap'),
    sent,
  );
});

test.run();
