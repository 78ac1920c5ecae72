/** Sessions that go without leaving (L3): the account stays as long as something can hold its place. */

import { untilParked } from './support/parked.ts';
import { assert, type Client, joinRoom, leaveRoom, type Scene, sayInRoom, scenarios } from './support/scenario.ts';
import { heardOnce, said, until, untilSettled, watch } from './support/witness.ts';

const scenario = scenarios('leave-gone', { together: 3 });

/** The ways in which a client goes. */
const ways: readonly { name: string; go: (client: Client) => unknown; isLogout?: boolean }[] = [
  { name: 'breaks off', go: (client) => client.drop() },
  { name: 'is closed without a closing tag', go: (client) => client.fin() },
  { name: 'closes its stream', go: (client) => client.end(), isLogout: true },
];

/** Both devices of alice joined, the first of them being the carrier where that is borrowed. */
async function twoJoined(scene: Scene): Promise<{ desk: Client; phone: Client }> {
  const desk = await scene.login('alice', { device: 'desk' });
  const phone = await scene.login('alice', { device: 'phone' });
  await joinRoom(desk, `${scene.room}/al`);
  await joinRoom(phone, `${scene.room}/al`);
  return { desk, phone };
}

for (const { name, go, isLogout = false } of ways) {
  scenario(
    'L3',
    `when the stream of a device ${name}, its sibling stays in the room and nobody sees a leave`,
    async (scene) => {
      const { room } = scene;
      const witness = await watch(scene);
      const { desk, phone } = await twoJoined(scene);
      await go(desk);
      await untilSettled(scene, 1);
      assert.equal(await witness.sees(), ['+al']);
      await phone.expectNothing({ room });
      await heardOnce([phone], room, 'witness', await witness.say('still here?'));
      const id = sayInRoom(phone, room, 'yes');
      await heardOnce([phone], room, 'al', id);
      await witness.client.expect(said(room, 'al', id));
      assert.equal(await witness.sees(), []);
    },
    { except: ['sharedNick'] },
  );

  scenario(
    'L3',
    `when the stream of the only device ${name}, an account stream stays in the room, or the device's own unless it has logged out`,
    async (scene) => {
      const { room } = scene;
      const witness = await watch(scene);
      const desk = await scene.login('alice', { device: 'desk' });
      await joinRoom(desk, `${room}/al`);
      await go(desk);
      const isParked = scene.carrier === 'borrowed' && !isLogout;
      await untilSettled(scene, 0, scene.carrier === 'account' || isParked ? 1 : 0);
      await untilParked(scene, isParked ? 1 : 0);
      if (scene.carrier === 'borrowed' && isLogout) {
        await until('the room has seen the account leave', async () => (await witness.sees()).includes('-al'));
        const back = await scene.login('alice', { device: 'desk' });
        await joinRoom(back, `${room}/al`);
        assert.equal(await witness.sees(), ['+al']);
        return;
      }
      const missed = await witness.say('gone?');
      await witness.ping('al');
      assert.equal(await witness.sees(), ['+al']);
      const back = await scene.login('alice', { device: 'desk' });
      const again = await joinRoom(back, `${room}/al`);
      assert.equal(
        again.history.map((one) => one.id),
        [missed],
      );
      if (isParked) await untilSettled(scene, 1);
      await heardOnce([back], room, 'witness', await witness.say('there'));
      if (scene.carrier === 'account' || scene.server.features.sharedNick) assert.equal(await witness.sees(), []);
    },
  );
}

scenario(
  'L3',
  'a session that broadcasts unavailable is out of its rooms, and the account is not',
  async (scene) => {
    const { room } = scene;
    const witness = await watch(scene);
    const { desk, phone } = await twoJoined(scene);
    desk.send(`<presence type='unavailable'><status>off</status></presence>`);
    await desk.expect(
      `<presence type='unavailable' from='${room}/al' to='${desk.jid}'>
         <x xmlns='http://jabber.org/protocol/muc#user'><item role='none'/><status code='110'/></x></presence>`,
    );
    await heardOnce([phone], room, 'witness', await witness.say('hello'));
    await desk.expectNothing();
    await phone.expectNothing({ room });
    assert.equal(await witness.sees(), ['+al']);

    await desk.available();
    await joinRoom(desk, `${room}/al`);
    await heardOnce([phone, desk], room, 'witness', await witness.say('again'));
    assert.equal(await witness.sees(), []);
  },
  { except: ['sharedNick'] },
);

scenario(
  'L3',
  'the unavailable presence of a carrier reaches its contacts, once its rooms are handed over',
  async (scene) => {
    const { room } = scene;
    const witness = await watch(scene);
    const friend = await scene.direct('friend');
    const { desk, phone } = await twoJoined(scene);
    desk.send(`<presence to='${friend.bareJid}' type='subscribe'/>`);
    await friend.pick(`<presence type='subscribe' from='${desk.bareJid}'/>`);
    friend.send(`<presence to='${desk.bareJid}' type='subscribed'/>`);
    friend.send(`<presence to='${desk.bareJid}' type='subscribe'/>`);
    await desk.pick(`<presence type='subscribe' from='${friend.bareJid}'/>`);
    desk.send(`<presence to='${friend.bareJid}' type='subscribed'/>`);
    await friend.pick(`<presence from='${desk.jid}'><priority>0</priority></presence>`);
    desk.send(`<presence type='unavailable'><status>off</status></presence>`);
    await friend.pick(`<presence type='unavailable' from='${desk.jid}'><status>off</status></presence>`);
    await phone.fence({ room });
    await heardOnce([phone], room, 'witness', await witness.say('hello'));
    if (scene.carrier === 'account' || scene.server.features.sharedNick) assert.equal(await witness.sees(), ['+al']);
  },
);

scenario(
  'L3',
  'the only session broadcasts unavailable: an account stream stays, a borrowed carrier cannot',
  async (scene) => {
    const { room } = scene;
    const witness = await watch(scene);
    const desk = await scene.login('alice', { device: 'desk' });
    await joinRoom(desk, `${room}/al`);
    desk.send(`<presence type='unavailable'/>`);
    await desk.pick(
      `<presence type='unavailable' from='${room}/al'>
       <x xmlns='http://jabber.org/protocol/muc#user'><status code='110'/></x></presence>`,
    );
    if (scene.carrier === 'account') {
      await desk.expectNothing();
      await witness.say('there?');
      assert.equal(await witness.sees(), ['+al']);
    } else {
      await until('the room has seen the account leave', async () => (await witness.sees()).includes('-al'));
      await desk.expectNothing();
    }
    await desk.available();
    await joinRoom(desk, `${room}/al`);
    await heardOnce([desk], room, 'witness', await witness.say('back'));
  },
  // Where bookmarks have a say, a leave waits until they have been read.
  { config: { leave: { grace: '0s', when: 'last-session' } } },
);

scenario(
  'L3',
  'a sibling that has not joined carries the rooms on, and hears nothing of them',
  async (scene) => {
    const { room } = scene;
    const witness = await watch(scene);
    const desk = await scene.login('alice', { device: 'desk' });
    const phone = await scene.login('alice', { device: 'phone' });
    await joinRoom(desk, `${room}/al`);
    await desk.drop();
    await untilSettled(scene, 1);
    const missed = await witness.say('gone?');
    await witness.ping('al');
    assert.equal(await witness.sees(), ['+al']);
    await phone.expectNothing({ room });
    const joined = await joinRoom(phone, `${room}/al`);
    assert.equal(
      joined.history.map((one) => one.id),
      [missed],
    );
    assert.equal(await witness.sees(), []);
  },
  { except: ['sharedNick'] },
);

for (const linger of ['0s', '300ms']) {
  scenario(
    'L3',
    `linger ${linger}: an account without sessions leaves its rooms after that time, and comes back with the next`,
    async (scene) => {
      const { room } = scene;
      const witness = await watch(scene);
      const { desk, phone } = await twoJoined(scene);
      await desk.drop();
      await phone.drop();
      await until('the room has seen the account leave', async () => (await witness.sees()).at(-1) === '-al');
      await untilSettled(scene, 0, 0);
      await until('nothing is left of it', () => scene.proxy.app.census().accounts === 0);
      // Where nicks are not shared a hand-over that was under way has shown it once more.
      const late = await witness.sees();
      assert.ok(late.length === 0 || (!scene.server.features.sharedNick && late.at(-1) === '-al'), late.join());
      const back = await scene.login('alice', { device: 'desk' });
      await joinRoom(back, `${room}/al`);
      assert.equal(await witness.sees(), ['+al']);
    },
    { config: { linger } },
  );
}

scenario(
  'L3',
  'a session that comes back before linger is over keeps the account inside, past that time',
  async (scene) => {
    const { room } = scene;
    const witness = await watch(scene);
    const desk = await scene.login('alice', { device: 'desk' });
    await joinRoom(desk, `${room}/al`);
    await desk.drop();
    await untilSettled(scene, 0);
    await untilParked(scene, 0);
    const back = await scene.login('alice', { device: 'desk' });
    const since = performance.now();
    await until('linger would be over', () => performance.now() - since > 1200);
    await joinRoom(back, `${room}/al`);
    assert.equal(await witness.sees(), ['+al']);
    await leaveRoom(back, `${room}/al`);
  },
  { config: { linger: '1s' }, except: ['accountStream'] },
);

scenario.run();
