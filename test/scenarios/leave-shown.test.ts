/**
 * What a session sees of its own leave, and how it ends its stay by an error (L1, L2, M10). An account that is connected straight to the server
 * shows how it is without the proxy.
 */
import { assert, type Client, createRoom, type Element, joinRoom, scenarios } from './support/scenario.ts';
import { watch } from './support/witness.ts';

const scenario = scenarios('leave-shown', { together: 3 });

/** Presences that the room has sent since the last fence: whose, and what they say of the place. */
async function shown(client: Client, room: string, nick: string): Promise<string[]> {
  const arrived = await client.fence({ room });
  return arrived.filter(({ name }) => name === 'presence').map((one) => inWords(one, room, nick));
}

function inWords(one: Element, room: string, nick: string): string {
  const who = one.from === `${room}/${nick}` ? 'self' : one.from === room ? 'room' : one.from;
  return [who, one.type, ...one.codes].join(' ');
}

scenario(
  'L1',
  'whoever leaves sees what it would see without the proxy, in that order, also of the room itself',
  async ({ room, login, direct }) => {
    const bob = await direct('bob');
    await createRoom(bob, `${room}/bo`);
    const [carol, phone, desk] = [await direct('carol'), await login('alice'), await login('alice')];
    const places = [
      [carol, 'ca'],
      [phone, 'al'],
      [desk, 'al'],
    ] as const;
    for (const [client, nick] of places) {
      await joinRoom(client, `${room}/${nick}`);
      await client.fence({ room });
      client.isNoise = () => false;
    }
    const seen: string[][] = [];
    for (const [client, nick] of places) {
      await client.fence({ room });
      client.send(`<presence type='unavailable' to='${room}/${nick}'/>`);
      seen.push(await shown(client, room, nick));
    }
    const [without, ...withProxy] = seen;
    assert.ok(without?.includes('self unavailable 110'));
    for (const one of withProxy) assert.equal(one, without);
  },
);

scenario(
  'L1',
  'a presence error to the own nick that answers nothing ends the stay of its session, and the last one that of the account at once',
  async (scene) => {
    const { room } = scene;
    const witness = await watch(scene);
    const [desk, phone] = [
      await scene.login('alice', { device: 'desk' }),
      await scene.login('alice', { device: 'phone' }),
    ];
    for (const client of [desk, phone]) await joinRoom(client, `${room}/al`);
    assert.equal(await witness.sees(), ['+al']);
    const exit = `<presence type='error' to='${room}/al'><status>gone</status></presence>`;
    const gone = `<presence type='unavailable' from='${room}/al'><status>gone</status>
       <x xmlns='http://jabber.org/protocol/muc#user'><item role='none'/><status code='110'/><status code='333'/></x></presence>`;
    phone.send(exit);
    await phone.expect(gone);
    const id = await witness.say('who is here?');
    await desk.expect(`<message type='groupchat' id='${id}' from='${room}/witness'/>`);
    await phone.expectNothing({ room });
    assert.equal(await witness.sees(), []);
    desk.send(exit);
    await desk.expect(gone);
    const seen = await witness.client.pick(`<presence type='unavailable' from='${room}/al'/>`);
    if (scene.server.name === 'prosody') assert.equal(seen.codes, [333]);
    await desk.expectNothing({ room });
    // It is not healed: this is a join of its own.
    const again = await joinRoom(desk, `${room}/al`);
    assert.ok(again.self.codes.includes(110));
    await witness.client.pick(`<presence from='${room}/al'/>`);
  },
);

scenario.run();
