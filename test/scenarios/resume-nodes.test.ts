/**
 * Resumption on another node than the session was on (S9), natively: the server keeps the session, the node that the client comes
 * to goes on with it. After a stop and a rolling restart, by a mere reconnect, with the old connection still there; not after a
 * crash. Every stanza is accounted for in both directions.
 */
import { type Device, openDevice, record } from './support/device.ts';
import { kill, type Node, nodes, shared, startNode } from './support/nodes.ts';
import {
  assert,
  type Client,
  type Element,
  joinPresence,
  joinRoom,
  type Scene,
  sayInRoom,
  scenarios,
} from './support/scenario.ts';
import { type Witness, watch } from './support/witness.ts';

const scenario = scenarios('resume-nodes', { limitMs: 90_000, except: ['streamManagement'] });

interface Cast {
  readonly witness: Witness;
  readonly bob: Client;
  readonly device: Device;
  /** What the contact has said to the device. */
  readonly said: string[];
  /** All that the room has shown to its other occupant. */
  readonly shown: readonly Element[];
}

/** A device in the room, through this node. */
async function cast(scene: Scene, node: Node): Promise<Cast> {
  const witness = await watch(scene);
  const bob = await scene.direct('bob');
  const device = await openDevice(scene, 'al', { through: node.proxy });
  await joinRoom(device.client, `${scene.room}/al`);
  assert.equal(await witness.sees(), ['+al']);
  return { witness, bob, device, said: [], shown: record(witness.client) };
}

/** The contact and the room say something. */
async function talk({ witness, bob, device, said }: Cast, count = 3): Promise<void> {
  for (let index = 0; index < count; index += 1) {
    await witness.say(`to the room ${index}`);
    const id = bob.id();
    bob.send(`<message to='${device.jid}' type='chat' id='${id}'><body>to the device</body></message>`);
    said.push(id);
  }
  await bob.fence();
}

/** The device says something to both, which may not arrive before it is resumed. */
function speak({ device, bob }: Cast, room: string): string {
  sayInRoom(device.client, room, 'from the device');
  const id = device.client.id();
  device.client.send(`<message to='${bob.jid}' type='chat' id='${id}'><body>from the device</body></message>`);
  return id;
}

/** Where the device comes back. */
function at(scene: Scene, { proxy }: Node) {
  return { target: proxy.target(scene.transport) };
}

/** The condition with which the device is refused. */
async function refusal(device: Device, where: Parameters<Device['resume']>[0]): Promise<string | undefined> {
  return device.resume(where).then(
    () => undefined,
    (error: Error) => error.message,
  );
}

/** The ids of messages with a body, in the order of their coming. */
function ids(all: readonly Element[], type: string, sender: string): (string | undefined)[] {
  const isWanted = (one: Element): boolean =>
    one.name === 'message' && one.type === type && one.from?.startsWith(sender) === true && !!one.child('body');
  return all.filter(isWanted).map(({ id }) => id);
}

/** All that was said has reached the device once and in order. */
async function accountFor({ device, witness, bob, said, shown }: Cast, room: string): Promise<void> {
  const last = await witness.say('last');
  await device.client.pick(`<message type='groupchat' id='${last}'/>`);
  await device.client.fence({ room });
  await witness.client.fence({ room });
  assert.equal(ids(device.heard, 'groupchat', room), ids(shown, 'groupchat', room), "the room's messages");
  assert.equal(ids(device.heard, 'chat', bob.jid), said, "the contact's messages");
}

/** How many sessions there are on these nodes. */
function sessions(...all: readonly Node[]): number[] {
  return all.map(({ proxy }) => proxy.app.census().sessions);
}

/** What the room has shown of the account's going. */
function departures(shown: readonly Element[], room: string): string[] {
  const isDeparture = ({ name, type, from }: Element): boolean =>
    name === 'presence' && type === 'unavailable' && from === `${room}/al`;
  return shown.filter(isDeparture).map((one) => one.print());
}

scenario('S9', 'a device that sleeps comes back to another node, with all that was said meanwhile', async (scene) => {
  const { room } = scene;
  const [first, second] = (await nodes(scene, 2)) as [Node, Node];
  const parties = await cast(scene, first);
  const { device, bob } = parties;
  await talk(parties);
  await device.cut();
  await talk(parties);
  const fromAsleep = speak(parties, room);
  await device.resume(at(scene, second));
  await bob.pick(`<message type='chat' id='${fromAsleep}'/>`);
  await talk(parties);
  await accountFor(parties, room);
  assert.equal(sessions(first, second), [0, 1]);
  assert.equal(departures(parties.shown, room), [], 'the room has seen nothing');
  // And back again.
  await device.cut();
  await talk(parties);
  await device.resume(at(scene, first));
  await accountFor(parties, room);
  assert.equal(sessions(first, second), [1, 0]);
  assert.equal(departures(parties.shown, room), [], 'the room has seen nothing');
});

scenario(
  'S9',
  'a device comes to another node while its old connection is still there: that one ends, and nothing is lost',
  async (scene) => {
    const { room } = scene;
    const [first, second] = (await nodes(scene, 2)) as [Node, Node];
    const parties = await cast(scene, first);
    const { device, bob } = parties;
    const old = device.client;
    // It hears nothing any more, and says what does not arrive.
    old.stream.pause();
    await talk(parties);
    await device.resume({ ...at(scene, second), isTakeover: true });
    old.stream.resume();
    await old.closed;
    const after = speak(parties, room);
    await bob.pick(`<message type='chat' id='${after}'/>`);
    await accountFor(parties, room);
    assert.equal(sessions(first, second), [0, 1]);
    assert.equal(departures(parties.shown, room), [], 'the room has seen nothing');
  },
);

scenario('S9', 'a node stops: its devices are cut off and go on at another one, asleep or not', async (scene) => {
  const { room } = scene;
  const redis = await shared(scene);
  const first = await startNode(scene, redis);
  const parties = await cast(scene, first);
  const { device, bob } = parties;
  const sleeper = await openDevice(scene, 'cy', { through: first.proxy });
  await sleeper.cut();
  await talk(parties);
  const second = await startNode(scene, redis);
  await first.proxy.app.stop();
  const ending = await device.client.closed;
  assert.is(ending.error, undefined, 'its stream has not ended');
  await talk(parties);
  const fromOutside = speak(parties, room);
  bob.send(`<message to='${sleeper.jid}' type='chat' id='to-sleeper'><body>hello</body></message>`);
  await device.resume(at(scene, second));
  await bob.pick(`<message type='chat' id='${fromOutside}'/>`);
  await talk(parties);
  await accountFor(parties, room);
  await sleeper.resume(at(scene, second));
  await sleeper.client.pick("<message type='chat' id='to-sleeper'/>");
  assert.equal(departures(parties.shown, room), [], 'the room has seen nothing');
});

scenario('S9', 'every node is replaced in turn while people talk, and the device misses nothing', async (scene) => {
  const { room } = scene;
  const redis = await shared(scene);
  let node = await startNode(scene, redis);
  const parties = await cast(scene, node);
  const { device } = parties;
  for (let round = 0; round < 3; round += 1) {
    await talk(parties);
    // Alone: there is no other node while this one stops.
    await node.proxy.app.stop();
    await device.client.closed;
    await talk(parties);
    node = await startNode(scene, redis);
    await device.resume(at(scene, node));
    speak(parties, room);
    await accountFor(parties, room);
  }
  assert.equal(sessions(node), [1]);
  assert.equal(departures(parties.shown, room), [], 'the room has seen nothing');
});

scenario(
  'S9',
  'siblings in the same room stop with their node and resume one after the other: each hears everything once',
  async (scene) => {
    const { room } = scene;
    const redis = await shared(scene);
    const first = await startNode(scene, redis);
    const parties = await cast(scene, first);
    const { device, shown } = parties;
    const other = await openDevice(scene, 'al', { device: 'other', through: first.proxy });
    await joinRoom(other.client, `${room}/al`, { history: "maxstanzas='0'" });
    await talk(parties);
    await first.proxy.app.stop();
    await talk(parties);
    const second = await startNode(scene, redis);
    await device.resume(at(scene, second));
    await talk(parties);
    await other.resume(at(scene, second));
    await talk(parties);
    await accountFor(parties, room);
    await other.client.fence({ room });
    assert.equal(ids(other.heard, 'groupchat', room), ids(shown, 'groupchat', room));
    assert.equal(sessions(second), [2]);
    assert.equal(departures(parties.shown, room), [], 'the room has seen nothing');
  },
);

scenario(
  'S9',
  'a device whose node has died is told so and begins anew: nothing that was acknowledged is lost',
  async (scene) => {
    const { room } = scene;
    const [first, second] = (await nodes(scene, 2)) as [Node, Node];
    const parties = await cast(scene, first);
    const { device, witness, bob } = parties;
    const said = speak(parties, room);
    await bob.pick(`<message type='chat' id='${said}'/>`);
    await device.client.fence({ room });
    await kill(first, [device.client]);
    await talk(parties);
    assert.is(await refusal(device, at(scene, second)), 'item-not-found');
    await device.client.bind('resumed');
    device.client.send('<presence/>');
    device.client.send(joinPresence(`${room}/al`));
    await device.client.upTo(`<message type='groupchat' from='{any}'><subject/></message>`);
    const id = await witness.say('to the new session');
    await device.client.pick(`<message type='groupchat' id='${id}'/>`);
  },
);

scenario(
  'S9',
  "another account's session is nobody's to resume, on whatever node: it goes on as if nothing had been",
  async (scene) => {
    const { room } = scene;
    const [first, second] = (await nodes(scene, 2)) as [Node, Node];
    const parties = await cast(scene, first);
    const { device, bob } = parties;
    const tries = async (previd: string): Promise<string | undefined> => {
      const thief = await openDevice(scene, 'mallory', { through: second.proxy });
      if (thief.client.sm) thief.client.sm.id = previd;
      return refusal(thief, at(scene, second));
    };
    const previd = device.client.sm?.id ?? '';
    assert.is(await tries(previd), 'item-not-found');
    assert.is(await tries('nobody-has-this'), 'item-not-found');
    await talk(parties);
    const said = speak(parties, room);
    await bob.pick(`<message type='chat' id='${said}'/>`);
    await device.cut();
    await talk(parties);
    assert.is(await tries(previd), 'item-not-found');
    await device.resume(at(scene, second));
    await accountFor(parties, room);
  },
);

scenario.run();
