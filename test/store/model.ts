/** Any sequence of steps has the same results on a store as on a naive model of it. */
import fc from 'fast-check';
import type { OccupancyRecord, SessionRecord, Store } from '../../proxy/store/store.ts';
import { assert, type Suite } from '../support/suite.ts';
import type { StoreFixture } from './fixture.ts';

const accountNames = ['a@x', 'b@x'];
const roomNames = ['r1@c', 'r2@c'];
const sessionIds = ['s1', 's2', 's3'];
const nodeIds = ['n1', 'n2', 'n3'];
const ttlMs = 500;

type Step =
  | { kind: 'add'; account: string; id: string; resource: string; node: string }
  | { kind: 'remove'; account: string; id: string }
  | { kind: 'join' | 'leave'; account: string; room: string; id: string; fenced: string | undefined }
  | { kind: 'occupy'; account: string; room: string; nick: string; fenced: string | undefined }
  | { kind: 'end'; account: string; room: string; fenced: string | undefined }
  | { kind: 'claim' | 'renew' | 'release'; account: string; node: string; leaseMs: number }
  | { kind: 'move'; account: string; node: string; to: string; leaseMs: number }
  | { kind: 'announce' | 'heartbeat' | 'expel'; node: string }
  | { kind: 'advance'; ms: number };

const account = fc.constantFrom(...accountNames);
const room = fc.constantFrom(...roomNames);
const id = fc.constantFrom(...sessionIds);
const node = fc.constantFrom(...nodeIds);
const fenced = fc.option(node, { nil: undefined, freq: 3 });
const resource = fc.constantFrom('phone', 'desk');
// Shorter than the life of a node, and longer.
const leaseMs = fc.constantFrom(200, 1000);
const nick = fc.constantFrom('one', 'two');

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('add' as const), account, id, resource, node }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('remove' as const), account, id }) },
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constantFrom('join' as const, 'leave' as const), account, room, id, fenced }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('occupy' as const), account, room, nick, fenced }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('end' as const), account, room, fenced }) },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constantFrom('claim' as const, 'renew' as const, 'release' as const),
      account,
      node,
      leaseMs,
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('move' as const), account, node, to: node, leaseMs }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constantFrom('announce' as const, 'heartbeat' as const), node }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('expel' as const), node }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('advance' as const), ms: fc.constantFrom(120, 260) }) },
);

/** Registers the property, tried with `runs` random sequences. */
export function modelProperties(test: Suite, createFixture: () => Promise<StoreFixture>, runs: number): void {
  test('any sequence of steps has the results of a naive model', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60, size: 'max' }), async (steps) => {
        const fixture = await createFixture();
        try {
          // Without nodes most steps are refused: they are there from the start.
          await compare(fixture, [...nodeIds.map((name): Step => ({ kind: 'announce', node: name })), ...steps]);
        } finally {
          await fixture.close();
        }
      }),
      { numRuns: runs },
    );
  });
}

async function compare(fixture: StoreFixture, steps: Step[]): Promise<void> {
  const store = await fixture.open();
  const model = new Model();
  for (const [index, one] of steps.entries()) {
    const place = `step ${index}: ${JSON.stringify(one)}`;
    if (one.kind === 'advance') {
      await fixture.advance(one.ms);
      model.now += one.ms;
    } else {
      const expected = model.apply(one);
      assert.equal(await apply(store, model, one), expected, place);
    }
    await compareState(store, model, place);
  }
}

async function compareState(store: Store, model: Model, place: string): Promise<void> {
  for (const name of accountNames) {
    assert.equal(await store.memberships.snapshot(name), model.snapshot(name), place);
    const holder = await store.homes.holder(name);
    assert.is(holder?.node, model.inForce(name)?.node, place);
    if (holder) model.observeEpoch(name, holder.epoch);
  }
  for (const one of nodeIds.map((name) => model.lifeId(name))) {
    const listed = await store.memberships.accounts(one);
    for (const name of model.accountsOn(one)) assert.ok(listed.includes(name), place);
  }
  const alive = await store.nodes.alive();
  assert.equal(
    alive.map((life) => life.id),
    model.nodeIds(true),
    place,
  );
  assert.equal(await store.nodes.expired(), model.nodeIds(false), place);
}

/** What a step gives, in a form that leaves out the number of an epoch. */
async function apply(store: Store, model: Model, one: Exclude<Step, { kind: 'advance' }>): Promise<unknown> {
  try {
    return await run(store, model, one);
  } catch (error) {
    return (error as { code?: string }).code ?? error;
  }
}

async function run(store: Store, model: Model, one: Exclude<Step, { kind: 'advance' }>): Promise<unknown> {
  const { memberships, homes, nodes } = store;
  const fence = 'fenced' in one && one.fenced !== undefined ? model.fence(one.account, one.fenced) : undefined;
  switch (one.kind) {
    case 'add':
      return memberships.addSession(one.account, sessionFor(one, model));
    case 'remove':
      return memberships.removeSession(one.account, one.id);
    case 'join':
    case 'leave':
      return memberships[one.kind](one.account, one.room, one.id, fence);
    case 'occupy':
      return memberships.setOccupancy(one.account, occupancyFor(one), fence);
    case 'end':
      return memberships.endOccupancy(one.account, one.room, fence);
    case 'claim': {
      const claim = await homes.claim(one.account, model.lifeId(one.node), one.leaseMs);
      if (claim.granted) model.observeEpoch(one.account, claim.epoch);
      return claim.granted ? 'granted' : claim.heldBy;
    }
    case 'renew':
      return homes.renew(one.account, model.fence(one.account, one.node), one.leaseMs);
    case 'release':
      return homes.release(one.account, model.fence(one.account, one.node));
    case 'move': {
      const from = model.fence(one.account, one.node);
      const epoch = await homes.move(one.account, from, model.lifeId(one.to), one.leaseMs);
      if (epoch !== undefined) model.observeEpoch(one.account, epoch);
      return epoch !== undefined;
    }
    case 'announce':
      return nodes.announce({ id: model.lifeId(one.node), since: 0 }, ttlMs);
    case 'heartbeat':
      return nodes.heartbeat(model.lifeId(one.node), ttlMs);
    case 'expel':
      return nodes.remove(model.removedId(one.node));
  }
}

function sessionFor(one: Extract<Step, { kind: 'add' }>, model: Model): SessionRecord {
  const { account: bare, id: name, resource: end, node: place } = one;
  return { id: name, jid: `${bare}/${end}`, resource: end, node: model.lifeId(place), since: 0 };
}

function occupancyFor(one: Extract<Step, { kind: 'occupy' }>): OccupancyRecord {
  return { room: one.room, address: one.room, nick: one.nick, carrier: 'borrowed', bookmarked: one.nick === 'two' };
}

interface ModelClaim {
  account: string;
  node: string;
  until: number;
  isOver: boolean;
  epoch: number | undefined;
}

function claimOf(account: string, place: string, until: number): ModelClaim {
  return { account, node: place, until, isOver: false, epoch: undefined };
}

/** Flat lists and nothing clever: what is slow here is easy to believe. */
class Model {
  now = 0;
  sessions: { account: string; session: SessionRecord }[] = [];
  occupancies: { account: string; record: OccupancyRecord }[] = [];
  joined: { account: string; room: string; id: string }[] = [];
  /** All claims ever granted, the latest last. */
  claims: ModelClaim[] = [];
  lives: { id: string; until: number }[] = [];
  removed: Record<string, number> = {};

  /** The id under which a node is known at present: a fresh one after each removal, since an id has one life only. */
  lifeId(name: string): string {
    return `${name}-${this.removed[name] ?? 0}`;
  }

  /** The name that the step `expel` has just ended. */
  removedId(name: string): string {
    return `${name}-${(this.removed[name] ?? 1) - 1}`;
  }

  isAlive(name: string): boolean {
    return this.lives.some((life) => life.id === name && life.until > this.now);
  }

  nodeIds(alive: boolean): string[] {
    return this.lives
      .map((life) => life.id)
      .filter((name) => this.isAlive(name) === alive)
      .sort();
  }

  inForce(name: string): ModelClaim | undefined {
    const last = this.claims.filter((claim) => claim.account === name).at(-1);
    return last && !last.isOver && last.until > this.now && this.isAlive(last.node) ? last : undefined;
  }

  /** What the node believes to hold: its latest claim, whether or not it still is in force. */
  fence(name: string, place: string): { node: string; epoch: number } {
    // A claim that this very step makes has no epoch yet.
    const isKnown = ({ account: bare, node: holder, epoch }: ModelClaim) =>
      bare === name && holder === this.lifeId(place) && epoch !== undefined;
    return { node: this.lifeId(place), epoch: this.claims.filter(isKnown).at(-1)?.epoch ?? -1 };
  }

  /** Epochs are the store's choice; that they grow is checked here. */
  observeEpoch(name: string, epoch: number): void {
    const [last, ...earlier] = this.claims.filter((claim) => claim.account === name).reverse();
    if (last) last.epoch ??= epoch;
    assert.is(last?.epoch, epoch);
    for (const claim of earlier) assert.ok((claim.epoch ?? 0) < epoch, 'epochs grow');
  }

  accountsOn(name: string): string[] {
    return [...new Set(this.sessions.filter(({ session }) => session.node === name).map((one) => one.account))];
  }

  snapshot(name: string): unknown {
    const own = <T extends { account: string }>(list: T[]) => list.filter((one) => one.account === name);
    const sessions = own(this.sessions).map(({ session }) => session);
    const occupancies = own(this.occupancies).map(({ record }) => ({
      ...record,
      joined: this.joinedIds(name, record.room),
    }));
    return {
      account: name,
      sessions: sessions.sort((a, b) => (a.id < b.id ? -1 : 1)),
      occupancies: occupancies.sort((a, b) => (a.room < b.room ? -1 : 1)),
    };
  }

  apply(one: Exclude<Step, { kind: 'advance' }>): unknown {
    if ('fenced' in one && one.fenced !== undefined) {
      const claim = this.inForce(one.account);
      if (claim?.node !== this.lifeId(one.fenced)) return 'stale-home';
    }
    switch (one.kind) {
      case 'add':
        return this.add(one.account, sessionFor(one, this));
      case 'remove':
        return this.remove(one.account, one.id);
      case 'join':
        return this.join(one.account, one.room, one.id);
      case 'leave': {
        const before = this.joinedIds(one.account, one.room);
        this.unjoin((join) => join.account === one.account && join.room === one.room && join.id === one.id);
        return { left: before.includes(one.id), remaining: this.joinedIds(one.account, one.room).length };
      }
      case 'occupy':
        this.dropOccupancy(one.account, one.room);
        this.occupancies.push({ account: one.account, record: occupancyFor(one) });
        return undefined;
      case 'end': {
        const ids = this.joinedIds(one.account, one.room);
        this.dropOccupancy(one.account, one.room);
        this.unjoin((join) => join.account === one.account && join.room === one.room);
        return ids;
      }
      default:
        return this.applyToNodes(one);
    }
  }

  applyToNodes(
    one: Extract<
      Step,
      { node: string } & (
        | { kind: 'claim' | 'renew' | 'release' | 'move' }
        | { kind: 'announce' | 'heartbeat' | 'expel' }
      )
    >,
  ): unknown {
    const name = this.lifeId(one.node);
    const life = this.lives.find((other) => other.id === name);
    switch (one.kind) {
      case 'claim':
        return this.claim(one.account, name, one.leaseMs);
      case 'renew':
      case 'release': {
        const claim = this.inForce(one.account);
        if (claim?.node !== name) return false;
        if (one.kind === 'renew') claim.until = this.now + one.leaseMs;
        else claim.isOver = true;
        return true;
      }
      case 'move': {
        const claim = this.inForce(one.account);
        const to = this.lifeId(one.to);
        if (claim?.node !== name || !this.isAlive(to)) return false;
        claim.isOver = true;
        this.claims.push(claimOf(one.account, to, this.now + one.leaseMs));
        return true;
      }
      case 'announce':
        if (life && !this.isAlive(name)) return 'node-expired';
        this.lives = [...this.lives.filter((other) => other.id !== name), { id: name, until: this.now + ttlMs }];
        return undefined;
      case 'heartbeat':
        if (!life || !this.isAlive(name)) return false;
        life.until = this.now + ttlMs;
        return true;
      case 'expel':
        this.lives = this.lives.filter((other) => other.id !== name);
        this.removed[one.node] = (this.removed[one.node] ?? 0) + 1;
        return undefined;
    }
  }

  claim(name: string, place: string, ms: number): unknown {
    if (!this.isAlive(place)) return 'node-expired';
    const current = this.inForce(name);
    if (current && current.node !== place) return current.node;
    if (current) current.until = this.now + ms;
    else this.claims.push(claimOf(name, place, this.now + ms));
    return 'granted';
  }

  add(name: string, session: SessionRecord): unknown {
    const rival = this.sessions.find(
      (other) => other.account === name && other.session.jid === session.jid && other.session.id !== session.id,
    );
    const removed = rival && this.remove(name, rival.session.id);
    this.sessions = this.sessions.filter((other) => other.account !== name || other.session.id !== session.id);
    this.sessions.push({ account: name, session });
    return removed;
  }

  remove(name: string, gone: string): unknown {
    const found = this.sessions.find((one) => one.account === name && one.session.id === gone);
    if (!found) return undefined;
    const rooms = this.joined.filter((one) => one.account === name && one.id === gone).map((one) => one.room);
    this.sessions = this.sessions.filter((one) => one !== found);
    this.unjoin((one) => one.account === name && one.id === gone);
    return { session: found.session, rooms: rooms.sort() };
  }

  join(name: string, place: string, who: string): unknown {
    const before = this.joinedIds(name, place);
    if (!this.sessions.some((one) => one.account === name && one.session.id === who)) {
      return { result: 'no-session', count: before.length };
    }
    if (!this.occupancies.some((one) => one.account === name && one.record.room === place)) {
      return { result: 'no-occupancy', count: 0 };
    }
    if (before.includes(who)) return { result: 'already', count: before.length };
    this.joined.push({ account: name, room: place, id: who });
    return { result: 'joined', count: before.length + 1 };
  }

  joinedIds(name: string, place: string): string[] {
    return this.joined
      .filter((one) => one.account === name && one.room === place)
      .map((one) => one.id)
      .sort();
  }

  dropOccupancy(name: string, place: string): void {
    this.occupancies = this.occupancies.filter((one) => one.account !== name || one.record.room !== place);
  }

  unjoin(isGone: (join: { account: string; room: string; id: string }) => boolean): void {
    this.joined = this.joined.filter((one) => !isGone(one));
  }
}
