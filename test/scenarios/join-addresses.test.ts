/** Addresses in all their spellings, and the room service of old as it is (J11, J12). */
import { nickOf, nothingHappens, past, roster, seesArrival } from './support/joining.ts';
import { assert, createRoom, joinRoom, leaveRoom, ns, sayInRoom, scenarios } from './support/scenario.ts';

const scenario = scenarios('join-addresses', { together: 3 });

scenario(
  'J11',
  'one room is one room, however its address is spelled; clients see what the room sends',
  async ({ room, login, direct }) => {
    const bob = await direct('bob');
    await createRoom(bob, `${room}/bo`);
    const [phone, desk] = [await login('alice'), await login('alice')];
    const spelled = room.replace(/^r/, 'R').replace('conference.localhost', 'Conference.LOCALHOST');
    assert.is.not(spelled, room);
    const first = await joinRoom(phone, `${spelled}/al`);
    await seesArrival(bob, `${room}/al`);
    const second = await joinRoom(desk, `${room}/al`);
    const third = await joinRoom(await login('alice'), `${room.toUpperCase()}/al`);
    await nothingHappens(bob, room, phone, desk);
    for (const joined of [first, second, third]) {
      assert.is(joined.sequence, 'PST');
      assert.is(joined.self.from, `${room}/al`);
      assert.equal(joined.self.codes, [110]);
      assert.is(joined.occupants[0]?.from, `${room}/bo`);
    }
    assert.is(first.subject?.from?.split('/')[0], room);
    assert.is(third.subject?.from?.split('/')[0], room);

    // What is sent to any spelling goes through the account.
    const id = sayInRoom(phone, spelled, 'shouted');
    for (const session of [bob, phone, desk]) {
      await session.expect(`<message type='groupchat' id='${id}' from='${room}/al'/>`);
    }
    phone.send(`<presence type='unavailable' to='${spelled}/al'/>`);
    await phone.expect(
      `<presence type='unavailable' from='${room}/al'><x xmlns='${ns.mucUser}'><status code='110'/></x></presence>`,
    );
    await nothingHappens(bob, room, desk);
  },
);

scenario('J11', 'nicks are compared in normal form, with their case', async ({ room, login, direct }) => {
  const bob = await direct('bob');
  await createRoom(bob, `${room}/bo`);
  const [phone, desk, web] = [await login('alice'), await login('alice'), await login('alice')];
  // Composed and decomposed: one nick for whoever normalises as XMPP does.
  const composed = 'Andr\u00e9';
  const first = await joinRoom(phone, `${room}/${composed}`);
  const [seen] = await bob.fence({ room });
  assert.is(seen && nickOf(seen), composed);
  assert.equal(first.self.codes, [110]);
  const second = await joinRoom(desk, `${room}/Andre\u0301`);
  assert.equal(second.self.codes, [110]);
  assert.is(second.nick, composed);
  const third = await joinRoom(web, `${room}/andr\u00e9`);
  assert.equal(third.self.codes, [110, 210]);
  assert.is(third.nick, composed);
  await nothingHappens(bob, room, phone, desk, web);
});

scenario('J11', 'a nick with markup, slashes and spaces stays what it is', async ({ room, login, direct }) => {
  const bob = await direct('bob');
  await createRoom(bob, `${room}/bo`);
  const [phone, desk] = [await login('alice'), await login('alice')];
  const nick = `<Al> & "co"/it's 50%`;
  const first = await joinRoom(phone, `${room}/${nick}`);
  assert.is(first.nick, nick);
  const second = await joinRoom(desk, `${room}/${nick}`);
  assert.is(second.nick, nick);
  assert.equal(second.self.codes, [110]);
  await seesArrival(bob, `${room}/${nick}`);
  await nothingHappens(bob, room, phone, desk);
  await leaveRoom(desk, `${room}/${nick}`);
});

scenario(
  'J12',
  'a session sees the room as a client without the proxy does, notices of old services included',
  async ({ room, login, direct }) => {
    const bob = await direct('bob');
    await createRoom(bob, `${room}/bo`);
    sayInRoom(bob, room, 'one');
    await bob.fence({ room });
    const carol = await direct('carol');
    carol.isNoise = () => false;
    const witness = await joinRoom(carol, `${room}/ca`);
    await leaveRoom(carol, `${room}/ca`);
    const notices = (joined: typeof witness) =>
      joined.all.filter((one) => one.child('body') && nickOf(one) === '' && !one.child('subject')).length;
    for (const device of ['phone', 'desk', 'web']) {
      const session = await login('alice', { device });
      session.isNoise = () => false;
      const joined = await joinRoom(session, `${room}/al`);
      assert.equal(past(joined), past(witness), device);
      assert.equal(Object.keys(roster({ ...joined, occupants: joined.occupants.filter((one) => nickOf(one)) })), [
        'bo',
      ]);
      assert.ok(notices(joined) <= notices(witness), joined.all.map(String).join('\n'));
      assert.equal(joined.self.codes, [110]);
      // Where the room shows itself has a scenario of its own.
      const ofOthers = joined.all.filter((one) => one.name !== 'presence' || nickOf(one) !== '');
      assert.is(ofOthers.at(-1), joined.subject, device);
    }
  },
);

scenario('J11', 'presence to a service, which is no room, is answered by the service itself', async (scene) => {
  const { room, login, direct } = scene;
  const [service] = room.split('@').slice(1);
  const desk = await login('alice');
  // From here on it is known as a service of rooms.
  await createRoom(desk, `${room}/al`);
  const bob = await direct('bob');
  const answers = async (client: typeof bob): Promise<string[]> => {
    const [to, id] = [`${service}/nobody`, client.id()];
    client.send(`<presence to='${to}' id='${id}'/>`);
    const arrived = await client.fence({ room });
    return arrived
      .filter((one) => one.from === to)
      .map(({ name, type, condition, codes }) => [name, type, condition, ...codes].join(' '));
  };
  assert.equal(await answers(desk), await answers(bob));
});

scenario.run();
