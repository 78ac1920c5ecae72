/** In rooms that show addresses clients of a node see devices, also where a stream of that node's own carries the account (J8). */
import {
  assert,
  type Client,
  createRoom,
  type Element,
  joinRoom,
  leaveRoom,
  ns,
  scenarios,
} from './support/scenario.ts';

const scenario = scenarios('shown-addresses', { together: 3, except: ['accountStream'] });

function addressIn(presence: Element | undefined): string | undefined {
  return presence?.child('x', ns.mucUser)?.child('item')?.attrs.jid;
}

async function seen(client: Client, presence: string): Promise<string | undefined> {
  return addressIn(await client.pick(presence));
}

scenario(
  'J8',
  'a room that shows addresses shows those of devices: of who joined first, then of the next, of the last as it leaves',
  async ({ room, login, node: through }) => {
    const owner = await login('bob', { through });
    await createRoom(owner, `${room}/bo`, { whois: 'anyone' });
    const desk = await login('alice', { device: 'desk', through });
    const phone = await login('alice', { device: 'phone', through });
    await joinRoom(desk, `${room}/al`);
    assert.is(await seen(owner, `<presence from='${room}/al'/>`), desk.jid);
    await joinRoom(phone, `${room}/al`);
    await leaveRoom(desk, `${room}/al`);
    await phone.fence({ room });

    const newcomer = await login('carol', { through });
    const { occupants } = await joinRoom(newcomer, `${room}/ca`);
    const al = occupants.find((one) => one.from === `${room}/al`);
    assert.is(addressIn(al), phone.jid);
    phone.send(`<presence to='${room}/al'><show>away</show></presence>`);
    assert.is(await seen(owner, `<presence from='${room}/al'><show>away</show></presence>`), phone.jid);

    await leaveRoom(phone, `${room}/al`);
    await phone.end();
    assert.is(await seen(owner, `<presence from='${room}/al' type='unavailable'/>`), phone.jid);
    assert.is(await seen(newcomer, `<presence from='${room}/al' type='unavailable'/>`), phone.jid);
  },
  { config: { leave: { grace: '0s' } } },
);

scenario('J8', 'who is invited is told of a device', async ({ room, login, node: through }) => {
  const desk = await login('alice', { device: 'desk', through });
  await createRoom(desk, `${room}/al`);
  const bob = await login('bob', { through });
  const invitation = `<x xmlns='${ns.mucUser}'><invite to='${bob.bareJid}'><reason>come</reason></invite></x>`;
  desk.send(`<message id='inv' to='${room}'>${invitation}</message>`);
  const isInvited = (one: Element) => one.from === room && one.at('x', 'invite') !== undefined;
  const told = await bob.pick(Object.assign(isInvited, { wanted: 'the invitation' }));
  const from = told.at('x', 'invite')?.attrs.from ?? '';
  // Some services tell the account alone, some the nick.
  assert.ok([desk.jid, desk.bareJid, `${room}/al`].includes(from), from);
  assert.not.match(told.child('body')?.text ?? '', 'minimix-rooms');
});

scenario(
  'J8',
  'voice is given to the device that a moderator sees asking for it',
  async ({ room, login, node: through }) => {
    const owner = await login('bob', { through });
    await createRoom(owner, `${room}/bo`, { moderatedroom: '1' });
    const desk = await login('alice', { device: 'desk', through });
    await joinRoom(desk, `${room}/al`);
    const mute = `<query xmlns='${ns.mucAdmin}'><item nick='al' role='visitor'/></query>`;
    await owner.iq(`<iq type='set' to='${room}'>${mute}</iq>`);
    await desk.pick(`<presence from='${room}/al'><x xmlns='${ns.mucUser}'><item role='visitor'/></x></presence>`);
    const form = (fields: Record<string, string>) =>
      `<message to='${room}'><x xmlns='${ns.data}' type='submit'>${Object.entries(fields)
        .map(([name, text]) => `<field var='${name}'><value>${text}</value></field>`)
        .join('')}</x></message>`;
    const wish = { FORM_TYPE: 'http://jabber.org/protocol/muc#request', 'muc#role': 'participant' };
    desk.send(form(wish));
    const isAsked = (one: Element) => one.child('x', ns.data)?.attrs.type === 'form';
    const asked = await owner.pick(Object.assign(isAsked, { wanted: 'the request' }));
    const told = (name: string): string =>
      asked
        .child('x', ns.data)
        ?.elements.find((field) => field.attrs.var === name)
        ?.child('value')?.text ?? '';
    assert.is(told('muc#jid'), desk.jid);
    const whom = { 'muc#jid': told('muc#jid'), 'muc#roomnick': told('muc#roomnick') };
    owner.send(form({ ...wish, ...whom, 'muc#request_allow': 'true' }));
    await desk.pick(`<presence from='${room}/al'><x xmlns='${ns.mucUser}'><item role='participant'/></x></presence>`);
  },
  { except: ['voice'] },
);

scenario.run();
