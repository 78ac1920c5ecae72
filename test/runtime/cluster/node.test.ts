/** A process among the others: whom it has heard of, it notices the end of. */
import { silentLog } from '../../../proxy/ops/log.ts';
import { createMetrics } from '../../../proxy/ops/metrics.ts';
import { ClusterNode, type NodeHandler } from '../../../proxy/runtime/cluster/node.ts';
import { createMemoryStore } from '../../../proxy/store/memory.ts';
import { cuttable } from '../../support/cut-store.ts';
import { assert, suite } from '../../support/suite.ts';

const test = suite('a node');

test('a node that spoke up and died between two looks is found lost', async () => {
  const store = createMemoryStore({ now: () => performance.now() });
  const lost: string[] = [];
  const heard: string[] = [];
  const start = async (id: string): Promise<ClusterNode> => {
    const node = new ClusterNode({
      store,
      log: silentLog,
      metrics: createMetrics(),
      lifeMs: 3_600_000,
      newId: () => id,
    });
    const handler: NodeHandler = {
      message: (from) => void heard.push(from),
      gap: () => {},
      lost: (gone) => void lost.push(`${gone} by ${id}`),
      unreachable: () => {},
      recovered: () => {},
      lookedAround: () => {},
    };
    await node.start(handler);
    return node;
  };
  const one = await start('one');
  const other = await start('other');
  other.send('one', { kind: 'detach', account: 'a', channel: 'c' });
  await new Promise(setImmediate);
  assert.equal(heard, ['other']);
  await other.stop();
  await one.beat();
  assert.equal(lost, ['other by one']);
  await one.stop();
});

test('which nodes have keys, and which of them do not stop, the others know', async () => {
  const store = createMemoryStore({ now: () => performance.now() });
  const start = async (id: string, keys?: string[]): Promise<ClusterNode> => {
    const opens = keys && (() => keys);
    const options = { store, log: silentLog, metrics: createMetrics(), lifeMs: 3_600_000, newId: () => id, opens };
    const node = new ClusterNode(options);
    const nothing = (): void => {};
    await node.start({
      message: nothing,
      gap: nothing,
      lost: nothing,
      unreachable: nothing,
      recovered: nothing,
      lookedAround: nothing,
    });
    return node;
  };
  const one = await start('one');
  const knows = async (key: string) => {
    await one.beat();
    return [one.isKeyNear, one.peerWith(key)];
  };
  assert.equal(await knows('a'), [false, undefined]);
  const keys = ['a'];
  const other = await start('other', keys);
  assert.equal(await knows('a'), [true, 'other']);
  assert.equal(await knows('b'), [true, undefined]);
  keys.unshift('b');
  await other.keysChanged();
  assert.equal(await knows('b'), [true, 'other']);
  await other.withdraw();
  assert.equal(await knows('b'), [false, undefined]);
  assert.equal([...one.peers], ['other']);
  await Promise.all([one.stop(), other.stop()]);
});

test('a node that takes long to look around, as it cleans up behind others, is not held for dead', async () => {
  const store = createMemoryStore({ now: () => performance.now() });
  const lifeMs = 400;
  let isSlow = false;
  const alive = async (): ReturnType<typeof store.nodes.alive> => {
    if (isSlow) await new Promise((resolve) => setTimeout(resolve, 3 * lifeMs));
    return store.nodes.alive();
  };
  const ids: string[] = [];
  const node = new ClusterNode({
    store: { ...store, nodes: { ...store.nodes, alive } },
    log: silentLog,
    metrics: createMetrics(),
    lifeMs,
    newId: () => {
      ids.push(`n${ids.length}`);
      return `n${ids.length - 1}`;
    },
  });
  const nothing = (): void => {};
  await node.start({
    message: nothing,
    gap: nothing,
    lost: nothing,
    unreachable: nothing,
    recovered: nothing,
    lookedAround: nothing,
  });
  isSlow = true;
  await node.beat();
  assert.equal(
    (await store.nodes.alive()).map(({ id }) => id),
    ['n0'],
  );
  assert.ok(node.isSure);
  isSlow = false;
  await node.beat();
  await node.stop();
  assert.equal(ids, ['n0']);
});

test('a node that begins while the store is away is known as soon as that is there', async () => {
  const store = createMemoryStore({ now: () => performance.now() });
  let isCut = true;
  const ids: string[] = [];
  const node = new ClusterNode({
    store: cuttable(store, () => isCut),
    log: silentLog,
    metrics: createMetrics(),
    // Its heart beats once in a quarter of that.
    lifeMs: 3_600_000,
    newId: () => {
      ids.push(`n${ids.length}`);
      return `n${ids.length - 1}`;
    },
  });
  let recoveries = 0;
  await node.start({
    message: () => {},
    gap: () => {},
    lost: () => {},
    unreachable: () => {},
    recovered: () => {
      recoveries += 1;
    },
    lookedAround: () => {},
  });
  assert.is(node.isReached, false);
  await new Promise((resolve) => setTimeout(resolve, 600));
  assert.equal(await store.nodes.alive(), []);
  isCut = false;
  const end = performance.now() + 5000;
  while (!node.isReached && performance.now() < end) await new Promise((resolve) => setTimeout(resolve, 10));
  assert.equal(
    (await store.nodes.alive()).map(({ id }) => id),
    ['n0'],
    'nobody has held it for dead',
  );
  assert.is(recoveries, 1);
  await node.stop();
});

test.run();
