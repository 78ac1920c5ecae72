/** A process among the others: whom it has heard of, it notices the end of. */
import { silentLog } from '../../../proxy/ops/log.ts';
import { createMetrics } from '../../../proxy/ops/metrics.ts';
import { ClusterNode } from '../../../proxy/runtime/cluster/node.ts';
import type { NodeHandler } from '../../../proxy/runtime/cluster/node-handler.ts';
import { createMemoryStore } from '../../../proxy/store/memory.ts';
import { cuttable } from '../../support/cut-store.ts';
import { assert, suite } from '../../support/suite.ts';

const test = suite('a node');

const nothing = (): void => {};
/** What happens to a node is nobody's concern. */
const quiet: NodeHandler = {
  message: nothing,
  gap: nothing,
  lost: nothing,
  unreachable: nothing,
  recovered: nothing,
  lookedAround: nothing,
};

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
    await node.start({
      ...quiet,
      message: (from) => void heard.push(from),
      lost: (gone) => void lost.push(`${gone} by ${id}`),
    });
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
    await node.start(quiet);
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
  await node.start(quiet);
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

/** A node whose signs of life are answered when the gate is open; in between they have arrived. */
async function gated(lifeMs: number) {
  const store = createMemoryStore({ now: () => performance.now() });
  const waiting: (() => void)[] = [];
  let isOpen = true;
  let recoveries = 0;
  const heartbeat: typeof store.nodes.heartbeat = async (...step) => {
    const isKnown = await store.nodes.heartbeat(...step);
    if (!isOpen) await new Promise<void>((resolve) => waiting.push(resolve));
    return isKnown;
  };
  const node = new ClusterNode({
    store: { ...store, nodes: { ...store.nodes, heartbeat } },
    log: silentLog,
    metrics: createMetrics(),
    lifeMs,
    newId: () => 'n',
  });
  await node.start({
    ...quiet,
    recovered: () => {
      recoveries += 1;
    },
  });
  const close = (): void => {
    isOpen = false;
  };
  /** One of those that wait is answered, the others not yet. */
  const answer = async (index: number): Promise<void> => {
    waiting.splice(index, 1)[0]?.();
    await new Promise(setImmediate);
  };
  const open = async (): Promise<void> => {
    isOpen = true;
    while (waiting.length > 0) await answer(0);
  };
  return { node, waiting, close, answer, open, recoveries: () => recoveries };
}

const pause = (ms: number): Promise<unknown> => new Promise((resolve) => setTimeout(resolve, ms));

test('a doubt that begins and ends within one beat is told of: who has waited since is not left waiting', async () => {
  const { node, close, open, recoveries } = await gated(1200);
  await pause(200);
  close();
  const beat = node.beat();
  while (node.isSure) await pause(5);
  await open();
  await beat;
  assert.ok(node.isSure);
  assert.is(recoveries(), 1);
  await node.beat();
  assert.is(recoveries(), 1);
  await node.stop();
});

test('what is given between two beats keeps a node alive, and takes no doubt away that a beat has to tell of', async () => {
  const { node, waiting, close, answer, open, recoveries } = await gated(1200);
  close();
  const beat = node.beat();
  while (node.isSure) await pause(5);
  assert.ok(waiting.length > 1);
  await answer(waiting.length - 1);
  assert.is(node.isSure, false);
  await open();
  await beat;
  await node.beat();
  assert.ok(node.isSure && recoveries() > 0);
  await node.stop();
});

test('a sign of life that is answered late takes nothing back of what a later one has shown', async () => {
  const lifeMs = 1200;
  const { node, waiting, close, answer, open, recoveries } = await gated(lifeMs);
  const sureAnyway = performance.now() + 0.8 * lifeMs;
  close();
  const beat = node.beat();
  // The second is given by the clock, as the first is not answered.
  while (waiting.length < 2) await pause(5);
  const begun = performance.now();
  await answer(1);
  await answer(0);
  await beat;
  while (performance.now() < sureAnyway + 50) await pause(5);
  assert.ok(begun + 0.8 * lifeMs > performance.now() && node.isSure);
  await open();
  assert.is(recoveries(), 0);
  await node.stop();
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
    ...quiet,
    recovered: () => {
      recoveries += 1;
    },
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
