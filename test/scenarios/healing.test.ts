/**
 * Places in rooms that are lost without anybody's will (L5, L8, C2): a rooms' service that is restarted or has forgotten its occupants, a room
 * that throws one out over an error, a server that is restarted. The account comes back by itself; devices see what has changed, no
 * message that the room can still give is missing, and none comes twice.
 */
import { startServer } from '../servers/index.ts';
import { expelOccupants } from '../servers/prosody.ts';
import { record } from './support/device.ts';
import { comes, goesOn, limitMs, noticed, play, spoken } from './support/places.ts';
import { assert, joinRoom, sayInRoom, scenarios } from './support/scenario.ts';
import { said, until } from './support/witness.ts';

const scenario = scenarios('healing', { start: startServer, limitMs: 60_000 });
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
