/**
 * Parked streams (L3): a client whose password the proxy does not see has gone, and its stream at the server stays in the account's
 * rooms until a session comes.
 */
import { befriend } from './support/contacts.ts';
import { alone, comesBack, dropsParked, parkedAlone, untilParked } from './support/parked.ts';
import { assert, joinRoom, leaveRoom, sayInRoom, scenarios } from './support/scenario.ts';
import { heardOnce, said, until, untilSettled, watch } from './support/witness.ts';

const scenario = scenarios('parking', { together: 3, except: ['passwordKnown'] });
const except = ['sharedNick'] as const;

scenario(
  'L3',
  'when the connection of the only device breaks the account stays in the room, and its stream is parked',
  async (scene) => {
    const { witness } = await parkedAlone(scene);
    await witness.say('gone?');
    await witness.ping('al');
    assert.equal(await witness.sees(), ['+al']);
    assert.match(await scene.proxy.app.metrics.render(), /^minimix_carriers\{kind="parked"\} 1$/m);
  },
);

scenario(
  'L3',
  'the next session takes the parked rooms over unseen, under the resource that it asks for, and is given what was said',
  async (scene) => {
    const { room } = scene;
    const { witness } = await parkedAlone(scene);
    const missed = await witness.say('gone?');
    const back = await comesBack(scene, 'alice', 'desk');
    const joined = await joinRoom(back, `${room}/al`);
    assert.equal(
      joined.history.map(({ id }) => id),
      [missed],
    );
    await heardOnce([back], room, 'witness', await witness.say('there'));
    await heardOnce([back], room, 'al', sayInRoom(back, room, 'yes'));
    await untilSettled(scene, 1);
    assert.equal(await witness.sees(), ['+al']);
    // The place is the new stream's now.
    await dropsParked(scene, back);
    await witness.ping('al');
    assert.equal(await witness.sees(), []);
  },
  { except },
);

scenario(
  'L3',
  'a session that has not joined takes the parked rooms over and hears nothing of them',
  async (scene) => {
    const { room } = scene;
    const { witness } = await parkedAlone(scene);
    const phone = await comesBack(scene, 'alice', 'phone');
    await witness.say('who?');
    await witness.ping('al');
    await phone.expectNothing({ room });
    assert.equal(await witness.sees(), ['+al']);
  },
  { except },
);

scenario('L2', 'a device that closes its stream has logged out: nothing is parked', async (scene) => {
  const { witness, desk } = await alone(scene);
  await desk.end();
  await until('the room has seen the account leave', async () => (await witness.sees()).includes('-al'));
  await untilSettled(scene, 0);
});

scenario(
  'L2',
  'parking.logout: a device that closes its stream leaves it behind for the rooms',
  async (scene) => {
    const { witness, desk } = await alone(scene);
    await desk.end();
    await untilParked(scene);
    await witness.ping('al');
    assert.equal(await witness.sees(), ['+al']);
  },
  { config: { parking: { logout: true } } },
);

scenario(
  'L2',
  'parking.logout: a device that says that it is unavailable leaves its stream behind too, unless it is available again',
  async (scene) => {
    const { room } = scene;
    const witness = await watch(scene);
    const friend = await scene.direct('friend', { device: 'friend' });
    const desk = await scene.login('alice', { device: 'desk' });
    await befriend(desk, friend);
    await joinRoom(desk, `${room}/al`);
    desk.send(`<presence type='unavailable'/>`);
    await friend.pick(`<presence from='${desk.jid}'><show>xa</show><priority>-1</priority></presence>`);
    await desk.available();
    await friend.pick(`<presence from='${desk.jid}'><priority>0</priority></presence>`);
    await joinRoom(desk, `${room}/al`);
    await heardOnce([desk], room, 'witness', await witness.say('back?'));
    desk.send(`<presence type='unavailable'/>`);
    await desk.end();
    await untilParked(scene);
    await friend.pick(`<presence from='${desk.jid}'><show>xa</show><priority>-1</priority></presence>`);
    await witness.ping('al');
    assert.equal(await witness.sees(), ['+al']);
  },
  { config: { parking: { logout: true } } },
);

scenario(
  'L3',
  'parking: off: an account whose only device drops leaves with it',
  async (scene) => {
    const { witness, desk } = await alone(scene);
    await desk.drop();
    await until('the room has seen the account leave', async () => (await witness.sees()).includes('-al'));
    await untilSettled(scene, 0);
  },
  { config: { parking: 'off' } },
);

scenario(
  'L3',
  'a parked stream ends, and the account leaves, when linger is over',
  async (scene) => {
    const { witness } = await parkedAlone(scene);
    await witness.ping('al');
    assert.equal(await witness.sees(), ['+al']);
    await until('the room has seen the account leave', async () => (await witness.sees()).includes('-al'));
    await untilSettled(scene, 0);
    assert.is(scene.proxy.app.census().accounts, 0);
  },
  { config: { linger: '1500ms' } },
);

scenario('X3', 'parking.streams: no more streams are parked than that', async (scene) => {
  const { room } = scene;
  const proxy = await scene.startProxy({ parking: { streams: 1 } });
  const witness = await watch(scene);
  for (const role of ['alice', 'bob']) {
    const client = await scene.login(role, { device: 'desk', through: proxy });
    await joinRoom(client, `${room}/${role}`);
    await client.drop();
    await until('it has gone', () => proxy.app.census().sessions === 0);
    if (role === 'bob') await until('it has left', async () => (await witness.sees()).includes('-bob'));
  }
  assert.is(proxy.app.census().parked, 1);
  await witness.ping('alice');
  assert.match(await proxy.app.metrics.render(), /^minimix_parkings_total\{result="full"\} 1$/m);
});

scenario('L5', 'a parked stream that is kicked out of its last room ends', async (scene) => {
  const { room } = scene;
  const { witness } = await parkedAlone(scene);
  await witness.client.iq(
    `<iq type='set' to='${room}'><query xmlns='http://jabber.org/protocol/muc#admin'><item nick='al' role='none'/></query></iq>`,
  );
  await untilSettled(scene, 0);
  await until('the room has seen it', async () => (await witness.sees()).some((one) => one.startsWith('-al')));
});

scenario(
  'L2',
  'the room that a parked stream was in is left by the next session, and the account with it',
  async (scene) => {
    const { room } = scene;
    const { witness } = await parkedAlone(scene);
    const back = await scene.login('alice', { device: 'desk' });
    await joinRoom(back, `${room}/al`);
    await untilParked(scene, 0);
    await leaveRoom(back, `${room}/al`);
    await until('the room has seen it', async () => (await witness.sees()).at(-1) === '-al');
    const id = await witness.say('alone');
    await back.expectNothing({ room });
    await witness.client.expectNothing({ except: [said(room, 'witness', id)] });
  },
  { config: { leave: { grace: '0s' } } },
);

scenario.run();
