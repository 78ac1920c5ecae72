/** Nodes as they are run, each in a process of its own, on one Redis, and a device that resumes when its node has been replaced (S9, C4). */
import { startRedis } from '../servers/index.ts';
import { type Device, managed, record } from './support/device.ts';
import { type Program, startProgram } from './support/program.ts';
import { assert, type Element, joinRoom, login, type Scene, sayInRoom, scenarios } from './support/scenario.ts';
import { watch } from './support/witness.ts';

const scenario = scenarios('resume-nodes-program', { limitMs: 90_000, except: ['streamManagement', 'sameOnBoth'] });

/** Starts a node when it is called. */
async function place(scene: Scene): Promise<() => Promise<Program>> {
  const redis = await startRedis();
  scene.after(() => redis.stop());
  return () => startProgram(scene, scene.server.upstream(), ['--store', redis.url]);
}

function at({ ports }: Program, transport: 'tcp' | 'websocket') {
  return transport === 'tcp'
    ? ({ access: 'tcp', port: ports.tcp } as const)
    : ({ access: 'ws', port: ports.ws, path: '/xmpp-websocket' } as const);
}

/** The ids of messages with a body, in the order of their coming. */
function ids(all: readonly Element[], type: string, sender: string): (string | undefined)[] {
  return all
    .filter((one) => one.name === 'message' && one.type === type && one.from?.startsWith(sender) && one.child('body'))
    .map(({ id }) => id);
}

async function enter(scene: Scene, program: Program): Promise<Device> {
  const jid = await scene.jid('al');
  const user = { user: jid.slice(0, jid.indexOf('@')), mechanism: scene.mechanism, presence: 0 };
  const device = await managed(scene, scene.adopt(await login(at(program, 'tcp'), user)));
  await joinRoom(device.client, `${scene.room}/al`, { history: "maxstanzas='0'" });
  return device;
}

/** What the room has shown of the account's going. */
function departures(shown: readonly Element[], room: string): string[] {
  const isDeparture = ({ name, type, from }: Element): boolean =>
    name === 'presence' && type === 'unavailable' && from === `${room}/al`;
  return shown.filter(isDeparture).map((one) => one.print());
}

scenario(
  'C4',
  'SIGTERM of a node in the midst of talk, again and again: its device goes on at the next one, with everything once and in order',
  async (scene) => {
    const { room } = scene;
    const start = await place(scene);
    let program = await start();
    const witness = await watch(scene);
    const bob = await scene.direct('bob');
    const device = await enter(scene, program);
    assert.equal(await witness.sees(), ['+al']);
    const [shown, byBob] = [record(witness.client), record(bob)];
    const [toDevice, fromDevice]: [string[], string[]] = [[], []];
    const write = (): void => {
      const id = bob.id();
      bob.send(`<message to='${device.jid}' type='chat' id='${id}'><body>to the device</body></message>`);
      toDevice.push(id);
    };
    const speak = (): void => {
      const id = device.client.id();
      sayInRoom(device.client, room, 'from the device');
      device.client.send(`<message to='${bob.jid}' type='chat' id='${id}'><body>from the device</body></message>`);
      fromDevice.push(id);
    };
    for (const transport of ['websocket', 'tcp'] as const) {
      const next = await start();
      let isCut = false;
      void device.client.closed.then(() => {
        isCut = true;
      });
      program.child.kill('SIGTERM');
      for (let count = 0; !isCut && count < 200; count += 1) {
        speak();
        write();
        await witness.say('meanwhile');
      }
      await device.client.closed;
      speak();
      write();
      await witness.say('and without it');
      assert.is(await program.ended, 0);
      await device.resume({ target: at(next, transport) });
      program = next;
    }
    const last = await witness.say('last');
    await device.client.pick(`<message type='groupchat' id='${last}'/>`);
    await device.client.fence({ room });
    await witness.client.fence({ room });
    await bob.fence();
    assert.equal(ids(device.heard, 'groupchat', room), ids(shown, 'groupchat', room), "the room's messages");
    assert.equal(ids(device.heard, 'chat', bob.jid), toDevice, "the contact's messages");
    assert.equal(ids(byBob, 'chat', device.jid), fromDevice, 'messages to the contact');
    assert.is(ids(shown, 'groupchat', `${room}/al`).length, fromDevice.length, 'messages to the room');
    assert.equal(departures(shown, room), [], 'the room has seen nothing');
  },
);

scenario('C2', 'SIGKILL of the only node: its device is told at the next one, and begins anew', async (scene) => {
  const { room } = scene;
  const start = await place(scene);
  const first = await start();
  const witness = await watch(scene);
  const device = await enter(scene, first);
  first.child.kill('SIGKILL');
  await device.client.closed;
  const second = await start();
  const refused = await device.resume({ target: at(second, 'tcp') }).catch((error: Error) => error.message);
  assert.is(refused, 'item-not-found');
  await device.client.bind('resumed');
  device.client.send('<presence/>');
  await joinRoom(device.client, `${room}/al`, { history: "maxstanzas='0'" });
  const id = await witness.say('to the new session');
  await device.client.pick(`<message type='groupchat' id='${id}'/>`);
});

scenario.run();
