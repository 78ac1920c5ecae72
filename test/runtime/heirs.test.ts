/** A node that stops and has accounts without devices (C4): who goes on with them, and what the room sees. */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { createMemoryStore } from '../../proxy/store/memory.ts';
import { Seal } from '../../proxy/store/seal.ts';
import { type Store, StoreError } from '../../proxy/store/store.ts';
import { parseStanza } from '../../proxy/xml/stanza.ts';
import { ModelRoom } from '../core/model-room.ts';
import { type Client, login } from '../support/client.ts';
import { type FakeServer, startFakeServer } from '../support/fake-server.ts';
import { startProxy, type TestProxy } from '../support/proxy.ts';
import { joinRoom } from '../support/room.ts';
import { assert, suite, type TestContext } from '../support/suite.ts';

const test = suite('accounts without devices, as their node stops', { limitMs: 30_000 });

const ROOM = 'room@muc.test';

interface Ground {
  readonly room: ModelRoom;
  readonly store: Store;
  /** A node; without a key it seals and opens nothing. */
  start(key?: string | { readonly file: string }, own?: Store): Promise<TestProxy>;
  /** A device of the account joins by way of this node, and goes. */
  visit(node: TestProxy, user?: string, password?: string): Promise<void>;
}

async function ground({ after }: TestContext): Promise<Ground> {
  const room = new ModelRoom({ room: ROOM, isShared: true });
  const store = createMemoryStore({ now: () => performance.now() });
  const server: FakeServer = await startFakeServer({
    answer: (element, peer) => {
      if (!element.to?.startsWith(ROOM)) return undefined;
      const stanza = parseStanza(`${element}`);
      if (!room.inside.has(peer.jid)) void peer.closed.then(() => room.gone(peer.jid));
      for (const { to, xml } of room.take(peer.jid, stanza, Date.now())) {
        server.peers.find(({ jid }) => jid === to)?.send(xml);
      }
      return '';
    },
  });
  after(() => server.stop());
  const start = async (key?: string | { readonly file: string }, own = store): Promise<TestProxy> => {
    const from = typeof key === 'string' ? { 'secret-key': key } : { 'key-file': key?.file };
    const sealing = key === undefined ? {} : { sealing: from };
    const config = { cluster: { lease: '1s' }, drain: { timeout: '5s' }, ...sealing };
    const node = await startProxy({ upstream: server.upstream, store: own, config });
    after(() => node.stop());
    return node;
  };
  const visit = async (node: TestProxy, user = 'alice', password?: string): Promise<void> => {
    const client: Client = await login(node.target('tcp'), { user, mechanism: 'PLAIN', presence: 0 });
    await joinRoom(client, `${ROOM}/${user}`, password === undefined ? {} : { password });
    await client.end(1000);
    await until('the device has gone', () => node.app.census().sessions === 0);
    assert.ok([...room.inside.values()].includes(user));
  };
  return { room, store, start, visit };
}

async function until(what: string, holds: () => boolean): Promise<void> {
  for (const end = performance.now() + 10_000; !holds(); ) {
    if (performance.now() > end) throw new Error(`in vain was waited until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** Heartbeats, of which there are four in a lease, tell of those that came later. */
function acquainted(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 600));
}

const rooms = ({ app }: TestProxy): number => app.census().occupancies;

test('another node that has the key goes on: the room sees nothing', async (context) => {
  const { room, start, visit } = await ground(context);
  const key = randomBytes(32).toString('base64');
  const [first, second] = [await start(key), await start(key)];
  await acquainted();
  await visit(first);
  await first.stop();
  assert.is(room.witnessed, '+');
  assert.is(rooms(second), 1);
  assert.is(room.inside.size, 1);
  assert.match(await second.app.metrics.render(), 'minimix_handovers_total{result="seamless"} 1');
});

test('with another key nobody does: the account leaves, and is back with the next node that can', async (context) => {
  const { room, start, visit } = await ground(context);
  const key = randomBytes(32).toString('base64');
  const [first, other] = [await start(key), await start(randomBytes(32).toString('base64'))];
  await acquainted();
  await visit(first);
  await first.stop();
  assert.is(room.witnessed, '+-');
  assert.is(rooms(other), 0);
  const next = await start(`${randomBytes(32).toString('base64')} ${key}`);
  await until('it is back', () => room.witnessed === '+-+');
  await until('it is known', () => rooms(next) === 1);
});

test('without keys it leaves for good', async (context) => {
  const { room, start, visit } = await ground(context);
  const [first, other] = [await start(), await start()];
  await acquainted();
  await visit(first);
  await first.stop();
  assert.is(room.witnessed, '+-');
  assert.is(rooms(other), 0);
});

test('nodes that stop at the same time give nothing to each other, but to one that stays', async (context) => {
  const { room, start, visit } = await ground(context);
  const key = randomBytes(32).toString('base64');
  const stopping: TestProxy[] = [];
  for (let count = 0; count < 5; count += 1) stopping.push(await start(key));
  const staying = await start(key);
  await acquainted();
  await visit(stopping[0] as TestProxy);
  await Promise.all(stopping.map((node) => node.stop()));
  assert.is(room.witnessed, '+');
  assert.is(rooms(staying), 1);
});

/** The store, which takes so long to tell one node who lives once that `isSlow`. */
function slowToTell(store: Store, ms: number, isSlow: () => boolean): Store {
  const alive: Store['nodes']['alive'] = async () => {
    if (isSlow()) await delay(ms, undefined, { ref: false });
    return store.nodes.alive();
  };
  return { ...store, nodes: { ...store.nodes, alive } };
}

/** The store as one node sees it that goes on to be told, once that `isLate`, who lived when this was called. */
async function outdated(store: Store, isLate: () => boolean): Promise<Store> {
  const known = await store.nodes.alive();
  const alive: Store['nodes']['alive'] = async () => (isLate() ? [...known] : store.nodes.alive());
  return { ...store, nodes: { ...store.nodes, alive } };
}

/** The store, of whose steps of homes these are others. */
function withHomes(store: Store, homes: Partial<Store['homes']>): Store {
  return { ...store, homes: { ...store.homes, ...homes } };
}

test('a node that stops, and of which the one that has the accounts cannot know that yet, declines them', async (context) => {
  const { room, store, start, visit } = await ground(context);
  const key = randomBytes(32).toString('base64');
  let isStopping = false;
  const stopping = await start(
    key,
    slowToTell(store, 1000, () => isStopping),
  );
  const staying = await start(key);
  const first = await start(key, await outdated(store, () => isStopping));
  await acquainted();
  const users = Array.from({ length: 6 }, (_, index) => `user${index}`);
  for (const user of users) await visit(first, user);
  isStopping = true;
  const stopped = stopping.stop();
  await first.stop();
  await stopped;
  assert.equal([...room.inside.values()].sort(), users);
  assert.is(rooms(staying), users.length);
  assert.match(await staying.app.metrics.render(), `minimix_handovers_total{result="seamless"} ${users.length}`);
});

test('a store that is slow to tell who lives does not hold up a stop', async (context) => {
  const { room, store, start, visit } = await ground(context);
  const key = randomBytes(32).toString('base64');
  let isStopping = false;
  const first = await start(
    key,
    slowToTell(store, 25_000, () => isStopping),
  );
  const second = await start(key);
  await acquainted();
  await visit(first);
  isStopping = true;
  const began = performance.now();
  await first.stop();
  // The drain may take 5 s, and there is time left in it to give the account away.
  const ms = performance.now() - began;
  assert.ok(ms < 5000, `${ms} ms`);
  assert.equal([room.witnessed, rooms(second)], ['+', 1]);
});

test('a store that goes away as an account is given away does not hold up a stop', async (context) => {
  const { store, start, visit } = await ground(context);
  const key = randomBytes(32).toString('base64');
  let isAway = false;
  const claim: Store['homes']['claim'] = async (...step) => {
    if (isAway) throw new StoreError('unavailable', 'away');
    return store.homes.claim(...step);
  };
  const move: Store['homes']['move'] = async () => {
    isAway = true;
    throw new StoreError('unavailable', 'away');
  };
  const first = await start(key, withHomes(store, { claim, move }));
  await start(key);
  await acquainted();
  await visit(first);
  const began = performance.now();
  await first.stop();
  const ms = performance.now() - began;
  assert.ok(isAway && ms < 7000, `${ms} ms`);
});

test('a node whose accounts could not be listed as the store was away is found like one that has died, and they with it', async (context) => {
  const { room, store, start, visit } = await ground(context);
  const key = randomBytes(32).toString('base64');
  const orphan: Store['vault']['orphan'] = async () => {
    throw new StoreError('unavailable', 'away');
  };
  const first = await start(key, { ...store, vault: { ...store.vault, orphan } });
  await visit(first);
  const ids = (await store.nodes.alive()).map(({ id }) => id);
  await first.stop();
  assert.equal(
    (await store.nodes.alive()).map(({ id }) => id),
    ids,
  );
  assert.is(room.witnessed, '+-');
  const next = await start(key);
  await until('it is back', () => room.witnessed === '+-+');
  await until('it is known', () => rooms(next) === 1);
});

test('one that is signed off has left nothing', async (context) => {
  const { store, start, visit } = await ground(context);
  const first = await start(randomBytes(32).toString('base64'));
  await visit(first);
  await first.stop();
  assert.equal(await store.nodes.alive(), []);
});

test('where all others decline the account is left to the next node, and the stop takes no longer for it', async (context) => {
  const { room, store, start, visit } = await ground(context);
  const key = randomBytes(32).toString('base64');
  let isStopping = false;
  const other = await start(
    key,
    slowToTell(store, 1000, () => isStopping),
  );
  const first = await start(key, await outdated(store, () => isStopping));
  await acquainted();
  await visit(first);
  isStopping = true;
  const began = performance.now();
  const stopped = other.stop();
  await first.stop();
  const ms = performance.now() - began;
  assert.ok(ms < 3000, `${ms} ms`);
  await stopped;
  assert.is(room.witnessed, '+-');
  await start(key);
  await until('it is back', () => room.witnessed === '+-+');
});

test('a node that has agreed to take an account, and is told to stop before it has come, gives it on', async (context) => {
  const { room, store, start, visit } = await ground(context);
  const key = randomBytes(32).toString('base64');
  const ends: Promise<void>[] = [];
  let staying: TestProxy | undefined;
  const move: Store['homes']['move'] = async (account, fence, to, ms) => {
    if (ends.length === 0) {
      // It is another one's turn then.
      staying = await start(key);
      ends.push(second.stop());
      await delay(600);
    }
    return store.homes.move(account, fence, to, ms);
  };
  const first = await start(key, withHomes(store, { move }));
  const second = await start(key);
  await acquainted();
  await visit(first);
  await first.stop();
  await Promise.all(ends);
  assert.is(room.witnessed, '+');
  assert.is(staying && rooms(staying), 1);
});

test('an account that a node has agreed to take, and cannot, as it has died since, goes to another one', async (context) => {
  const { room, store, start, visit } = await ground(context);
  const key = randomBytes(32).toString('base64');
  const asked: string[] = [];
  // The store gives nothing to a node that is no more.
  const move: Store['homes']['move'] = async (account, fence, to, ms) => {
    asked.push(to);
    return asked.length === 1 ? undefined : store.homes.move(account, fence, to, ms);
  };
  const first = await start(key, withHomes(store, { move }));
  const others = [await start(key), await start(key)];
  await acquainted();
  await visit(first);
  await first.stop();
  assert.is(new Set(asked).size, 2);
  assert.equal([room.witnessed, others.reduce((sum, one) => sum + rooms(one), 0)], ['+', 1]);
});

test('what is left behind is listed before it is given up, several at a time', async (context) => {
  const seen = new Map<string, string[]>();
  const note = (step: string, account: string): void => {
    seen.set(account, [...(seen.get(account) ?? []), step]);
  };
  const { store, start, visit } = await ground(context);
  const { homes, vault } = store;
  const { release } = homes;
  const { orphan } = vault;
  homes.release = (account, fence) => {
    note('release', account);
    return release(account, fence);
  };
  let waiting = 0;
  let most = 0;
  vault.orphan = async (account, agoMs) => {
    note('orphan', account);
    waiting += 1;
    most = Math.max(most, waiting);
    await delay(5);
    waiting -= 1;
    return orphan(account, agoMs);
  };
  const users = Array.from({ length: 24 }, (_, index) => `user${index}`);
  const node = await start(randomBytes(32).toString('base64'));
  for (const user of users) await visit(node, user);
  seen.clear();
  await node.stop();
  for (const user of users) assert.equal(seen.get(`${user}@localhost`), ['orphan', 'release']);
  assert.ok(most > 1 && most <= 16, `${most} at a time`);
  assert.is((await store.vault.orphans(0, 100)).accounts.length, users.length);
});

test('keys are read again on demand, and the others told: an account goes to a node that has just been given its key', async (context) => {
  const { room, store, start, visit } = await ground(context);
  const folder = mkdtempSync(join(tmpdir(), 'minimix-keys-'));
  context.after(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, 'seal.key');
  const write = (...keys: string[]): void => writeFileSync(file, `${keys.join('\n')}\n`);
  const [key, other] = [randomBytes(32).toString('base64'), randomBytes(32).toString('base64')];
  write(other);
  const [first, second] = [await start(key), await start({ file })];
  await acquainted();
  await visit(first);
  const opened = async () => (await store.nodes.alive()).map(({ opens = [] }) => opens.length).sort();
  const faults = async () => /sealed_total\{event="keys-unread"\} (\d)/.exec(await second.app.metrics.render())?.[1];
  // What cannot be read leaves those that there are.
  for (const bad of ['no key', '']) {
    writeFileSync(file, bad);
    await second.app.reload();
  }
  rmSync(file);
  await second.app.reload();
  assert.equal([await opened(), await faults()], [[1, 1], '3']);
  assert.not.match(second.log.join(''), other);
  write(other, key);
  await second.app.reload();
  assert.equal([await opened(), await faults()], [[1, 2], '3']);
  await acquainted();
  await first.stop();
  assert.is(room.witnessed, '+');
  assert.is(rooms(second), 1);
});

test('keys are changed without a restart: what is in the store is sealed with the new one then', async (context) => {
  const { room, store, start, visit } = await ground(context);
  const folder = mkdtempSync(join(tmpdir(), 'minimix-keys-'));
  context.after(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, 'seal.key');
  const [old, fresh] = [randomBytes(32).toString('base64'), randomBytes(32).toString('base64')];
  writeFileSync(file, old);
  const nodes = [await start({ file }), await start({ file })] as const;
  await acquainted();
  await visit(nodes[0], 'alice', 'open sesame');
  const account = 'alice@localhost';
  const keys = async () => {
    const deposit = await store.vault.read(account);
    const [occupancy] = (await store.memberships.snapshot(account)).occupancies;
    return [deposit?.text, occupancy?.sealed].map((sealed) => Seal.keyOf(sealed ?? ''));
  };
  const name = (key: string) => new Seal([Buffer.from(key, 'base64')]).ids[0];
  assert.equal(await keys(), [name(old), name(old)]);
  for (const step of [`${old}\n${fresh}`, `${fresh}\n${old}`, fresh]) {
    writeFileSync(file, step);
    for (const node of nodes) await node.app.reload();
  }
  assert.equal(await keys(), [name(fresh), name(fresh)]);
  await acquainted();
  await nodes[0].stop();
  assert.is(room.witnessed, '+');
  assert.is(rooms(nodes[1]), 1);
});

test.run();
