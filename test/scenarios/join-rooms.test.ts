/** Rooms of every kind, rooms that are left alone, and rooms that come and go (J8, J9, J10). */
import { affiliate, nothingHappens, realJid, seesArrival, thrown } from './support/joining.ts';
import {
  assert,
  configureRoom,
  createRoom,
  type Element,
  joinRoom,
  leaveRoom,
  ns,
  type Scene,
  sayInRoom,
  scenarios,
} from './support/scenario.ts';
import { untilGone } from './support/witness.ts';

const scenario = scenarios('join-rooms', { together: 3 });
const owners = `<query xmlns='${ns.mucOwner}'`;

function roleOf(presence: Element): string | undefined {
  return presence.child('x', ns.mucUser)?.child('item')?.attrs.role;
}

scenario(
  'J8',
  'a room with a password: the first session needs it, later ones of the account do not',
  async ({ room, login, direct }) => {
    const bob = await direct('bob');
    await createRoom(bob, `${room}/bo`, { passwordprotectedroom: '1', roomsecret: 'sesame' });
    const phone = await login('alice');
    await joinRoom(phone, `${room}/al`, { password: 'sesame' });
    await seesArrival(bob, `${room}/al`);
    const [desk, web] = [await login('alice'), await login('alice')];
    assert.equal((await joinRoom(desk, `${room}/al`)).self.codes, [110]);
    assert.equal((await joinRoom(web, `${room}/al`, { password: 'wrong' })).self.codes, [110]);
    await nothingHappens(bob, room, phone, desk, web);
    // Another account does need it.
    assert.is((await thrown(joinRoom(await login('carol'), `${room}/ca`))).condition, 'not-authorized');
  },
);

scenario(
  'J8',
  'a room for members only lets a member in once for all sessions',
  async ({ room, jid, login, direct }) => {
    const bob = await direct('bob');
    await createRoom(bob, `${room}/bo`, { membersonly: '1' });
    await affiliate(bob, room, await jid('alice'), 'member');
    const [phone, desk] = [await login('alice'), await login('alice')];
    for (const session of [phone, desk]) {
      const { self } = await joinRoom(session, `${room}/al`);
      assert.is(self.child('x', ns.mucUser)?.child('item')?.attrs.affiliation, 'member');
    }
    await seesArrival(bob, `${room}/al`);
    await nothingHappens(bob, room, phone, desk);
  },
);

scenario('J8', 'in a moderated room all sessions have the role that the account has, now and later', async (scene) => {
  const { room, login, direct } = scene;
  const bob = await direct('bob');
  await createRoom(bob, `${room}/bo`, { moderatedroom: '1' });
  const phone = await login('alice');
  await joinRoom(phone, `${room}/al`);
  await seesArrival(bob, `${room}/al`);
  const setRole = async (role: string) => {
    const item = `<item nick='al' role='${role}'/>`;
    await bob.iq(`<iq type='set' to='${room}'><query xmlns='${ns.mucAdmin}'>${item}</query></iq>`);
    await bob.fence({ room });
    await phone.fence({ room });
  };
  await setRole('participant');
  await setRole('visitor');
  const desk = await login('alice');
  assert.is(roleOf((await joinRoom(desk, `${room}/al`)).self), 'visitor');
  const id = sayInRoom(desk, room, 'may I?');
  const error = await desk.expect(`<message type='error' id='${id}' from='${room}'><error/></message>`);
  assert.is(error.condition, 'forbidden');
  await phone.expectNothing({ room });

  await setRole('participant');
  await desk.upTo(`<presence from='${room}/al'><x xmlns='${ns.mucUser}'><item role='participant'/></x></presence>`);
  const web = await login('alice');
  assert.is(roleOf((await joinRoom(web, `${room}/al`)).self), 'participant');
  const heard = sayInRoom(desk, room, 'thanks');
  for (const session of [bob, phone, desk, web]) await session.upTo(`<message type='groupchat' id='${heard}'/>`);
});

scenario(
  'J8',
  'a room that shows addresses: 100, each session its own, one address for the others',
  async ({ room, login, direct }) => {
    const bob = await direct('bob');
    await createRoom(bob, `${room}/bo`, { whois: 'anyone' });
    const witness = await joinRoom(await direct('carol'), `${room}/ca`);
    await bob.fence({ room });
    const isShown = witness.self.codes.includes(100);
    assert.ok(isShown);
    const phone = await login('alice');
    const desk = await login('alice');
    const own = realJid(witness.self) !== undefined;
    for (const session of [phone, desk, phone]) {
      const joined = await joinRoom(session, `${room}/al`);
      assert.equal(joined.self.codes, [100, 110]);
      assert.is(realJid(joined.self), own ? session.jid : undefined);
      const other = joined.occupants.find((one) => one.from === `${room}/bo`);
      assert.is(other && realJid(other), bob.jid);
      assert.not.match(String(joined.self), 'minimix-rooms');
    }
    const seen = await seesArrival(bob, `${room}/al`);
    assert.is(realJid(seen)?.split('/')[0], phone.bareJid);
    await nothingHappens(bob, room, phone, desk);
  },
);

scenario(
  'J8',
  'a room that has begun to show addresses tells a later session so',
  async ({ room, login, direct }) => {
    const bob = await direct('bob');
    await createRoom(bob, `${room}/bo`);
    const phone = await login('alice');
    assert.equal((await joinRoom(phone, `${room}/al`)).self.codes, [110]);
    await configureRoom(bob, room, { whois: 'anyone' });
    await phone.expect(
      `<message type='groupchat' from='${room}'><x xmlns='${ns.mucUser}'><status code='172'/></x></message>`,
    );
    const desk = await login('alice');
    assert.equal((await joinRoom(desk, `${room}/al`)).self.codes, [100, 110]);
    await configureRoom(bob, room, { whois: 'moderators' });
    await desk.expect(
      `<message type='groupchat' from='${room}'><x xmlns='${ns.mucUser}'><status code='173'/></x></message>`,
    );
    assert.equal((await joinRoom(await login('alice'), `${room}/al`)).self.codes, [110]);
  },
  { except: ['configurationNotice'] },
);

scenario('J8', 'a hidden, persistent room is joined once, and is there after all have left', async (scene) => {
  const { room, login, direct } = scene;
  const bob = await direct('bob');
  await createRoom(bob, `${room}/bo`, { publicroom: '0', persistentroom: '1', whois: 'anyone' });
  const [phone, desk] = [await login('alice'), await login('alice')];
  await joinRoom(phone, `${room}/al`);
  await joinRoom(desk, `${room}/al`);
  await seesArrival(bob, `${room}/al`);
  await nothingHappens(bob, room, phone, desk);
  await leaveRoom(bob, `${room}/bo`);
  await leaveRoom(phone, `${room}/al`);
  await leaveRoom(desk, `${room}/al`);
  const again = await joinRoom(desk, `${room}/al`);
  assert.ok(!again.self.codes.includes(201));
  assert.ok(again.self.codes.includes(100), 'the room is not what it was');
});

async function isRelayed({ room, direct, login }: Pick<Scene, 'room' | 'direct' | 'login'>): Promise<void> {
  const bob = await direct('bob');
  await createRoom(bob, `${room}/bo`);
  const [phone, desk] = [await login('alice'), await login('alice')];
  const first = await joinRoom(phone, `${room}/phone`);
  const second = await joinRoom(desk, `${room}/desk`);
  assert.equal(first.self.codes, [110]);
  assert.equal(second.self.codes, [110]);
  assert.is(second.nick, 'desk');
  assert.is(realJid(await seesArrival(bob, `${room}/phone`)), phone.jid);
  assert.is(realJid(await seesArrival(bob, `${room}/desk`)), desk.jid);
  await phone.expect(`<presence from='${room}/desk'/>`);
  await phone.drop();
  await bob.expect(`<presence type='unavailable' from='${room}/phone'/>`);
}

scenario('J9', 'a service that is excluded is relayed: each session is an occupant of its own', isRelayed, {
  config: { rooms: { exclude: ['conference.localhost'] } },
});

scenario('J9', 'a room that is excluded is relayed, others of its service are not', async (scene) => {
  const { login, direct, startProxy, newRoom } = scene;
  const room = newRoom();
  const through = await startProxy({ rooms: { exclude: [room] } });
  await isRelayed({ room, direct, login: (role) => login(role, { through }) });
  const open = newRoom();
  const [phone, desk] = [await login('alice', { through }), await login('alice', { through })];
  await createRoom(phone, `${open}/al`);
  assert.equal((await joinRoom(desk, `${open}/lissy`)).self.codes, [110, 210]);
});

scenario(
  'J10',
  'the join that creates a room has 201, no later one has it, and any session may configure',
  async ({ room, login, direct }) => {
    const [phone, desk] = [await login('alice'), await login('alice')];
    const first = await joinRoom(phone, `${room}/al`);
    assert.equal(first.self.codes, [110, 201]);
    const second = await joinRoom(desk, `${room}/al`);
    assert.equal(second.self.codes, [110]);
    // An instant room, made by a session through which nothing was carried.
    await configureRoom(desk, room, {});
    const joined = await joinRoom(await direct('bob'), `${room}/bo`);
    assert.equal(
      joined.occupants.map((one) => one.from),
      [`${room}/al`],
    );
    assert.equal((await joinRoom(phone, `${room}/al`)).self.codes, [110]);
  },
);

scenario('J10', 'of joins that race for a new room exactly one has created it', async ({ room, login }) => {
  const sessions = [await login('alice'), await login('alice'), await login('alice')];
  const answers = await Promise.all(sessions.map((session) => joinRoom(session, `${room}/al`)));
  const created = answers.filter(({ self }) => self.codes.includes(201));
  assert.is(created.length, 1);
  for (const { self } of answers) assert.ok(self.codes.includes(110));
});

scenario(
  'J10',
  "a reserved room is configured by a session that is not the carrier's own",
  async ({ room, login, direct }) => {
    const [phone, desk] = [await login('alice'), await login('alice')];
    await joinRoom(phone, `${room}/al`);
    await joinRoom(desk, `${room}/al`);
    const form = await desk.iq(`<iq type='get' to='${room}'>${owners}/></iq>`);
    assert.is(form.at('query', 'x')?.type, 'form');
    assert.is(form.from, room);
    assert.is(form.to, desk.jid);
    await configureRoom(desk, room, { passwordprotectedroom: '1', roomsecret: 'sesame' });
    const bob = await direct('bob');
    assert.is((await thrown(joinRoom(bob, `${room}/bo`))).condition, 'not-authorized');
    await joinRoom(bob, `${room}/bo`, { password: 'sesame' });
    assert.is((await joinRoom(phone, `${room}/al`)).nick, 'al');
  },
);

scenario(
  'J10',
  'a room destroyed by one session is gone for all, and may be made anew',
  async ({ room, newRoom, login, direct }) => {
    const other = newRoom();
    const [phone, desk] = [await login('alice'), await login('alice')];
    await createRoom(phone, `${room}/al`);
    await joinRoom(desk, `${room}/al`);
    const bob = await direct('bob');
    await joinRoom(bob, `${room}/bo`);
    for (const session of [phone, desk]) await session.fence({ room });
    const destroy = `<destroy jid='${other}'><reason>moved</reason></destroy>`;
    await desk.iq(`<iq type='set' to='${room}'>${owners}>${destroy}</query></iq>`);
    const gone = `<presence type='unavailable' from='${room}/al'><x xmlns='${ns.mucUser}'><destroy jid='${other}'><reason>moved</reason></destroy></x></presence>`;
    for (const session of [phone, desk]) {
      await session.upTo(gone);
      await session.expectNothing();
    }
    await bob.upTo(gone.replace('/al', '/bo'));
    await untilGone(bob, room);
    const anew = await joinRoom(desk, `${room}/al`);
    assert.ok(anew.self.codes.includes(201), String(anew.self));
    assert.ok(anew.self.codes.includes(110));
  },
);

scenario.run();
