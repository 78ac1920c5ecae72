/** What a moderator may see of others in a semi-anonymous room (J8, XEP-0045 section 4.2). */
import { record } from './support/device.ts';
import { assert, createRoom, joinRoom, ns, scenarios } from './support/scenario.ts';

const scenario = scenarios('moderator');

scenario(
  'J8',
  'a device that joins after the account was made a moderator is shown the addresses of all, and nobody sees more than the promotion',
  async ({ room, login, direct }) => {
    const owner = await direct('witness');
    await createRoom(owner, `${room}/witness`);
    const carol = await direct('carol');
    await joinRoom(carol, `${room}/carol`);
    const phone = await login('alice', { device: 'phone' });
    await joinRoom(phone, `${room}/al`);
    for (const client of [owner, carol]) await client.pick(`<presence from='${room}/al'/>`);
    await phone.fence({ room });
    const all = [owner, carol, phone].map((client) => record(client));

    const change = `<query xmlns='${ns.mucAdmin}'><item nick='al' role='moderator'/></query>`;
    await owner.iq(`<iq type='set' to='${room}'>${change}</iq>`);
    await phone.pick(`<presence from='${room}/al'><x xmlns='${ns.mucUser}'><item role='moderator'/></x></presence>`);
    // What the proxy has asked of the room is answered before.
    await phone.iq(`<iq type='get' to='${room}'><query xmlns='${ns.discoInfo}'/></iq>`);
    const desk = await login('alice', { device: 'desk' });
    const { occupants } = await joinRoom(desk, `${room}/al`);
    assert.is(occupants.length, 2);
    const address = (nick: string): string | undefined =>
      occupants
        .find(({ from }) => from === `${room}/${nick}`)
        ?.child('x', ns.mucUser)
        ?.child('item')?.attrs.jid;
    assert.equal([address('witness'), address('carol')], [owner.jid, carol.jid]);
    for (const client of [owner, carol]) await client.fence({ room });
    for (const heard of all) {
      const shown = heard.filter(({ name, from }) => name === 'presence' && from?.startsWith(room));
      assert.equal(
        shown.map(({ from }) => from),
        [`${room}/al`],
      );
    }
  },
  { except: ['roleLists'] },
);

scenario.run();
