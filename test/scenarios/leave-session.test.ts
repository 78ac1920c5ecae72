/** A session leaves, with others inside or as the last one (L1, L2). */
import { assert, joinPresence, joinRoom, leaveRoom, scenarios } from './support/scenario.ts';
import { said, until, untilSettled, watch } from './support/witness.ts';

const scenario = scenarios('leave-session', { together: 3, parked: { alice: 'al' } });

scenario('L1', 'one of two devices leaves: it is told so and hears no more, nobody else hears of it', async (scene) => {
  const { room } = scene;
  const witness = await watch(scene);
  const desk = await scene.login('alice', { device: 'desk' });
  const phone = await scene.login('alice', { device: 'phone' });
  await joinRoom(desk, `${room}/al`);
  await joinRoom(phone, `${room}/al`);
  assert.equal(await witness.sees(), ['+al']);

  for (const leaver of [phone, desk]) {
    const sibling = leaver === desk ? phone : desk;
    leaver.send(`<presence to='${room}/al' type='unavailable' id='bye'><status>to bed</status></presence>`);
    await leaver.expect(
      `<presence type='unavailable' from='${room}/al' to='${leaver.jid}' id='bye'><status>to bed</status>
         <x xmlns='http://jabber.org/protocol/muc#user'><item role='none'/><status code='110'/></x></presence>`,
    );
    const id = await witness.say('who is here?');
    await sibling.expect(said(room, 'witness', id));
    await sibling.expectNothing({ room });
    await leaver.expectNothing({ room });
    assert.equal(await witness.sees(), []);

    const again = await joinRoom(leaver, `${room}/al`);
    assert.match(again.sequence, /^PSH*T$/);
    await sibling.expectNothing({ room });
    assert.equal(await witness.sees(), []);
  }
});

for (const grace of ['0s', '200ms']) {
  scenario(
    'L2',
    `what the last session says as it leaves reaches the room, with a grace of ${grace}`,
    async (scene) => {
      const { room } = scene;
      const witness = await watch(scene);
      const desk = await scene.login('alice', { device: 'desk' });
      const phone = await scene.login('alice', { device: 'phone' });
      const { self } = await joinRoom(desk, `${room}/al`);
      await joinRoom(phone, `${room}/al`);
      const leave = (words: string) => `<presence to='${room}' type='unavailable'><status>${words}</status></presence>`;
      const gone = (words: string) =>
        `<presence from='${room}/al' type='unavailable'><status>${words}</status></presence>`;
      phone.send(leave('to bed'));
      await phone.expect(gone('to bed'));
      await phone.fence({ room });
      desk.send(leave('to work'));
      const own = await desk.expect(gone('to work'));
      const occupantId = (presence: typeof own) => presence.child('occupant-id')?.attrs.id;
      assert.is(occupantId(own), occupantId(self));
      await witness.client.pick(gone('to work'));
      await desk.expectNothing({ room });
    },
    { config: { leave: { grace } } },
  );
}

scenario(
  'L2',
  'a farewell that a rejoin has taken back is not said later',
  async (scene) => {
    const { room } = scene;
    const witness = await watch(scene);
    const desk = await scene.login('alice', { device: 'desk' });
    await joinRoom(desk, `${room}/al`);
    desk.send(`<presence to='${room}/al' type='unavailable'><status>for good</status></presence>`);
    await desk.expect(`<presence from='${room}/al' type='unavailable'/>`);
    await joinRoom(desk, `${room}/al`);
    await desk.drop();
    const gone = await witness.client.pick(`<presence from='${room}/al' type='unavailable'/>`);
    assert.is.not(gone.child('status')?.text, 'for good');
  },
  { except: ['nothingLingers'], config: { linger: '0' } },
);

scenario('L2', 'a rejoin within the grace is answered from what is known, and the room sees nothing', async (scene) => {
  const { room } = scene;
  const witness = await watch(scene);
  const desk = await scene.login('alice', { device: 'desk' });
  await joinRoom(desk, `${room}/al`);
  assert.equal(await witness.sees(), ['+al']);
  await leaveRoom(desk, `${room}/al`);
  const id = await witness.say('gone?');
  await witness.ping('al');
  assert.equal(await witness.sees(), []);
  await desk.expectNothing({ room });

  const again = await joinRoom(desk, `${room}/al`);
  assert.equal(
    again.history.map((one) => one.id),
    [id],
  );
  assert.equal(again.self.codes.includes(110), true);
  assert.equal(await witness.sees(), []);
  const heard = await witness.say('there you are');
  await desk.expect(said(room, 'witness', heard));
});

scenario(
  'L2',
  'when the grace is over without a rejoin, the account leaves, and a later join is a new one',
  async (scene) => {
    const { room } = scene;
    const witness = await watch(scene);
    const desk = await scene.login('alice', { device: 'desk' });
    await joinRoom(desk, `${room}/al`);
    await leaveRoom(desk, `${room}/al`);
    await witness.client.pick(`<presence type='unavailable' from='${room}/al'/>`);
    await desk.expectNothing({ room });
    await joinRoom(desk, `${room}/al`);
    await witness.client.pick(`<presence from='${room}/al'/>`);
    await desk.expectNothing({ room });
  },
  { config: { leave: { grace: '200ms' } } },
);

scenario(
  'L2',
  'with no grace the account leaves with its last session, also when that rejoins at once',
  async (scene) => {
    const { room } = scene;
    const witness = await watch(scene);
    const desk = await scene.login('alice', { device: 'desk' });
    const phone = await scene.login('alice', { device: 'phone' });
    await joinRoom(desk, `${room}/al`);
    await joinRoom(phone, `${room}/al`);
    await leaveRoom(phone, `${room}/al`);
    await desk.expectNothing({ room });
    assert.equal(await witness.sees(), ['+al']);

    // Not waiting for the answer: the account is still leaving when the join comes.
    desk.send(`<presence type='unavailable' id='bye' to='${room}/al'/>`);
    desk.send(joinPresence(`${room}/al`, { id: 'again' }));
    await desk.expect(`<presence type='unavailable' id='bye' from='${room}/al'/>`);
    await desk.expect(`<presence from='${room}/witness'/>`);
    const self = await desk.expect(`<presence id='again' from='${room}/al'/>`);
    assert.ok(self.codes.includes(110));
    await desk.expect(`<message type='groupchat'><subject/></message>`);
    assert.equal(await witness.sees(), ['-al', '+al']);
    const id = await witness.say('again');
    await desk.expect(said(room, 'witness', id));
    await phone.expectNothing({ room });
  },
  { config: { leave: { grace: '0s' } } },
);

scenario(
  'L2',
  'leave.when never: the account stays though nobody is joined, and the next join is served from what is known',
  async (scene) => {
    const { room } = scene;
    const witness = await watch(scene);
    const desk = await scene.login('alice', { device: 'desk' });
    await joinRoom(desk, `${room}/al`);
    await leaveRoom(desk, `${room}/al`);
    await desk.fence({ room });
    const id = await witness.say('still there?');
    await witness.ping('al');
    assert.equal(await witness.sees(), ['+al']);
    await desk.expectNothing({ room });
    const again = await joinRoom(desk, `${room}/al`);
    assert.equal(
      again.history.map((one) => one.id),
      [id],
    );
    assert.equal(await witness.sees(), []);
  },
  { config: { leave: { grace: '0s', when: 'never' } } },
);

scenario(
  'L2',
  'leave.when last-session: the account leaves with the last session that leaves, not with one that drops',
  async (scene) => {
    const { room } = scene;
    const witness = await watch(scene);
    const desk = await scene.login('alice', { device: 'desk' });
    const phone = await scene.login('alice', { device: 'phone' });
    await joinRoom(desk, `${room}/al`);
    await joinRoom(phone, `${room}/al`);
    await phone.drop();
    await untilSettled(scene, 1);
    assert.equal(await witness.sees(), ['+al']);
    await leaveRoom(desk, `${room}/al`);
    await until('the room has seen the account leave', async () => (await witness.sees()).includes('-al'));
    await desk.expectNothing({ room });
  },
  { config: { leave: { grace: '0s', when: 'last-session' } } },
);

scenario('L1', 'leaving a room in which the session is not brings no answer, and the account stays', async (scene) => {
  const { room } = scene;
  const witness = await watch(scene);
  const desk = await scene.login('alice', { device: 'desk' });
  const phone = await scene.login('alice', { device: 'phone' });
  await joinRoom(desk, `${room}/al`);
  for (const stranger of [phone, desk]) {
    if (stranger === desk) {
      await joinRoom(phone, `${room}/al`);
      await leaveRoom(desk, `${room}/al`);
    }
    stranger.send(`<presence to='${room}/al' type='unavailable'/>`);
    await stranger.expectNothing({ room });
  }
  const id = await witness.say('hello');
  await phone.expect(said(room, 'witness', id));
  assert.equal(await witness.sees(), ['+al']);
});

scenario.run();
