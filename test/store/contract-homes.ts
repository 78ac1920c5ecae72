/** The part of the stores' contract that is about nodes: who lives, who is home, who may write. */
import { StoreError, type StoreErrorCode } from '../../proxy/store/store.ts';
import { assert, type Suite, type TestContext } from '../support/suite.ts';
import { account, type Maker, occupancyOf, room, sessionOf } from './fixture.ts';

/** Writes of nodes that are not home any more. */
export function fences(test: Suite, make: Maker): void {
  test('who is not home any more changes nothing', async (context) => {
    const { open, advance } = await make(context);
    const { memberships, homes, nodes } = await open();
    for (const id of ['n1', 'n2']) await nodes.announce({ id, since: 0 }, 100_000);
    const claim = await homes.claim(account, 'n1', 1000);
    const fence = { node: 'n1', epoch: claim.epoch };
    await memberships.addSession(account, sessionOf('s1'));
    await memberships.setOccupancy(account, occupancyOf(), fence);
    assert.equal(await memberships.join(account, room, 's1', fence), { result: 'joined', count: 1 });
    await advance(1001);
    const before = await memberships.snapshot(account);
    const refuseAll = async (): Promise<void> => {
      await rejects(memberships.setOccupancy(account, occupancyOf(room, 'other'), fence), 'stale-home');
      await rejects(memberships.setOccupancy(account, occupancyOf('other@c'), fence), 'stale-home');
      await rejects(memberships.join(account, room, 's1', fence), 'stale-home');
      await rejects(memberships.leave(account, room, 's1', fence), 'stale-home');
      await rejects(memberships.endOccupancy(account, room, fence), 'stale-home');
    };
    await refuseAll();
    await homes.claim(account, 'n2', 1000);
    await refuseAll();
    assert.equal(await memberships.snapshot(account), before);
    await rejects(memberships.leave(account, room, 's1', { node: 'n2', epoch: fence.epoch }), 'stale-home');
    await rejects(memberships.leave('romeo@example.org', room, 's1', fence), 'stale-home');
  });
}

/** Claims, leases, epochs. */
export function homes(test: Suite, make: Maker): void {
  const setUp = async (context: TestContext) => {
    const { open, advance } = await make(context);
    const store = await open();
    for (const id of ['n1', 'n2']) await store.nodes.announce({ id, since: 0 }, 10_000);
    return { ...store, advance };
  };

  test('one node is home, until it gives the account up', async (context) => {
    const { homes: api } = await setUp(context);
    const claim = await api.claim(account, 'n1', 1000);
    assert.ok(claim.granted);
    const { epoch } = claim;
    assert.equal(await api.claim(account, 'n2', 1000), { granted: false, heldBy: 'n1', epoch });
    assert.equal(await api.claim(account, 'n1', 1000), { granted: true, epoch }, 'the home keeps its epoch');
    assert.equal(await api.holder(account), { node: 'n1', epoch });
    assert.ok((await api.held('n1')).includes(account));
    assert.is(await api.release(account, { node: 'n2', epoch }), false);
    assert.is(await api.release(account, { node: 'n1', epoch: epoch + 1 }), false);
    assert.is(await api.release(account, { node: 'n1', epoch }), true);
    assert.is(await api.release(account, { node: 'n1', epoch }), false);
    assert.is(await api.holder(account), undefined);
    const next = await api.claim(account, 'n2', 1000);
    assert.ok(next.granted && next.epoch > epoch);
    assert.is(await api.holder('romeo@example.org'), undefined);
  });

  test('a lease that is not renewed ends the claim for good', async (context) => {
    const { homes: api, advance } = await setUp(context);
    const { epoch } = await api.claim(account, 'n1', 1000);
    const fence = { node: 'n1', epoch };
    await advance(600);
    assert.is(await api.renew(account, fence, 1000), true);
    await advance(600);
    assert.equal(await api.holder(account), fence);
    await advance(600);
    assert.is(await api.holder(account), undefined);
    assert.is(await api.renew(account, fence, 1000), false);
    assert.is(await api.release(account, fence), false);
    const again = await api.claim(account, 'n1', 1000);
    assert.ok(again.granted && again.epoch > epoch, 'a new claim, not the old one');
  });

  test('the claims of a node that has expired are void, however long their leases are', async (context) => {
    const { homes: api, nodes: liveness, advance } = await setUp(context);
    const { epoch } = await api.claim(account, 'n1', 1_000_000);
    await advance(6000);
    await liveness.heartbeat('n2', 10_000);
    await advance(6000);
    const fence = { node: 'n1', epoch };
    assert.is(await api.holder(account), undefined);
    assert.is(await api.renew(account, fence, 1000), false);
    await rejects(api.claim(account, 'n1', 1000), 'node-expired');
    assert.ok((await api.held('n1')).includes(account), 'whoever cleans up must find it');
    const next = await api.claim(account, 'n2', 1000);
    assert.ok(next.granted && next.epoch > epoch);
    await rejects(api.claim(account, 'nobody', 1000), 'node-expired');
  });

  test('the claims of a removed node are void at once, also for itself', async (context) => {
    const { open } = await make(context);
    const [own, other] = [await open(), await open()];
    for (const id of ['n1', 'n2']) await own.nodes.announce({ id, since: 0 }, 10_000);
    const { homes: api } = other;
    const { epoch } = await own.homes.claim(account, 'n1', 1000);
    await own.memberships.setOccupancy(account, occupancyOf(), { node: 'n1', epoch });
    await other.nodes.remove('n1');
    await rejects(own.memberships.setOccupancy(account, occupancyOf(), { node: 'n1', epoch }), 'stale-home');
    assert.is(await own.homes.renew(account, { node: 'n1', epoch }, 1000), false);
    assert.is(await api.holder(account), undefined);
    assert.equal(await api.held('n1'), []);
    const next = await api.claim(account, 'n2', 1000);
    assert.ok(next.granted && next.epoch > epoch);
  });

  test("a home that moves is never nobody's, and only the one in force can be moved, to a node that lives", async (context) => {
    const { homes: api, advance } = await setUp(context);
    const { epoch } = await api.claim(account, 'n1', 1000);
    const fence = { node: 'n1', epoch };
    assert.is(await api.move(account, { node: 'n2', epoch }, 'n2', 1000), undefined);
    assert.is(await api.move(account, { node: 'n1', epoch: epoch + 1 }, 'n2', 1000), undefined);
    assert.is(await api.move(account, fence, 'nobody', 1000), undefined);
    assert.equal(await api.holder(account), fence);
    const next = await api.move(account, fence, 'n2', 1000);
    assert.ok(next !== undefined && next > epoch);
    assert.equal(await api.holder(account), { node: 'n2', epoch: next });
    assert.equal(await api.claim(account, 'n1', 1000), { granted: false, heldBy: 'n2', epoch: next });
    assert.is(await api.renew(account, fence, 1000), false);
    assert.is(await api.release(account, fence), false);
    assert.is(await api.move(account, fence, 'n1', 1000), undefined);
    assert.ok((await api.held('n2')).includes(account));
    await advance(1001);
    assert.is(await api.holder(account), undefined, 'with a lease of its own');
    assert.is(await api.move(account, { node: 'n2', epoch: next ?? 0 }, 'n1', 1000), undefined);
  });

  test('epochs only grow, also for an account of which nothing was left', async (context) => {
    const { homes: api, memberships } = await setUp(context);
    let last = 0;
    for (let turn = 0; turn < 10; turn++) {
      const node = turn % 2 === 0 ? 'n1' : 'n2';
      await memberships.addSession(account, sessionOf('s1', node));
      const { epoch } = await api.claim(account, node, 1000);
      assert.ok(Number.isSafeInteger(epoch) && epoch > last);
      last = epoch;
      await api.release(account, { node, epoch });
      await memberships.removeSession(account, 's1');
    }
  });
}

/** Liveness. */
export function nodes(test: Suite, make: Maker): void {
  test('a node lives as long as its heart beats, and not again', async (context) => {
    const { open, advance } = await make(context);
    const { nodes: api } = await open();
    await api.announce({ id: 'n2', since: 5 }, 1000);
    await api.announce({ id: 'n1', since: 7 }, 1000);
    assert.equal(await api.alive(), [
      { id: 'n1', since: 7 },
      { id: 'n2', since: 5 },
    ]);
    await advance(600);
    assert.is(await api.heartbeat('n1', 1000), true);
    await advance(600);
    assert.equal(await api.alive(), [{ id: 'n1', since: 7 }]);
    assert.equal(await api.expired(), ['n2']);
    assert.is(await api.heartbeat('n2', 1000), false);
    await rejects(api.announce({ id: 'n2', since: 9 }, 1000), 'node-expired');
    assert.equal(await api.expired(), ['n2'], 'until somebody has cleaned up');
    await api.remove('n2');
    await api.remove('n2');
    assert.equal(await api.expired(), []);
    assert.is(await api.heartbeat('n2', 1000), false);
    await api.remove('n1');
    assert.equal(await api.alive(), []);
    assert.is(await api.heartbeat('nobody', 1000), false);
  });
}

async function rejects(promise: Promise<unknown>, code: StoreErrorCode): Promise<void> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.instance(error, StoreError);
  assert.is((error as StoreError).code, code);
}
