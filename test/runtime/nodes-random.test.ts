/** Any order of events on several nodes, with envelopes that take their time: in the end everybody has heard everything once. */
import process from 'node:process';
import fc from 'fast-check';
import { assert, suite } from '../support/suite.ts';
import { NodesWorld, type TestClient, type TestNode } from './nodes-world.ts';

/** The same orders of events in every run; `SEED=1` and the like for others, `RUNS=1000` for more. */
const seed = Number(process.env.SEED ?? 20261127);
const numRuns = Number(process.env.RUNS ?? 8);

const test = suite('an account on several nodes, at random', { limitMs: 600_000 });

type Event = readonly [kind: string, choice: number];

function event(weight: number, kind: string, choice: fc.Arbitrary<number>): fc.WeightedArbitrary<Event> {
  return { weight, arbitrary: fc.tuple(fc.constant(kind), choice) };
}

const common = [
  event(3, 'bind', fc.nat(2)),
  event(5, 'join', fc.nat(9)),
  event(1, 'leave', fc.nat(9)),
  event(2, 'drop', fc.nat(9)),
  event(2, 'park', fc.nat(9)),
  event(1, 'lose-parked', fc.nat(9)),
  event(1, 'lose', fc.nat(9)),
  event(4, 'say', fc.nat(9)),
  event(4, 'hear', fc.nat(9)),
  event(20, 'arrive', fc.nat(30)),
  event(4, 'breathe', fc.nat(0)),
  event(2, 'settle', fc.constantFrom(0, 60)),
];
const faults = [
  event(1, 'stop', fc.nat(2)),
  event(1, 'kill', fc.nat(2)),
  event(1, 'cut', fc.nat(2)),
  event(2, 'mend', fc.nat(2)),
];
test('whoever is in the room has heard all of it in order, once, and the room has one occupant', async () => {
  await property(common, false);
});

test('the same while nodes stop, are killed and cut off from the store', async () => {
  await property([...common, ...faults], true);
});

async function property(events: typeof common, hasFaults: boolean): Promise<void> {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.oneof(...events), { maxLength: 60, size: 'max' }), async (list) => {
      const world = new NodesWorld();
      for (let index = 0; index < 3; index += 1) await world.addNode();
      try {
        for (const event of list) await play(world, event);
        await check(world, hasFaults);
      } finally {
        await world.close();
      }
    }),
    { numRuns, seed, endOnFailure: process.env.SHRINK === undefined },
  );
}

async function play(world: NodesWorld, [kind, choice]: Event): Promise<void> {
  const alive = world.nodes.filter(({ isDead }) => !isDead);
  const node = alive[choice % alive.length] as TestNode;
  const clients = world.clients.filter(({ isGone }) => !isGone);
  const client: TestClient | undefined = clients[choice % Math.max(1, clients.length)];
  switch (kind) {
    case 'bind':
      if (clients.length < 5) world.bind(node);
      return;
    case 'join':
      if (client?.place === 'out') client.join();
      return;
    case 'leave':
      if (client?.place === 'in') client.leave();
      return;
    case 'drop':
      client?.drop();
      return;
    case 'park':
      client?.leaveBehind();
      return;
    case 'lose-parked': {
      const parked = world.clients.filter(({ isParked }) => isParked);
      parked[choice % Math.max(1, parked.length)]?.lose();
      return;
    }
    case 'lose':
      client?.lose();
      return;
    case 'say':
      if (client?.place === 'in') client.say(`own ${++world.serial}`);
      return;
    case 'hear':
      world.roomSays();
      return;
    case 'arrive':
      world.arrive(choice);
      return;
    case 'breathe':
      await world.breathe();
      return;
    case 'settle':
      await world.settle(choice);
      return;
    case 'kill':
      if (alive.length > 1) await world.kill(node);
      return;
    case 'stop':
      if (alive.length > 1) {
        for (const one of alive) await mend(one);
        await world.stop(node);
      }
      return;
    case 'cut':
      node.isCut = true;
      return;
    case 'mend':
      await mend(node);
      return;
  }
}

async function mend(node: TestNode): Promise<void> {
  node.isCut = false;
  await node.node.beat();
}

async function check(world: NodesWorld, hasFaults: boolean): Promise<void> {
  const alive = world.nodes.filter(({ isDead }) => !isDead);
  for (const node of alive) await mend(node);
  await world.settle(hasFaults ? 1200 : 100);
  const last = world.roomSays();
  await world.settle(50);
  const faults = world.log.lines.filter(({ level }) => level === 'error');
  assert.equal(faults, []);
  const clients = world.clients.filter(({ isGone }) => !isGone);
  const homes = new Set(world.homes);
  assert.ok(homes.size <= 1, `one home: ${homes.size}`);
  for (const { jid, place, heard } of clients) {
    assert.is.not(place, 'asking', `${jid} has its answer`);
    if (place !== 'in') continue;
    const numbers = heard.filter((body) => /^\d+$/.test(body)).map(Number);
    assert.is(String(numbers.at(-1)), last, `${jid} hears the room: ${heard}`);
    for (const [index, number] of numbers.entries()) {
      const first = numbers[0] ?? 0;
      assert.is(number, first + index, `${jid} has heard each once, in order: ${heard}`);
    }
    assert.is(new Set(heard).size, heard.length, `${jid} has heard nothing twice: ${heard}`);
  }
  assert.is(new Set(world.said).size, world.said.length, `nothing was said twice: ${world.said}`);
  for (const { jid, spoken, refused } of clients) {
    for (const body of spoken)
      assert.ok(world.said.includes(body) || refused.has(body), `${jid}: ${body} came to something`);
  }
  const isAnyIn = clients.some(({ place }) => place === 'in');
  if (isAnyIn) assert.is(world.room.inside.size, 1, 'one occupant');
  assert.ok(world.room.inside.size <= 1, 'no stream is left behind in the room');
  await checkParked(world, alive[0] as TestNode, hasFaults ? 1200 : 100);
}

/** All go at once, and one comes. */
async function checkParked(world: NodesWorld, node: TestNode, ms: number): Promise<void> {
  const parked = (): TestClient[] => world.clients.filter(({ isParked }) => isParked);
  const isAnyIn = world.clients.some(({ isGone, place }) => !isGone && place === 'in');
  for (const client of world.clients) client.leaveBehind();
  await world.settle(ms);
  if (isAnyIn) assert.equal([world.room.inside.size, parked().length], [1, 1], 'the account stays, by one stream');
  const next = world.bind(node);
  next.join();
  await world.settle(ms);
  assert.equal([next.place, world.room.inside.size], ['in', 1], 'a session that comes is in');
  assert.equal(
    parked().map(({ jid }) => jid),
    [],
    'it has taken over',
  );
}

test.run();
