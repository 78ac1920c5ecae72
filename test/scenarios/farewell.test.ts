/** What a device says as it goes offline, and what contacts see of a stream that stays for its rooms (L3, L9). */
import { befriend } from './support/contacts.ts';
import { assert, type Client, type Element, joinRoom, type Scene, scenarios } from './support/scenario.ts';
import { untilSettled, watch } from './support/witness.ts';

const scenario = scenarios('farewell', { together: 3 });

scenario(
  'L3',
  'what the only device says as it goes offline is said in each of its rooms, as without the proxy',
  async (scene) => {
    const { room } = scene;
    const other = scene.newRoom();
    const witness = await watch(scene);
    await watch(scene, { room: other, by: witness.client });
    const desk = await scene.login('alice', { device: 'desk' });
    for (const one of [room, other]) await joinRoom(desk, `${one}/al`);
    desk.send(`<presence type='unavailable'><status>gone fishing</status></presence>`);
    for (const one of [room, other]) {
      const left = `<presence type='unavailable' from='${one}/al'><status>gone fishing</status></presence>`;
      const told = await desk.pick(left);
      assert.ok(told.codes.includes(110));
      if (scene.carrier === 'borrowed') await witness.client.pick(left);
    }
    await desk.expectNothing();
    // An account stream stays, and no device speaks for it any more.
    if (scene.carrier === 'account') assert.equal(await witness.sees(), ['+al']);

    await desk.available();
    await joinRoom(desk, `${room}/al`);
    desk.send(`<presence type='unavailable'/>`);
    const silent = await desk.pick(`<presence type='unavailable' from='${room}/al'/>`);
    assert.is(silent.child('status'), undefined);
    if (scene.carrier === 'borrowed') {
      const seen = await witness.client.pick(`<presence type='unavailable' from='${room}/al'/>`);
      assert.is(seen.child('status'), undefined);
    }
  },
);

scenario(
  'L3',
  'a device that says why it goes offline and closes its stream at once is heard in its room',
  async (scene) => {
    const { room } = scene;
    const witness = await watch(scene);
    const desk = await scene.login('alice', { device: 'desk' });
    await joinRoom(desk, `${room}/al`);
    desk.send(`<presence type='unavailable'><status>back on Monday</status></presence>`);
    await desk.end();
    await witness.client.pick(
      `<presence type='unavailable' from='${room}/al'><status>back on Monday</status></presence>`,
    );
  },
  { except: ['ownStream'] },
);

/** The desk, which carries the room where carriers are borrowed, goes; what a contact is shown of it until it is gone. */
async function seenOfDesk(scene: Scene, presence: string): Promise<Element[]> {
  const { room } = scene;
  await watch(scene);
  const friend: Client = await scene.direct('friend');
  const desk = await scene.login('alice', { device: 'desk' });
  await befriend(desk, friend);
  const phone = await scene.login('alice', { device: 'phone' });
  await joinRoom(desk, `${room}/al`);
  await joinRoom(phone, `${room}/al`);
  desk.send(presence);
  await friend.upTo(`<presence from='${desk.jid}'><show>dnd</show></presence>`);
  await desk.drop();
  await untilSettled(scene, 1);
  const seen = await friend.upTo(`<presence type='unavailable' from='${desk.jid}'/>`);
  return seen.filter((one) => one.name === 'presence' && one.from === desk.jid && one.type === undefined);
}

scenario('L9', 'contacts see nothing new of a device whose stream is held for its rooms', async (scene) => {
  const seen = await seenOfDesk(
    scene,
    `<presence id='p'><show>dnd</show><status>in a meeting</status><priority>5</priority></presence>`,
  );
  assert.is(seen.length, scene.carrier === 'borrowed' ? 1 : 0);
  for (const one of seen) {
    assert.is(one.child('show')?.text, 'dnd');
    assert.is(one.child('status')?.text, 'in a meeting');
    assert.is(one.child('priority')?.text, '-1');
  }
});

scenario('L9', 'contacts see nothing at all of one that took no messages before', async (scene) => {
  const seen = await seenOfDesk(scene, `<presence><show>dnd</show><priority>-7</priority></presence>`);
  assert.equal(seen, []);
});

scenario.run();
