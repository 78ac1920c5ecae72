/** What every store promises of deposits and of accounts that wait for a node (proxy/store/vault.ts). */
import type { Store } from '../../proxy/store/store.ts';
import { assert, type Suite, type TestContext } from '../support/suite.ts';
import { account, occupancyOf, room, type StoreFixture, sessionOf } from './fixture.ts';

const other = 'attic@chat.example.org';

export function vault(test: Suite, fixture: (context: TestContext) => Promise<StoreFixture>): void {
  const open = async (context: TestContext): Promise<Store> => (await fixture(context)).open();
  const isKept = async (store: Store, name = account): Promise<boolean> => (await store.vault.read(name)) !== undefined;

  test('nothing is kept of an account that has neither a session nor an occupancy', async (context) => {
    const store = await open(context);
    assert.is(await store.vault.read(account), undefined);
    assert.is(await store.vault.put(account, 'text'), false);
    assert.is(await store.vault.read(account), undefined);
    assert.is(await store.vault.orphan(account, 0), false);
    await store.vault.forget(account);
    await store.vault.adopt(account);
  });

  test('a text is read as it was put, by any node, and the last one counts', async (context) => {
    const opened = await fixture(context);
    const [store, another] = [await opened.open(), await opened.open()];
    await store.memberships.addSession(account, sessionOf('s1'));
    assert.is(await store.vault.put(account, "v1 'é\n\u0000"), true);
    assert.equal(await another.vault.read(account), { text: "v1 'é\n\u0000", aloneMs: undefined });
    await another.vault.put(account, 'second');
    assert.is((await store.vault.read(account))?.text, 'second');
    assert.is(await isKept(store, 'romeo@example.org'), false);
  });

  test('a text is kept as long as there is a session or an occupancy, and no longer', async (context) => {
    const store = await open(context);
    const { memberships, vault: kept } = store;
    await memberships.addSession(account, sessionOf('s1'));
    await kept.put(account, 'text');
    await memberships.setOccupancy(account, occupancyOf());
    await memberships.setOccupancy(account, occupancyOf(other));
    await memberships.removeSession(account, 's1');
    assert.ok(await isKept(store));
    await memberships.endOccupancy(account, room);
    assert.ok(await isKept(store));
    await memberships.endOccupancy(account, other);
    assert.is(await isKept(store), false);

    await memberships.addSession(account, sessionOf('s2'));
    assert.is(await isKept(store), false);
    await kept.put(account, 'text');
    await memberships.removeSession(account, 's2');
    assert.is(await isKept(store), false);
  });

  test('a session in the place of another keeps the text', async (context) => {
    const store = await open(context);
    await store.memberships.addSession(account, sessionOf('old', 'n1', 'phone'));
    await store.vault.put(account, 'text');
    await store.memberships.addSession(account, sessionOf('new', 'n2', 'phone'));
    assert.ok(await isKept(store));
  });

  test('a home that is claimed, released, moved and lost leaves the text as it is', async (context) => {
    const store = await open(context);
    const { homes, nodes, memberships } = store;
    await memberships.setOccupancy(account, occupancyOf());
    await store.vault.put(account, 'text');
    for (const id of ['n1', 'n2']) await nodes.announce({ id, since: 0 }, 10_000);
    const claim = await homes.claim(account, 'n1', 10_000);
    const epoch = await homes.move(account, { node: 'n1', epoch: claim.epoch }, 'n2', 10_000);
    await homes.release(account, { node: 'n2', epoch: epoch ?? 0 });
    await homes.claim(account, 'n1', 10_000);
    await nodes.remove('n1');
    assert.is((await store.vault.read(account))?.text, 'text');
  });

  test('what a home has written before it gives the account up is done before', async (context) => {
    const { memberships, homes, nodes, vault: kept } = await open(context);
    await nodes.announce({ id: 'n1', since: 0 }, 60_000);
    const { epoch } = await homes.claim(account, 'n1', 60_000);
    const fence = { node: 'n1', epoch };
    for (const name of [room, other]) await memberships.setOccupancy(account, occupancyOf(name), fence);
    await kept.put(account, 'text');
    const steps = [room, other].map((name) => memberships.endOccupancy(account, name, fence));
    assert.is(await homes.release(account, fence), true);
    assert.equal(await Promise.all(steps), [[], []]);
    assert.equal((await memberships.snapshot(account)).occupancies, []);
    assert.is(await kept.read(account), undefined);
  });

  test('since when there is no session is known, and begins anew after the next', async (context) => {
    const opened = await fixture(context);
    const { memberships, vault: kept } = await opened.open();
    const aloneFor = async (): Promise<number | undefined> => {
      const ms = (await kept.read(account))?.aloneMs;
      return ms === undefined ? undefined : Math.round(ms / 1000);
    };
    await memberships.setOccupancy(account, occupancyOf());
    await memberships.addSession(account, sessionOf('s1'));
    await memberships.addSession(account, sessionOf('s2'));
    await kept.put(account, 'text');
    await memberships.removeSession(account, 's1');
    await opened.advance(10_000);
    assert.is(await aloneFor(), undefined);
    await memberships.removeSession(account, 's2');
    await opened.advance(10_000);
    assert.is(await aloneFor(), 10);
    // Another text, such as one that another key has sealed, changes nothing of that.
    await kept.put(account, 'more');
    await opened.advance(5000);
    assert.is(await aloneFor(), 15);
    await memberships.addSession(account, sessionOf('s3'));
    assert.is(await aloneFor(), undefined);
    await memberships.removeSession(account, 's3');
    assert.is(await aloneFor(), 0);
  });

  test('a text is forgotten when that is asked for, another one than is meant is not', async (context) => {
    const store = await open(context);
    await store.memberships.setOccupancy(account, occupancyOf());
    await store.vault.put(account, 'new');
    await store.vault.forget(account, 'old');
    assert.ok(await isKept(store));
    await store.vault.forget(account, 'new');
    assert.is(await isKept(store), false);
    await store.vault.put(account, 'again');
    await store.vault.forget(account);
    assert.is(await isKept(store), false);
  });

  test('an account waits for a node if it has a text and an occupancy, until it is adopted', async (context) => {
    const store = await open(context);
    await store.memberships.addSession(account, sessionOf('s1'));
    await store.vault.put(account, 'text');
    assert.is(await store.vault.orphan(account, 0), false);
    await store.memberships.setOccupancy(account, occupancyOf());
    assert.is(await store.vault.orphan(account, 0), true);
    assert.is(await store.vault.orphan(account, 0), true);
    assert.equal(await store.vault.orphans(0, 10), { accounts: [account], next: 0 });
    await store.vault.adopt(account);
    assert.equal(await store.vault.orphans(0, 10), { accounts: [], next: 0 });
  });

  test('for how long an orphan has been alone: the longest that is known', async (context) => {
    const opened = await fixture(context);
    const { memberships, vault: kept } = await opened.open();
    await memberships.addSession(account, sessionOf('s1'));
    await memberships.setOccupancy(account, occupancyOf());
    await kept.put(account, 'text');
    await memberships.removeSession(account, 's1');
    await opened.advance(1000);
    const aloneFor = async (): Promise<number> => Math.round(((await kept.read(account))?.aloneMs ?? 0) / 1000);
    await kept.orphan(account, 60_000);
    assert.is(await aloneFor(), 60);
    await kept.orphan(account, 0);
    assert.is(await aloneFor(), 60);
    await memberships.addSession(account, sessionOf('s2'));
    await kept.orphan(account, 60_000);
    assert.is((await kept.read(account))?.aloneMs, undefined);
  });

  test('all that wait are on some page, and those that have waited for long are told apart', async (context) => {
    const opened = await fixture(context);
    const { memberships, vault: kept } = await opened.open();
    const names = Array.from({ length: 7 }, (_, index) => `a${index}@x`);
    for (const [index, name] of names.entries()) {
      if (index === 4) await opened.advance(5000);
      await memberships.setOccupancy(name, occupancyOf());
      await kept.put(name, 'text');
      await kept.orphan(name, 0);
    }
    const seen: string[] = [];
    let from = 0;
    do {
      const page = await kept.orphans(from, 3);
      assert.ok(page.accounts.length <= 3);
      seen.push(...page.accounts);
      from = page.next;
    } while (from > 0);
    assert.equal(seen.sort(), names);
    assert.equal([...(await kept.waiting(4000, 10))].sort(), names.slice(0, 4));
    assert.is((await kept.waiting(4000, 2)).length, 2);
    assert.equal(await kept.waiting(60_000, 10), []);
  });

  test('which keys a node has is known as long as it lives', async (context) => {
    const opened = await fixture(context);
    const [{ nodes }, other] = [await opened.open(), await opened.open()];
    await nodes.announce({ id: 'n1', since: 5, opens: ['aa', 'bb'] }, 10_000);
    await nodes.announce({ id: 'n2', since: 6 }, 10_000);
    await nodes.heartbeat('n1', 20_000);
    assert.equal(await other.nodes.alive(), [
      { id: 'n1', since: 5, opens: ['aa', 'bb'] },
      { id: 'n2', since: 6 },
    ]);
  });

  test('for how long a node has been dead is known until it is removed', async (context) => {
    const opened = await fixture(context);
    const { nodes } = await opened.open();
    assert.is(await nodes.deadMs('n1'), 0);
    await nodes.announce({ id: 'n1', since: 0 }, 1000);
    assert.is(await nodes.deadMs('n1'), 0);
    await opened.advance(11_000);
    assert.is(Math.round((await nodes.deadMs('n1')) / 1000), 10);
    await nodes.remove('n1');
    assert.is(await nodes.deadMs('n1'), 0);
  });
}
