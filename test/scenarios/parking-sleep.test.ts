/**
 * A session that could be resumed (XEP-0198) and was not: its stream has gone on, and is parked when its time is over. Until then it is
 * a session that hibernates, as every other.
 */
import { openDevice } from './support/device.ts';
import { startImpatient } from './support/impatient.ts';
import { untilParked } from './support/parked.ts';
import { assert, joinRoom, type Scene, sayInRoom, scenarios } from './support/scenario.ts';
import { heardOnce, said, until, watch } from './support/witness.ts';

/** How long the servers, or the proxy where the server has no XEP-0198, wait for a client (s). */
const TIME = 3;
const config = { hibernation: { time: `${TIME}s` } };

const scenario = scenarios('parking-sleep', {
  limitMs: 60_000,
  start: startImpatient(TIME),
  except: ['passwordKnown'],
});

scenario(
  'L3',
  'a device that is not resumed in time stays in its rooms, and what was written to it meanwhile reaches the next session once',
  async (scene) => {
    const { room } = scene;
    const { desk, friend, witness } = await asleep(scene);
    friend.send(`<message type='chat' to='${desk.jid}' id='asleep'><body>while it sleeps</body></message>`);
    friend.send(`<iq type='get' to='${desk.jid}' id='version'><query xmlns='jabber:iq:version'/></iq>`);
    const missed = await witness.say('gone?');
    await untilParked(scene);
    await friend.pick(
      `<iq type='error' id='version' from='${desk.jid}'><error type='cancel'><service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>`,
    );
    friend.send(`<message type='chat' to='${desk.jid}' id='parked'><body>while it is parked</body></message>`);
    await friend.fence();
    await witness.ping('al');
    assert.equal(await witness.sees(), []);
    const back = await scene.login('alice', { device: 'desk' });
    for (const id of ['lost', 'asleep', 'parked']) {
      const one = await back.expect(`<message type='chat' from='${friend.jid}' id='${id}' to='${back.jid}'/>`);
      assert.ok(one.child('delay', 'urn:xmpp:delay'), id);
    }
    await untilParked(scene, 0);
    const joined = await joinRoom(back, `${room}/al`);
    assert.equal(
      joined.history.map(({ id }) => id),
      [missed],
    );
    await heardOnce([back], room, 'witness', await witness.say('there'));
    const more = (await back.fence()).filter(({ name }) => name === 'message');
    assert.equal(more.map(String), []);
    if (scene.server.features.sharedNick) assert.equal(await witness.sees(), []);
  },
  { config },
);

scenario(
  'S9',
  'a device whose stream goes on while it sleeps is given all of it when it resumes, once and in order',
  async (scene) => {
    const { room } = scene;
    const { device, desk, friend, witness } = await asleep(scene);
    const ids: string[] = ['lost'];
    for (const round of [1, 2, 3]) {
      ids.push(await witness.say(`said ${round}`));
      friend.send(`<message type='chat' to='${desk.jid}' id='asleep${round}'><body>written ${round}</body></message>`);
      ids.push(`asleep${round}`);
      await friend.fence();
    }
    await device.resume();
    await device.client.ping();
    const live = await witness.say('welcome');
    ids.push(live);
    await until('it has heard it', () => device.messages(({ id }) => id === live).length > 0);
    await device.client.fence({ room });
    const heard = device.messages(({ child }) => child !== undefined).filter((one) => one.child('body'));
    assert.equal([...new Set(heard.map(({ id }) => id))].sort(), [...ids].sort());
    assert.is(heard.length, ids.length);
    const own = sayInRoom(device.client, room, 'yes');
    await witness.client.pick(said(room, 'al', own));
    assert.equal(await witness.sees(), []);
  },
  { except: ['streamManagement'] },
);

scenario(
  'L9',
  'a session that comes while a device sleeps on its stream takes the rooms over unseen, and the device can be resumed',
  async (scene) => {
    const { room } = scene;
    const { device, desk, friend, witness } = await asleep(scene);
    const phone = await scene.login('alice', { device: 'phone' });
    await joinRoom(phone, `${room}/al`);
    await until('the server keeps the stream', () => scene.proxy.app.census().legs === 2);
    friend.send(`<message type='chat' to='${desk.jid}' id='asleep'><body>while it sleeps</body></message>`);
    await friend.fence();
    await heardOnce([phone], room, 'witness', await witness.say('who?'));
    await device.resume();
    await device.client.ping();
    const live = await witness.say('both?');
    await phone.pick(said(room, 'witness', live, phone.jid));
    await until('it has heard it', () => device.messages(({ id }) => id === live).length > 0);
    const written = device.messages((one) => one.from === friend.jid && one.child('body') !== undefined);
    assert.equal(
      written.map(({ id }) => id),
      ['lost', 'asleep'],
    );
    assert.equal(await witness.sees(), []);
  },
  { except: ['streamManagement'] },
);

scenario(
  'S9',
  'a device that has enabled push is not parked: the server keeps its session, and its place for as long',
  async (scene) => {
    const { room } = scene;
    const witness = await watch(scene);
    const device = await openDevice(scene, 'alice', { device: 'desk' });
    const service = await scene.direct('push', { isSilent: true, transport: 'tcp' });
    await device.client.iq(`<iq type='set'><enable xmlns='urn:xmpp:push:0' jid='${service.jid}' node='desk'/></iq>`);
    await joinRoom(device.client, `${room}/al`);
    await device.cut();
    await until('the server keeps the stream', () => scene.proxy.app.census().legs === 0);
    assert.is(scene.proxy.app.census().parked, 0);
    const missed = await witness.say('gone?');
    assert.equal(await witness.sees(), ['+al']);
    await device.resume();
    await until('it has heard it', () => device.messages(({ id }) => id === missed).length > 0);
  },
  { except: ['streamManagement'] },
);

/** Alice's device is in the room and has lost its connection, with a message on its way that it has not read. */
async function asleep(scene: Scene) {
  const { room } = scene;
  const witness = await watch(scene);
  const friend = await scene.direct('friend', { device: 'friend', transport: 'tcp' });
  const device = await openDevice(scene, 'alice', { device: 'desk' });
  const desk = device.client;
  await joinRoom(desk, `${room}/al`);
  await desk.ping();
  assert.equal(await witness.sees(), ['+al']);
  desk.stream.pause();
  friend.send(`<message type='chat' to='${desk.jid}' id='lost'><body>on its way</body></message>`);
  await friend.fence();
  // The proxy has it when the room's fence behind it has come through.
  await witness.client.fence({ room });
  await device.cut();
  await until('the device sleeps', () => scene.proxy.log.some((line) => line.includes('session hibernates')));
  return { witness, friend, device, desk };
}

scenario.run();
