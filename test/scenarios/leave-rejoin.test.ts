/** The last session leaves and joins again before the grace is over: as without the proxy wherever that is not to be hidden from others (L2). */
import {
  assert,
  configureRoom,
  createRoom,
  joinRoom,
  leaveRoom,
  type StanzaError,
  scenarios,
} from './support/scenario.ts';
import { said, watch } from './support/witness.ts';

const scenario = scenarios('leave-rejoin');

scenario(
  'L2',
  'a temporary room ends with its only occupant, and who comes back at once has made it anew',
  async ({ room, login, server }) => {
    const desk = await login('alice', { device: 'desk' });
    // mu-conference keeps a room that nobody is in for a while.
    const endsAtOnce = server.name !== 'jabberd2';
    await createRoom(desk, `${room}/al`);
    for (let round = 0; round < 8; round += 1) {
      desk.send(`<message type='groupchat' id='old-${round}' to='${room}'><body>old</body></message>`);
      await desk.expect(said(room, 'al', `old-${round}`));
      await leaveRoom(desk, `${room}/al`);
      const again = await joinRoom(desk, `${room}/al`);
      assert.is(again.self.codes.includes(201), endsAtOnce);
      assert.is(again.history.length === 0, endsAtOnce);
      await configureRoom(desk, room, {});
    }
    await desk.expectNothing({ room });
  },
);

scenario('L2', 'who comes back within the grace under another nick has that nick, as others see', async (scene) => {
  const { room } = scene;
  const witness = await watch(scene);
  const desk = await scene.login('alice', { device: 'desk' });
  await joinRoom(desk, `${room}/al`);
  await leaveRoom(desk, `${room}/al`);
  const again = await joinRoom(desk, `${room}/bo`);
  assert.is(again.nick, 'bo');
  assert.not.ok(again.self.codes.includes(210));
  assert.equal(await witness.sees(), ['+al', '-al', '+bo']);
  const id = await witness.say('bo?');
  await desk.expect(said(room, 'witness', id));
  await desk.expectNothing({ room });
});

scenario('L2', 'who comes back within the grace without the password is refused by the room', async (scene) => {
  const { room } = scene;
  const witness = await watch(scene, { config: { passwordprotectedroom: '1', roomsecret: 'open' } });
  const desk = await scene.login('alice', { device: 'desk' });
  for (const password of ['shut', undefined]) {
    await joinRoom(desk, `${room}/al`, { password: 'open' });
    await leaveRoom(desk, `${room}/al`);
    const wrong = password === undefined ? {} : { password };
    const refusal = await joinRoom(desk, `${room}/al`, wrong).then(
      () => 'let in',
      (error: StanzaError) => error.condition,
    );
    assert.is(refusal, 'not-authorized');
    assert.equal(await witness.sees(), ['+al', '-al']);
  }
  await joinRoom(desk, `${room}/al`, { password: 'open' });
  assert.equal(await witness.sees(), ['+al']);
  await leaveRoom(desk, `${room}/al`);
  await joinRoom(desk, `${room}/al`, { password: 'open' });
  assert.equal(await witness.sees(), []);
});

scenario(
  'J8',
  'who was let in without the password, being of the account, comes back within the grace as it went',
  async (scene) => {
    const { room } = scene;
    const witness = await watch(scene, { config: { passwordprotectedroom: '1', roomsecret: 'open' } });
    const desk = await scene.login('alice', { device: 'desk' });
    const phone = await scene.login('alice', { device: 'phone' });
    await joinRoom(desk, `${room}/al`, { password: 'open' });
    await joinRoom(phone, `${room}/al`);
    for (const device of [desk, phone]) await leaveRoom(device, `${room}/al`);
    await joinRoom(phone, `${room}/al`);
    assert.equal(await witness.sees(), ['+al']);
  },
);

scenario('L1', 'who has left is answered by name, whoever answers', async (scene) => {
  const { room } = scene;
  await watch(scene);
  const desk = await scene.login('alice', { device: 'desk' });
  await joinRoom(desk, `${room}/al`);
  await leaveRoom(desk, `${room}/al`);
  desk.send(`<message type='groupchat' id='late' to='${room}'><body>late</body></message>`);
  await desk.expect(`<message type='error' id='late' from='${room}' to='${desk.jid}'/>`);
  desk.send(`<iq type='get' id='ping' to='${room}/al'><ping xmlns='urn:xmpp:ping'/></iq>`);
  await desk.expect(`<iq type='error' id='ping' from='${room}/al' to='${desk.jid}'/>`);
});

scenario.run();
