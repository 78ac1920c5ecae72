/** What the account does to others in a room is, as far as each of its sessions can see, done by that session (L4, M4). */

import { affiliate, nickOf } from './support/joining.ts';
import { assert, type Client, createRoom, type Element, joinRoom, ns, scenarios } from './support/scenario.ts';

const scenario = scenarios('acts', { together: 3 });

/** Items of a list of occupants, or of a presence. */
const items = (element: Element | undefined) => element?.elements.filter((one) => one.name === 'item') ?? [];
const itemOf = (presence: Element) => items(presence.child('x', ns.mucUser))[0];

/** A moderator changes an occupant's role, in so many words. */
function setRole(client: Client, room: string, nick: string, role: string): Promise<Element> {
  const item = `<item nick='${nick}' role='${role}'><reason>as agreed</reason></item>`;
  return client.iq(`<iq type='set' to='${room}'><query xmlns='${ns.mucAdmin}'>${item}</query></iq>`);
}

scenario(
  'M4',
  "in a list of the occupants the account's address is that of the session that asks",
  async ({ room, login }) => {
    const phone = await login('alice');
    await createRoom(phone, `${room}/al`);
    const desk = await login('alice');
    await joinRoom(desk, `${room}/al`);
    for (const session of [phone, desk]) {
      const list = `<query xmlns='${ns.mucAdmin}'><item role='moderator'/></query>`;
      const answer = await session.iq(`<iq type='get' to='${room}'>${list}</iq>`);
      const own = items(answer.child('query', ns.mucAdmin)).map((item) => item.attrs.jid);
      assert.equal(own, [session.jid]);
    }
  },
  { except: ['ownersListed'] },
);

scenario(
  'L4',
  'who has changed a role is told as the session itself; who joins later hears no more of it',
  async (scene) => {
    const { room, login, direct } = scene;
    const phone = await login('alice');
    await createRoom(phone, `${room}/al`);
    const desk = await login('alice');
    await joinRoom(desk, `${room}/al`);
    const carol = await direct('carol');
    await joinRoom(carol, `${room}/ca`);
    const sessions = [phone, desk];
    for (const session of sessions) await session.fence({ room });

    await setRole(desk, room, 'ca', 'moderator');
    for (const session of sessions) {
      const shown = await session.pick(
        `<presence from='${room}/ca'><x xmlns='${ns.mucUser}'><item role='moderator'/></x></presence>`,
      );
      const actor = itemOf(shown)?.child('actor')?.attrs.jid;
      assert.ok([undefined, session.jid, session.bareJid].includes(actor), shown.print());
      assert.is(shown.to, session.jid);
    }

    // Of the same affiliation as alice: the room shows it the same.
    await affiliate(phone, room, await scene.jid('bob'), 'owner');
    const third = await joinRoom(await login('alice'), `${room}/al`);
    const witness = await joinRoom(await direct('bob'), `${room}/bo`);
    const seen = [third, witness].map((joined) =>
      joined.occupants.filter((one) => nickOf(one) === 'ca').map((one) => itemOf(one)?.print()),
    );
    assert.is(seen[0]?.length, 1);
    assert.equal(seen[0], seen[1]);
  },
);

scenario.run();
