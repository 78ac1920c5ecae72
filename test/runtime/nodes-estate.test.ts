/** What nodes keep, and give up, of an account while its home is elsewhere, or cannot be found. */
import type { Estate } from '../../proxy/core/estate.ts';
import { type BareKey, bareKey } from '../../proxy/xml/address.ts';
import { BARE, OTHER } from '../core/world.ts';
import { assert, suite, type TestContext } from '../support/suite.ts';
import { NodesWorld, type TestClient, type TestNode } from './nodes-world.ts';

const test = suite('what a node has of an account that is at home elsewhere', { limitMs: 60_000 });

async function ground({ after }: TestContext, options = {}) {
  const world = new NodesWorld(options);
  after(() => world.close());
  const nodes = [await world.addNode(), await world.addNode()] as const;
  return { world, nodes };
}

/** A room in which the account was once. */
const estate: Estate = {
  rooms: [{ key: bareKey(OTHER) as BareKey, name: OTHER, nick: 'alice', password: undefined }],
  lingerMs: 60_000,
};

for (const when of ['before', 'after'] as const) {
  test(`an estate that a node has been given ${when} it has found the home elsewhere is forgotten`, async (context) => {
    const { world, nodes } = await ground(context);
    const [home, other] = nodes;
    const first = world.bind(home);
    await world.settle();
    first.join();
    await world.settle();
    const second = world.bind(other);
    if (when === 'after') await world.settle();
    other.account?.inherit(estate);
    await world.settle();
    assert.equal(world.homes, [home]);
    second.join();
    await world.settle();
    await world.kill(home);
    await world.settle(300);
    assert.equal(world.homes, [other]);
    assert.equal(other.account?.state?.rooms.has(bareKey(OTHER) as BareKey), false);
    assert.is(second.place, 'in');
  });
}

test('one that is given to a node which becomes the home is taken up', async (context) => {
  const { world, nodes } = await ground(context);
  const [home] = nodes;
  world.bind(home);
  home.account?.inherit(estate);
  await world.settle();
  assert.equal(world.homes, [home]);
  assert.equal(home.account?.state?.rooms.has(bareKey(OTHER) as BareKey), true);
});

/** A device whose own stream is in the room, at a node that has lost its home and cannot reach the store. */
async function homeless(context: TestContext, isInside: boolean) {
  const { world, nodes } = await ground(context, { isShared: false, settings: { joinTimeoutMs: 300 } });
  const [home, other] = nodes as readonly [TestNode, TestNode];
  world.bind(home);
  await world.settle();
  const client: TestClient = world.bind(other);
  await world.settle();
  if (isInside) client.join();
  await world.settle();
  assert.equal(world.homes, [home]);
  assert.equal([...world.room.inside.keys()], isInside ? [client.jid] : []);
  other.isCut = true;
  other.cluster.lost(home.node.id);
  if (isInside) client.say('to nobody');
  else client.join();
  client.drop();
  await world.settle(500);
  return { world, other, client };
}

test('a stream that carries rooms outlives what its session had said and was refused: the next home decides', async (context) => {
  const { world, other, client } = await homeless(context, true);
  assert.equal(world.said, []);
  assert.ok(world.streams.has(client.jid));
  assert.is(world.room.witnessed, '+');
  assert.is(world.log.lines.filter(({ level }) => level === 'error').length, 0);
  assert.ok(other.cluster.find(BARE as BareKey));
});

test('one that carries none is ended then', async (context) => {
  const { world, client } = await homeless(context, false);
  assert.is(world.streams.has(client.jid), false);
});

test.run();
