/** Logs that are to be forgotten while the store is away: they are, once, and never what was written in their place. */
import { setTimeout as delay } from 'node:timers/promises';
import { silentLog } from '../../proxy/ops/log.ts';
import { createMetrics } from '../../proxy/ops/metrics.ts';
import type { Logs } from '../../proxy/store/logs.ts';
import { createMemoryStore } from '../../proxy/store/memory.ts';
import { StoreError, type StoreErrorCode } from '../../proxy/store/store.ts';
import { SureLogs } from '../../proxy/store/sure-logs.ts';
import { assert, suite, type TestContext } from '../support/suite.ts';
import { account, room } from './fixture.ts';

const test = suite('logs that are to be forgotten');
const day = 86_400_000;
const whole = (text: string) => ({ had: undefined, added: [Buffer.from(text)], changed: [], keep: 9 });

function setUp({ after }: TestContext) {
  const { logs: inner } = createMemoryStore({ now: () => 0 });
  const state: { fault: StoreErrorCode | undefined; forgets: number } = { fault: undefined, forgets: 0 };
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
  const logs = new SureLogs(faulty, { log: silentLog, metrics: createMetrics() });
  after(() => logs.close());
  const stored = async () => (await inner.read(account, room)).map(String);
  const forget = () => logs.forget(account, room).catch((error: StoreError) => error.code);
  const untilStored = async (text: string): Promise<void> => {
    while ((await stored()).join() !== text) await delay(10);
  };
  return { logs, state, stored, forget, untilStored };
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

test('where another home sees to the account, and when the process ends, nothing is tried again', async (context) => {
  const { logs, state, stored, forget } = setUp(context);
  await logs.write(account, room, whole('a'), day);
  state.fault = 'stale-home';
  assert.is(await forget(), 'stale-home');
  assert.equal((await logs.read(account, room)).map(String), ['a']);
  state.fault = 'unavailable';
  await forget();
  logs.close();
  await forget();
  state.fault = undefined;
  await delay(700);
  assert.equal([state.forgets, await stored()], [3, ['a']]);
});

test.run();
