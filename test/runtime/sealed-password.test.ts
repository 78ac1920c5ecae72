/** The password of an account, sealed in the store (X4): gone when the server refuses it, whatever becomes of the store, and not before. */
import { setTimeout as delay } from 'node:timers/promises';
import type { HostConfig } from '../../proxy/config.ts';
import type { Input } from '../../proxy/core/inputs.ts';
import { LegContext } from '../../proxy/net/context.ts';
import { Dialer } from '../../proxy/net/dial.ts';
import { captureLog } from '../../proxy/ops/log.ts';
import { createMetrics } from '../../proxy/ops/metrics.ts';
import { AccountStreamKeeper } from '../../proxy/runtime/account-stream-keeper.ts';
import type { AccountDeps } from '../../proxy/runtime/deps.ts';
import { Faces } from '../../proxy/runtime/faces.ts';
import { Ports } from '../../proxy/runtime/ports.ts';
import { Sealing } from '../../proxy/runtime/sealing.ts';
import { createMemoryStore } from '../../proxy/store/memory.ts';
import { KEY_BYTES, Seal } from '../../proxy/store/seal.ts';
import { StoreError } from '../../proxy/store/store.ts';
import type { Vault } from '../../proxy/store/vault.ts';
import { startFakeServer } from '../support/fake-server.ts';
import { assert, suite, type TestContext } from '../support/suite.ts';
import { LIMITS } from './scripted.ts';

const test = suite('sealed passwords');

const ALICE = 'alice@localhost';
const SM = 'urn:xmpp:sm:3';
const SASL = 'urn:ietf:params:xml:ns:xmpp-sasl';

/** An account that has a place in a room, and so may have something in the vault; the store can be away. */
async function ground({ after }: TestContext) {
  const store = createMemoryStore({ now: () => performance.now() });
  const record = { room: 'room@muc', address: 'room@muc', nick: 'al', carrier: 'account-stream', bookmarked: false };
  await store.memberships.setOccupancy(ALICE, record as never);
  const state = { isAway: false };
  const refuse = (): void => {
    if (state.isAway) throw new StoreError('unavailable', 'away');
  };
  const vault: Vault = {
    ...store.vault,
    put: async (...args) => {
      refuse();
      return store.vault.put(...args);
    },
    read: async (...args) => {
      refuse();
      return store.vault.read(...args);
    },
    forget: async (...args) => {
      refuse();
      return store.vault.forget(...args);
    },
  };
  const log = captureLog();
  const metrics = createMetrics();
  const sealing = new Sealing({ seal: new Seal([Buffer.alloc(KEY_BYTES, 'a')]), vault, log, metrics });
  after(() => sealing.close());
  const stored = async (): Promise<string | undefined> => (await store.vault.read(ALICE))?.text;
  const keep = (secret: string): string =>
    sealing.keep(ALICE, { username: 'alice', secret, host: 'localhost', stanzaBytes: 1000 });
  return { sealing, state, stored, keep, log, metrics };
}

async function until(isSo: () => Promise<boolean> | boolean): Promise<void> {
  while (!(await isSo())) await delay(10);
}

test('one that is refused while the store is away is deleted when it is back, and counts as deleted before', async (context) => {
  const { sealing, state, stored, keep, metrics } = await ground(context);
  const sealed = keep('old');
  state.isAway = true;
  sealing.refused(ALICE, sealed);
  await delay(700);
  assert.is(await stored(), sealed);
  state.isAway = false;
  assert.is(await sealing.recall(ALICE), undefined);
  // The store may have lost it, as far as others know.
  sealing.put(ALICE, sealed);
  await until(async () => (await stored()) === undefined);
  assert.match(await metrics.registry.getSingleMetricAsString('minimix_sealed_total'), '{event="deleted"} 1');
});

test('one that has been sealed in its place meanwhile stays', async (context) => {
  const { sealing, state, stored, keep } = await ground(context);
  const sealed = keep('old');
  state.isAway = true;
  sealing.refused(ALICE, sealed);
  await delay(1);
  state.isAway = false;
  const newer = keep('new');
  await delay(1200);
  assert.is(await stored(), newer);
  assert.is((await sealing.recall(ALICE))?.kept.secret, 'new');
});

test('with other keys what is kept is sealed anew, also where the old ones are gone', async (context) => {
  const { sealing, stored, keep, metrics } = await ground(context);
  const seal = (letter: string): Seal => new Seal([Buffer.alloc(KEY_BYTES, letter)]);
  const old = keep('secret');
  assert.is(sealing.sealAnew(ALICE, old), old);
  sealing.useKeys(seal('b'));
  const anew = sealing.sealAnew(ALICE, old);
  assert.is(Seal.keyOf(anew), seal('b').ids[0]);
  await until(async () => (await stored()) === anew);
  assert.is((await sealing.recall(ALICE))?.kept.secret, 'secret');
  // Of two changes in a row the first one's keys are not known any more.
  for (const letter of ['c', 'd']) sealing.useKeys(seal(letter));
  assert.is(sealing.sealAnew(ALICE, anew), anew);
  assert.match(await metrics.registry.getSingleMetricAsString('minimix_sealed_total'), '{event="unknown-key"} 1');
});

/** A keeper of the account's stream, and a server that takes these passwords. */
async function kept(context: TestContext, ...rightOnes: string[]) {
  const right = new Set(rightOnes);
  const at = await ground(context);
  const server = await startFakeServer({
    features: `<sm xmlns='${SM}'/>`,
    answer: ({ name, ns, text }) => {
      if (ns === SM && name === 'enable') return `<enabled xmlns='${SM}' id='p' resume='true' max='60'/>`;
      if (name !== 'auth' || right.has(Buffer.from(text, 'base64').toString().split('\0')[2] ?? '')) return undefined;
      return `<failure xmlns='${SASL}'><not-authorized/></failure>`;
    },
  });
  context.after(() => server.stop());
  const { log, metrics, sealing } = at;
  const upstream = { scheme: 'xmpp', host: '127.0.0.1', port: server.port, path: '', verify: false } as const;
  const host = { name: 'localhost', upstream, accountStreams: true } as unknown as HostConfig;
  const dialer = new Dialer(new LegContext({ limits: LIMITS, log, metrics }));
  let serial = 0;
  const deps = {
    sealing,
    config: { limits: LIMITS, hosts: { localhost: host } },
    dial: (one: HostConfig, more: object) => dialer.dial(one.upstream, one.name, more),
    log,
    metrics,
    faces: new Faces(() => 0),
    offerStreamManagement: true,
    leaving: new Set(),
    token: () => `t${++serial}`,
    serial: () => String(++serial),
  } as unknown as AccountDeps;
  const inputs: Input[] = [];
  let lost = 0;
  const keeper = new AccountStreamKeeper(ALICE, deps, new Ports(metrics, () => undefined), {
    state: undefined,
    input: (input) => void inputs.push(input),
    loseCarrier: () => {
      lost += 1;
    },
  });
  context.after(() => keeper.close());
  const offer = (secret: string): void => keeper.offerCredentials({ username: 'alice', secret }, host);
  const has = (kind: Input['kind']): Promise<void> => until(() => inputs.some((input) => input.kind === kind));
  /** The stream is open with that password, and breaks; no password is right any more but these. */
  const open = async (secret: string): Promise<void> => {
    offer(secret);
    assert.ok(keeper.open());
    await has('carrier-ready');
    await until(async () => (await at.stored()) !== undefined);
  };
  const breakUp = async (...nowRight: string[]): Promise<void> => {
    right.clear();
    for (const one of nowRight) right.add(one);
    const wasInUse = keeper.isInUse;
    for (const peer of server.peers) peer.drop();
    if (wasInUse) await until(() => lost > 0);
  };
  const final = (): (boolean | undefined)[] =>
    inputs.flatMap((input) => (input.kind === 'account-stream-failed' ? [input.final] : []));
  return { ...at, server, keeper, host, offer, open, breakUp, final, has, lost: () => lost };
}

test('with that of a stream which its server does not take back any more it is gone, though a newer one is known', async (context) => {
  const { keeper, offer, open, breakUp, stored, final } = await kept(context, 'old');
  await open('old');
  offer('new');
  await breakUp('new');
  await until(async () => (await stored()) === undefined);
  assert.is(keeper.sealed, undefined);
  // The newer one is still to be tried.
  assert.equal([keeper.hasCredentials, final()], [true, []]);
});

test('what has been restored while a stream with another one was in use stays when that one is refused', async (context) => {
  const { keeper, host, keep, open, breakUp, stored, final } = await kept(context, 'old');
  await open('old');
  keeper.forget();
  const newer = keep('new');
  keeper.restoreCredentials({ username: 'alice', secret: 'new' }, host, newer);
  await breakUp('new');
  await delay(20);
  assert.equal([await stored(), keeper.sealed, keeper.hasCredentials, final()], [newer, newer, true, []]);
});

for (const when of ['before', 'after'] as const) {
  test(`one that a device has come with again ${when} it was sealed is gone when it is refused`, async (context) => {
    const { keeper, host, offer, open, breakUp, stored, has, lost } = await kept(context, 'old');
    const opened = open('old');
    const again = { username: 'alice', secret: 'old' };
    if (when === 'before') keeper.offerCredentials(again, host);
    await opened;
    if (when === 'after') offer('old');
    keeper.end();
    await breakUp();
    assert.is(lost(), 0);
    assert.ok(keeper.open());
    await has('account-stream-failed');
    await until(async () => (await stored()) === undefined);
    assert.equal([keeper.sealed, keeper.hasCredentials], [undefined, false]);
  });
}

test('with the only one the stream is given up too', async (context) => {
  const { keeper, open, breakUp, stored, final } = await kept(context, 'old');
  await open('old');
  await breakUp();
  await until(async () => (await stored()) === undefined);
  assert.equal([keeper.hasCredentials, final()], [false, [true]]);
});

test('where the server has only been set up otherwise it stays', async (context) => {
  const { keeper, server, open, breakUp, stored } = await kept(context, 'old');
  await open('old');
  const before = await stored();
  server.options = { ...server.options, mechanisms: ['X-TEST'] };
  await breakUp('old');
  await delay(20);
  assert.equal([await stored(), keeper.sealed], [before, before]);
});

test('a store that is away has refused nothing: the stream is tried again', async (context) => {
  const { keeper, state, keep, final, has } = await kept(context, 'right');
  keep('right');
  state.isAway = true;
  await keeper.openSealed();
  assert.equal(final(), [false]);
  state.isAway = false;
  await keeper.openSealed();
  await has('carrier-ready');
});

test('who has given the account up meanwhile opens nothing with what the store tells then', async (context) => {
  const { keeper, server, keep, final } = await kept(context, 'right');
  keep('right');
  for (const giveUp of [() => keeper.end(), () => keeper.close()]) {
    const asked = keeper.openSealed();
    giveUp();
    await asked;
    assert.equal([keeper.isInUse, keeper.hasCredentials], [false, false]);
  }
  await delay(20);
  assert.equal([server.peers.length, final()], [0, []]);
});

test('where the store has nothing the stream is given up', async (context) => {
  const { keeper, final } = await kept(context);
  await keeper.openSealed();
  assert.equal(final(), [true]);
});

test.run();
