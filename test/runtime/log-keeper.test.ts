/** Stanza logs on their way to the store: one step for what happens together, and the whole log where a step may have failed. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Input } from '../../proxy/core/inputs.ts';
import { createOccupancy } from '../../proxy/core/occupancy.ts';
import { Services } from '../../proxy/core/services.ts';
import { createAccountState } from '../../proxy/core/state.ts';
import { silentLog } from '../../proxy/ops/log.ts';
import { createMetrics } from '../../proxy/ops/metrics.ts';
import { LogKeeper } from '../../proxy/runtime/log-keeper.ts';
import type { LogStep } from '../../proxy/store/logs.ts';
import { createMemoryStore } from '../../proxy/store/memory.ts';
import { StoreError } from '../../proxy/store/store.ts';
import type { BareKey } from '../../proxy/xml/address.ts';
import { parseStanza } from '../../proxy/xml/stanza.ts';
import { BARE, ROOM, settings } from '../core/world.ts';
import { assert, suite } from '../support/suite.ts';

const test = suite('stanza logs on their way to the store');
const key = ROOM as BareKey;

function setUp(
  historyStanzas = 5,
  logs = createMemoryStore({ now: () => 0 }).logs,
  onInput: (input: Input) => void = () => {},
) {
  const state = createAccountState(BARE, 'm-', { ...settings, historyStanzas, keepsLogs: true }, new Services());
  const room = createOccupancy(key, ROOM, 'alice', state.settings);
  room.phase = 'joined';
  state.rooms.set(key, room);
  const steps: LogStep[] = [];
  const faults: string[] = [];
  const kept: typeof logs = {
    ...logs,
    write: async (account, name, step, ttlMs, fence) => {
      steps.push(step);
      const fault = faults.shift();
      if (fault === 'before') throw new StoreError('unavailable', 'away');
      const isTaken = await logs.write(account, name, step, ttlMs, fence);
      if (fault === 'behind') throw new StoreError('unavailable', 'away');
      return isTaken;
    },
  };
  const deps = { logs: kept, log: silentLog, metrics: createMetrics(), now: () => 0 };
  const keeper = new LogKeeper(state, deps, undefined, onInput);
  const say = (...ids: string[]): void => {
    for (const id of ids) {
      room.log.add(
        parseStanza(`<message type='groupchat' from='${ROOM}/bob' id='${id}'><body>${id}</body></message>`),
        0,
      );
      keeper.note(key);
    }
  };
  const stored = async (): Promise<string[]> =>
    (await logs.read(BARE, ROOM)).map((entry) => /id='(\w+)'/.exec(entry.toString())?.[1] ?? '');
  const flush = async (): Promise<void> => {
    keeper.flush();
    await delay(1);
  };
  return { keeper, state, room, say, stored, flush, steps, faults, logs };
}

test('what is said within a moment is one step, and of a full log the oldest go', async () => {
  const { say, stored, flush, steps } = setUp();
  say('a', 'b', 'c');
  await flush();
  say('d', 'e', 'f', 'g');
  await flush();
  assert.equal(await stored(), ['c', 'd', 'e', 'f', 'g']);
  assert.equal(
    steps.map(({ had, added, keep }) => [had, added.length, keep]),
    [
      [undefined, 3, 3],
      [3, 4, 5],
    ],
  );
  await flush();
  assert.is(steps.length, 2, 'nothing has changed');
  say(...'hijklmn');
  await flush();
  assert.equal(await stored(), ['j', 'k', 'l', 'm', 'n'], 'more than the log holds');
});

test('it is written by itself in a moment', async () => {
  const { say, stored } = setUp();
  say('a');
  assert.equal(await stored(), []);
  await delay(400);
  assert.equal(await stored(), ['a']);
});

for (const fault of ['before', 'behind']) {
  test(`after a step that failed ${fault} it was done the log is whole again with the next one`, async () => {
    const { say, stored, flush, faults } = setUp();
    say('a');
    await flush();
    faults.push(fault);
    say('b');
    await flush();
    say('c');
    await flush();
    assert.equal(await stored(), ['a', 'b', 'c']);
  });
}

test('where the store has lost something the whole log is written, at once when that is known', async () => {
  const { keeper, say, stored, flush, logs } = setUp();
  say('a', 'b');
  await flush();
  await logs.forget(BARE, ROOM);
  say('c');
  await flush();
  await flush();
  assert.equal(await stored(), ['a', 'b', 'c']);
  await logs.forget(BARE, ROOM);
  keeper.note(key, true);
  await flush();
  assert.equal(await stored(), ['a', 'b', 'c']);
});

test('what this home has not written is not written anew because the store is back', async () => {
  const { keeper, room, flush, steps } = setUp();
  room.log.add(parseStanza(`<message type='groupchat' from='${ROOM}/bob' id='a'><body>a</body></message>`), 0);
  keeper.note(key, true);
  await flush();
  assert.is(steps.length, 0);
});

test('letters lie in the store as they are kept, and are read from there by the next home', async () => {
  const { keeper, state, flush, logs } = setUp();
  state.kept.push({ stanza: parseStanza(`<message from='bob@test/x' id='one'><body>1</body></message>`), at: 7 });
  keeper.noteLetters();
  await flush();
  const inputs: Input[] = [];
  const next = setUp(5, logs, (input) => void inputs.push(input));
  await next.keeper.readLetters();
  const [read] = inputs;
  assert.ok(read?.kind === 'letters-read');
  assert.equal(
    read.letters.map(({ text, at }) => [/id='(\w+)'/.exec(text.toString())?.[1], at]),
    [['one', 7]],
  );
  state.kept.pop();
  keeper.noteLetters();
  await flush();
  await next.keeper.readLetters();
  assert.equal(inputs[1], { kind: 'letters-read', letters: [] });
});

test('a log that was begun anew is begun anew in the store, and one that was left is gone', async () => {
  const { keeper, room, say, stored, flush, logs } = setUp();
  say('a', 'b');
  await flush();
  room.log = createOccupancy(key, ROOM, 'alice', settings).log;
  say('c');
  await flush();
  assert.equal(await stored(), ['c']);
  say('d');
  keeper.forget(key);
  await flush();
  assert.equal(await logs.read(BARE, ROOM), []);
});

test.run();
