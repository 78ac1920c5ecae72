/** Refused joins: each waiting session gets the room's own error to its own join, and nothing stays behind (J7). */
import {
  affiliate,
  isStranger,
  nothingHappens,
  refusal,
  refused,
  seesArrival,
  thrown,
  verdict,
} from './support/joining.ts';
import { assert, configureRoom, createRoom, joinPresence, joinRoom, ns, scenarios } from './support/scenario.ts';

const scenario = scenarios('join-refused', { together: 3 });

scenario(
  'J7',
  'a password that is missing or wrong: not-authorized, and the right one is let in',
  async ({ room, login, direct }) => {
    const bob = await direct('bob');
    await createRoom(bob, `${room}/bo`, { passwordprotectedroom: '1', roomsecret: 'sesame' });
    const carol = await direct('carol');
    const wanted = verdict((await thrown(joinRoom(carol, `${room}/ca`))).stanza);
    const phone = await login('alice');
    assert.is(verdict(await refusal(phone, `${room}/al`)), wanted);
    assert.is(verdict(await refusal(phone, `${room}/al`, 'open')), wanted);
    assert.is(wanted, 'auth not-authorized');
    await isStranger(phone, room);
    await nothingHappens(bob, room, phone);
    await joinRoom(phone, `${room}/al`, { password: 'sesame' });
    await seesArrival(bob, `${room}/al`);
  },
);

scenario(
  'J7',
  'a banned account: forbidden, for each of its sessions, until it is let in again',
  async ({ room, jid, login, direct }) => {
    const bob = await direct('bob');
    await createRoom(bob, `${room}/bo`);
    await affiliate(bob, room, await jid('alice'), 'outcast');
    const sessions = [await login('alice'), await login('alice')];
    for (const session of sessions) {
      assert.is(verdict(await refusal(session, `${room}/al`)), 'auth forbidden');
      await session.expectNothing();
    }
    await affiliate(bob, room, await jid('alice'), 'none');
    await bob.fence({ room });
    for (const session of sessions) await joinRoom(session, `${room}/al`);
    await seesArrival(bob, `${room}/al`);
    await nothingHappens(bob, room, ...sessions);
  },
);

scenario('J7', 'a room for members only: registration-required', async ({ room, login, direct }) => {
  const bob = await direct('bob');
  await createRoom(bob, `${room}/bo`, { membersonly: '1' });
  const phone = await login('alice');
  assert.is(verdict(await refusal(phone, `${room}/al`)), 'auth registration-required');
  await isStranger(phone, room);
  await nothingHappens(bob, room);
});

scenario(
  'J7',
  'a nick that somebody else has: conflict, and another nick is let in',
  async ({ room, login, direct }) => {
    const bob = await direct('bob');
    await createRoom(bob, `${room}/bo`);
    const phone = await login('alice');
    const desk = await login('alice');
    assert.is(verdict(await refusal(phone, `${room}/bo`)), 'cancel conflict');
    await isStranger(phone, room);
    await nothingHappens(bob, room, phone);
    const joined = await joinRoom(phone, `${room}/al`);
    assert.equal(joined.self.codes, [110]);
    await seesArrival(bob, `${room}/al`);
    // Inside, the account's own nick is given in place of one that another has.
    const second = await joinRoom(desk, `${room}/bo`);
    assert.is(second.nick, 'al');
    assert.equal(second.self.codes, [110, 210]);
    await nothingHappens(bob, room, phone, desk);
  },
);

scenario(
  'J7',
  'a new room that is not yet configured: what the room says to others',
  async ({ room, server, login, direct }) => {
    const bob = await direct('bob');
    await joinRoom(bob, `${room}/bo`);
    const phone = await login('alice');
    if (!server.features.newRoomsLocked) {
      await joinRoom(phone, `${room}/al`);
      await seesArrival(bob, `${room}/al`);
      return;
    }
    assert.is(verdict(await refusal(phone, `${room}/al`)), 'cancel item-not-found');
    await phone.expectNothing();
    await configureRoom(bob, room, {});
    await joinRoom(phone, `${room}/al`);
    await seesArrival(bob, `${room}/al`);
  },
);

scenario(
  'J7',
  'a full room: what it says to others, until there is a place',
  async ({ room, login, direct }) => {
    const bob = await direct('bob');
    await createRoom(bob, `${room}/bo`, { maxusers: '2' });
    const carol = await direct('carol');
    await joinRoom(carol, `${room}/ca`);
    const witness = verdict((await thrown(joinRoom(await direct('dave'), `${room}/da`))).stanza);
    const phone = await login('alice');
    const found = await refusal(phone, `${room}/al`);
    assert.is(verdict(found), witness);
    assert.is(found.child('error')?.type, 'wait');
    await isStranger(phone, room);
    await carol.drop();
    await bob.pick(`<presence type='unavailable' from='${room}/ca'/>`);
    await joinRoom(phone, `${room}/al`);
  },
  { except: ['occupantLimit'] },
);

scenario('J7', 'a room of an unknown domain: what the server says of it', async ({ login, direct }) => {
  const address = 'room@rooms.invalid/al';
  const bob = await direct('bob');
  bob.send(joinPresence(address, { id: 'direct' }));
  const wanted = await bob.expect(
    `<presence type='error' id='direct' from='${address}'><error type='{any}'/></presence>`,
  );
  for (const session of [await login('alice'), await login('alice')]) {
    const found = await refusal(session, address);
    assert.is(verdict(found), verdict(wanted));
    await session.expectNothing();
  }
});

scenario(
  'J7',
  'of sessions that wait together each gets the refusal of its own join',
  async ({ room, jid, login, direct }) => {
    const bob = await direct('bob');
    await createRoom(bob, `${room}/bo`);
    await affiliate(bob, room, await jid('alice'), 'outcast');
    const sessions = [await login('alice'), await login('alice'), await login('alice')];
    const nicks = ['al', 'al', 'lissy'];
    const ids = sessions.map((session, index) => {
      const id = session.id();
      session.send(joinPresence(`${room}/${nicks[index]}`, { id }));
      return id;
    });
    for (const [index, session] of sessions.entries()) {
      const error = await refused(session, `${room}/${nicks[index]}`, ids[index] as string);
      assert.is(verdict(error), 'auth forbidden');
    }
    for (const session of sessions) {
      await session.expectNothing();
      await isStranger(session, room);
    }
    await nothingHappens(bob, room);
  },
);

scenario('J7', "stanzas behind a join that is refused are a stranger's", async ({ room, login, direct }) => {
  const bob = await direct('bob');
  await createRoom(bob, `${room}/bo`, { membersonly: '1' });
  const phone = await login('alice');
  phone.send(joinPresence(`${room}/al`, { id: 'join' }));
  phone.send(`<message type='groupchat' id='behind' to='${room}'><body>hello?</body></message>`);
  phone.send(`<iq type='get' id='ping' to='${room}/al'><ping xmlns='${ns.ping}'/></iq>`);
  await refused(phone, `${room}/al`, 'join');
  await phone.expectInAnyOrder([
    `<message type='error' id='behind' from='${room}'><error/></message>`,
    `<iq type='error' id='ping' from='${room}/al'><error/></iq>`,
  ]);
  await phone.expectNothing();
  await nothingHappens(bob, room);
});

scenario.run();
