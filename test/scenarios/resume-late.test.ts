/**
 * Devices whose node has stopped and that come to another one too late (S9): the server's time is over, or the store knows
 * nothing of them any more. They are told so, and begin anew as good clients do.
 */
import { createMemoryStore } from '../../proxy/store/memory.ts';
import type { TestProxy } from '../support/proxy.ts';
import { type Device, openDevice } from './support/device.ts';
import { startImpatient } from './support/impatient.ts';
import { assert, joinRoom, ns, type Scene, scenarios } from './support/scenario.ts';
import { said, until, type Witness, watch } from './support/witness.ts';

/** How long the servers wait for a client (s). */
const TIME = 4;

const scenario = scenarios('resume-late', {
  limitMs: 60_000,
  start: startImpatient(TIME),
  except: ['streamManagement', 'sameOnBoth'],
});

interface Cast {
  readonly witness: Witness;
  readonly phone: Device;
  readonly next: TestProxy;
  /** The store's clock goes on by so much (ms). */
  advance(ms: number): void;
}

/** A phone in the room whose node has stopped; there is another one, with the same store. */
async function stopped(scene: Scene): Promise<Cast> {
  let passed = 0;
  const store = createMemoryStore({ now: () => performance.now() + passed });
  const first = await scene.startProxy({}, { store });
  const next = await scene.startProxy({}, { store });
  const witness = await watch(scene);
  const phone = await openDevice(scene, 'al', { device: 'phone', through: first });
  await joinRoom(phone.client, `${scene.room}/al`);
  const known = await witness.say('known');
  await phone.client.pick(said(scene.room, 'witness', known));
  phone.client.send(`<a xmlns='${ns.sm}' h='${phone.client.sm?.inbound ?? 0}'/>`);
  await phone.client.ping();
  await first.app.stop();
  await phone.client.closed;
  return {
    witness,
    phone,
    next,
    advance: (ms) => {
      passed += ms;
    },
  };
}

/** It is refused, binds on the same stream, and is in the room again with all that was said. */
async function beginsAnew(scene: Scene, { witness, phone, next }: Cast, missed: readonly string[]): Promise<void> {
  const { room } = scene;
  const refused = await phone.resume({ target: next.target(scene.transport) }).then(
    () => 'granted',
    (error: Error) => error.message,
  );
  assert.is(refused, 'item-not-found');
  const { client } = phone;
  await client.bind('phone');
  await client.available();
  assert.is((await client.enableSm()).name, 'enabled');
  const { history } = await joinRoom(client, `${room}/al`);
  assert.equal(
    missed.filter((id) => history.filter((one) => one.id === id).length !== 1),
    [],
    'each once',
  );
  const live = await witness.say('live');
  await client.pick(said(room, 'witness', live));
  await client.expectNothing({ room });
  assert.is(next.app.census().sessions, 1);
}

scenario(
  'S9',
  'a device that comes to another node after the server’s time is refused by the server, and begins anew',
  async (scene) => {
    const cast = await stopped(scene);
    const bob = await scene.direct('bob');
    const missed = [await cast.witness.say('missed')];
    await until(
      'the server has ended the session',
      async () => {
        const error = await bob
          .iqError(`<iq type='get' to='${cast.phone.jid}'><ping xmlns='${ns.ping}'/></iq>`, { limitMs: 15_000 })
          .catch(() => undefined);
        return error !== undefined;
      },
      30_000,
    );
    missed.push(await cast.witness.say('missed too'));
    await beginsAnew(scene, cast, missed);
  },
);

scenario(
  'S9',
  'a device of which the store knows nothing any more is refused by the node, and begins anew',
  async (scene) => {
    const cast = await stopped(scene);
    const missed = [await cast.witness.say('missed')];
    // The server's time, and the minute behind it.
    cast.advance((TIME + 61) * 1000);
    await beginsAnew(scene, cast, missed);
  },
);

scenario.run();
