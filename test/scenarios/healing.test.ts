/**
 * Places in rooms that are lost without anybody's will (L5, L8, C2): a rooms' service that is restarted or has forgotten its occupants, a room
 * that throws one out over an error, a server that is restarted. The account comes back by itself; devices see what has changed, no
 * message that the room can still give is missing, and none comes twice.
 */
import { startServer } from '../servers/index.ts';
import { expelOccupants } from '../servers/prosody.ts';
import { record } from './support/device.ts';
import { assert, type Client, type Element, joinRoom, type Scene, sayInRoom, scenarios } from './support/scenario.ts';
import { said, until, type Witness, watch } from './support/witness.ts';

const scenario = scenarios('healing', { start: startServer, limitMs: 60_000 });
const limitMs = 20_000;

interface Play {
  witness: Witness;
  phone: Client;
  desk: Client;
  /** All that each device has been sent since it was in the room. */
  heard: Map<Client, Element[]>;
}

/** A room that outlives a restart, its owner, and two devices in it that have heard the owner say something. */
async function play(scene: Scene): Promise<Play> {
  const { room } = scene;
  const witness = await watch(scene, { config: { persistentroom: '1' } });
  const phone = await scene.login('alice', { device: 'phone' });
  await joinRoom(phone, `${room}/al`);
  const desk = await scene.login('alice', { device: 'desk' });
  await joinRoom(desk, `${room}/al`);
  const before = await witness.say('before');
  for (const client of [phone, desk]) await client.upTo(said(room, 'witness', before));
  await witness.sees();
  return { witness, phone, desk, heard: new Map([phone, desk].map((client) => [client, record(client)])) };
}

/** Somebody else's client comes (back) into the room by itself, as it would without a proxy; returns whom it sees there. */
async function comes(client: Client, room: string, nick: string): Promise<string[]> {
  await client.fence();
  const { occupants } = await joinRoom(client, `${room}/${nick}`);
  return occupants.map(({ from = '' }) => from.slice(room.length + 1)).sort();
}

/** What came of the room since, but for what others say and the own presence as it was: own ends, errors, others' comings and goings. */
function noticed(heard: readonly Element[], room: string): string[] {
  return heard
    .filter(({ from = '' }) => from.startsWith(room))
    .filter(
      ({ name, type, codes }) =>
        type === 'error' || (name === 'presence' && (type !== undefined || codes.length === 0)),
    )
    .map(({ name, type, from = '', codes }) =>
      [name, type ?? 'available', from.slice(room.length + 1), ...codes].join(' '),
    );
}

/** Ids of what was said in the room, in order. */
function spoken(heard: readonly Element[], room: string): string[] {
  return heard
    .filter(({ type, from = '' }) => type === 'groupchat' && from.startsWith(`${room}/`))
    .filter((one) => one.child('body'))
    .map(({ id }) => id ?? '');
}

/** The conversation goes on: the witness and a device speak, both devices hear both, once, and a later device sees who is there. */
async function goesOn(
  scene: Scene,
  { witness, phone, desk, heard }: Play,
  earlier: readonly string[],
  present = ['witness'],
): Promise<void> {
  const { room } = scene;
  const mine = sayInRoom(desk, room, 'is anybody there?');
  for (const client of [phone, desk]) await client.pick(said(room, 'al', mine), { limitMs });
  await witness.client.pick(said(room, 'al', mine));
  const last = await witness.say('last');
  for (const client of [phone, desk]) {
    await client.upTo(said(room, 'witness', last));
    const all = heard.get(client) ?? [];
    assert.equal(spoken(all, room), [...earlier, mine, last]);
  }
  const tablet = await scene.login('alice', { device: 'tablet' });
  const { occupants, nick } = await joinRoom(tablet, `${room}/al`);
  const nicks = occupants.map(({ from = '' }) => from.slice(room.length + 1)).sort();
  assert.equal([nick, ...nicks], ['al', ...present]);
}

scenario(
  'L5',
  'the rooms’ service is restarted in the middle of a conversation: devices hear what they would, once',
  async (scene) => {
    const { room, server } = scene;
    const played = await play(scene);
    const { witness, phone, desk, heard } = played;
    await server.restartRooms();
    await comes(witness.client, room, 'witness');
    const meanwhile = await witness.say('meanwhile');
    await goesOn(scene, played, [meanwhile]);
    for (const client of [phone, desk]) assert.equal(noticed(heard.get(client) ?? [], room), []);
  },
);

/** The room forgets all who are in it, without a word: carol, who has just come, stays away, and dave is there instead. */
async function forget(scene: Scene, { witness, phone, desk }: Play): Promise<void> {
  const { room, server } = scene;
  const carol = await scene.direct('carol');
  await joinRoom(carol, `${room}/carol`);
  for (const client of [phone, desk]) await client.pick(`<presence from='${room}/carol'/>`);
  await server.restartRooms();
  await comes(witness.client, room, 'witness');
  const dave = await scene.direct('dave');
  await comes(dave, room, 'dave');
}

scenario(
  'L8',
  'a room that has forgotten the account and says nothing has it back, and devices are told who has gone and come',
  async (scene) => {
    const { room } = scene;
    const played = await play(scene);
    const { phone, desk, heard } = played;
    await forget(scene, played);
    for (const client of [phone, desk]) {
      await client.pick(`<presence from='${room}/dave'/>`, { limitMs });
      assert.equal(noticed(heard.get(client) ?? [], room).sort(), [
        'presence available carol',
        'presence available dave',
        'presence unavailable carol',
      ]);
    }
    await goesOn(scene, played, [], ['dave', 'witness']);
  },
  { config: { rooms: { 'self-ping': '1s' } } },
);

scenario(
  'L5',
  'what a device says of itself in a room that has forgotten the account is shown there, and devices are told who has gone and come',
  async (scene) => {
    const { room } = scene;
    const played = await play(scene);
    const { witness, phone, desk, heard } = played;
    await forget(scene, played);
    phone.send(`<presence to='${room}/al'><show>chat</show></presence>`);
    await witness.client.pick(`<presence from='${room}/al'><show>chat</show></presence>`, { limitMs });
    for (const client of [phone, desk]) {
      await client.pick(`<presence from='${room}/al'><show>chat</show></presence>`, { limitMs });
      await until('the device knows who is there', () => noticed(heard.get(client) ?? [], room).length >= 3, limitMs);
      assert.equal(noticed(heard.get(client) ?? [], room).sort(), [
        'presence available carol',
        'presence available dave',
        'presence unavailable carol',
      ]);
    }
    await goesOn(scene, played, [], ['dave', 'witness']);
  },
  { config: { rooms: { 'self-ping': '0s' } }, except: ['joinsAgain'] },
);

scenario(
  'L5',
  'a room that throws the account out over an error has it back, and no device knows of it',
  async (scene) => {
    const { room, server } = scene;
    const played = await play(scene);
    const { witness, phone, desk, heard } = played;
    await expelOccupants(server);
    // The account comes back before the owner, who has been thrown out too.
    const eve = await scene.direct('eve');
    await until('the account is back', async () => (await comes(eve, room, 'eve')).includes('al'), limitMs);
    await comes(witness.client, room, 'witness');
    for (const client of [phone, desk]) {
      await client.pick(
        `<presence from='${room}/witness'><x xmlns='http://jabber.org/protocol/muc#user'><item/></x></presence>`,
        {
          limitMs,
        },
      );
      const told = noticed(heard.get(client) ?? [], room);
      assert.equal(
        told.filter((one) => one.includes(' al')),
        [],
      );
    }
    const mine = sayInRoom(desk, room, 'still here');
    for (const client of [phone, desk]) await client.pick(said(room, 'al', mine), { limitMs });
  },
  { except: ['expulsion'] },
);

scenario(
  'C2',
  'the server is restarted in the middle of a conversation: devices that come back have missed nothing',
  async (scene) => {
    const { room, server, carrier } = scene;
    const played = await play(scene);
    const before = [...(played.heard.get(played.desk) ?? [])];
    assert.equal(spoken(before, room), []);
    const restarted = server.restart();
    for (const client of [played.phone, played.desk, played.witness.client]) await client.stream.closed;
    await restarted;
    const witness = await scene.direct('witness', { transport: 'tcp' });
    const present = await comes(witness, room, 'witness');
    const one = sayInRoom(witness, room, 'one');
    await witness.pick(said(room, 'witness', one));
    // With an account stream the account is there without any device.
    if (carrier === 'account' && !present.includes('al'))
      await witness.pick(`<presence from='${room}/al'/>`, { limitMs });
    const two = sayInRoom(witness, room, 'two');
    await witness.pick(said(room, 'witness', two));
    for (const device of ['phone', 'desk']) {
      const client = await scene.login('alice', { device });
      const heard = record(client);
      const { occupants, nick } = await joinRoom(client, `${room}/al`);
      // The room may show behind the join that the account is not away any more.
      const others = occupants.map(({ from }) => from).filter((from) => from !== `${room}/al`);
      assert.equal([nick, ...others], ['al', `${room}/witness`]);
      const three = sayInRoom(witness, room, `three for ${device}`);
      await client.upTo(said(room, 'witness', three));
      const ids = spoken(heard, room);
      assert.equal(ids.slice(ids.indexOf(one), ids.indexOf(two) + 1), [one, two]);
      assert.equal(ids, [...new Set(ids)]);
      assert.is(ids.at(-1), three);
    }
  },
);

scenario.run();
