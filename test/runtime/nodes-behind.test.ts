/** What is said behind a join, by way of a home that is lost before it could tell (C2, J7): it is said once. */
import { assert, suite, type TestContext } from '../support/suite.ts';
import { NodesWorld, type TestClient, type TestNode } from './nodes-world.ts';

const test = suite('what is said behind a join on several nodes', { limitMs: 60_000 });

interface Ground {
  readonly world: NodesWorld;
  readonly home: TestNode;
  readonly other: TestNode;
  /** A device at the other node, which has not joined. */
  readonly client: TestClient;
  /** What was said in the room before. */
  readonly before: string;
}

/** An account that has a device at its home, in the room if `isInside`, and one at another node, whose stream is the worse carrier. */
async function ground({ after }: TestContext, isInside = true): Promise<Ground> {
  const world = new NodesWorld();
  after(() => world.close());
  const [home, other] = [await world.addNode(), await world.addNode()];
  const first = world.bind(home);
  await world.settle();
  if (isInside) first.join();
  await world.settle();
  const before = world.roomSays();
  await world.settle();
  const client = world.bind(other);
  const { id: session } = client;
  client.account.input({ kind: 'session-presence', session, available: false, show: '', priority: 0 });
  await world.settle();
  assert.equal(world.homes, [home]);
  return { world, home, other, client, before };
}

/** The home is killed, and the other node goes on, which has joined the room. */
async function lose({ world, home, other, client }: Ground): Promise<void> {
  await world.kill(home);
  other.isDeaf = false;
  await world.settle(300);
  assert.equal(world.homes, [other]);
  assert.is(client.place, 'in');
}

for (const isTaken of [true, false]) {
  test(`what the home has ${isTaken ? '' : 'not '}told to have taken, and has said, is not said again`, async (context) => {
    const at = await ground(context, !isTaken);
    const { world, other, client, before } = at;
    client.join();
    client.say('mine');
    if (isTaken) {
      // The home's word that it has them, and nothing else.
      const { account } = other;
      for (let turn = 0; !account?.isHeard && turn < 1000; turn += 1) {
        world.busOnly();
        await world.breathe();
      }
      assert.ok(account?.isHeard);
    }
    other.isDeaf = true;
    await world.settle();
    assert.equal(world.said, ['mine']);
    await lose(at);
    assert.equal(world.said, ['mine']);
    assert.equal(client.heard, [before, 'mine']);
  });
}

test('what the home has not said is said by the next one', async (context) => {
  const at = await ground(context);
  const { world, home, client, before } = at;
  home.isDeaf = true;
  client.join();
  client.say('mine');
  await world.settle();
  assert.equal(world.said, []);
  await lose(at);
  assert.equal(world.said, ['mine']);
  assert.equal(client.heard, [before, 'mine']);
});

test('what goes with a session is unsure where its home is elsewhere: that may have said it, and not told yet', async (context) => {
  const { world, home, other, client } = await ground(context);
  client.join();
  client.say('mine');
  other.isDeaf = true;
  await world.settle();
  assert.equal(world.said, ['mine']);
  const passage = other.account?.passage(client.id);
  assert.equal([passage?.asked.length, passage?.isUnsure], [2, true]);
  const [first] = world.clients;
  if (!first) throw new Error('no client');
  assert.is(home.account?.passage(first.id)?.isUnsure, undefined);
});

test.run();
