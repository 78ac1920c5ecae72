/** Accounts that have lost their node (C2): which are taken up, by how many nodes, how many at a time, and which are given up. */
import type { HostConfig } from '../../../proxy/config.ts';
import type { Estate } from '../../../proxy/core/estate.ts';
import { captureLog } from '../../../proxy/ops/log.ts';
import { createMetrics } from '../../../proxy/ops/metrics.ts';
import { cleanUp } from '../../../proxy/runtime/cluster/clean-up.ts';
import { type Neighbourhood, Orphans } from '../../../proxy/runtime/cluster/orphans.ts';
import type { AccountDeps } from '../../../proxy/runtime/deps.ts';
import { Sealing } from '../../../proxy/runtime/sealing.ts';
import { createMemoryStore } from '../../../proxy/store/memory.ts';
import { KEY_BYTES, Seal } from '../../../proxy/store/seal.ts';
import { assert, suite } from '../../support/suite.ts';

const test = suite('orphans', { limitMs: 30_000 });

const ROOM = 'room@muc.test';
const LIFE_MS = 1000;

interface NodeOptions {
  /** Letters that keys are made of; none: nothing is sealed. */
  readonly keys?: string;
  readonly lingerMs?: number;
  readonly hosts?: readonly string[];
  /** Another node has some key. */
  readonly isKeyNear?: boolean;
}

class Ground {
  now = 0;
  readonly store = createMemoryStore({ now: () => this.now });
  readonly log = captureLog();

  async node(id: string, { keys = '', lingerMs = 60_000, hosts = ['test'], isKeyNear = false }: NodeOptions = {}) {
    const { store, log } = this;
    await store.nodes.announce({ id, since: 0 }, 1_000_000);
    const metrics = createMetrics();
    const seal = keys === '' ? undefined : new Seal([...keys].map((letter) => Buffer.alloc(KEY_BYTES, letter)));
    const sealing = seal && new Sealing({ seal, vault: store.vault, log, metrics });
    const taken = new Map<string, Estate>();
    const secrets: string[] = [];
    let opening = 0;
    let most = 0;
    const host = (name: string) => ({ name, accountStreams: true }) as HostConfig;
    const deps = {
      log,
      metrics,
      sealing,
      config: { lingerMs, hosts: Object.fromEntries(hosts.map((name) => [name, host(name)])) },
      settingsFor: () => ({}),
    } as unknown as AccountDeps;
    const neighbourhood = {
      node: {
        id,
        isKeyNear,
        claim: async (account: string) => {
          const claim = await store.homes.claim(account, id, 1_000_000);
          return { node: claim.granted ? id : claim.heldBy, epoch: claim.epoch };
        },
        renounce: async (account: string) => {
          const fence = await store.homes.holder(account);
          if (fence) await store.homes.release(account, fence);
        },
      },
      find: () => undefined,
      account: (name: string) => ({
        takeUp: async (estate: Estate, { secret }: { secret: string }) => {
          opening += 1;
          most = Math.max(most, opening);
          await new Promise((resolve) => setTimeout(resolve, 5));
          opening -= 1;
          taken.set(name, estate);
          secrets.push(secret);
          return true;
        },
      }),
    } as unknown as Neighbourhood;
    const orphans = new Orphans(neighbourhood, store, deps);
    return { orphans, taken, secrets, sealing, metrics, most: () => most, look: () => orphans.look() };
  }

  /** A node that seals, with an account in a room and no device any more, dies. */
  async orphan(account: string, keys = 'a'): Promise<void> {
    const { store, log } = this;
    const id = `dead of ${account}`;
    await store.nodes.announce({ id, since: 0 }, LIFE_MS);
    const claim = await store.homes.claim(account, id, 1_000_000);
    const fence = { node: id, epoch: claim.epoch };
    const record = {
      room: ROOM,
      address: 'Room@muc.test',
      nick: 'al',
      carrier: 'account-stream' as const,
      bookmarked: false,
    };
    await store.memberships.setOccupancy(account, record, fence);
    const seal = new Seal([...keys].map((letter) => Buffer.alloc(KEY_BYTES, letter)));
    const sealing = new Sealing({ seal, vault: store.vault, log, metrics: createMetrics() });
    sealing.keep(account, { username: account, secret: `secret of ${account}`, host: 'test', stanzaBytes: 1000 });
  }

  /** All that died is found dead. */
  async bury(): Promise<void> {
    this.now += LIFE_MS + 1;
    for (const id of await this.store.nodes.expired()) await cleanUp(this.store, id);
  }
}

const names = (count: number): string[] => Array.from({ length: count }, (_, index) => `a${index}@test`);

test('of two nodes one takes each account up, with its rooms and the time that it has left', async () => {
  const ground = new Ground();
  const all = names(30);
  for (const name of all) await ground.orphan(name);
  ground.now += 5000;
  const [one, two] = [await ground.node('n1', { keys: 'a' }), await ground.node('n2', { keys: 'a' })];
  await ground.bury();
  await Promise.all([one.look(), two.look()]);
  await Promise.all([one.look(), two.look()]);
  assert.equal([...one.taken.keys(), ...two.taken.keys()].sort(), [...all].sort());
  const estate = one.taken.get(all[0] ?? '') ?? two.taken.get(all[0] ?? '');
  assert.equal(estate?.rooms, [{ key: ROOM, name: 'Room@muc.test', nick: 'al', password: undefined }]);
  assert.is(Math.round((estate?.lingerMs ?? 0) / 1000), 54);
  assert.equal([...one.secrets, ...two.secrets].sort(), all.map((name) => `secret of ${name}`).sort());
  assert.ok(one.most() <= 8 && two.most() <= 8);
  assert.equal((await ground.store.vault.orphans(0, 100)).accounts, []);
});

test('without another key than that which has sealed it nothing is taken up, and what waits is kept for who has it', async () => {
  const ground = new Ground();
  await ground.orphan('a@test', 'a');
  await ground.orphan('b@test', 'b');
  const wrong = await ground.node('n1', { keys: 'xb' });
  await ground.bury();
  await wrong.look();
  assert.equal([...wrong.taken.keys()], ['b@test']);
  const right = await ground.node('n2', { keys: 'xa' });
  await right.look();
  assert.equal([...right.taken.keys()], ['a@test']);
  const said = JSON.stringify(ground.log.lines);
  assert.match(said, 'another key');
  assert.not.match(said, 'secret of');
});

test('an account whose time is over is given up, however it was lost', async () => {
  const ground = new Ground();
  await ground.orphan('a@test');
  const node = await ground.node('n1', { keys: 'a', lingerMs: 10_000 });
  ground.now += 11_000;
  await ground.bury();
  await node.look();
  assert.is(node.taken.size, 0);
  assert.equal((await ground.store.memberships.snapshot('a@test')).occupancies, []);
  assert.is(await ground.store.vault.read('a@test'), undefined);
  assert.is(await ground.store.homes.holder('a@test'), undefined);
});

test('a host that is not served any more, or not from here, is left to others', async () => {
  const ground = new Ground();
  await ground.orphan('a@test');
  const other = await ground.node('n1', { keys: 'a', hosts: ['elsewhere'] });
  const node = await ground.node('n2', { keys: 'a' });
  await ground.bury();
  await other.look();
  assert.is(other.taken.size, 0);
  await node.look();
  assert.is(node.taken.size, 1);
});

test('a node without keys leaves to others what has just been lost, and gives up what nobody has wanted', async () => {
  const ground = new Ground();
  await ground.orphan('a@test');
  const node = await ground.node('n1');
  await ground.bury();
  await node.look();
  assert.is((await ground.store.memberships.snapshot('a@test')).occupancies.length, 1);
  ground.now += 61_000;
  for (let looks = 0; looks < 20; looks += 1) await node.look();
  assert.equal((await ground.store.memberships.snapshot('a@test')).occupancies, []);
  assert.is(await ground.store.vault.read('a@test'), undefined);
  assert.equal((await ground.store.vault.orphans(0, 10)).accounts, []);
});

test('a node without keys gives up nothing while another one has some, however long it waits', async () => {
  const ground = new Ground();
  await ground.orphan('a@test');
  const node = await ground.node('n1', { isKeyNear: true });
  await ground.bury();
  ground.now += 600_000;
  for (let looks = 0; looks < 40; looks += 1) await node.look();
  assert.is((await ground.store.memberships.snapshot('a@test')).occupancies.length, 1);
  assert.ok(await ground.store.vault.read('a@test'));
});

test('behind a dead node the rooms of accounts end of which nothing is sealed', async () => {
  const ground = new Ground();
  await ground.orphan('a@test');
  await ground.store.vault.forget('a@test');
  await ground.bury();
  assert.equal((await ground.store.memberships.snapshot('a@test')).occupancies, []);
  assert.equal((await ground.store.vault.orphans(0, 10)).accounts, []);
});

test('a node that is about to stop takes up nothing more', async () => {
  const ground = new Ground();
  await ground.orphan('a@test');
  const node = await ground.node('n1', { keys: 'a' });
  await ground.bury();
  node.orphans.close();
  await node.look();
  assert.is(node.taken.size, 0);
});

test.run();
