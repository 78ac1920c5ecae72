/**
 * Nodes that share a Redis, in front of real servers (C1 to C4): devices of an account are spread over them, nodes stop, die
 * and lose the store, and neither the room nor the devices that stay notice. All other scenarios play on two nodes with TEST_NODES=2.
 */
import { kill, type Node, nodes, shared, startNode } from './support/nodes.ts';
import { assert, type Client, type Element, joinRoom, type Scene, sayInRoom, scenarios } from './support/scenario.ts';
import { heardOnce, heardUpTo, leavesAlone, said, speaks, until, watch } from './support/witness.ts';

const scenario = scenarios('nodes', { limitMs: 60_000, except: ['sameOnBoth'] });

/** A device on each node, all of them in the room. */
async function spread(scene: Scene, all: readonly Node[]): Promise<Client[]> {
  const clients: Client[] = [];
  for (const [index, { proxy }] of all.entries()) {
    const client = await scene.login('alice', { device: `d${index}`, through: proxy });
    await joinRoom(client, `${scene.room}/al`);
    clients.push(client);
  }
  return clients;
}

/** How many rooms are occupied through these nodes. */
function occupied(all: readonly Node[]): number {
  return all.reduce((sum, { proxy }) => sum + proxy.app.census().occupancies, 0);
}

/** What the room sees of a carrier that goes, where no nick can be shared. */
function seenOfHandover(scene: Scene): string[] {
  return scene.server.features.sharedNick ? [] : ['-al', '+al'];
}

scenario('C1', 'devices on three nodes are one occupant, and each hears and says everything once', async (scene) => {
  const { room } = scene;
  const witness = await watch(scene);
  const clients = await spread(scene, await nodes(scene, 3));
  assert.equal(await witness.sees(), ['+al']);
  await heardOnce(clients, room, 'witness', await witness.say('hello'));
  for (const client of clients) {
    const id = sayInRoom(client, room, 'from a device');
    await heardOnce(clients, room, 'al', id);
    await witness.client.pick(said(room, 'al', id));
  }
  assert.equal(await witness.sees(), []);
});

scenario(
  'C4',
  'a node that stops gives its rooms to the others: nobody sees it leave, no message is missed',
  async (scene) => {
    const { room } = scene;
    const witness = await watch(scene);
    const all = await nodes(scene, 2);
    const [first, second] = (await spread(scene, all)) as [Client, Client];
    assert.equal(await witness.sees(), ['+al']);
    const ids: string[] = [];
    const stopping = all[0]?.proxy.app.stop();
    for (let index = 0; index < 30; index += 1) {
      ids.push(sayInRoom(witness.client, room, `message ${index}`));
      if (index % 3 === 0) await witness.client.ping();
    }
    await stopping;
    assert.is((await first.closed).error?.condition, 'system-shutdown');
    const last = await witness.say('last');
    const heard = (await second.upTo(said(room, 'witness', last))).filter(({ name }) => name === 'message');
    assert.equal(
      heard.map(({ id }) => id),
      [...ids, last],
    );
    await second.expectNothing({ room });
    assert.equal(await witness.sees(), seenOfHandover(scene));
    assert.is(occupied(all), 1);
  },
  // Between leave and join a room is heard by nobody, and mu-conference gives no more of it than its history.
  { except: ['sharedNick'] },
);

scenario(
  'C4',
  'every node is replaced in turn while people talk, and the room has one occupant all the time',
  async (scene) => {
    const { room } = scene;
    const witness = await watch(scene);
    const redis = await shared(scene);
    let old = await startNode(scene, redis);
    let device = await scene.login('alice', { device: 'd0', through: old.proxy });
    await joinRoom(device, `${room}/al`);
    assert.equal(await witness.sees(), ['+al']);
    for (let round = 1; round <= 3; round += 1) {
      const next = await startNode(scene, redis);
      const successor = await scene.login('alice', { device: `d${round}`, through: next.proxy });
      await joinRoom(successor, `${room}/al`);
      const id = await witness.say(`round ${round}`);
      await old.proxy.app.stop();
      await device.closed;
      const after = await witness.say('and on');
      assert.equal(await heardUpTo(successor, room, after), [id, after]);
      [old, device] = [next, successor];
    }
    const changes = await witness.sees();
    if (scene.server.features.sharedNick) assert.equal(changes, []);
    assert.is(occupied([old]), 1);
  },
  { except: ['sharedNick'] },
);

scenario(
  'C2',
  'the home dies: devices on other nodes stay inside, have missed nothing and see nothing twice',
  async (scene) => {
    const { room } = scene;
    const witness = await watch(scene);
    const all = await nodes(scene, 3);
    const [first, ...others] = await spread(scene, all);
    const [dead, ...living] = all;
    const before = await witness.say('before');
    await heardOnce(others, room, 'witness', before);
    await kill(dead as Node, [first as Client]);
    const ids: string[] = [];
    for (let index = 0; index < 5; index += 1) ids.push(await witness.say(`meanwhile ${index}`));
    await until('another node has taken over', () => occupied(living) === 1);
    await speaks(others[0] as Client, room, 'al');
    const last = await witness.say('last');
    for (const client of others) {
      assert.equal(await heardUpTo(client, room, last), [...ids, last]);
      await client.fence({ room });
    }
    const id = sayInRoom(others[0] as Client, room, 'still here');
    await heardOnce(others, room, 'al', id);
  },
);

scenario('C2', 'a node dies that is not the home: the others notice nothing, its devices are gone', async (scene) => {
  const { room } = scene;
  const witness = await watch(scene);
  const all = await nodes(scene, 2);
  const [first, second] = (await spread(scene, all)) as [Client, Client];
  assert.equal(await witness.sees(), ['+al']);
  await kill(all[1] as Node, [second]);
  for (let index = 0; index < 5; index += 1) {
    await heardOnce([first], room, 'witness', await witness.say(`message ${index}`));
  }
  assert.equal(await witness.sees(), []);
  await leavesAlone(first, witness, 'al');
});

scenario('C3', 'the store is away: who is at the home goes on, who is not waits; then all have all', async (scene) => {
  const { room } = scene;
  const witness = await watch(scene);
  const all = await nodes(scene, 2);
  const [first, second] = (await spread(scene, all)) as [Client, Client];
  assert.equal(await witness.sees(), ['+al']);
  for (const node of all) node.cut(true);
  const ids: string[] = [];
  for (let index = 0; index < 5; index += 1) {
    const id = await witness.say(`away ${index}`);
    await heardOnce([first], room, 'witness', id);
    ids.push(id);
  }
  const own = sayInRoom(second, room, 'from the other');
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  for (const node of all) node.cut(false);
  for (const [client, wanted] of [
    [first, [own]],
    [second, [...ids, own]],
  ] as const) {
    const heard = [...(await client.upTo(said(room, 'al', own))), ...(await client.fence({ room }))];
    const isMessage = ({ name }: Element): boolean => name === 'message';
    assert.equal(
      heard.filter(isMessage).map(({ id }) => id),
      wanted,
    );
    // Where each has been home for a moment, the room repeats for one what the other has heard.
    assert.ok(heard.every((one) => isMessage(one) || (one.name === 'presence' && one.from === `${room}/al`)));
  }
  await heardOnce([first, second], room, 'witness', await witness.say('last'));
  assert.equal(await witness.sees(), []);
  assert.is(occupied(all), 1);
});

scenario.run();
