/**
 * Presences of a room that are not news to all: repeated, asked for by one session, or of somebody who is away (J2, J7, L4).
 * An account without siblings that is connected straight to the server shows how it would be without the proxy.
 */
import { affiliate } from './support/joining.ts';
import {
  assert,
  type Client,
  createRoom,
  type Element,
  joinPresence,
  joinRoom,
  ns,
  type Scene,
  scenarios,
} from './support/scenario.ts';

const scenario = scenarios('room-presences', { together: 3 });

/** Alice's two devices through the proxy, and carol straight at the server, in bob's room. */
async function gather({ room, login, direct }: Scene): Promise<Record<'bob' | 'carol' | 'phone' | 'desk', Client>> {
  const bob = await direct('bob');
  await createRoom(bob, `${room}/bo`);
  const [carol, phone, desk] = [await direct('carol'), await login('alice'), await login('alice')];
  await joinRoom(carol, `${room}/ca`);
  await joinRoom(phone, `${room}/al`);
  await joinRoom(desk, `${room}/al`);
  for (const one of [bob, carol, phone, desk]) await one.fence({ room });
  return { bob, carol, phone, desk };
}

/** What an occupant has heard of a nick since the last fence: kind and type of each stanza, and what it says of the place. */
async function heardOf(client: Client, room: string, nick: string): Promise<string[]> {
  const arrived = await client.fence({ room });
  return arrived.filter(({ from }) => from === `${room}/${nick}`).map(inWords);
}

function inWords(one: Element): string {
  const item = one.child('x', ns.mucUser)?.child('item');
  const said = [one.name, one.type, one.condition, item?.attrs.affiliation, item?.attrs.role, ...one.codes.sort()];
  return said.filter(Boolean).join(' ');
}

scenario(
  'L4',
  'a room that says the same of the account again is heard as often as without the proxy',
  async (scene) => {
    const { room } = scene;
    const { bob, carol, phone, desk } = await gather(scene);
    for (const affiliation of ['member', 'member', 'none', 'none']) {
      for (const nick of ['ca', 'al']) {
        const item = `<item nick='${nick}' affiliation='${affiliation}'/>`;
        const query = `<query xmlns='${ns.mucAdmin}'>${item}</query>`;
        bob.send(`<iq type='set' id='${bob.id()}' to='${room}'>${query}</iq>`);
      }
      await bob.fence({ room });
      const without = await heardOf(carol, room, 'ca');
      assert.equal(await heardOf(phone, room, 'al'), without);
      assert.equal(await heardOf(desk, room, 'al'), without);
    }
  },
);

scenario(
  'L4',
  'a presence probe is answered to the session that sent it, and its siblings hear nothing',
  async (scene) => {
    const { room } = scene;
    const { carol, phone, desk } = await gather(scene);
    const probe = (nick: string) => `<presence type='probe' to='${room}/${nick}'/>`;
    for (const [asked, alike] of [
      ['bo', 'bo'],
      ['ca', 'al'],
      ['al', 'ca'],
      ['nobody', 'nobody'],
    ] as const) {
      carol.send(probe(asked));
      phone.send(probe(alike));
      assert.equal(await heardOf(phone, room, alike), await heardOf(carol, room, asked));
      await desk.expectNothing({ room });
    }
  },
);

scenario(
  'L4',
  'the refusal of a subscription to a room comes to the account once, as without the proxy',
  async (scene) => {
    const { room } = scene;
    const { carol, phone, desk } = await gather(scene);
    for (const type of ['subscribe', 'unsubscribe']) {
      for (const one of [carol, phone]) one.send(`<presence type='${type}' id='wish' to='${room}'/>`);
      const refusals = async (client: Client): Promise<string[]> => {
        const arrived = await client.fence({ room });
        return arrived.filter(({ from, id }) => from === room && id === 'wish').map(inWords);
      };
      // Which of them hears it is the server's to say.
      const heard = [...(await refusals(phone)), ...(await refusals(desk))];
      assert.equal(heard, await refusals(carol));
    }
  },
);

scenario(
  'J2',
  'members who are away are shown to each session that joins, where the room shows them, and not anew by a hand-over',
  async (scene) => {
    const { room, login, direct } = scene;
    const bob = await direct('bob');
    await createRoom(bob, `${room}/bo`, { presencebroadcast: ['none', 'visitor', 'participant', 'moderator'] });
    await affiliate(bob, room, await scene.jid('dave'), 'member');
    const dave = await direct('dave');
    await joinRoom(dave, `${room}/da`);
    const form = `<field var='FORM_TYPE'><value>http://jabber.org/protocol/muc#register</value></field>`;
    const nick = `<field var='muc#register_roomnick'><value>da</value></field>`;
    const x = `<x xmlns='${ns.data}' type='submit'>${form}${nick}</x>`;
    await dave.iq(`<iq type='set' to='${room}'><query xmlns='jabber:iq:register'>${x}</query></iq>`);
    dave.send(`<presence type='unavailable' to='${room}/da'/>`);
    await dave.fence({ room });

    const carol = await joinRoom(await direct('carol'), `${room}/ca`);
    const without = carol.occupants.map((one) => `${one.from} ${inWords(one)}`);
    assert.is(without.length, 2);
    const [phone, desk] = [await login('alice'), await login('alice')];
    for (const session of [phone, desk]) {
      const { occupants } = await joinRoom(session, `${room}/al`);
      const seen = occupants.filter(({ from }) => from !== `${room}/ca`).map((one) => `${one.from} ${inWords(one)}`);
      assert.equal(seen.sort(), without.sort());
    }
    await phone.drop();
    await desk.expectNothing({ room });
  },
  { except: ['awayMembers'] },
);

scenario('J7', 'a refusal names the nick as the room writes it', async ({ room, login, direct }) => {
  const bob = await direct('bob');
  await createRoom(bob, `${room}/bo`);
  const refusal = async (client: Client): Promise<string> => {
    // The soft hyphen is no part of the nick (RFC 3454, table B.1).
    client.send(joinPresence(`${room}/b\u00ado`, { id: 'join' }));
    const error = await client.pick(`<presence type='error' id='join'/>`);
    return `${error.from} ${error.condition}`;
  };
  assert.is(await refusal(await login('alice')), await refusal(await direct('carol')));
});

scenario.run();
