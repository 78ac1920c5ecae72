/** Private messages of a room, and the carbons that go with them (M3). */
import { assert, type Client, joinRoom, leaveRoom, type Scene, scenarios } from './support/scenario.ts';
import { untilSettled, type Witness, watch } from './support/witness.ts';

const scenario = scenarios('private', { together: 3, parked: { alice: 'al' } });
const carbons = 'urn:xmpp:carbons:2';

interface Cast {
  witness: Witness;
  desk: Client;
  phone: Client;
  idle: Client;
}

/** Two devices inside and one that is not, all with carbons where the server has them. */
async function cast(scene: Scene): Promise<Cast> {
  const witness = await watch(scene);
  const desk = await scene.login('alice', { device: 'desk' });
  const phone = await scene.login('alice', { device: 'phone' });
  const idle = await scene.login('alice', { device: 'idle' });
  if (scene.server.features.carbons) {
    for (const client of [desk, phone, idle]) await client.iq(`<iq type='set'><enable xmlns='${carbons}'/></iq>`);
  }
  await joinRoom(desk, `${scene.room}/al`);
  await joinRoom(phone, `${scene.room}/al`);
  await witness.sees();
  return { witness, desk, phone, idle };
}

scenario('M3', 'a private message reaches each joined session once', async (scene) => {
  const { room } = scene;
  const { witness, desk, phone } = await cast(scene);
  witness.client.send(`<message type='chat' to='${room}/al' id='in'><body>psst</body></message>`);
  for (const client of [desk, phone]) {
    await client.expect(
      `<message type='chat' from='${room}/witness' to='${client.jid}' id='in'><body>psst</body></message>`,
    );
    await client.expectNothing({ room });
  }
});

scenario('M3', 'a private message of one session goes out once, and siblings get one carbon of it', async (scene) => {
  const { room } = scene;
  const { witness, desk, phone } = await cast(scene);
  for (const sender of [phone, desk]) {
    const sibling = sender === desk ? phone : desk;
    const id = sender.id();
    sender.send(`<message type='chat' to='${room}/witness' id='${id}'><body>hush</body></message>`);
    await witness.client.expect(`<message type='chat' from='${room}/al' id='${id}'><body>hush</body></message>`);
    await witness.client.expectNothing({ room });
    if (scene.server.features.carbons) {
      await sibling.expect(
        `<message from='${sender.bareJid}' to='${sibling.jid}' type='chat'><sent xmlns='${carbons}'>
           <forwarded xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client' type='chat' from='${sender.jid}' to='${room}/witness' id='${id}'>
             <body>hush</body></message></forwarded></sent></message>`,
      );
    }
    await sibling.expectNothing({ room });
    await sender.expectNothing({ room });
  }
});

scenario(
  'M3',
  'a sibling that has not joined gets the carbon that the server makes, as without the proxy',
  async (scene) => {
    const { room } = scene;
    const { witness, desk, phone, idle } = await cast(scene);
    for (const sender of [phone, desk]) {
      const id = sender.id();
      sender.send(`<message type='chat' to='${room}/witness' id='${id}'><body>hush</body></message>`);
      await witness.client.expect(`<message type='chat' from='${room}/al' id='${id}'/>`);
      await idle.expect(
        `<message type='chat' from='${idle.bareJid}' to='${idle.jid}'><sent xmlns='${carbons}'>
           <forwarded xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client' type='chat' to='${room}/witness' id='${id}'/></forwarded></sent></message>`,
      );
      await idle.expectNothing({ room });
    }
  },
  { except: ['carbons'] },
);

scenario(
  'M3',
  'a sibling that has switched carbons off gets none',
  async (scene) => {
    const { room } = scene;
    const { witness, desk, phone } = await cast(scene);
    await phone.iq(`<iq type='set'><disable xmlns='${carbons}'/></iq>`);
    // Where devices are on several nodes the account's home has heard of it then.
    await phone.fence({ room });
    desk.send(`<message type='chat' to='${room}/witness' id='out'><body>hush</body></message>`);
    await witness.client.expect(`<message type='chat' from='${room}/al' id='out'/>`);
    await phone.expectNothing({ room });
  },
  { except: ['carbons'] },
);

scenario(
  'M3',
  'a message marked private or no-copy is shown to no sibling',
  async (scene) => {
    const { room } = scene;
    const { witness, desk, phone } = await cast(scene);
    desk.send(
      `<message type='chat' to='${room}/witness' id='out'><body>hush</body><private xmlns='${carbons}'/><no-copy xmlns='urn:xmpp:hints'/></message>`,
    );
    await witness.client.expect(`<message type='chat' from='${room}/al' id='out'/>`);
    for (const client of [desk, phone]) await client.expectNothing({ room });
  },
  { except: ['carbons'] },
);

scenario('M3', 'an invitation to the account comes to each of its devices once, joined or not', async (scene) => {
  const { room } = scene;
  const { witness, desk, phone, idle } = await cast(scene);
  const invite = `<invite to='${desk.bareJid}'><reason>come</reason></invite>`;
  witness.client.send(`<message to='${room}'><x xmlns='http://jabber.org/protocol/muc#user'>${invite}</x></message>`);
  await witness.client.fence({ room });
  for (const client of [desk, phone, idle]) {
    const invited = (await client.fence({ room })).filter((one) => one.at('x', 'invite'));
    assert.is(invited.length, 1, client.resource);
  }
});

scenario('M3', 'an error to a private message comes to its sender only', async (scene) => {
  const { room } = scene;
  const { desk, phone } = await cast(scene);
  for (const sender of [phone, desk]) {
    const id = sender.id();
    sender.send(
      `<message type='chat' to='${room}/nobody' id='${id}'><body>hush</body><no-copy xmlns='urn:xmpp:hints'/></message>`,
    );
    await sender.pick(`<message type='error' from='${room}/nobody' to='${sender.jid}' id='${id}'/>`);
    for (const client of [desk, phone]) await client.expectNothing({ room });
  }
});

scenario('M6', 'a private message that nobody could take is kept for the next session that joins', async (scene) => {
  const { room } = scene;
  const witness = await watch(scene);
  const desk = await scene.login('alice', { device: 'desk' });
  await joinRoom(desk, `${room}/al`);
  await leaveRoom(desk, `${room}/al`);
  witness.client.send(`<message type='chat' to='${room}/al' id='kept'><body>later</body></message>`);
  await witness.ping('al');
  await desk.expectNothing({ room });
  const { all } = await joinRoom(desk, `${room}/al`);
  const kept = all.filter((one) => one.id === 'kept');
  assert.is(kept.length, 1);
  assert.is(kept[0]?.child('body')?.text, 'later');
  assert.ok(kept[0]?.child('delay'));
  await untilSettled(scene, 1);
});

scenario.run();
