/** Joins of one account that cross each other, and what clients send while a join is under way (J6, J7). */
import { awaitedLater, nothingHappens, past, refused, roster, seesArrival } from './support/joining.ts';
import {
  assert,
  createRoom,
  joinPresence,
  joinRoom,
  leaveRoom,
  ns,
  type Scene,
  sayInRoom,
  scenarios,
} from './support/scenario.ts';

const scenario = scenarios('join-race', { together: 3 });

/** A room with two occupants, a subject and some history, seen by one of them. */
async function livelyRoom({ room, direct }: Scene) {
  const bob = await direct('bob');
  await createRoom(bob, `${room}/bo`);
  await joinRoom(await direct('carol'), `${room}/ca`);
  await seesArrival(bob, `${room}/ca`);
  bob.send(`<message type='groupchat' to='${room}'><subject>ships</subject></message>`);
  await bob.fence({ room });
  sayInRoom(bob, room, 'one');
  sayInRoom(bob, room, 'two');
  await bob.fence({ room });
  return bob;
}

scenario('J6', 'joins sent in one round trip make one join, and each session gets a whole answer', async (scene) => {
  const { room, login, transport } = scene;
  const bob = await livelyRoom(scene);
  const sessions = [
    await login('alice'),
    await login('alice'),
    await login('alice', { transport: transport === 'tcp' ? 'websocket' : 'tcp' }),
  ];
  const answers = await Promise.all(sessions.map((session) => joinRoom(session, `${room}/al`)));
  await seesArrival(bob, `${room}/al`);
  await nothingHappens(bob, room, ...sessions);
  const ids = answers.map(({ self }) => self.id);
  assert.is(new Set(ids).size, 3, String(ids));
  for (const [index, answer] of answers.entries()) {
    assert.is(answer.sequence, 'PPSHHT');
    assert.equal(answer.self.codes, [110]);
    assert.equal(Object.keys(roster(answer)), ['bo', 'ca']);
    assert.equal(past(answer), past(answers[0] as (typeof answers)[0]));
    for (const stanza of answer.all) assert.is(stanza.to, sessions[index]?.jid);
  }
});

scenario('J6', 'joins that race with different nicks: all get the nick that the account has', async (scene) => {
  const { room, login } = scene;
  const bob = await livelyRoom(scene);
  const [phone, desk] = [await login('alice'), await login('alice')];
  const [first, second] = await Promise.all([joinRoom(phone, `${room}/al`), joinRoom(desk, `${room}/lissy`)]);
  assert.is(first.nick, second.nick);
  const byNick = Object.fromEntries([
    ['al', first.self.codes],
    ['lissy', second.self.codes],
  ]);
  assert.equal(byNick[first.nick], [110]);
  assert.equal(byNick[first.nick === 'al' ? 'lissy' : 'al'], [110, 210]);
  await seesArrival(bob, `${room}/${first.nick}`);
  await nothingHappens(bob, room, phone, desk);
});

scenario('J6', 'of joins that race, one that is refused does not keep out the next', async (scene) => {
  const { room, login, direct, node: through } = scene;
  const bob = await direct('bob');
  await createRoom(bob, `${room}/bo`, { passwordprotectedroom: '1', roomsecret: 'sesame' });
  // On one node the order of the joins is that of their sending.
  const alice = () => login('alice', { through });
  const [phone, desk, web] = [await alice(), await alice(), await alice()];
  phone.send(joinPresence(`${room}/al`, { id: 'none' }));
  desk.send(joinPresence(`${room}/bo`, { id: 'taken', password: 'sesame' }));
  const third = await joinRoom(web, `${room}/al`, { password: 'sesame' });
  assert.equal(third.self.codes, [110]);
  const wrong = await refused(phone, `${room}/al`, 'none');
  assert.is(wrong.condition, 'not-authorized');
  const taken = await refused(desk, `${room}/bo`, 'taken');
  assert.is(taken.condition, 'conflict');
  await seesArrival(bob, `${room}/al`);
  await phone.expectNothing();
  await desk.expectNothing();
  await nothingHappens(bob, room, web);
});

scenario('J6', 'a join that is sent twice is answered to its latest id, once', async (scene) => {
  const { room, login } = scene;
  const bob = await livelyRoom(scene);
  const phone = await login('alice');
  phone.send(joinPresence(`${room}/al`, { id: 'early' }));
  const joined = await joinRoom(phone, `${room}/al`, { id: 'late' });
  assert.is(joined.sequence, 'PPSHHT');
  assert.is(joined.self.id, 'late');
  await seesArrival(bob, `${room}/al`);
  await nothingHappens(bob, room, phone);
});

scenario('J7', 'what a client sends behind its join reaches the room behind it, in order', async (scene) => {
  const { room, login } = scene;
  const bob = await livelyRoom(scene);
  const [phone, desk] = [await login('alice'), await login('alice')];
  for (const [index, session] of [phone, desk].entries()) {
    session.send(joinPresence(`${room}/al`, { id: `join${index}` }));
    for (const word of ['a', 'b', 'c']) sayInRoom(session, room, `${word}${index}`, `${word}${index}`);
    session.send(`<iq type='get' id='ping${index}' to='${room}'><query xmlns='${ns.discoInfo}'/></iq>`);
  }
  await seesArrival(bob, `${room}/al`);
  const said = await bob.fence({ room });
  const heardBy = { bob: said.filter((one) => one.name === 'message').map((one) => one.id) };
  for (const [index, session] of [phone, desk].entries()) {
    const arrived = await session.upTo(`<iq type='result' id='ping${index}'/>`);
    arrived.push(...(await session.fence({ room })));
    const self = arrived.findIndex((one) => one.id === `join${index}`);
    const own = arrived.findIndex((one) => one.id === `a${index}`);
    assert.ok(self >= 0 && own > self, arrived.map((one) => one.print()).join('\n'));
  }
  const all = [...heardBy.bob, ...(await bob.fence({ room })).map((one) => one.id)];
  for (const index of [0, 1]) {
    assert.equal(
      all.filter((id) => id?.endsWith(String(index))),
      ['a', 'b', 'c'].map((word) => `${word}${index}`),
    );
  }
});

scenario(
  'J7',
  'a client that leaves in mid-join gets its leave answered, and the account does not stay',
  async (scene) => {
    const { room, login } = scene;
    const bob = await livelyRoom(scene);
    const phone = await login('alice');
    // From here on there is a carrier, and the join goes out at once.
    await createRoom(phone, `${scene.newRoom()}/al`);
    phone.send(joinPresence(`${room}/al`, { id: 'join' }));
    phone.send(`<presence type='unavailable' id='leave' to='${room}/al'/>`);
    await phone.upTo(
      `<presence type='unavailable' from='${room}/al'><x xmlns='${ns.mucUser}'><item role='none'/><status code='110'/></x></presence>`,
    );
    await phone.expectNothing({ room });
    await seesArrival(bob, `${room}/al`);
    await bob.expect(`<presence type='unavailable' from='${room}/al'/>`);
    // Nothing of it stays: the next join is a first one.
    const joined = await joinRoom(phone, `${room}/al`);
    assert.is(joined.sequence, 'PPSHHT');
    await seesArrival(bob, `${room}/al`);
    await nothingHappens(bob, room, phone);
  },
);

scenario('J7', "a client that leaves in mid-join leaves its siblings' joins alone", async (scene) => {
  const { room, login } = scene;
  const bob = await livelyRoom(scene);
  const [phone, desk] = [await login('alice'), await login('alice')];
  phone.send(joinPresence(`${room}/al`, { id: 'join' }));
  const other = awaitedLater(joinRoom(desk, `${room}/al`));
  // The proxy has both joins; whether the room has answered by then is open, and makes no difference.
  await Promise.all([phone.ping(), desk.ping()]);
  phone.send(`<presence type='unavailable' id='leave' to='${room}/al'/>`);
  const joined = await other;
  assert.is(joined.sequence, 'PPSHHT');
  await phone.upTo(
    `<presence type='unavailable' from='${room}/al'><x xmlns='${ns.mucUser}'><status code='110'/></x></presence>`,
  );
  await seesArrival(bob, `${room}/al`);
  await nothingHappens(bob, room, desk);
  const id = sayInRoom(bob, room, 'who is in?');
  await desk.expect(`<message type='groupchat' id='${id}'/>`);
  await phone.expectNothing();
});

scenario('J7', 'a client that leaves in mid-join and joins again at once is in', async (scene) => {
  const { room, login } = scene;
  const bob = await livelyRoom(scene);
  const phone = await login('alice');
  phone.send(joinPresence(`${room}/al`, { id: 'early' }));
  phone.send(`<presence type='unavailable' to='${room}/al'/>`);
  phone.send(joinPresence(`${room}/al`, { id: 'late' }));
  await phone.upTo(
    `<presence id='late' from='${room}/al'><x xmlns='${ns.mucUser}'><status code='110'/></x></presence>`,
  );
  await phone.upTo(`<message type='groupchat'><subject>ships</subject></message>`);
  const id = sayInRoom(phone, room, 'in');
  await phone.upTo(`<message type='groupchat' id='${id}' from='${room}/al'/>`);
  await bob.upTo(`<message type='groupchat' id='${id}' from='${room}/al'/>`);
  await nothingHappens(bob, room, phone);
});

scenario('J7', 'a client that is gone in mid-join leaves nothing behind', async (scene) => {
  const { room, login } = scene;
  const bob = await livelyRoom(scene);
  const phone = await login('alice');
  phone.send(joinPresence(`${room}/al`));
  await phone.drop();
  const desk = await login('alice');
  const joined = await joinRoom(desk, `${room}/al`);
  assert.is(joined.sequence, 'PPSHHT');
  await leaveRoom(desk, `${room}/al`);
  const again = await joinRoom(desk, `${room}/al`);
  assert.is(again.sequence, 'PPSHHT');
  const id = sayInRoom(desk, room, 'here');
  await bob.upTo(`<message type='groupchat' id='${id}' from='${room}/al'/>`);
});

scenario.run();
