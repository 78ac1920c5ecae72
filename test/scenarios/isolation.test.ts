/** One device cannot harm its siblings (M9a): whatever it sends, the others stay in their rooms and hear each other. */
import {
  assert,
  type Client,
  type Element,
  joinRoom,
  type Matcher,
  type Scene,
  sayInRoom,
  scenarios,
} from './support/scenario.ts';
import { said, type Witness, watch } from './support/witness.ts';

const scenario = scenarios('isolation', { limitMs: 180_000 });

/** A server that has much else to do gives a flood out slowly: what counts is the order. */
const FLOOD_MS = 60_000;

interface Cast {
  witness: Witness;
  /** Joined first: its own stream is the carrier where that is borrowed. */
  desk: Client;
  phone: Client;
  tablet: Client;
}

async function cast(scene: Scene): Promise<Cast> {
  const witness = await watch(scene);
  const devices: Client[] = [];
  for (const device of ['desk', 'phone', 'tablet']) {
    const client = await scene.login('alice', { device });
    await joinRoom(client, `${scene.room}/al`);
    devices.push(client);
  }
  const [desk, phone, tablet] = devices as [Client, Client, Client];
  assert.equal(await witness.sees(), ['+al']);
  return { witness, desk, phone, tablet };
}

/** The devices hear the room and each other, and the room has seen nothing. */
async function unharmed({ witness }: Cast, room: string, others: readonly Client[]): Promise<void> {
  for (const client of others) await client.fence({ room });
  const id = await witness.say('all well?');
  // What a device of another node has said just before may come first, by way of the account's home.
  for (const client of others) await client.pick(said(room, 'witness', id, client.jid));
  const answer = sayInRoom(others[0] as Client, room, 'yes');
  for (const client of others) await client.pick(said(room, 'al', answer));
  assert.equal(await witness.sees(), []);
}

/** A matcher in XML would be parsed anew for each of many hundred messages. */
function withId(id: string): Matcher {
  return Object.assign((one: Element) => one.name === 'message' && one.id === id, { wanted: `the message ${id}` });
}

for (const who of ['desk', 'phone'] as const) {
  const role = who === 'desk' ? 'the client of the carrier' : 'a sibling';
  const others = ({ desk, phone, tablet }: Cast) => (who === 'desk' ? [phone, tablet] : [desk, tablet]);

  scenario('M9a', `a wrong \`from\`, sent by ${role}`, async (scene) => {
    const { room } = scene;
    const players = await cast(scene);
    const sender = players[who];
    sender.send(`<message from='eve@localhost/x' type='groupchat' to='${room}' id='w1'><body>wrong</body></message>`);
    sender.send(
      `<message from='eve@localhost/x' type='chat' to='${players.witness.client.jid}' id='w2'><body>wrong</body></message>`,
    );
    await sender.fence({ room }).catch(() => []);
    for (const one of await players.witness.client.fence({ room })) {
      if (one.name === 'presence') players.witness.client.stream.inbox.add(one);
      if (one.id === 'w1') assert.is(one.from, `${room}/al`);
      if (one.id === 'w2') assert.ok(one.from?.startsWith(sender.bareJid));
    }
    await unharmed(players, room, others(players));
  });

  scenario('M9a', `an element of a foreign namespace, sent by ${role}`, async (scene) => {
    const { room } = scene;
    const players = await cast(scene);
    players[who].sendRaw(`<message xmlns='jabber:server' to='${room}' type='groupchat'><body>x</body></message>`);
    players[who].sendRaw(`<unknown xmlns='urn:example:unknown' to='${room}'/>`);
    await Promise.race([players[who].ping().catch(() => {}), players[who].closed]);
    if (scene.carrier === 'account' || scene.server.features.sharedNick) await unharmed(players, room, others(players));
  });

  scenario('M9a', `a stanza that is larger than the server takes, sent by ${role}`, async (scene) => {
    const { room } = scene;
    const players = await cast(scene);
    const sender = players[who];
    const body = 'x'.repeat(scene.server.features.stanzaBytes);
    sayInRoom(sender, room, body, 'large');
    const error = await sender.pick(`<message type='error' id='large' from='${room}'/>`);
    assert.is(error.condition, 'policy-violation');
    await unharmed(players, room, [sender, ...others(players)]);
  });

  scenario('M9a', `error stanzas to the room and its occupants, sent by ${role}`, async (scene) => {
    const { room } = scene;
    const players = await cast(scene);
    const error = `<error type='cancel'><gone xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>`;
    for (const to of [room, `${room}/witness`, `${room}/al`]) {
      players[who].send(`<message type='error' to='${to}'>${error}</message>`);
      players[who].send(`<presence type='error' to='${to}'>${error}</presence>`);
      players[who].send(`<iq type='error' id='e' to='${to}'>${error}</iq>`);
    }
    await unharmed(players, room, [players[who], ...others(players)]);
  });

  const flood = async (scene: Scene): Promise<void> => {
    const { room } = scene;
    const players = await cast(scene);
    const sender = players[who];
    for (let index = 0; index < 1500; index++) {
      sender.send(`<message type='groupchat' to='${room}' id='f${index}'><body>flood ${index}</body></message>`);
    }
    // The flood has run for a while when a sibling speaks up: what the proxy lets through of it is at the server by then.
    await players.witness.client.upTo(withId('f200'), { limitMs: FLOOD_MS });
    const sibling = others(players)[0] as Client;
    const id = sayInRoom(sibling, room, 'excuse me');
    const heard = await players.witness.client.upTo(withId(id), { limitMs: FLOOD_MS });
    const flooded = heard.filter((one) => one.id?.startsWith('f') && one.name === 'message').length;
    assert.ok(flooded < 500, `${flooded} messages were let through before a sibling's`);
    await sender.drop();
    const other = others(players);
    const last = sayInRoom(sibling, room, 'over?');
    for (const client of other) await client.upTo(withId(last), { limitMs: FLOOD_MS });
    // What the flooder had said before it went may still be on its way.
    const quiet = sayInRoom(players.witness.client, room, 'quiet now');
    for (const client of other) await client.upTo(withId(quiet), { limitMs: FLOOD_MS });
    if (scene.carrier === 'account' || who === 'phone' || scene.server.features.sharedNick) {
      assert.equal(await players.witness.sees(), []);
    }
  };
  // A small burst and a low rate, so that what a slow machine lets through meanwhile stays far below what is sent.
  const config = { rate: { carrier: { 'per-second': 50, burst: 150 } } };
  scenario('M9a', `a flood of 1500 messages, sent by ${role}`, flood, { config });
}

scenario.run();
