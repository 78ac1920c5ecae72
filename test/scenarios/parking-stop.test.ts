/**
 * A node stops that has parked streams (C4). Where their clients managed them (XEP-0198) the server keeps them for a while, and the account's
 * places in its rooms with them: who comes in time, by another node or after a restart, comes in unseen.
 */
import type { TestProxy } from '../support/proxy.ts';
import { openDevice } from './support/device.ts';
import { startImpatient } from './support/impatient.ts';
import { nodes } from './support/nodes.ts';
import { assert, type Client, joinRoom, type Scene, scenarios } from './support/scenario.ts';
import { heardOnce, until, watch } from './support/witness.ts';

/** How long the servers wait for a client (s): a device that has gone for longer is parked, and one that comes within is in time. */
const TIME = 6;

const scenario = scenarios('parking-stop', {
  limitMs: 90_000,
  together: 4,
  start: startImpatient(TIME),
  except: ['passwordKnown', 'streamManagement', 'sharedNick'],
});

scenario(
  'C4',
  'a node stops, and the room does not see it: a parked stream is left to the server until a device comes to another node',
  async (scene) => {
    const [first, second] = await nodes(scene, 2);
    if (!first || !second) throw new Error('two nodes were asked for');
    const { witness, friend, jid } = await parked(scene, first.proxy);
    const missed = [await witness.say('gone?')];
    await write(friend, jid);
    await first.proxy.app.stop();
    missed.push(await witness.say('stopped?'));
    // The resource that the server still knows.
    const back = await scene.login('alice', { device: 'desk', through: second.proxy });
    await back.pick(`<message type='chat' from='${friend.jid}' id='parked' to='${back.jid}'/>`);
    const joined = await joinRoom(back, `${scene.room}/al`);
    assert.equal(
      joined.history.map(({ id }) => id),
      missed,
    );
    await serverHasEnded(friend, jid);
    // What the server says of its end.
    await back.fence();
    back.stream.inbox.takeAll();
    await heardOnce([back], scene.room, 'witness', await witness.say('there'));
    assert.equal(await witness.sees(), []);
  },
);

scenario(
  'C4',
  'a session that comes to another node takes the rooms over that a stopped node has left to the server, and hears nothing of them',
  async (scene) => {
    const { room } = scene;
    const [first, second] = await nodes(scene, 2);
    if (!first || !second) throw new Error('two nodes were asked for');
    const { witness, friend, jid } = await parked(scene, first.proxy);
    await first.proxy.app.stop();
    const phone = await scene.login('alice', { device: 'phone', through: second.proxy });
    await serverHasEnded(friend, jid);
    const missed = await witness.say('who?');
    await witness.ping('al');
    const heard = [...phone.stream.inbox.takeAll(), ...(await phone.fence({ room }))];
    assert.equal(heard.filter(({ from }) => from?.startsWith(room)).map(String), []);
    const joined = await joinRoom(phone, `${room}/al`);
    assert.equal(
      joined.history.map(({ id }) => id),
      [missed],
    );
    assert.equal(await witness.sees(), []);
  },
);

scenario(
  'C4',
  'the proxy is started anew without a store: who comes in time has not left, and who has written is told that nobody has got it',
  async (scene) => {
    const { witness, friend, jid } = await parked(scene, scene.proxy);
    await write(friend, jid);
    await scene.proxy.stop();
    await friend.pick(`<message type='error' from='${jid}' id='parked'><error type='wait'/></message>`);
    const missed = await witness.say('stopped?');
    const next = await scene.startProxy();
    const back = await scene.login('alice', { device: 'phone', through: next });
    const joined = await joinRoom(back, `${scene.room}/al`);
    assert.is(joined.history.at(-1)?.id, missed);
    await serverHasEnded(friend, jid);
    // What the server says of its end.
    await back.fence();
    back.stream.inbox.takeAll();
    await heardOnce([back], scene.room, 'witness', await witness.say('there'));
    assert.equal(await witness.sees(), []);
  },
  { config: { store: 'memory' } },
);

scenario('C4', 'nobody comes in time: the account leaves when the server gives the parked stream up', async (scene) => {
  const { witness, friend, jid } = await parked(scene, scene.proxy);
  await scene.proxy.stop();
  assert.equal(await witness.sees(), []);
  await serverHasEnded(friend, jid);
  await until('the room has seen the account leave', async () => (await witness.sees()).includes('-al'));
});

/** Alice's only device was in the room, has not come back in time, and its stream is parked. */
async function parked(scene: Scene, proxy: TestProxy) {
  const witness = await watch(scene);
  const friend = await scene.direct('friend', { device: 'friend', transport: 'tcp' });
  const device = await openDevice(scene, 'alice', { device: 'desk', through: proxy });
  await joinRoom(device.client, `${scene.room}/al`);
  assert.equal(await witness.sees(), ['+al']);
  await device.cut();
  await until('its stream is parked', () => proxy.app.census().parked === 1, 30_000);
  return { witness, friend, jid: device.jid };
}

/** The friend writes to the parked stream, where it has come before this ends. */
async function write(friend: Client, jid: string): Promise<void> {
  friend.send(`<message type='chat' to='${jid}' id='parked'><body>while it is parked</body></message>`);
  await friend.iqError(`<iq type='get' to='${jid}'><query xmlns='jabber:iq:version'/></iq>`);
}

/** What is asked of a stream that waits for its client has an answer when it waits no more. */
async function serverHasEnded(friend: Client, jid: string): Promise<void> {
  await friend.iqError(`<iq type='get' to='${jid}'><ping xmlns='urn:xmpp:ping'/></iq>`, { limitMs: 30_000 });
}

scenario.run();
