/** The plainest promises: a client behind the proxy is a client, and two of one account are one occupant. */
import { assert, createRoom, joinRoom, leaveRoom, sayInRoom, scenarios } from './support/scenario.ts';

const scenario = scenarios('basics', { together: 3 });

scenario('S3', 'messages between a client behind the proxy and one at the server arrive both ways', async (scene) => {
  const alice = await scene.login('alice');
  const bob = await scene.direct('bob');
  alice.send(`<message type='chat' to='${bob.jid}' id='one'><body>hi</body><x xmlns='urn:example:unknown'/></message>`);
  await bob.expect(
    `<message type='chat' id='one' from='${alice.jid}'><body>hi</body><x xmlns='urn:example:unknown'/></message>`,
  );
  bob.send(`<message type='chat' to='${alice.jid}' id='two'><body>ho</body></message>`);
  await alice.expect(`<message type='chat' id='two' from='${bob.jid}'><body>ho</body></message>`);
  await alice.expectNothing();
});

scenario('J1', 'a second session of the account joins without a stanza to the room', async (scene) => {
  const { room } = scene;
  const bob = await scene.direct('bob');
  await createRoom(bob, `${room}/bob`);
  const phone = await scene.login('alice', { device: 'phone' });
  const desk = await scene.login('alice', { device: 'desk' });

  await joinRoom(phone, `${room}/al`);
  await bob.expect(`<presence from='${room}/al'/>`);
  const late = await joinRoom(desk, `${room}/al`);
  assert.match(late.sequence, /^PST$/);
  assert.is(late.occupants[0]?.from, `${room}/bob`);
  await bob.expectNothing({ room });

  const id = sayInRoom(bob, room, 'hello');
  for (const client of [phone, desk]) {
    await client.expect(
      `<message type='groupchat' id='${id}' from='${room}/bob' to='${client.jid}'><body>hello</body></message>`,
    );
    await client.expectNothing({ room });
  }
  await leaveRoom(desk, `${room}/al`);
  await phone.expectNothing({ room });
});

scenario.run();
