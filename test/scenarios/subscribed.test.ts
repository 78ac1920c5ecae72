/**
 * Rooms that can be subscribed to (MUC/Sub): they write to an account's bare address as long as none of its streams is in the room. What devices have
 * subscribed to reaches them as without the proxy, and they may speak without having joined (L2, L3, M2).
 */
import { assert, type Client, joinRoom, leaveRoom, ns, type Scene, sayInRoom, scenarios } from './support/scenario.ts';
import { said, until, type Witness, watch } from './support/witness.ts';

const scenario = scenarios('subscribed', { together: 3, except: ['subscriptions'] });

const sub = 'urn:xmpp:mucsub:0';
const messages = 'urn:xmpp:mucsub:nodes:messages';

/** A witness in a room that lets accounts subscribe. */
function watchOffering(scene: Scene): Promise<Witness> {
  return watch(scene, { config: { persistentroom: '1', allow_subscription: '1' } });
}

async function subscribe(client: Client, room: string, nick: string): Promise<void> {
  const events = `<event node='${messages}'/>`;
  await client.iq(`<iq type='set' to='${room}'><subscribe xmlns='${sub}' nick='${nick}'>${events}</subscribe></iq>`);
}

/** What the subscription brings of the message with this id. */
async function brought(client: Client, room: string, id: string): Promise<void> {
  await client.pick(
    `<message from='${room}'><event xmlns='http://jabber.org/protocol/pubsub#event'><items node='${messages}'><item><message xmlns='${ns.client}' id='${id}'/></item></items></event></message>`,
  );
}

scenario(
  'L2',
  'an account that has subscribed to a room leaves it with its last device, and the subscription brings what is said from then on',
  async (scene) => {
    const { room } = scene;
    const witness = await watchOffering(scene);
    const phone = await scene.login('alice', { device: 'phone' });
    await subscribe(phone, room, 'al');
    await brought(phone, room, await witness.say('to who has not joined'));
    const desk = await scene.login('alice', { device: 'desk' });
    await joinRoom(desk, `${room}/al`);
    assert.equal(await witness.sees(), ['+al']);
    const id = await witness.say('to who is in');
    await desk.pick(said(room, 'witness', id, desk.jid));
    await phone.expectNothing({ room });
    await leaveRoom(desk, `${room}/al`);
    await until('the account has left', async () => (await witness.sees()).includes('-al'));
    await brought(phone, room, await witness.say('after the leave'));
    await brought(desk, room, sayInRoom(phone, room, 'from who has not joined'));
    await witness.client.pick(
      `<message type='groupchat' from='${room}/al'><body>from who has not joined</body></message>`,
    );
  },
);

scenario(
  'L3',
  'a device that drops is no reason to keep an account in a room to which another one has subscribed meanwhile',
  async (scene) => {
    const { room } = scene;
    const witness = await watchOffering(scene);
    const desk = await scene.login('alice', { device: 'desk' });
    await joinRoom(desk, `${room}/al`);
    assert.equal(await witness.sees(), ['+al']);
    const phone = await scene.login('alice', { device: 'phone' });
    await subscribe(phone, room, 'al');
    await phone.fence({ room });
    await desk.drop();
    await until('the account has left', async () => (await witness.sees()).includes('-al'));
    await brought(phone, room, await witness.say('after the end'));
  },
);

scenario(
  'M2',
  'a device that has subscribed and left speaks although its stream is in the room for another one',
  async (scene) => {
    const { room } = scene;
    const witness = await watchOffering(scene);
    const [phone, desk] = [
      await scene.login('alice', { device: 'phone' }),
      await scene.login('alice', { device: 'desk' }),
    ];
    await joinRoom(phone, `${room}/al`);
    await subscribe(phone, room, 'al');
    await joinRoom(desk, `${room}/al`);
    await leaveRoom(phone, `${room}/al`);
    const id = sayInRoom(phone, room, 'from outside');
    for (const client of [witness.client, desk]) await client.pick(said(room, 'al', id, client.jid));
    await phone.expectNothing({ room });
    phone.send(`<message type='chat' id='private' to='${room}/witness'><body>psst</body></message>`);
    await witness.client.pick(`<message type='chat' id='private' from='${room}/al'/>`);
    await phone.iq(`<iq type='set' to='${room}'><unsubscribe xmlns='${sub}'/></iq>`);
    await phone.fence({ room });
    const last = sayInRoom(phone, room, 'no more');
    await phone.pick(
      `<message type='error' id='${last}' from='${room}'><error><not-acceptable xmlns='${ns.stanzas}'/></error></message>`,
    );
    assert.equal(await witness.sees(), ['+al']);
  },
);

scenario.run();
