/** Devices that have missed much: resumed from the rooms' logs beyond a bound, or come back without a resumption (S9). */

import { type Device, openDevice } from './support/device.ts';
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
import { said, until, type Witness, watch } from './support/witness.ts';

const scenario = scenarios('resume-lag', { limitMs: 60_000, together: 3 });

/** More than waits for one session, in fewer stanzas than a log keeps. */
const LARGE = 'x'.repeat(4000);
const MANY = 120;

/** Ids of the room's messages with a body, in the order in which they came. */
function spoken(heard: readonly Element[], room: string): string[] {
  const isSpoken = (one: Element) => one.type === 'groupchat' && one.from?.startsWith(`${room}/`) && one.child('body');
  return heard.filter(isSpoken).map((one) => one.id ?? '');
}

function untilHibernating({ proxy }: Scene): Promise<void> {
  return until('the session hibernates', () => proxy.log.some((line) => line.includes('session hibernates')));
}

/** All of it has been said, and has reached whoever listens. */
async function saysMuch(witness: Witness, listener: Client, count = MANY): Promise<string[]> {
  const ids: string[] = [];
  for (let index = 0; index < count; index += 1) ids.push(sayInRoom(witness.client, witness.room, `${index} ${LARGE}`));
  await listener.pick(said(witness.room, 'witness', ids.at(-1) as string), { limitMs: 20_000 });
  return ids;
}

/** A phone that hibernates and a desk that stays, both in the room. */
async function asleep(scene: Scene): Promise<{ witness: Witness; phone: Device; desk: Client }> {
  const { room } = scene;
  const witness = await watch(scene);
  const desk = await scene.login('al', { device: 'desk' });
  const phone = await openDevice(scene, 'al', { device: 'phone' });
  await joinRoom(desk, `${room}/al`);
  await joinRoom(phone.client, `${room}/al`);
  await phone.cut();
  await untilHibernating(scene);
  return { witness, phone, desk };
}

scenario(
  'S9',
  'a phone that sleeps through more than may wait for it has missed nothing when it resumes, and is told who came and went',
  async (scene) => {
    const { room } = scene;
    const { witness, phone, desk } = await asleep(scene);
    const ids = await saysMuch(witness, desk);
    const passer = await scene.direct('passer');
    await joinRoom(passer, `${room}/passer`);
    await passer.end();
    const newcomer = await scene.direct('newcomer');
    await joinRoom(newcomer, `${room}/newcomer`);
    ids.push(await witness.say('last'));
    await desk.pick(said(room, 'witness', ids.at(-1) as string));
    await phone.resume();
    ids.push(await witness.say('after'));
    await phone.client.pick(said(room, 'witness', ids.at(-1) as string));
    await phone.client.fence({ room });
    assert.equal(spoken(phone.heard, room), ids);
    const seen = phone.heard.filter(({ name, from }) => name === 'presence' && /\/(passer|newcomer)$/.test(from ?? ''));
    assert.equal(
      seen.map(({ from, type }) => [from, type]),
      [[`${room}/newcomer`, undefined]],
    );
    assert.equal(
      (await witness.sees()).filter((change) => change.includes('al')),
      ['+al'],
    );
  },
);

scenario(
  'S9',
  'a phone whose rooms have forgotten what it missed must begin anew, and gets what is still known when it joins',
  async (scene) => {
    const { room } = scene;
    const { witness, phone, desk } = await asleep(scene);
    const ids = await saysMuch(witness, desk);
    // A home on another node hears later that too much waits.
    await until('the session is given up', async () => {
      ids.push(await witness.say('and more'));
      return scene.proxy.log.some((line) => line.includes('not resumed'));
    });
    await desk.pick(said(room, 'witness', ids.at(-1) as string));
    const refused = await phone.resume().then(
      () => 'granted',
      (error: Error) => error.message,
    );
    assert.is(refused, 'item-not-found');
    await phone.client.bind('phone');
    const { history } = await joinRoom(phone.client, `${room}/al`);
    assert.equal(
      history.map(({ id }) => id),
      ids.slice(-30),
    );
    assert.equal(await witness.sees(), ['+al']);
  },
  { config: { history: { stanzas: 30 } } },
);

scenario(
  'S9',
  'a device that could not resume and joins without a wish of its own gets all that it had not acknowledged, once',
  async (scene) => {
    const { room } = scene;
    const witness = await watch(scene);
    const desk = await scene.login('al', { device: 'desk' });
    const phone = await openDevice(scene, 'al', { device: 'phone' });
    await joinRoom(desk, `${room}/al`);
    await joinRoom(phone.client, `${room}/al`);
    const known = await witness.say('known to both');
    await phone.client.pick(said(room, 'witness', known));
    // An <a/> in time: what comes after it is not acknowledged by the time of the cut.
    phone.client.send(`<a xmlns='${ns.sm}' h='${phone.client.sm?.inbound ?? 0}'/>`);
    await phone.client.ping();
    await phone.cut();
    await untilHibernating(scene);
    const missed: string[] = [];
    for (let count = 0; count < 40; count += 1) missed.push(await witness.say(`missed ${count}`));
    await desk.pick(said(room, 'witness', missed.at(-1) as string));
    const again = await scene.login('al', { device: 'phone' });
    const { history } = await joinRoom(again, `${room}/al`);
    assert.equal(
      history.map(({ id }) => id),
      missed,
    );
    const limited = await joinRoom(again, `${room}/al`, { history: "maxstanzas='2'" });
    assert.equal(
      limited.history.map(({ id }) => id),
      missed.slice(-2),
    );
    const third = await scene.login('al', { device: 'tablet' });
    const usual = await joinRoom(third, `${room}/al`);
    assert.equal(
      usual.history.map(({ id }) => id),
      missed.slice(-20),
    );
    assert.equal(await witness.sees(), ['+al']);
  },
);

scenario.run();
