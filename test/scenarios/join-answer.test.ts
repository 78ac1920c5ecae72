/** Joining: the account joins once, and every session of it gets the whole answer (J1, J2, J3, J5). */

import { nickOf, nothingHappens, past, roster, seesArrival } from './support/joining.ts';
import { assert, createRoom, joinRoom, leaveRoom, ns, type Scene, sayInRoom, scenarios } from './support/scenario.ts';

const scenario = scenarios('join-answer', { together: 3, parked: { alice: 'al' } });
const other = ({ transport }: Scene) => (transport === 'tcp' ? 'websocket' : 'tcp');

/** The code for another nick than the one asked for (section 7.2.8 of XEP-0045). */
const nickAssigned = 210;

scenario(
  'J1',
  'the first session makes the account join once, further ones send nothing to the room',
  async (scene) => {
    const { room, login, direct } = scene;
    const bob = await direct('bob');
    await createRoom(bob, `${room}/bo`);

    const phone = await login('alice');
    await joinRoom(phone, `${room}/al`);
    await seesArrival(bob, `${room}/al`);
    await nothingHappens(bob, room, phone);

    const desk = await login('alice');
    await joinRoom(desk, `${room}/al`);
    const web = await login('alice', { transport: other(scene) });
    await joinRoom(web, `${room}/al`);
    await nothingHappens(bob, room, phone, desk, web);

    const id = sayInRoom(bob, room, 'one for each');
    for (const session of [phone, desk, web, bob]) {
      await session.expect(
        `<message type='groupchat' id='${id}' from='${room}/bo'><body>one for each</body></message>`,
      );
      await session.expectNothing({ room });
    }
  },
);

scenario('J2', 'a session gets what the room would give it, in the order of the protocol', async (scene) => {
  const { room, login, direct } = scene;
  const bob = await direct('bob');
  await createRoom(bob, `${room}/bo`);
  const carol = await direct('carol');
  await joinRoom(carol, `${room}/ca`, { inner: '<show>away</show><status>at sea</status><odd xmlns="urn:odd"/>' });
  bob.send(`<message type='groupchat' to='${room}'><subject>ships</subject></message>`);
  await bob.fence({ room });
  for (const text of ['one', 'two <&>', 'three']) {
    sayInRoom(bob, room, text);
    await bob.fence({ room });
  }

  const phone = await login('alice');
  const first = await joinRoom(phone, `${room}/al`, { id: 'first' });
  const live = sayInRoom(phone, room, 'four');
  await phone.expect(`<message type='groupchat' id='${live}' from='${room}/al'><body>four</body></message>`);
  await phone.fence({ room });
  const second = await joinRoom(await login('alice'), `${room}/al`, { id: 'second' });
  const web = await login('alice', { transport: other(scene) });
  const third = await joinRoom(web, `${room}/al`, { id: 'third' });
  const witness = await joinRoom(await direct('dave'), `${room}/da`);

  assert.is(first.sequence, 'PPSHHHT');
  assert.is(second.sequence, 'PPSHHHHT');
  assert.is(third.sequence, 'PPSHHHHT');
  const { al: _, ...others } = roster(witness);
  for (const [joined, id] of [
    [first, 'first'],
    [second, 'second'],
    [third, 'third'],
  ] as const) {
    assert.is(joined.self.id, id);
    assert.is(joined.self.from, `${room}/al`);
    assert.equal(joined.self.codes, [110]);
    assert.equal(roster(joined), others);
    assert.is(joined.subject?.from, `${room}/bo`);
    assert.is(joined.subject?.child('subject')?.text, 'ships');
  }
  const spoken = past(witness);
  assert.equal(past(first), spoken.slice(0, 3));
  assert.equal(past(second), spoken);
  assert.equal(past(third), spoken);
  for (const stanza of third.all) assert.is(stanza.to, web.jid);
});

scenario(
  'J2',
  'a later session sees the room as it stands now, not as it was when the account came',
  async ({ room, login, direct }) => {
    const bob = await direct('bob');
    await createRoom(bob, `${room}/bo`);
    const carol = await direct('carol');
    await joinRoom(carol, `${room}/ca`);
    const phone = await login('alice');
    await joinRoom(phone, `${room}/al`);

    await leaveRoom(carol, `${room}/ca`);
    await joinRoom(await direct('dave'), `${room}/da`);
    bob.send(`<presence to='${room}/bo'><show>dnd</show></presence>`);
    bob.send(`<presence to='${room}/bob'/>`);
    await bob.upTo(`<presence from='${room}/bob'><x xmlns='${ns.mucUser}'><status code='110'/></x></presence>`);
    bob.send(`<message type='groupchat' to='${room}'><subject>winds</subject></message>`);
    await phone.upTo(`<message type='groupchat' from='${room}/bob'><subject>winds</subject></message>`);

    const joined = await joinRoom(await login('alice'), `${room}/al`);
    const witness = await joinRoom(await direct('erin'), `${room}/er`);
    const { al: _, ...others } = roster(witness);
    assert.equal(Object.keys(others), ['bob', 'da']);
    assert.equal(roster(joined), others);
    assert.is(joined.subject?.child('subject')?.text, 'winds');
    assert.ok(joined.sequence.endsWith('T'), joined.sequence);
  },
);

scenario('J2', 'the subject always ends the answer, empty where the room has none', async ({ room, login, direct }) => {
  await createRoom(await direct('bob'), `${room}/bo`);
  for (const device of ['phone', 'desk']) {
    const session = await login('alice', { device });
    const joined = await joinRoom(session, `${room}/al`);
    assert.is(joined.sequence, 'PST', device);
    assert.is(joined.subject?.child('subject')?.text, '', device);
  }
});

scenario(
  'J2',
  "the room's own presence stands where the room puts it, before all others or behind the subject",
  async ({ room, login, direct, server }) => {
    await createRoom(await direct('bob'), `${room}/bo`);
    const witness = await direct('carol');
    const { closingSubject } = server.features;
    const devices = [witness, await login('alice'), await login('alice')];
    const order: string[] = [];
    for (const [index, device] of devices.entries()) {
      device.isNoise = () => false;
      const { all } = await joinRoom(device, `${room}/${device === witness ? 'ca' : 'al'}`);
      const own = all.filter((one) => one.codes.includes(110) || (closingSubject && one.child('subject')));
      const shown = all.filter((one) => own.includes(one) || (one.name === 'presence' && nickOf(one) === ''));
      order[index] = shown.map((one) => `${one.name} ${nickOf(one) === '' ? 'of the room' : 'of its own'}`).join(', ');
    }
    const [wanted, ...seen] = order;
    assert.equal(seen, [wanted, wanted]);
  },
);

scenario(
  'J2',
  'what is said while a session joins comes once, in the history or behind it',
  async ({ room, login, direct }) => {
    const bob = await direct('bob');
    await createRoom(bob, `${room}/bo`);
    const sessions = [await login('alice'), await login('alice'), await login('alice')];
    const wanted: string[] = [];
    const speak = async () => {
      // No more than any room keeps as history.
      for (let count = 0; count < 18; count++) {
        wanted.push(sayInRoom(bob, room, `word ${count}`));
        if (count % 3 === 0) await bob.ping();
      }
      await bob.fence({ room });
    };
    const [, ...answers] = await Promise.all([
      speak(),
      ...sessions.map((session) => joinRoom(session, `${room}/al`, { history: "maxstanzas='100'" })),
    ]);
    for (const [index, session] of sessions.entries()) {
      const joined = answers[index] as Awaited<ReturnType<typeof joinRoom>>;
      const rest = await session.fence({ room });
      const heard = [...joined.all, ...rest].filter((one) => one.child('body')).map((one) => one.id);
      assert.equal(heard, wanted);
      assert.match(joined.sequence, /^PSH*TM*$/);
    }
  },
);

scenario(
  'J3',
  "a session that asks for another nick is given the account's, with 210",
  async ({ room, login, direct }) => {
    const bob = await direct('bob');
    await createRoom(bob, `${room}/bo`);
    const phone = await login('alice');
    await joinRoom(phone, `${room}/al`);
    await seesArrival(bob, `${room}/al`);

    const desk = await login('alice');
    const joined = await joinRoom(desk, `${room}/lissy`);
    assert.is(joined.self.from, `${room}/al`);
    assert.equal(joined.self.codes, [110, nickAssigned]);
    const again = await joinRoom(desk, `${room}/al`);
    assert.equal(again.self.codes, [110]);
    await nothingHappens(bob, room, phone, desk);
  },
);

scenario(
  'J3',
  'with nick: follow a session that asks for another nick renames the account',
  async ({ room, login, direct }) => {
    const bob = await direct('bob');
    await createRoom(bob, `${room}/bo`);
    const phone = await login('alice');
    await joinRoom(phone, `${room}/al`);
    await seesArrival(bob, `${room}/al`);

    const desk = await login('alice');
    desk.send(`<presence to='${room}/lissy' id='wish'><x xmlns='${ns.muc}'/></presence>`);
    const answer = await desk.upTo(`<message type='groupchat'><subject/></message>`);
    const self = answer.find((one) => one.id === 'wish');
    assert.is(self && nickOf(self), 'al');
    assert.equal(self?.codes, [110, nickAssigned]);
    const gone = `<presence type='unavailable' from='${room}/al'><x xmlns='${ns.mucUser}'><item nick='lissy'/><status code='303'/></x></presence>`;
    const come = `<presence from='${room}/lissy'><x xmlns='${ns.mucUser}'><item/></x></presence>`;
    for (const client of [bob, phone, desk]) {
      const old = await client.expect(gone);
      const renamed = await client.expect(come);
      const isOwn = client !== bob;
      assert.is(old.codes.includes(110), isOwn);
      assert.is(renamed.codes.includes(110), isOwn);
    }
    const third = await joinRoom(await login('alice'), `${room}/lissy`);
    assert.equal(third.self.codes, [110]);
    assert.is(third.nick, 'lissy');
    await nothingHappens(bob, room, phone, desk);
  },
  { config: { nick: 'follow' } },
);

scenario('J5', 'a session that joins again is answered in full, unseen by the room and its siblings', async (scene) => {
  const { room, login, direct } = scene;
  const bob = await direct('bob');
  await createRoom(bob, `${room}/bo`);
  const phone = await login('alice');
  await joinRoom(phone, `${room}/al`);
  await seesArrival(bob, `${room}/al`);
  const desk = await login('alice');
  const web = await login('alice', { transport: other(scene) });
  await joinRoom(desk, `${room}/al`);
  await joinRoom(web, `${room}/al`);
  const said = sayInRoom(bob, room, 'anew');
  for (const session of [bob, phone, desk, web]) {
    await session.expect(`<message type='groupchat' id='${said}' from='${room}/bo'/>`);
  }

  for (const session of [phone, desk, web, phone]) {
    const id = session.id();
    const joined = await joinRoom(session, `${room}/al`, { id });
    assert.is(joined.sequence, 'PSHT');
    assert.is(joined.self.id, id);
    assert.equal(joined.self.codes, [110]);
    assert.equal(past(joined), [`bo ${said} anew`]);
    await nothingHappens(bob, room, phone, desk, web);
  }
});

scenario(
  'J5',
  'a session that joins again may wish for another stretch of history, and stays joined',
  async ({ room, login, direct }) => {
    const bob = await direct('bob');
    await createRoom(bob, `${room}/bo`);
    const phone = await login('alice');
    await joinRoom(phone, `${room}/al`);
    for (const text of ['one', 'two']) {
      const id = sayInRoom(bob, room, text);
      await phone.expect(`<message type='groupchat' id='${id}' from='${room}/bo'><body>${text}</body></message>`);
    }
    const none = await joinRoom(phone, `${room}/al`, { history: "maxchars='0'" });
    assert.is(none.sequence, 'PST');
    const live = sayInRoom(bob, room, 'live');
    await phone.expect(`<message type='groupchat' id='${live}' from='${room}/bo'/>`);
    const one = await joinRoom(phone, `${room}/al`, { history: "maxstanzas='1'" });
    assert.equal(
      one.history.map((message) => message.child('body')?.text),
      ['live'],
    );
    const id = sayInRoom(phone, room, 'still here');
    await phone.expect(`<message type='groupchat' id='${id}' from='${room}/al'/>`);
  },
);

scenario.run();
