/** What others than rooms see of a parked stream, and what becomes of what they send to it. */
import { befriend } from './support/contacts.ts';
import { comesBack, dropsParked, untilParked } from './support/parked.ts';
import { assert, joinRoom, type Scene, scenarios } from './support/scenario.ts';
import { until, watch } from './support/witness.ts';

const scenario = scenarios('parking-contacts', { together: 3, except: ['passwordKnown'] });

scenario(
  'L3',
  'contacts see xa while a stream is parked, and the new session when it comes, with nothing of the old one left',
  async (scene) => {
    const { friend, desk } = await withFriend(scene);
    await dropsParked(scene, desk);
    const away = await friend.pick(`<presence from='${desk.jid}'><show>xa</show><priority>-1</priority></presence>`);
    assert.is(away.child('c'), undefined);
    const back = await comesBack(scene, 'alice', 'desk');
    // Where no nick is shared the resource is passed as it is asked for, which clears the ghost out of the room.
    if (scene.server.features.sharedNick) assert.is.not(back.jid, desk.jid);
    await friend.pick(`<presence from='${back.jid}'><priority>0</priority></presence>`);
    if (back.jid !== desk.jid) await friend.pick(`<presence type='unavailable' from='${desk.jid}'/>`);
    const other = await scene.direct('friend', { device: 'other' });
    // COMPAT: ejabberd shows a new session who is there when it comes to it.
    await other.pick(`<presence from='${back.jid}'/>`);
    const more = (await other.fence()).filter(
      (one) => one.name === 'presence' && one.from?.startsWith(`${desk.bareJid}/`),
    );
    assert.equal(more.map(String), []);
  },
);

scenario(
  'M6',
  'what is written to a parked stream is given to the next session, with the time of its coming',
  async (scene) => {
    const { friend, desk } = await withFriend(scene);
    await dropsParked(scene, desk);
    const before = Date.now();
    friend.send(`<message type='chat' to='${desk.jid}' id='full'><body>to the device</body></message>`);
    friend.send(
      `<message type='chat' to='${desk.jid}' id='typing'><composing xmlns='http://jabber.org/protocol/chatstates'/></message>`,
    );
    const receipt = `<received xmlns='urn:xmpp:receipts' id='earlier'/>`;
    friend.send(`<message type='chat' to='${desk.jid}' id='receipt'>${receipt}</message>`);
    friend.send(`<message type='chat' to='${desk.bareJid}' id='bare'><body>to the account</body></message>`);
    await friend.fence();
    await until('the proxy has it', async () => (await drops(scene)).includes('no-session'));
    const back = await comesBack(scene, 'alice', 'desk');
    const full = await back.pick(
      `<message type='chat' from='${friend.jid}' id='full' to='${back.jid}'><body>to the device</body></message>`,
    );
    await back.pick(`<message type='chat' from='${friend.jid}' id='receipt'>${receipt}</message>`);
    const stamp = Date.parse(full.child('delay', 'urn:xmpp:delay')?.attrs.stamp ?? '');
    assert.ok(stamp >= before - 1000 && stamp <= Date.now() + 1000);
    // The server has kept this one.
    await back.pick(`<message type='chat' from='${friend.jid}' id='bare'><body>to the account</body></message>`);
    const more = (await back.fence()).filter(({ name, from }) => name === 'message' && from === friend.jid);
    assert.equal(more.map(String), []);
    const answers = (await friend.fence()).filter(({ name }) => name === 'message');
    assert.equal(answers.map(String), []);
  },
);

scenario('L3', 'what is asked of a parked stream is refused', async (scene) => {
  const { friend, desk } = await withFriend(scene);
  await dropsParked(scene, desk);
  for (const query of [`<query xmlns='jabber:iq:version'/>`, `<ping xmlns='urn:xmpp:ping'/>`]) {
    const refused = await friend.iqError(`<iq type='get' to='${desk.jid}'>${query}</iq>`);
    assert.is(refused.condition, 'service-unavailable');
  }
});

scenario('L3', 'a subscription request to a parked account reaches the next session, once', async (scene) => {
  const { desk } = await withFriend(scene);
  await dropsParked(scene, desk);
  const stranger = await scene.direct('stranger');
  stranger.send(`<presence type='subscribe' to='${desk.bareJid}'/>`);
  await stranger.fence();
  const back = await comesBack(scene, 'alice', 'desk');
  await back.pick(`<presence type='subscribe' from='${stranger.bareJid}'/>`);
  await back.fence();
  const again = (await back.fence()).filter(({ type }) => type === 'subscribe');
  assert.equal(again.map(String), []);
});

scenario(
  'M6',
  'a private message of the room that nobody is there for waits for the next session that joins',
  async (scene) => {
    const { room } = scene;
    const { witness, desk } = await withFriend(scene);
    await dropsParked(scene, desk);
    witness.client.send(`<message type='chat' to='${room}/al' id='psst'><body>psst</body></message>`);
    await witness.ping('al');
    const back = await comesBack(scene, 'alice', 'desk');
    await back.expectNothing({ except: ['<presence/>'] });
    const joined = await joinRoom(back, `${room}/al`);
    const kept = joined.all.filter(({ id, to }) => id === 'psst' && to === back.jid);
    assert.is(kept.length, 1);
    assert.ok(kept[0]?.child('delay', 'urn:xmpp:delay'));
  },
  { except: ['sharedNick'] },
);

scenario(
  'L9',
  'the server ends a parked stream for a device past the proxy: the account leaves, once, and the next session joins anew',
  async (scene) => {
    const { room } = scene;
    const { witness, desk } = await withFriend(scene);
    await dropsParked(scene, desk);
    const direct = await scene.direct('alice', { device: 'desk' });
    assert.is(direct.jid, desk.jid);
    await untilParked(scene, 0);
    await until('the account has left', async () => (await witness.sees()).at(-1) === '-al');
    await until('nothing is left', () => scene.proxy.app.census().accounts === 0);
    await direct.fence();
    const back = await scene.login('alice', { device: 'phone' });
    await joinRoom(back, `${room}/al`);
    assert.equal(await witness.sees(), ['+al']);
  },
);

scenario(
  'C4',
  'at a stop of the proxy a parked stream ends, and who has written to it is told that nobody has got it',
  async (scene) => {
    const { friend, witness, desk } = await withFriend(scene);
    await dropsParked(scene, desk);
    friend.send(`<message type='chat' to='${desk.jid}' id='full'><body>to the device</body></message>`);
    const other = await friend.iqError(`<iq type='get' to='${desk.jid}'><query xmlns='jabber:iq:version'/></iq>`);
    assert.is(other.condition, 'service-unavailable');
    await scene.proxy.stop();
    await friend.pick(`<message type='error' from='${desk.jid}' id='full'><error type='wait'/></message>`);
    await friend.pick(`<presence type='unavailable' from='${desk.jid}'/>`);
    await until('the room has seen the account leave', async () => (await witness.sees()).includes('-al'));
  },
  // A shared one has the message for the next session at any node.
  { config: { store: 'memory' } },
);

/** Alice's only device is in the room, and has a friend. */
async function withFriend(scene: Scene) {
  const witness = await watch(scene);
  const friend = await scene.direct('friend', { device: 'friend' });
  const desk = await scene.login('alice', { device: 'desk', isSilent: true });
  await desk.available();
  await befriend(desk, friend);
  const caps = `<c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='http://localhost/' ver='q07IKJEyjvHSyhy//CH0CxmKi8w='/>`;
  desk.send(`<presence><priority>0</priority>${caps}</presence>`);
  await friend.pick(`<presence from='${desk.jid}'>${caps}</presence>`);
  await joinRoom(desk, `${scene.room}/al`);
  return { witness, friend, desk };
}

async function drops(scene: Scene): Promise<string> {
  const lines = (await scene.proxy.app.metrics.render()).split('\n');
  return lines.filter((line) => /^minimix_drops_total.* [1-9]/.test(line)).join('\n');
}

scenario.run();
