/**
 * Sessions that hibernate and are never resumed (S9, L3, L9), on servers whose time for it is short: the server decides what
 * becomes of the place and of what has come, as it does without a proxy.
 */
import { Device, openDevice, record } from './support/device.ts';
import { startImpatient } from './support/impatient.ts';
import { assert, type Client, joinRoom, ns, type Scene, scenarios } from './support/scenario.ts';
import { said, until, type Witness, watch } from './support/witness.ts';

/** How long the servers wait for a client (s). */
const TIME = 3;

const scenario = scenarios('resume-expiry', { limitMs: 60_000, together: 4, start: startImpatient(TIME) });
const except = ['streamManagement'] as const;
const config = { linger: '0', leave: { grace: '0' } };

/** Waits until the witness has seen so many comings and goings in all. */
async function sees(witness: Witness, count: number): Promise<string[]> {
  const seen: string[] = [];
  await until(
    `${count} things are seen`,
    async () => {
      seen.push(...(await witness.sees()));
      return seen.length >= count;
    },
    20_000,
  );
  return seen;
}

/** The condition of the refusal that a client gets which comes too late. It may bind on the same stream. */
async function tooLate(device: Device): Promise<string> {
  return await device.resume().then(
    () => 'none: it was granted',
    (error: Error) => error.message,
  );
}

async function bindAgain({ client }: Device, resource: string): Promise<Client> {
  await client.bind(resource);
  await client.available();
  assert.is((await client.enableSm()).name, 'enabled');
  return client;
}

/** The proxy holds nothing but these sessions and the account stream. */
async function onlyLeft({ proxy, carrier }: Scene, sessions: number): Promise<void> {
  const legs = 2 * sessions + (carrier === 'account' && sessions > 0 ? 1 : 0);
  await until(
    `${sessions} sessions are left: ${JSON.stringify(proxy.app.census())}`,
    () => proxy.app.census().sessions === sessions && proxy.app.census().legs === legs,
    20_000,
  );
}

scenario(
  'L3',
  'the place of a device alone ends as without the proxy when its time is over; it comes too late, and begins anew',
  async (scene) => {
    const { room } = scene;
    const witness = await watch(scene);
    const phone = await openDevice(scene, 'al', { device: 'phone' });
    await joinRoom(phone.client, `${room}/al`);
    const other = new Device(scene, await scene.direct('bo', { device: 'phone' }));
    await other.client.enableSm();
    await joinRoom(other.client, `${room}/bo`);
    assert.equal(await witness.sees(), ['+al', '+bo']);
    await phone.cut();
    await other.cut();
    const unheard = await witness.say('unheard');
    const gone = await sees(witness, 2);
    const theirs = gone.find((one) => one.startsWith('-bo'))?.slice(3);
    // The account stream has heard what was said, and goes in peace with the last session.
    const ours = scene.carrier === 'account' ? '' : theirs;
    assert.equal(gone.toSorted(), [`-al${ours}`, `-bo${theirs}`]);
    assert.is(await tooLate(phone), 'item-not-found');
    const again = await bindAgain(phone, 'phone');
    const { history } = await joinRoom(again, `${room}/al`);
    assert.ok(history.some((one) => one.id === unheard));
    const word = await witness.say('welcome back');
    await again.pick(said(room, 'witness', word));
    await again.expectNothing({ room });
    assert.equal(await witness.sees(), ['+al']);
    await again.end();
    await onlyLeft(scene, 0);
    assert.is(scene.proxy.app.census().accounts, 0);
  },
  { except, config },
);

scenario(
  'L9',
  'nobody sees a device go whose sibling has its place; the sibling hears all, and the late device is let in again',
  async (scene) => {
    const { room } = scene;
    const witness = await watch(scene);
    const phone = await openDevice(scene, 'al', { device: 'phone' });
    await joinRoom(phone.client, `${room}/al`);
    const desk = await scene.login('al', { device: 'desk' });
    const byDesk = record(desk);
    await joinRoom(desk, `${room}/al`);
    await witness.sees();
    await phone.cut();
    const words = [await witness.say('asleep')];
    await onlyLeft(scene, 1);
    words.push(await witness.say('gone'));
    await desk.pick(said(room, 'witness', words[1] as string));
    assert.is(await tooLate(phone), 'item-not-found');
    const again = await bindAgain(phone, 'phone');
    const { history } = await joinRoom(again, `${room}/al`);
    assert.equal(
      history.map((one) => one.id).filter((id) => words.includes(id ?? '')),
      words,
    );
    words.push(await witness.say('back'));
    for (const client of [again, desk]) await client.pick(said(room, 'witness', words[2] as string, client.jid));
    await again.expectNothing({ room });
    assert.equal(
      byDesk.filter((one) => one.type === 'groupchat' && one.child('body')).map((one) => one.id),
      words,
    );
    assert.equal(await witness.sees(), []);
    await again.end();
    await desk.end();
    await onlyLeft(scene, 0);
    assert.equal(await sees(witness, 1), ['-al']);
  },
  { except, config },
);

scenario(
  'S9',
  'a client that comes between the server’s end and the proxy’s is refused by the server, and its rooms are taken over',
  async (scene) => {
    const { room } = scene;
    const witness = await watch(scene);
    const bob = await scene.direct('bob');
    const phone = await openDevice(scene, 'al', { device: 'phone' });
    await joinRoom(phone.client, `${room}/al`);
    await phone.cut();
    // The server keeps the question for the device, and answers when it gives it up.
    await until('the server has ended the session', async () => {
      const error = await bob
        .iqError(`<iq type='get' to='${phone.jid}'><ping xmlns='${ns.ping}'/></iq>`)
        .catch(() => undefined);
      return error !== undefined;
    });
    assert.is(await tooLate(phone), 'item-not-found');
    const again = await bindAgain(phone, 'phone2');
    await joinRoom(again, `${room}/al`);
    const word = await witness.say('in again');
    await again.pick(said(room, 'witness', word));
    await again.expectNothing({ room });
    await onlyLeft(scene, 1);
    const last = await witness.say('still in');
    await again.pick(said(room, 'witness', last));
    await again.end();
    await onlyLeft(scene, 0);
  },
  { except, config },
);

scenario.run();
