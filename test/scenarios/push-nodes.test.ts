/**
 * Push (S9, XEP-0357) when nodes come and go: a device whose node has stopped, or that has gone on at another one, is pushed for
 * as before, by its server, and of what rooms say by another stream.
 */
import { createMemoryStore } from '../../proxy/store/memory.ts';
import { cuttable } from '../support/cut-store.ts';
import type { TestProxy } from '../support/proxy.ts';
import { type Device, openDevice } from './support/device.ts';
import { type Node, shared, startNode } from './support/nodes.ts';
import { PushService } from './support/push.ts';
import { assert, type Client, joinRoom, type Scene, scenarios } from './support/scenario.ts';
import { said, until, type Witness, watch } from './support/witness.ts';

const scenario = scenarios('push-nodes', { limitMs: 90_000, except: ['streamManagement', 'sameOnBoth'] });

interface Cast {
  readonly service: PushService;
  readonly bob: Client;
  readonly witness: Witness;
  readonly phone: Device;
  readonly first: Node;
  startNext(): Promise<Node>;
  /** Somebody writes to the account. */
  writes(): Promise<void>;
}

/** A phone that is pushed for, in a room, and a desk of the account on another node if told. */
async function cast(scene: Scene): Promise<Cast> {
  const redis = await shared(scene);
  const first = await startNode(scene, redis);
  const service = await PushService.open(scene);
  const bob = await scene.direct('bob');
  const witness = await watch(scene);
  const phone = await openDevice(scene, 'al', { device: 'phone', through: first.proxy });
  await service.enable(phone.client, 'phone');
  await joinRoom(phone.client, `${scene.room}/al`);
  return {
    service,
    bob,
    witness,
    phone,
    first,
    startNext: () => startNode(scene, redis),
    writes: async () => {
      bob.send(`<message type='chat' id='${bob.id()}' to='${phone.jid}'><body>are you there?</body></message>`);
      await bob.fence();
    },
  };
}

function at(scene: Scene, { proxy }: Node) {
  return { target: proxy.target(scene.transport) };
}

/** Messages that the service has been told of. Prosody tells, as of no importance, of what a stream hears when rooms are handed over to it. */
function told({ told }: PushService): number {
  return told.filter(({ isImportant }) => isImportant).length;
}

/** How many messages of the proxy's own, meant for the server, have come out. */
async function nudges({ app }: TestProxy): Promise<number> {
  const line = /^minimix_drops_total\{reason="nudge"\} (\d+)$/m.exec(await app.metrics.render());
  return Number(line?.[1] ?? 0);
}

async function untilTold(service: PushService, count: number): Promise<void> {
  await until(`the service is told of ${count} messages`, () => told(service) >= count, 15_000);
  assert.is(told(service), count);
}

/** The service is told once more, and of nothing else: a device that is awake is not pushed for. */
async function toldOnceMore({ service, phone, bob, writes }: Cast, sleeps: () => Promise<void>): Promise<void> {
  const before = told(service);
  await writes();
  await phone.client.pick(`<message type='chat' from='${bob.jid}'/>`);
  await phone.client.ping();
  await sleeps();
  await writes();
  await untilTold(service, before + 1);
}

scenario(
  'S9',
  'a device whose node has stopped is pushed for while nobody has it, and when it sleeps again at the next node',
  async (scene) => {
    const parties = await cast(scene);
    const { service, phone, first, writes, bob } = parties;
    await first.proxy.app.stop();
    await phone.client.closed;
    await writes();
    await untilTold(service, 1);
    const next = await parties.startNext();
    await phone.resume(at(scene, next));
    await phone.client.pick(`<message type='chat' from='${bob.jid}'/>`);
    await phone.client.ping();
    await toldOnceMore(parties, async () => {
      await phone.cut();
      await until('the node knows it', () => next.proxy.log.some((line) => line.includes('session hibernates')));
    });
    await phone.resume(at(scene, next));
    await phone.client.ping();
    const heard = phone.messages((one) => one.type === 'chat' && one.child('body') !== undefined);
    assert.is(heard.length, 3);
    assert.is(told(service), 2);
  },
);

scenario(
  'S9',
  'a device that has gone on at another node is pushed for there of what its room says by another stream',
  async (scene) => {
    const { room } = scene;
    const parties = await cast(scene);
    const { service, phone, witness } = parties;
    const next = await parties.startNext();
    const desk = await scene.login('al', { device: 'desk', through: next.proxy });
    await joinRoom(desk, `${room}/al`);
    await phone.cut();
    await phone.resume(at(scene, next));
    await phone.client.fence({ room });
    await phone.cut();
    const before = told(service);
    const id = await witness.say('hello');
    await desk.pick(said(room, 'witness', id));
    await untilTold(service, before + 1);
    await phone.resume(at(scene, next));
    await phone.client.pick(said(room, 'witness', id));
    await phone.client.fence({ room });
    const words = phone.messages((one) => one.child('body') !== undefined).map((one) => one.id);
    assert.equal(words, [id], 'once, and no nudge');
  },
);

scenario(
  'S9',
  'a device whose node learns late that it may let go of its stream is pushed for of what its room says meanwhile',
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
    const home = await scene.startProxy(config, { store });
    const other = await scene.startProxy(config, { store: slow });
    const service = await PushService.open(scene);
    const witness = await watch(scene);
    const desk = await scene.login('al', { device: 'desk', through: home });
    await joinRoom(desk, `${room}/al`);
    const phone = await openDevice(scene, 'al', { device: 'phone', through: other });
    await service.enable(phone.client, 'phone');
    await joinRoom(phone.client, `${room}/al`);
    await phone.client.fence({ room });
    isStill = true;
    await phone.cut();
    await until('its node knows that it sleeps', () => other.log.some((line) => line.includes('session hibernates')));
    const before = told(service);
    const id = await witness.say('hello');
    await desk.pick(said(room, 'witness', id));
    await until('its node has been told by the server', async () => (await nudges(other)) === 1);
    isStill = false;
    await untilTold(service, before + 1);
    await phone.resume({ target: other.target(scene.transport) });
    await phone.client.pick(said(room, 'witness', id));
    await phone.client.fence({ room });
    const words = phone.messages((one) => one.child('body') !== undefined).map((one) => one.id);
    assert.equal(words, [id], 'once, and no nudge');
  },
);

scenario.run();
