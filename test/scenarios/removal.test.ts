/** Removals by the room and its owners (L5), and what happens to the others (L4): every joined session is told, once. */

import { untilParked } from './support/parked.ts';
import {
  assert,
  type Client,
  configureRoom,
  joinRoom,
  type Scene,
  StanzaError,
  scenarios,
} from './support/scenario.ts';
import { heardOnce, until, untilGone, type Witness, watch } from './support/witness.ts';

const scenario = scenarios('removal', { together: 3, parked: { alice: 'al' } });
const admin = 'http://jabber.org/protocol/muc#admin';
const user = 'http://jabber.org/protocol/muc#user';

interface Cast {
  witness: Witness;
  desk: Client;
  phone: Client;
  /** A third device, which has not joined. */
  idle: Client;
}

/** Two devices inside, one that is not; all that came of that is consumed. */
async function cast(scene: Scene): Promise<Cast> {
  const witness = await watch(scene);
  const desk = await scene.login('alice', { device: 'desk' });
  const phone = await scene.login('alice', { device: 'phone' });
  const idle = await scene.login('alice', { device: 'idle' });
  await joinRoom(desk, `${scene.room}/al`);
  await joinRoom(phone, `${scene.room}/al`);
  assert.equal(await witness.sees(), ['+al']);
  return { witness, desk, phone, idle };
}

async function change(witness: Witness, attributes: string): Promise<void> {
  await witness.client.iq(
    `<iq type='set' to='${witness.room}'><query xmlns='${admin}'><item ${attributes}/></query></iq>`,
  );
}

/** Announcements of a changed configuration. */
const announced = `<message type='groupchat'><x xmlns='http://jabber.org/protocol/muc#user'><status/></x></message>`;

/** Each joined device is told of its removal under its own address, and nothing more; one that is not inside hears nothing. */
async function told({ desk, phone, idle }: Cast, room: string, inner: string): Promise<void> {
  for (const client of [desk, phone]) {
    await client.pick(
      `<presence type='unavailable' from='${room}/al' to='${client.jid}'>
         <x xmlns='http://jabber.org/protocol/muc#user'>${inner}<status code='110'/></x></presence>`,
    );
    await client.expectNothing({ room, except: [announced] });
  }
  await idle.expectNothing({ room });
}

/** The join is refused with that condition. */
async function refused(client: Client, room: string, condition: string): Promise<void> {
  const error = await joinRoom(client, `${room}/al`).then(
    () => undefined,
    (thrown) => thrown,
  );
  assert.instance(error, StanzaError);
  assert.is(error.condition, condition);
}

/** Both devices can come back, by one join. */
async function comeBack({ witness, desk, phone }: Cast, room: string, seen = ['+al']): Promise<void> {
  await joinRoom(phone, `${room}/al`);
  await joinRoom(desk, `${room}/al`);
  assert.equal(await witness.sees(), seen);
  await heardOnce([desk, phone], room, 'witness', await witness.say('welcome back'));
}

scenario('L5', 'a kick reaches every joined session once, and each can come back', async (scene) => {
  const { room } = scene;
  const players = await cast(scene);
  await change(players.witness, `nick='al' role='none'`);
  await told(players, room, `<item role='none'/><status code='307'/>`);
  assert.equal(await players.witness.sees(), ['-al 307']);
  await comeBack(players, room);
});

scenario('L5', 'a ban reaches every joined session once, and none comes back before it is lifted', async (scene) => {
  const { room } = scene;
  const players = await cast(scene);
  await change(players.witness, `jid='${await scene.jid('alice')}' affiliation='outcast'`);
  await told(players, room, `<item role='none' affiliation='outcast'/><status code='301'/>`);
  assert.equal(await players.witness.sees(), ['-al 301']);
  await refused(players.phone, room, 'forbidden');
  await change(players.witness, `jid='${await scene.jid('alice')}' affiliation='none'`);
  await comeBack(players, room);
});

scenario(
  'L5',
  'a loss of membership in a members-only room reaches every joined session once',
  async (scene) => {
    const { room } = scene;
    const players = await cast(scene);
    const { witness, desk, phone } = players;
    const alice = await scene.jid('alice');
    await change(witness, `jid='${alice}' affiliation='member'`);
    for (const client of [desk, phone]) {
      await client.expect(
        `<presence from='${room}/al' to='${client.jid}'>
         <x xmlns='http://jabber.org/protocol/muc#user'><item affiliation='member'/><status code='110'/></x></presence>`,
      );
    }
    await configureRoom(witness.client, room, { membersonly: '1' });
    await desk.fence({ room });
    await phone.fence({ room });
    await change(witness, `jid='${alice}' affiliation='none'`);
    await told(players, room, `<item role='none' affiliation='none'/><status code='321'/>`);
    assert.equal(await witness.sees(), ['-al 321']);
    await change(witness, `jid='${alice}' affiliation='member'`);
    await comeBack(players, room);
  },
  { except: ['membersOnly'] },
);

scenario(
  'L5',
  'a room made members-only removes the account, and every joined session is told once',
  async (scene) => {
    const { room } = scene;
    const players = await cast(scene);
    const { witness, desk } = players;
    await configureRoom(witness.client, room, { membersonly: '1' });
    await told(players, room, `<item role='none'/><status code='322'/>`);
    // Prosody 0.12 tells the removed occupant alone.
    const isSeen = scene.server.name !== 'prosody';
    assert.equal(await witness.sees(), isSeen ? ['-al 322'] : []);
    await refused(desk, room, 'registration-required');
    await change(witness, `jid='${await scene.jid('alice')}' affiliation='member'`);
    await comeBack(players, room, isSeen ? ['+al'] : []);
  },
  { except: ['membersOnly'] },
);

scenario('L5', 'the end of a room reaches every joined session, with the alternate venue', async (scene) => {
  const { room } = scene;
  const players = await cast(scene);
  const { witness, desk, phone } = players;
  const venue = scene.newRoom();
  await witness.client.iq(
    `<iq type='set' to='${room}'><query xmlns='http://jabber.org/protocol/muc#owner'>
       <destroy jid='${venue}'><reason>moved</reason></destroy></query></iq>`,
  );
  await untilGone(witness.client, room);
  await told(players, room, `<item role='none'/><destroy jid='${venue}'><reason>moved</reason></destroy>`);
  // Who comes now creates a new room of that name.
  const created = await joinRoom(phone, `${room}/al`);
  assert.ok(created.self.codes.includes(201));
  await configureRoom(phone, room, {});
  const second = await joinRoom(desk, `${room}/al`);
  assert.not.ok(second.self.codes.includes(201));
});

scenario(
  'L5',
  'a removal while nobody is connected is known to the session that comes',
  async (scene) => {
    const { room } = scene;
    const witness = await watch(scene);
    const desk = await scene.login('alice', { device: 'desk' });
    await joinRoom(desk, `${room}/al`);
    await desk.drop();
    await until('the device has gone', () => scene.proxy.app.census().sessions === 0);
    await untilParked(scene, 0);
    await witness.sees();
    await change(witness, `jid='${await scene.jid('alice')}' affiliation='outcast'`);
    assert.equal(await witness.sees(), ['-al 301']);
    await until('the account is told too', () => scene.proxy.app.census().occupancies === 0);
    const back = await scene.login('alice', { device: 'desk' });
    await refused(back, room, 'forbidden');
  },
  { except: ['accountStream'] },
);

scenario(
  'L4',
  'joins, leaves, renames, roles and affiliations of others reach every joined session once, and a later one as they stand',
  async (scene) => {
    const { room } = scene;
    const { witness, desk, phone, idle } = await cast(scene);
    const bob = await scene.direct('bob', { device: 'one' });
    const both = async (expected: string) => {
      for (const client of [desk, phone]) {
        await client.expect(expected.replace('<presence', `<presence to='${client.jid}'`));
        await client.expectNothing({ room });
      }
    };
    const x = (inner: string) => `<x xmlns='${user}'>${inner}</x>`;
    await joinRoom(bob, `${room}/bob`);
    await both(`<presence from='${room}/bob'>${x(`<item role='participant' affiliation='none'/>`)}</presence>`);
    bob.send(`<presence to='${room}/bob'><show>dnd</show></presence>`);
    await both(`<presence from='${room}/bob'><show>dnd</show></presence>`);
    await change(witness, `nick='bob' role='moderator'`);
    await both(`<presence from='${room}/bob'>${x(`<item role='moderator'/>`)}</presence>`);
    await change(witness, `jid='${await scene.jid('bob')}' affiliation='admin'`);
    await both(`<presence from='${room}/bob'>${x(`<item affiliation='admin'/>`)}</presence>`);
    bob.send(`<presence to='${room}/rob'/>`);
    for (const client of [desk, phone]) {
      const renamed = `<item nick='rob'/><status code='303'/>`;
      await client.expect(
        `<presence type='unavailable' to='${client.jid}' from='${room}/bob'>${x(renamed)}</presence>`,
      );
      await client.expect(`<presence to='${client.jid}' from='${room}/rob'/>`);
      await client.expectNothing({ room });
    }
    await idle.expectNothing();
    const late = await joinRoom(idle, `${room}/al`);
    assert.equal(late.occupants.map((one) => one.from).sort(), [`${room}/rob`, `${room}/witness`]);
    const rob = late.occupants.find((one) => one.from === `${room}/rob`);
    const item = rob?.child('x', user)?.child('item');
    assert.equal([item?.attrs.role, item?.attrs.affiliation], ['moderator', 'admin']);
    bob.send(`<presence to='${room}/rob' type='unavailable'><status>bye</status></presence>`);
    await both(`<presence type='unavailable' from='${room}/rob'>${x(`<item role='none'/>`)}</presence>`);
    assert.equal(await witness.sees(), ['+bob', 'bob>rob', '-rob']);
  },
);

scenario('L4', "the account's own role and affiliation reach every joined session as its own", async (scene) => {
  const { room } = scene;
  const { witness, desk, phone, idle } = await cast(scene);
  const changes = [
    { given: `nick='al' role='moderator'`, shown: `role='moderator'` },
    { given: `nick='al' role='participant'`, shown: `role='participant'` },
    { given: `jid='${await scene.jid('alice')}' affiliation='admin'`, shown: `affiliation='admin'` },
  ];
  for (const { given, shown } of changes) {
    await change(witness, given);
    for (const client of [desk, phone]) {
      await client.expect(
        `<presence from='${room}/al' to='${client.jid}'>
           <x xmlns='http://jabber.org/protocol/muc#user'><item ${shown}/><status code='110'/></x></presence>`,
      );
      // A moderator is shown the addresses of the others.
      await client.expectNothing({ room, except: [`<presence from='${room}/witness'/>`] });
    }
  }
  const late = await joinRoom(idle, `${room}/al`);
  assert.is(late.self.child('x', user)?.child('item')?.attrs.affiliation, 'admin');
});

scenario.run();
