/** A device of the account that is connected straight to the server, and devices on different transports. */
import { assert, type Client, createRoom, joinRoom, leaveRoom, sayInRoom, scenarios } from './support/scenario.ts';
import { heardOnce, said, until, untilSettled, watch } from './support/witness.ts';

const scenario = scenarios('direct-device', { together: 3 });
const user = (inner: string) => `<x xmlns='http://jabber.org/protocol/muc#user'>${inner}</x>`;

scenario('S3', 'two sessions on different transports share the room', async (scene) => {
  const { room } = scene;
  const witness = await watch(scene);
  const tcp = await scene.login('alice', { device: 'tcp', transport: 'tcp' });
  const web = await scene.login('alice', { device: 'web', transport: 'websocket' });
  const both = [tcp, web];
  for (const client of both) await joinRoom(client, `${room}/al`);
  await heardOnce(both, room, 'witness', await witness.say('hello'));
  for (const sender of both) await heardOnce(both, room, 'al', sayInRoom(sender, room, 'hi'));
  await witness.client.fence({ room });
  witness.client.send(`<message type='chat' to='${room}/al' id='pm'><body>psst</body></message>`);
  for (const client of both) await client.expect(`<message type='chat' id='pm' to='${client.jid}'/>`);
  await tcp.drop();
  await untilSettled(scene, 1);
  await web.fence({ room });
  await heardOnce([web], room, 'witness', await witness.say('still here?'));
});

for (const access of ['tcp', 'ws'] as const) {
  scenario('S3', `with the server reached by ${access}, rooms are carried and handed over alike`, async (scene) => {
    const { room } = scene;
    const proxy = await scene.startProxy({}, { access });
    const witness = await watch(scene);
    const desk = await scene.login('alice', { device: 'desk', through: proxy });
    const phone = await scene.login('alice', { device: 'phone', through: proxy });
    for (const client of [desk, phone]) await joinRoom(client, `${room}/al`);
    assert.equal(await witness.sees(), ['+al']);
    await heardOnce([desk, phone], room, 'witness', await witness.say('hello'));
    await desk.drop();
    const wanted = 2 + (scene.carrier === 'account' ? 1 : 0);
    await until('the room is handed over', () => proxy.app.census().legs === wanted);
    await phone.fence({ room });
    await heardOnce([phone], room, 'witness', await witness.say('still here?'));
    if (scene.carrier === 'account' || scene.server.features.sharedNick) assert.equal(await witness.sees(), []);
    await leaveRoom(phone, `${room}/al`);
  });
}

scenario(
  'L9',
  'a device at the server shares the nick: nobody is thrown out, and nothing doubled',
  async (scene) => {
    const { room } = scene;
    const witness = await watch(scene);
    const desk = await scene.login('alice', { device: 'desk' });
    const phone = await scene.login('alice', { device: 'phone' });
    for (const client of [desk, phone]) await joinRoom(client, `${room}/al`);
    const outside = await scene.direct('alice', { device: 'outside' });
    await joinRoom(outside, `${room}/al`);
    assert.equal(await witness.sees(), ['+al']);
    const all = [desk, phone, outside];
    for (const client of all) await client.fence({ room });
    await heardOnce(all, room, 'witness', await witness.say('hello'));
    await heardOnce(all, room, 'al', sayInRoom(outside, room, 'from outside'));
    await heardOnce(all, room, 'al', sayInRoom(phone, room, 'from inside'));

    await leaveRoom(outside, `${room}/al`);
    for (const client of [desk, phone]) await client.fence({ room });
    await witness.client.fence({ room });
    await heardOnce([desk, phone], room, 'witness', await witness.say('one less'));
    assert.equal(await witness.sees(), []);
  },
  { except: ['sharedAnyway'] },
);

scenario(
  'L9',
  'a device at the server that renames itself takes nobody with it',
  async (scene) => {
    const { room } = scene;
    const witness = await watch(scene);
    const desk = await scene.login('alice', { device: 'desk' });
    const phone = await scene.login('alice', { device: 'phone' });
    for (const client of [desk, phone]) await joinRoom(client, `${room}/al`);
    const outside = await scene.direct('alice', { device: 'outside' });
    await joinRoom(outside, `${room}/al`);
    outside.send(`<presence to='${room}/out'/>`);
    await outside.pick(`<presence from='${room}/out'>${user(`<status code='110'/>`)}</presence>`);
    for (const client of [desk, phone]) await client.fence({ room });
    const id = await witness.say('who is who?');
    for (const client of [desk, phone, outside]) await client.pick(said(room, 'witness', id));
    const answer = sayInRoom(phone, room, 'me');
    const heard = await witness.client.pick(`<message type='groupchat' id='${answer}'/>`);
    assert.is(heard.from, `${room}/al`);
    await leaveRoom(outside, `${room}/out`);
    for (const client of [desk, phone]) await client.fence({ room });
    const last = await witness.say('bye');
    for (const client of [desk, phone]) await client.pick(said(room, 'witness', last));
  },
  { except: ['sharedAnyway'] },
);

scenario(
  'L5',
  'a kick of a nick that a device at the server shares reaches all of them',
  async (scene) => {
    const { room } = scene;
    const witness = await watch(scene);
    const desk = await scene.login('alice', { device: 'desk' });
    const phone = await scene.login('alice', { device: 'phone' });
    for (const client of [desk, phone]) await joinRoom(client, `${room}/al`);
    const outside = await scene.direct('alice', { device: 'outside' });
    await joinRoom(outside, `${room}/al`);
    for (const client of [desk, phone]) await client.fence({ room });
    await witness.client.iq(
      `<iq type='set' to='${room}'><query xmlns='http://jabber.org/protocol/muc#admin'><item nick='al' role='none'/></query></iq>`,
    );
    const inside: Client[] = [desk, phone];
    for (const client of inside) {
      await client.pick(
        `<presence type='unavailable' from='${room}/al' to='${client.jid}'>${user(`<status code='307'/><status code='110'/>`)}</presence>`,
      );
      const more = (await client.fence({ room })).filter((one) => one.name === 'presence');
      assert.equal(more, []);
    }
    for (const client of inside) await joinRoom(client, `${room}/al`);
    const id = await witness.say('again');
    for (const client of inside) await client.pick(said(room, 'witness', id));
  },
  { except: ['sharedAnyway'] },
);

scenario(
  'L9',
  'a service that shares no nicks refuses a device at the server, and the others stay',
  async (scene) => {
    const { room } = scene;
    const desk = await scene.login('alice', { device: 'desk' });
    await createRoom(desk, `${room}/al`);
    const outside = await scene.direct('alice', { device: 'outside' });
    const error = await joinRoom(outside, `${room}/al`).catch((thrown) => thrown);
    assert.is(error.condition, 'conflict');
    await heardOnce([desk], room, 'al', sayInRoom(desk, room, 'mine'));
  },
  { except: ['nickIsShared'] },
);

scenario.run();
