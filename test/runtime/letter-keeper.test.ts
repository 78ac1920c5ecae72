/** Letters for a session to come, on their way to the store and back. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Input } from '../../proxy/core/inputs.ts';
import { Services } from '../../proxy/core/services.ts';
import { createAccountState } from '../../proxy/core/state.ts';
import { silentLog } from '../../proxy/ops/log.ts';
import { createMetrics } from '../../proxy/ops/metrics.ts';
import { LetterKeeper } from '../../proxy/runtime/letter-keeper.ts';
import { createMemoryStore } from '../../proxy/store/memory.ts';
import { StoreError } from '../../proxy/store/store.ts';
import { parseStanza } from '../../proxy/xml/stanza.ts';
import { BARE, settings } from '../core/world.ts';
import { assert, suite } from '../support/suite.ts';

const test = suite('letters on their way to the store');

type Logs = ReturnType<typeof createMemoryStore>['logs'];

function setUp(logs: Logs = createMemoryStore({ now: () => 0 }).logs) {
  const state = createAccountState(BARE, 'm-', { ...settings, keepsLogs: true }, new Services());
  const inputs: Input[] = [];
  const store = { isAway: false };
  const refuse = (): void => {
    if (store.isAway) throw new StoreError('unavailable', 'away');
  };
  const shaky: Logs = {
    ...logs,
    write: async (...args) => {
      refuse();
      return logs.write(...args);
    },
    read: async (...args) => {
      refuse();
      return logs.read(...args);
    },
  };
  const deps = { logs: shaky, log: silentLog, metrics: createMetrics() };
  const keeper = new LetterKeeper(state, deps, undefined, (input) => void inputs.push(input));
  const keep = (id: string, at: number): void => {
    state.kept.push({ stanza: parseStanza(`<message from='bob@test/x' id='${id}'><body>1</body></message>`), at });
    keeper.note();
  };
  const read = (): (string | number | undefined)[][] =>
    inputs.map((input) => {
      assert.ok(input.kind === 'letters-read');
      return input.letters.flatMap(({ text, at }) => [/id='(\w+)'/.exec(text.toString())?.[1], at]);
    });
  return { keeper, state, keep, read, store, logs };
}

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await delay(10);
}

test('letters lie in the store as they are kept, and are read from there by the next home', async () => {
  const first = setUp();
  first.keep('one', 7);
  first.keeper.flush();
  await delay(1);
  const next = setUp(first.logs);
  await next.keeper.read();
  assert.equal(next.read(), [['one', 7]]);
  first.state.kept.pop();
  first.keeper.note();
  first.keeper.flush();
  await delay(1);
  await next.keeper.read();
  assert.equal(next.read()[1], []);
});

test('letters that a store which is away did not take are written when it is back', async () => {
  const { keeper, keep, store, logs } = setUp();
  store.isAway = true;
  keep('one', 7);
  keeper.flush();
  await delay(1);
  store.isAway = false;
  assert.equal(await logs.read(BARE, ' letters'), []);
  let count = 0;
  await until(() => {
    void logs.read(BARE, ' letters').then((letters) => {
      count = letters.length;
    });
    return count > 0;
  });
  assert.is(count, 1);
  keeper.stop();
});

test('what a store which is away may have is read when it is back, and nothing is written over it before', async () => {
  const first = setUp();
  first.keep('one', 7);
  first.keeper.flush();
  await delay(1);
  const next = setUp(first.logs);
  next.store.isAway = true;
  const reading = next.keeper.read();
  await delay(1);
  next.store.isAway = false;
  next.keep('two', 8);
  next.keeper.flush();
  await delay(1);
  assert.is((await first.logs.read(BARE, ' letters')).length, 1);
  await reading;
  assert.equal(next.read(), [['one', 7]]);
  next.keeper.stop();
  await delay(1);
  assert.is((await first.logs.read(BARE, ' letters'))[0]?.includes("'two'"), true);
});

test.run();
