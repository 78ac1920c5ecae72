/** What every store promises (proxy/store/store.ts), as tests that each implementation runs. */
import type { OccupancyRecord, Store } from '../../proxy/store/store.ts';
import { assert, type Suite, suite, type TestContext } from '../support/suite.ts';
import { cursors } from './contract-cursors.ts';
import { hibernations } from './contract-hibernations.ts';
import { fences, homes, nodes } from './contract-homes.ts';
import { logs } from './contract-logs.ts';
import { vault } from './contract-vault.ts';
import { account, type Maker, occupancyOf, room, type StoreFixture, sessionOf } from './fixture.ts';
import { modelProperties } from './model.ts';

export type { StoreFixture } from './fixture.ts';

export interface ContractOptions {
  /** Of the random sequences. */
  readonly runs?: number;
  /** When all tests are over: ends what the fixtures share. */
  readonly after?: () => unknown;
}

/** Registers and runs the suite for an implementation. */
export function storeContract(
  name: string,
  createFixture: () => Promise<StoreFixture>,
  { runs = 200, after }: ContractOptions = {},
): void {
  const test = suite(`${name} store`, { limitMs: 60_000 });
  const fixture = async ({ after }: TestContext): Promise<StoreFixture> => {
    const made = await createFixture();
    after(() => made.close());
    return made;
  };
  const open = async (context: TestContext): Promise<Store> => (await fixture(context)).open();
  sessions(test, open);
  joins(test, open);
  fences(test, fixture);
  homes(test, fixture);
  nodes(test, fixture);
  cursors(test, fixture);
  hibernations(test, fixture);
  logs(test, fixture);
  vault(test, fixture);
  races(test, fixture);
  modelProperties(test, createFixture, runs);
  if (after) test.after(after);
  test.run();
}

type Opener = (context: TestContext) => Promise<Store>;

function sessions(test: Suite, open: Opener): void {
  test('an account that nobody has heard of is empty', async (context) => {
    const { memberships } = await open(context);
    assert.equal(await memberships.snapshot(account), { account, sessions: [], occupancies: [] });
    assert.is(await memberships.removeSession(account, 's1'), undefined);
    assert.equal(await memberships.endOccupancy(account, room), []);
    assert.equal(await memberships.leave(account, room, 's1'), { left: false, remaining: 0 });
    assert.equal(await memberships.accounts('n1'), []);
  });

  test('a removed session is gone from the account and from its rooms, which stay occupied', async (context) => {
    const { memberships } = await open(context);
    await memberships.addSession(account, sessionOf('s1'));
    await memberships.addSession(account, sessionOf('s2'));
    for (const name of ['b@c', 'a@c', 'z@c']) await memberships.setOccupancy(account, occupancyOf(name));
    for (const name of ['b@c', 'a@c']) await memberships.join(account, name, 's1');
    await memberships.join(account, 'a@c', 's2');
    assert.equal(await memberships.removeSession(account, 's1'), { session: sessionOf('s1'), rooms: ['a@c', 'b@c'] });
    assert.is(await memberships.removeSession(account, 's1'), undefined);
    const { sessions: left, occupancies } = await memberships.snapshot(account);
    assert.equal(left, [sessionOf('s2')]);
    assert.equal(
      occupancies.map(({ room: name, joined }) => [name, joined]),
      [
        ['a@c', ['s2']],
        ['b@c', []],
        ['z@c', []],
      ],
    );
  });

  test('a session that takes the JID of another replaces it, and the late farewell of the old one harms nobody', async (context) => {
    const { memberships } = await open(context);
    await memberships.addSession(account, sessionOf('old', 'n1', 'phone'));
    await memberships.setOccupancy(account, occupancyOf());
    await memberships.join(account, room, 'old');
    const replaced = await memberships.addSession(account, sessionOf('new', 'n2', 'phone'));
    assert.equal(replaced, { session: sessionOf('old', 'n1', 'phone'), rooms: [room] });
    assert.is(await memberships.removeSession(account, 'old'), undefined);
    const snapshot = await memberships.snapshot(account);
    assert.equal(snapshot.sessions, [sessionOf('new', 'n2', 'phone')]);
    assert.equal(snapshot.occupancies[0]?.joined, []);
  });

  test('a session that is written again keeps its rooms', async (context) => {
    const { memberships } = await open(context);
    await memberships.addSession(account, sessionOf('s1', 'n1'));
    await memberships.setOccupancy(account, occupancyOf());
    await memberships.join(account, room, 's1');
    assert.is(await memberships.addSession(account, sessionOf('s1', 'n2')), undefined);
    const snapshot = await memberships.snapshot(account);
    assert.equal(snapshot.sessions, [sessionOf('s1', 'n2')]);
    assert.equal(snapshot.occupancies[0]?.joined, ['s1']);
  });

  test('accounts are told apart, whatever their names are', async (context) => {
    const { memberships } = await open(context);
    const names = ['a@b', 'a@b:sessions', '{a@b}', '}a@b', '%7Da@b', 'a@b*', '__proto__', 'ä@b', 'a@b\u0000c', ''];
    for (const name of names) {
      await memberships.addSession(name, sessionOf('s1'));
      await memberships.setOccupancy(name, occupancyOf(name));
      await memberships.join(name, name, 's1');
    }
    assert.equal(await memberships.accounts('n1'), [...names].sort());
    for (const name of names) {
      const snapshot = await memberships.snapshot(name);
      assert.equal([snapshot.sessions.length, snapshot.occupancies.length], [1, 1], name);
      assert.equal(snapshot.occupancies[0]?.joined, ['s1'], name);
    }
  });

  test('every account with a session on a node is listed for it', async (context) => {
    const { memberships } = await open(context);
    await memberships.addSession('b@x', sessionOf('s1', 'n1'));
    await memberships.addSession('a@x', sessionOf('s2', 'n1'));
    await memberships.addSession('a@x', sessionOf('s3', 'n2'));
    await memberships.setOccupancy('c@x', occupancyOf());
    for (const name of ['a@x', 'b@x']) assert.ok((await memberships.accounts('n1')).includes(name));
    assert.ok((await memberships.accounts('n2')).includes('a@x'));
    // Written again for another node: that one lists it now.
    await memberships.addSession('b@x', sessionOf('s1', 'n2'));
    assert.ok((await memberships.accounts('n2')).includes('b@x'));
  });

  test('what is returned is a copy, and so is what is stored', async (context) => {
    const { memberships } = await open(context);
    const session = { ...sessionOf('s1') };
    const occupancy = { ...occupancyOf() };
    await memberships.addSession(account, session);
    await memberships.setOccupancy(account, occupancy);
    await memberships.join(account, room, 's1');
    const before = await memberships.snapshot(account);
    Object.assign(session, { node: 'changed' });
    Object.assign(occupancy, { nick: 'changed' });
    Object.assign(before.sessions[0] ?? {}, { node: 'changed' });
    (before.occupancies[0]?.joined as string[] | undefined)?.push('changed');
    const after = await memberships.snapshot(account);
    assert.equal(after.sessions, [sessionOf('s1')]);
    assert.equal(after.occupancies, [{ ...occupancyOf(), joined: ['s1'] }]);
  });
}

function joins(test: Suite, open: Opener): void {
  test('a join counts the sessions in the room, a leave those that remain', async (context) => {
    const { memberships } = await open(context);
    for (const id of ['s1', 's2']) await memberships.addSession(account, sessionOf(id));
    await memberships.setOccupancy(account, occupancyOf());
    assert.equal(await memberships.join(account, room, 's1'), { result: 'joined', count: 1 });
    assert.equal(await memberships.join(account, room, 's2'), { result: 'joined', count: 2 });
    assert.equal(await memberships.join(account, room, 's2'), { result: 'already', count: 2 });
    assert.equal(await memberships.leave(account, room, 's1'), { left: true, remaining: 1 });
    assert.equal(await memberships.leave(account, room, 's1'), { left: false, remaining: 1 });
    assert.equal(await memberships.leave(account, room, 's2'), { left: true, remaining: 0 });
    assert.is((await memberships.snapshot(account)).occupancies.length, 1, 'the account has not left');
  });

  test('only a session of the account joins, and only a room that the account occupies', async (context) => {
    const { memberships } = await open(context);
    await memberships.addSession(account, sessionOf('s1'));
    assert.equal(await memberships.join(account, room, 's1'), { result: 'no-occupancy', count: 0 });
    await memberships.setOccupancy(account, occupancyOf());
    await memberships.join(account, room, 's1');
    assert.equal(await memberships.join(account, room, 's2'), { result: 'no-session', count: 1 });
    assert.equal(await memberships.join('romeo@example.org', room, 's1'), { result: 'no-session', count: 0 });
  });

  test('an occupancy that is written again keeps its joined sessions; ended, it frees them', async (context) => {
    const { memberships } = await open(context);
    for (const id of ['s2', 's1']) await memberships.addSession(account, sessionOf(id));
    await memberships.setOccupancy(account, occupancyOf());
    for (const id of ['s2', 's1']) await memberships.join(account, room, id);
    const changed: OccupancyRecord = { ...occupancyOf(room, 'jule'), carrier: 'account-stream', bookmarked: true };
    await memberships.setOccupancy(account, changed);
    assert.equal((await memberships.snapshot(account)).occupancies, [{ ...changed, joined: ['s1', 's2'] }]);
    assert.equal(await memberships.endOccupancy(account, room), ['s1', 's2']);
    assert.equal(await memberships.endOccupancy(account, room), []);
    await memberships.setOccupancy(account, occupancyOf());
    assert.equal((await memberships.snapshot(account)).occupancies[0]?.joined, []);
  });

  test('text of any kind comes back as it was', async (context) => {
    const { memberships } = await open(context);
    const nick = 'Jülïet 🌹 "\\\u2028 <&>';
    await memberships.setOccupancy(account, occupancyOf(room, nick));
    assert.is((await memberships.snapshot(account)).occupancies[0]?.nick, nick);
  });
}

function races(test: Suite, make: Maker): void {
  const views = async (context: TestContext): Promise<[Store, Store]> => {
    const { open } = await make(context);
    const pair: [Store, Store] = [await open(), await open()];
    for (const id of ['n0', 'n1']) await pair[0].nodes.announce({ id, since: 0 }, 100_000);
    return pair;
  };
  const times = Array.from({ length: 20 }, (_, index) => index);

  test('what one node writes, another one reads', async (context) => {
    const [one, two] = await views(context);
    await one.memberships.addSession(account, sessionOf('s1'));
    assert.is((await two.memberships.snapshot(account)).sessions.length, 1);
  });

  test('of many claims at a time one is granted, and all others name it', async (context) => {
    const pair = await views(context);
    const claims = await Promise.all(
      times.map((index) => pair[index % 2 === 0 ? 0 : 1].homes.claim(account, `n${index % 2}`, 1000)),
    );
    const holder = await pair[1].homes.holder(account);
    for (const [index, claim] of claims.entries()) {
      assert.is(claim.epoch, holder?.epoch);
      assert.is(claim.granted, `n${index % 2}` === holder?.node);
      if (!claim.granted) assert.is(claim.heldBy, holder?.node);
    }
  });

  test('of sessions that leave at a time exactly one is the last', async (context) => {
    const pair = await views(context);
    await pair[0].memberships.setOccupancy(account, occupancyOf());
    for (const index of times) {
      await pair[0].memberships.addSession(account, sessionOf(`s${index}`));
      await pair[0].memberships.join(account, room, `s${index}`);
    }
    const left = await Promise.all(
      times.map((index) => pair[index % 2 === 0 ? 0 : 1].memberships.leave(account, room, `s${index}`)),
    );
    assert.equal(
      left.map(({ remaining }) => remaining).sort((a, b) => a - b),
      times,
    );
  });

  test('a session that goes while it joins is not left behind in the room', async (context) => {
    const pair = await views(context);
    await pair[0].memberships.setOccupancy(account, occupancyOf());
    await Promise.all(
      times.map(async (index) => {
        const id = `s${index}`;
        await pair[0].memberships.addSession(account, sessionOf(id));
        const joining = pair[1].memberships.join(account, room, id);
        const [joined, removed] = await Promise.all([joining, pair[0].memberships.removeSession(account, id)]);
        assert.equal(removed?.rooms, joined.result === 'joined' ? [room] : []);
      }),
    );
    assert.equal((await pair[0].memberships.snapshot(account)).occupancies[0]?.joined, []);
  });

  test('of sessions that claim one JID at a time one stays', async (context) => {
    const pair = await views(context);
    const add = (index: number) =>
      pair[index % 2 === 0 ? 0 : 1].memberships.addSession(account, sessionOf(`s${index}`, 'n0', 'phone'));
    const replaced = await Promise.all(times.map(add));
    const gone = replaced.flatMap((one) => (one ? [one.session.id] : []));
    const { sessions: left } = await pair[0].memberships.snapshot(account);
    assert.is(left.length, 1);
    assert.equal([...gone, left[0]?.id].sort(), times.map((index) => `s${index}`).sort());
  });
}
