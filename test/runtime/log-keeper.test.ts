/** Stanza logs on their way to the store: one step for what happens together, and the whole log where a step may have failed. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Input } from '../../proxy/core/inputs.ts';
import { entryStanza } from '../../proxy/core/log-entry.ts';
import { createOccupancy } from '../../proxy/core/occupancy.ts';
import { Services } from '../../proxy/core/services.ts';
import {
  type Carrier,
  type CarrierId,
  createAccountState,
  type Session,
  type SessionId,
} from '../../proxy/core/state.ts';
import { readEntry } from '../../proxy/core/stored-log.ts';
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

function setUp(historyStanzas = 5) {
  const state = createAccountState(BARE, 'm-', { ...settings, historyStanzas, keepsLogs: true }, new Services());
  const room = createOccupancy(key, ROOM, 'alice', state.settings);
  room.phase = 'joined';
  state.rooms.set(key, room);
  const { logs } = createMemoryStore({ now: () => 0 });
  const steps: LogStep[] = [];
  const faults: string[] = [];
  const inputs: Input[] = [];
  const store = { isAway: false };
  const kept: typeof logs = {
    ...logs,
    write: async (account, name, step, ttlMs, fence) => {
      steps.push(step);
      const fault = store.isAway ? 'before' : faults.shift();
      if (fault === 'before') throw new StoreError('unavailable', 'away');
      const isTaken = await logs.write(account, name, step, ttlMs, fence);
      if (fault === 'behind') throw new StoreError('unavailable', 'away');
      return isTaken;
    },
    read: async (account, name) => {
      if (store.isAway) throw new StoreError('unavailable', 'away');
      return logs.read(account, name);
    },
  };
  const deps = { logs: kept, log: silentLog, metrics: createMetrics(), now: () => 0 };
  const keeper = new LogKeeper(state, deps, undefined, (input) => inputs.push(input));
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
  const until = async (isSo: () => boolean | Promise<boolean>): Promise<void> => {
    while (!(await isSo())) await delay(10);
  };
  return { keeper, room, state, say, stored, flush, steps, faults, logs, inputs, store, until };
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

test('what says no language is written with that of the streams, for a later run that has others', async () => {
  const { keeper, room, state, say, flush, logs } = setUp();
  const languages = { own: 'de', server: 'de' };
  const [id, carrier] = ['s1' as SessionId, 'c1' as CarrierId];
  state.sessions.set(id, { id, carrier, languages } as unknown as Session);
  state.carriers.set(carrier, { id: carrier, languages } as unknown as Carrier);
  room.carrier = carrier;
  say('a');
  const marked = `<message type='groupchat' from='${ROOM}/bob' id='b' xml:lang='it'><body>b</body></message>`;
  room.log.add(parseStanza(marked), 0);
  room.kept.push({ stanza: parseStanza(`<message from='${ROOM}/bob' id='p'><body>p</body></message>`), at: 0 });
  // An earlier home has left these, and had not said it.
  const stored = (type: string) => `<message${type} from='${ROOM}/bob' id='s'><body>s</body></message>`;
  room.kept.push({ stanza: parseStanza(stored('')), at: 0, isStored: true });
  room.log.precede([readEntry(Buffer.from(`[0,0,0]\n${stored(" type='groupchat'")}`))], 0, () => true);
  keeper.noteKept(key);
  await flush();
  const languagesIn = async (name: string): Promise<unknown[]> =>
    (await logs.read(BARE, name)).map((entry) => entryStanza(readEntry(entry)).root.attr('xml:lang'));
  assert.equal(await languagesIn(ROOM), [undefined, 'de', 'it']);
  assert.equal(await languagesIn(`${ROOM} kept`), ['de', undefined]);
  assert.is(room.log.entries(0)[0]?.text.includes('xml:lang'), false, 'what is here stays as it is');
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

test('what failed is done by itself when the store is back, tried more and more rarely: the log, and what is kept for a session', async () => {
  const { keeper, room, say, stored, steps, store, logs, until } = setUp();
  store.isAway = true;
  say('a');
  room.kept.push({ stanza: parseStanza(`<message from='${ROOM}/bob' id='k'><body>k</body></message>`), at: 0 });
  keeper.noteKept(key);
  await delay(1600);
  assert.ok(steps.length >= 4 && steps.length <= 8, `${steps.length} steps`);
  store.isAway = false;
  await until(async () => (await stored()).length === 1);
  await until(async () => (await logs.read(BARE, `${ROOM} kept`)).length === 1);
  const count = steps.length;
  await delay(600);
  assert.is(steps.length, count);
});

test('what could not be read is read when the store is back, and nothing is written over it before', async () => {
  const { keeper, room, say, stored, steps, store, inputs, logs, until } = setUp();
  say('a');
  room.kept.push({ stanza: parseStanza(`<message from='${ROOM}/bob' id='k'><body>k</body></message>`), at: 0 });
  keeper.noteKept(key);
  keeper.flush();
  await until(async () => (await logs.read(BARE, `${ROOM} kept`)).length === 1);
  store.isAway = true;
  room.log = createOccupancy(key, ROOM, 'alice', settings).log;
  void keeper.read(key);
  await until(() => inputs.length === 1);
  const count = steps.length;
  say('b');
  keeper.noteKept(key);
  keeper.flush();
  store.isAway = false;
  await until(() => inputs.length === 2);
  const lengths = inputs.map((one) => one.kind === 'log-read' && [one.entries.length, one.kept.length, one.isLate]);
  assert.equal(lengths, [
    [0, 0, undefined],
    [1, 1, true],
  ]);
  assert.is(steps.length, count);
  await until(async () => (await stored()).join('') === 'b');
});

test('a room that was left is asked for no more', async () => {
  const { keeper, store, inputs, until } = setUp();
  store.isAway = true;
  void keeper.read(key);
  await until(() => inputs.length === 1);
  keeper.forget(key);
  store.isAway = false;
  await delay(700);
  assert.is(inputs.length, 1);
});

test('a keeper that has stopped tries nothing again', async () => {
  const { keeper, say, steps, store } = setUp();
  store.isAway = true;
  say('a');
  keeper.stop();
  await delay(700);
  assert.is(steps.length, 1);
});

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

test('rooms that are left since the node stops leave their logs to the home that comes next', async () => {
  const { keeper, say, stored, logs } = setUp();
  say('a', 'b');
  keeper.drain();
  keeper.forget(key);
  await delay(1);
  assert.equal(await stored(), ['a', 'b']);
  keeper.stop();
  const other = setUp(5);
  other.say('a');
  await other.flush();
  other.keeper.forget(key);
  await delay(1);
  assert.equal(await other.stored(), []);
  assert.is((await logs.read(BARE, ROOM)).length, 2);
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
