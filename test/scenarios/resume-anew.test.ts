/**
 * Devices that could not resume and come to another node (S9, M6): what they had acknowledged of their rooms is known there, and
 * they are given all the rest, whether their node still lives or was killed.
 */
import { createMemoryStore } from '../../proxy/store/memory.ts';
import { cuttable } from '../support/cut-store.ts';
import { type Device, openDevice, record } from './support/device.ts';
import { kill, type Node, shared, startNode } from './support/nodes.ts';
import {
  assert,
  type Client,
  type Element,
  joinRoom,
  ns,
  type Scene,
  sayInRoom,
  scenarios,
} from './support/scenario.ts';
import { said, watch } from './support/witness.ts';

const scenario = scenarios('resume-anew', { limitMs: 120_000, except: ['sameOnBoth'] });

/** More than a join is usually told of the past. */
const MANY = 30;

/** Ids of messages with a body, in the order of their coming. */
function ids(all: readonly Element[], type: string, sender: string): string[] {
  const isWanted = (one: Element): boolean =>
    one.name === 'message' && one.type === type && one.from?.startsWith(sender) === true && !!one.child('body');
  return all.filter(isWanted).map(({ id }) => id ?? '');
}

/** The device tells how far it has come, and its node has heard it. */
async function acknowledge({ client }: Device): Promise<void> {
  client.send(`<a xmlns='${ns.sm}' h='${client.sm?.inbound ?? 0}'/>`);
  await client.ping();
}

scenario(
  'S9',
  'a device that begins anew at another node while its session sleeps at the first gets what it had not acknowledged, once',
  async (scene) => {
    const { room } = scene;
    const store = createMemoryStore({ now: () => performance.now() });
    let isStill = false;
    const slow = cuttable(
      store,
      () => false,
      () => isStill,
    );
    // Neither is taken for dead, however slow.
    const config = { cluster: { lease: '30s' } };
    const [first, second] = [
      await scene.startProxy(config, { store }),
      await scene.startProxy(config, { store: slow }),
    ];
    const witness = await watch(scene);
    const desk = await scene.login('al', { device: 'desk', through: first });
    const phone = await openDevice(scene, 'al', { device: 'phone', through: second });
    await joinRoom(desk, `${room}/al`);
    await joinRoom(phone.client, `${room}/al`);
    const known = await witness.say('known to both');
    await phone.client.pick(said(room, 'witness', known));
    await acknowledge(phone);
    await phone.cut();
    const missed: string[] = [];
    for (let count = 0; count < MANY; count += 1) missed.push(await witness.say(`missed ${count}`));
    await desk.pick(said(room, 'witness', missed.at(-1) as string));
    // The other node does not hear yet that its session has to go.
    isStill = true;
    const again = await scene.login('al', { device: 'phone', through: first });
    const joining = joinRoom(again, `${room}/al`);
    await again.ping();
    isStill = false;
    const { history } = await joining;
    assert.equal(ids(history, 'groupchat', room), missed);
    const next = await witness.say('live');
    await again.pick(said(room, 'witness', next, again.jid));
    assert.equal(await witness.sees(), ['+al']);
  },
);

/** What a device has said, and what of it has been acknowledged; what it has heard over all its connections. */
interface Life {
  phone: Device;
  readonly toBob: string[];
  readonly toRoom: string[];
  readonly again: Set<string>;
}

/** It says something to the contact and to the room. */
function speak({ phone: { client }, toBob, toRoom }: Life, room: string, bob: Client): void {
  const id = client.id();
  client.send(`<message to='${bob.jid}' type='chat' id='${id}'><body>from the phone</body></message>`);
  toBob.push(id);
  toRoom.push(sayInRoom(client, room, 'from the phone'));
}

/** As good clients do: a new session in the place of the one that is gone, with what was not acknowledged sent again. */
async function anew(scene: Scene, life: Life, node: Node): Promise<readonly Element[]> {
  const { room } = scene;
  const target = node.proxy.target(scene.transport);
  const refused = await life.phone.resume({ target }).then(
    () => 'granted',
    (error: Error) => error.message,
  );
  assert.is(refused, 'item-not-found');
  const { unacknowledged } = life.phone;
  await life.phone.client.end();
  life.phone = await openDevice(scene, 'al', { device: 'phone', through: node.proxy });
  const { client } = life.phone;
  const { history } = await joinRoom(client, `${room}/al`);
  for (const xml of unacknowledged) {
    const id = / id='([^']*)'/.exec(xml)?.[1];
    if (!xml.startsWith('<message') || id === undefined) continue;
    life.again.add(id);
    client.send(xml);
  }
  return history;
}

scenario(
  'S9',
  'kill -9 of a device’s node, again and again in the midst of talk: what was acknowledged is not lost, nor what was said meanwhile',
  async (scene) => {
    const { room } = scene;
    const redis = await shared(scene);
    const anchor = await startNode(scene, redis);
    let node = await startNode(scene, redis);
    const witness = await watch(scene);
    const bob = await scene.direct('bob');
    const [shown, byBob] = [record(witness.client), record(bob)];
    const desk = await scene.login('al', { device: 'desk', through: anchor.proxy });
    const byDesk = record(desk);
    await joinRoom(desk, `${room}/al`);
    const life: Life = {
      phone: await openDevice(scene, 'al', { device: 'phone', through: node.proxy }),
      toBob: [],
      toRoom: [],
      again: new Set(),
    };
    await joinRoom(life.phone.client, `${room}/al`);
    const start = byDesk.length;
    const heard: string[] = [];
    for (const moment of ['idle', 'speaking', 'listening', 'asleep'] as const) {
      const first = await witness.say(moment);
      await life.phone.client.pick(said(room, 'witness', first));
      await acknowledge(life.phone);
      speak(life, room, bob);
      if (moment !== 'speaking') {
        await life.phone.client.pick(said(room, 'al', life.toRoom.at(-1) as string));
        life.phone.client.send(`<r xmlns='${ns.sm}'/>`);
        await life.phone.client.ping();
      }
      if (moment === 'listening') {
        life.phone.client.stream.pause();
        await witness.say('not heard');
      }
      if (moment === 'asleep') await life.phone.cut();
      heard.push(...ids(life.phone.heard, 'groupchat', room));
      await kill(node, [life.phone.client]);
      for (let count = 0; count < MANY; count += 1) await witness.say(`${moment} ${count}`);
      await desk.pick(said(room, 'witness', ids(shown, 'groupchat', room).at(-1) as string), { limitMs: 15_000 });
      node = await startNode(scene, redis);
      heard.push(...ids(await anew(scene, life, node), 'groupchat', room));
      const last = life.toRoom.at(-1) as string;
      if (life.again.has(last)) await life.phone.client.pick(said(room, 'al', last));
    }
    const end = await witness.say('end');
    await life.phone.client.pick(said(room, 'witness', end));
    await desk.pick(said(room, 'witness', end));
    heard.push(...ids(life.phone.heard, 'groupchat', room));
    await bob.fence();
    await witness.client.fence({ room });
    const all = ids(shown, 'groupchat', room);
    const missing = (from: readonly string[], what: readonly string[]) => what.filter((id) => !from.includes(id));
    assert.equal(missing(heard, all), [], 'the phone has missed nothing of the room');
    assert.equal(ids(byDesk.slice(start), 'groupchat', room), all, 'its sibling has heard each once and in order');
    for (const [what, came] of [
      [life.toBob, ids(byBob, 'chat', life.phone.jid)],
      [life.toRoom, ids(shown, 'groupchat', `${room}/al`)],
    ] as const) {
      assert.equal(missing(came, what), [], 'what the phone has said has come');
      const twice = came.filter((id, index) => came.indexOf(id) !== index);
      assert.equal(missing([...life.again], twice), [], 'twice only what it had to send again');
    }
    assert.equal(
      (await witness.sees()).filter((one) => one.startsWith('-')),
      [],
      'nobody has seen the account go',
    );
  },
);

scenario.run();
