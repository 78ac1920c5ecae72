/** Logs that are to be forgotten while the store is away: they are, once, and never what was written in their place. */
import { setTimeout as delay } from 'node:timers/promises';
import { silentLog } from '../../proxy/ops/log.ts';
import { createMetrics } from '../../proxy/ops/metrics.ts';
import type { Logs } from '../../proxy/store/logs.ts';
import { createMemoryStore } from '../../proxy/store/memory.ts';
import { type Fence, StoreError, type StoreErrorCode } from '../../proxy/store/store.ts';
import { SureLogs } from '../../proxy/store/sure-logs.ts';
import { assert, suite, type TestContext } from '../support/suite.ts';
import { account, room } from './fixture.ts';

const test = suite('logs that are to be forgotten');
const day = 86_400_000;
const whole = (text: string) => ({ had: undefined, added: [Buffer.from(text)], changed: [], keep: 9 });

/** How long a node lives without a sign (ms). */
const LIFE_MS = 1000;

function setUp({ after }: TestContext) {
  const clock = { now: 0 };
  const { logs: inner, homes, nodes } = createMemoryStore({ now: () => clock.now });
  const state: { fault: StoreErrorCode | undefined; forgets: number } = { fault: undefined, forgets: 0 };
  /** Of accounts that are at home here. */
  const fences = new Map<string, Fence>();
  const refuse = (): void => {
    if (state.fault) throw new StoreError(state.fault, 'away');
  };
  const faulty: Logs = {
    write: async (...args) => {
      refuse();
      return inner.write(...args);
    },
    read: (...args) => inner.read(...args),
    forget: async (...args) => {
      state.forgets += 1;
      refuse();
      return inner.forget(...args);
    },
  };
  const deps = { log: silentLog, metrics: createMetrics(), homes, fenceOf: (name: string) => fences.get(name) };
  const logs = new SureLogs(faulty, deps);
  after(() => logs.close());
  const stored = async () => (await inner.read(account, room)).map(String);
  const forget = (fence?: Fence) => logs.forget(account, room, fence).catch((error: StoreError) => error.code);
  const untilStored = async (text: string): Promise<void> => {
    while ((await stored()).join() !== text) await delay(10);
  };
  /** The node, which lives from now on, is the account's home. */
  const claim = async (node: string): Promise<Fence> => {
    await nodes.announce({ id: node, since: 0 }, LIFE_MS);
    const claimed = await homes.claim(account, node, LIFE_MS);
    assert.ok(claimed.granted);
    return { node, epoch: claimed.epoch };
  };
  return { logs, state, clock, fences, homes, stored, forget, untilStored, claim };
}

test('they are empty for whoever reads, and gone when the store is back', async (context) => {
  const { logs, state, stored, forget, untilStored } = setUp(context);
  await logs.write(account, room, whole('a'), day);
  state.fault = 'unavailable';
  assert.is(await forget(), 'unavailable');
  assert.equal([await logs.read(account, room), await stored()], [[], ['a']]);
  await delay(700);
  state.fault = undefined;
  await untilStored('');
  const { forgets } = state;
  assert.ok(forgets >= 2);
  await delay(700);
  assert.is(state.forgets, forgets);
});

test('what was written in their place stays', async (context) => {
  const { logs, state, stored, forget } = setUp(context);
  await logs.write(account, room, whole('a'), day);
  state.fault = 'unavailable';
  await forget();
  state.fault = undefined;
  const more = { had: 1, added: [Buffer.from('x')], changed: [], keep: 9 };
  assert.is(await logs.write(account, room, more, day), false);
  assert.ok(await logs.write(account, room, whole('b'), day));
  assert.ok(await logs.write(account, room, { ...more, added: [Buffer.from('c')] }, day));
  await delay(700);
  assert.equal(await stored(), ['b', 'c']);
});

test('what could not be written in their place does not save them', async (context) => {
  const { logs, state, forget, untilStored } = setUp(context);
  await logs.write(account, room, whole('a'), day);
  state.fault = 'unavailable';
  await forget();
  assert.equal(
    await logs.write(account, room, whole('b'), day).catch((error: StoreError) => error.code),
    'unavailable',
  );
  state.fault = undefined;
  await untilStored('');
});

test('a store that was away for longer than it believes a node alive forgets for an account that has ended', async (context) => {
  const { logs, state, clock, stored, forget, untilStored, claim } = setUp(context);
  const fence = await claim('n1');
  await logs.write(account, room, whole('a'), day, fence);
  state.fault = 'unavailable';
  assert.is(await forget(fence), 'unavailable');
  clock.now += LIFE_MS + 1;
  state.fault = undefined;
  await untilStored('');
  const { forgets } = state;
  await delay(1200);
  assert.equal([await stored(), state.forgets], [[], forgets]);
});

test('so it does for one that is at home here, by its claim of now, as soon as there is one', async (context) => {
  const { logs, state, clock, fences, homes, stored, forget, untilStored, claim } = setUp(context);
  const fence = await claim('n1');
  fences.set(account, fence);
  await logs.write(account, room, whole('a'), day, fence);
  state.fault = 'unavailable';
  await forget(fence);
  clock.now += LIFE_MS + 1;
  state.fault = undefined;
  await delay(700);
  // That of then is not asked for by anybody.
  assert.equal([await stored(), await logs.read(account, room)], [['a'], []]);
  fences.set(account, await claim('n2'));
  await untilStored('');
  assert.is((await homes.holder(account))?.node, 'n2');
});

test('what another home has by now is left to it', async (context) => {
  const { logs, state, clock, stored, forget, claim } = setUp(context);
  const fence = await claim('n1');
  await logs.write(account, room, whole('a'), day, fence);
  state.fault = 'unavailable';
  await forget(fence);
  clock.now += LIFE_MS + 1;
  const other = await claim('n2');
  state.fault = undefined;
  await delay(1200);
  const { forgets } = state;
  await logs.write(account, room, { had: 1, added: [Buffer.from('b')], changed: [], keep: 9 }, day, other);
  await delay(1200);
  assert.equal([await stored(), state.forgets], [['a', 'b'], forgets]);
  assert.is(await forget(fence), 'stale-home');
  assert.equal((await logs.read(account, room)).map(String), ['a', 'b']);
});

test('when the process ends nothing is tried again', async (context) => {
  const { logs, state, stored, forget } = setUp(context);
  await logs.write(account, room, whole('a'), day);
  state.fault = 'unavailable';
  await forget();
  logs.close();
  await forget();
  state.fault = undefined;
  await delay(700);
  assert.equal([state.forgets, await stored()], [2, ['a']]);
});

test.run();
