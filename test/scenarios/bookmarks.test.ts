/** The user's bookmarks: read, followed, and what they say is done (B1 to B4, L2). */
import { isDeepStrictEqual } from 'node:util';
import { createMemoryStore } from '../../proxy/store/memory.ts';
import { bookmarking, followBookmarks, untilRead } from './support/bookmarks.ts';
import { assert, type Element, joinRoom, leaveRoom, scenarios } from './support/scenario.ts';
import { said, until, watch } from './support/witness.ts';

const scenario = scenarios('bookmarks', { together: 3, except: ['sameOnBoth'] });

/** ejabberd tells each available device of changes, whether it has asked for that or not. */
const isEvent = (one: Element): boolean => one.child('event') !== undefined;

const autojoin = { config: { bookmarks: { autojoin: true } } };

scenario(
  'B2',
  'the account joins its autojoin rooms by itself, and a join of its own client is served from what is known',
  async (scene) => {
    const { room } = scene;
    const other = scene.newRoom();
    const witness = await watch(scene);
    const elsewhere = await watch(scene, { room: other, by: witness.client });
    const marks = bookmarking(scene);
    const before = await scene.direct('alice', { isSilent: true });
    await marks.put(before, { room, nick: 'al' });
    await marks.put(before, { room: other, nick: 'al', autojoin: false });
    await before.end();

    const desk = await scene.login('alice', { device: 'desk' });
    await until('the account is in the room', async () => (await witness.sees()).includes('+al'));
    const id = await witness.say('before you came');
    await witness.ping('al');
    await desk.expectNothing();

    const joined = await joinRoom(desk, `${room}/al`);
    assert.match(joined.sequence, /^PSHT/);
    assert.is(joined.history.at(-1)?.id, id);
    assert.is(joined.self.codes.includes(201), false);
    assert.equal(await witness.sees(), []);
    assert.equal(await elsewhere.sees(), []);
    const heard = await witness.say('there you are');
    await desk.expect(said(room, 'witness', heard));
  },
  autojoin,
);

scenario(
  'B2',
  'a bookmark added by a device makes the account join, with the password that it has',
  async (scene) => {
    const { room } = scene;
    const witness = await watch(scene, { config: { passwordprotectedroom: '1', roomsecret: 'sesame' } });
    const marks = bookmarking(scene);
    const desk = await scene.login('alice', { device: 'desk' });
    await marks.put(desk, { room: scene.newRoom(), autojoin: false });
    await marks.put(desk, { room, nick: 'al', password: 'sesame' });
    await until('the account is in the room', async () => (await witness.sees()).includes('+al'));
  },
  autojoin,
);

scenario(
  'B2',
  'a room that is no more is not made anew by its bookmark',
  async (scene) => {
    const { room } = scene;
    const marks = bookmarking(scene);
    const before = await scene.direct('alice', { isSilent: true });
    const gone = scene.newRoom();
    await marks.put(before, { room: gone, nick: 'al' });
    await marks.put(before, { room, nick: 'al' });
    await before.end();
    const witness = await watch(scene);
    await scene.login('alice', { device: 'desk' });
    await until('the account is in the room', async () => (await witness.sees()).includes('+al'));
    await until('the other room is left', () => scene.proxy.app.census().occupancies === 1);
  },
  autojoin,
);

scenario('B1', 'without autojoin the account joins nothing, and nothing is ever written', async (scene) => {
  const { room } = scene;
  const other = scene.newRoom();
  const witness = await watch(scene);
  const elsewhere = await watch(scene, { room: other, by: witness.client });
  const marks = bookmarking(scene);
  const desk = await scene.login('alice', { device: 'desk' });
  await marks.put(desk, { room, nick: 'al' });
  await marks.put(desk, { room: other, nick: 'al' });
  await joinRoom(desk, `${other}/al`);
  await untilRead(scene);
  await marks.retract(desk, other);
  const list = await marks.read(desk);
  await desk.pick(`<presence type='unavailable' from='${other}/al' to='${desk.jid}'/>`);
  await until('the account has left', async () => (await elsewhere.sees()).includes('-al'));
  assert.equal(await witness.sees(), []);
  assert.is(await marks.read(desk), list);
});

scenario(
  'L2',
  'the account stays in a room that is bookmarked with autojoin when its last device leaves',
  async (scene) => {
    const { room } = scene;
    const other = scene.newRoom();
    const witness = await watch(scene);
    const elsewhere = await watch(scene, { room: other, by: witness.client });
    const marks = bookmarking(scene);
    const desk = await scene.login('alice', { device: 'desk' });
    await marks.put(desk, { room, nick: 'al' });
    for (const one of [room, other]) {
      await joinRoom(desk, `${one}/al`);
      await leaveRoom(desk, `${one}/al`);
    }
    await until('the other room is left', async () => (await elsewhere.sees()).includes('-al'));
    const id = await witness.say('still there?');
    await witness.ping('al');
    assert.equal(await witness.sees(), ['+al']);

    const again = await joinRoom(desk, `${room}/al`);
    assert.is(again.history.at(-1)?.id, id);
    assert.equal(await witness.sees(), []);
  },
  { config: { leave: { grace: '0s' } } },
);

scenario('L2', 'which rooms are bookmarked with autojoin is in the store', async (scene) => {
  const { room } = scene;
  const other = scene.newRoom();
  const store = createMemoryStore({ now: () => performance.now() });
  const through = await scene.startProxy({}, { store });
  const marks = bookmarking(scene);
  const desk = await scene.login('alice', { device: 'desk', through });
  await marks.put(desk, { room, nick: 'al' });
  for (const one of [room, other]) await joinRoom(desk, `${one}/al`);
  const stored = async () => {
    const { occupancies } = await store.memberships.snapshot(desk.bareJid);
    return Object.fromEntries(occupancies.map((one) => [one.room, one.bookmarked]));
  };
  const becomes = (wanted: Record<string, boolean>) =>
    until('the store has it', async () => isDeepStrictEqual(await stored(), wanted));
  await becomes({ [room]: true, [other]: false });
  await marks.put(desk, { room: other, nick: 'al' });
  await becomes({ [room]: true, [other]: true });
});

for (const way of ['retracted', 'switched off'] as const) {
  scenario('B3', `a bookmark is ${way} by a device: the account leaves, and joined sessions see it`, async (scene) => {
    const { room } = scene;
    const witness = await watch(scene);
    const marks = bookmarking(scene);
    const desk = await scene.login('alice', { device: 'desk' });
    const phone = await scene.login('alice', { device: 'phone' });
    const tablet = await scene.login('alice', { device: 'tablet' });
    await marks.put(desk, { room, nick: 'al' });
    await joinRoom(desk, `${room}/al`);
    await joinRoom(phone, `${room}/al`);
    await desk.fence({ room });
    await untilRead(scene);
    assert.equal(await witness.sees(), ['+al']);

    if (way === 'retracted') await marks.retract(tablet, room);
    else await marks.put(tablet, { room, nick: 'al', autojoin: false });
    for (const device of [desk, phone]) {
      await device.pick(
        `<presence type='unavailable' from='${room}/al' to='${device.jid}'><x xmlns='http://jabber.org/protocol/muc#user'>
           <item role='none'/><status code='110'/></x></presence>`,
      );
    }
    await until('the account has left', async () => (await witness.sees()).includes('-al'));
    await witness.say('gone');
    for (const device of [desk, phone, tablet]) {
      const heard = await device.fence();
      assert.equal(
        heard.filter(({ from }) => from?.startsWith(`${room}/`)),
        [],
      );
    }
  });
}

scenario(
  'B3',
  'a device that switches autojoin off and leaves is out, whichever it does first',
  async (scene) => {
    const witness = await watch(scene);
    const { client } = witness;
    const marks = bookmarking(scene);
    const desk = await scene.login('alice', { device: 'desk' });
    for (const isFirst of [true, false]) {
      const room = isFirst ? scene.room : scene.newRoom();
      const seen = isFirst ? witness : await watch(scene, { room, by: client });
      await marks.put(desk, { room, nick: 'al' });
      await joinRoom(desk, `${room}/al`);
      await untilRead(scene);
      if (isFirst) await marks.put(desk, { room, nick: 'al', autojoin: false });
      await leaveRoom(desk, `${room}/al`);
      if (!isFirst) await marks.put(desk, { room, nick: 'al', autojoin: false });
      await until('the account has left', async () => (await seen.sees()).includes('-al'));
    }
  },
  { config: { leave: { grace: '0s' } } },
);

scenario(
  'B3',
  'what a device beside the proxy changes is seen by asking',
  async (scene) => {
    const { room } = scene;
    const witness = await watch(scene);
    const marks = bookmarking(scene);
    const beside = await scene.direct('alice', { device: 'beside', isSilent: true });
    await marks.put(beside, { room, nick: 'al' });
    const desk = await scene.login('alice', { device: 'desk' });
    await joinRoom(desk, `${room}/al`);
    await desk.fence({ room });
    await untilRead(scene);
    await marks.retract(beside, room);
    await desk.pick(`<presence type='unavailable' from='${room}/al' to='${desk.jid}'/>`);
    await until('the account has left', async () => (await witness.sees()).includes('-al'));
  },
  { config: { bookmarks: { poll: '1s' } } },
);

scenario(
  'B3',
  'what a device beside the proxy changes is done as soon as a device of the proxy is told of it',
  async (scene) => {
    const { room } = scene;
    const witness = await watch(scene);
    const marks = bookmarking(scene);
    const beside = await scene.direct('alice', { device: 'beside', isSilent: true });
    await marks.put(beside, { room, nick: 'al' });
    const desk = await scene.login('alice', { device: 'desk' });
    await followBookmarks(desk);
    await joinRoom(desk, `${room}/al`);
    await desk.fence({ room });
    await untilRead(scene);
    await marks.put(beside, { room, nick: 'al', autojoin: false });
    await desk.pick(`<presence type='unavailable' from='${room}/al' to='${desk.jid}'/>`);
    await desk.pick(
      `<message type='headline' from='${desk.bareJid}'><event xmlns='http://jabber.org/protocol/pubsub#event'/></message>`,
    );
    await until('the account has left', async () => (await witness.sees()).includes('-al'));
  },
  { config: { bookmarks: { poll: '0s' } }, except: ['personalEvents'] },
);

scenario(
  'B3',
  'with leave.when: never a bookmark makes nobody leave',
  async (scene) => {
    const { room } = scene;
    const other = scene.newRoom();
    const witness = await watch(scene);
    const elsewhere = await watch(scene, { room: other, by: witness.client });
    const marks = bookmarking(scene);
    const desk = await scene.login('alice', { device: 'desk' });
    await marks.put(desk, { room, nick: 'al' });
    await until('the account is in the room', async () => (await witness.sees()).includes('+al'));
    await joinRoom(desk, `${room}/al`);
    await marks.retract(desk, room);
    await marks.put(desk, { room: other, nick: 'al' });
    await until('the change has been read', async () => (await elsewhere.sees()).includes('+al'));
    await desk.expectNothing({ room, except: [isEvent] });
    assert.equal(await witness.sees(), []);
  },
  { config: { leave: { when: 'never' }, bookmarks: { autojoin: true } } },
);

scenario('B4', 'another nick in a bookmark renames the account, and joined sessions see it', async (scene) => {
  const { room } = scene;
  const witness = await watch(scene);
  const marks = bookmarking(scene);
  const desk = await scene.login('alice', { device: 'desk' });
  const phone = await scene.login('alice', { device: 'phone' });
  await marks.put(desk, { room, nick: 'al' });
  for (const device of [desk, phone]) await joinRoom(device, `${room}/al`);
  await desk.fence({ room });
  await untilRead(scene);
  assert.equal(await witness.sees(), ['+al']);

  await marks.put(phone, { room, nick: 'ally' });
  for (const device of [desk, phone]) {
    const [gone, here] = await Promise.all([
      device.pick(`<presence type='unavailable' from='${room}/al' to='${device.jid}'/>`),
      device.pick(`<presence from='${room}/ally' to='${device.jid}'/>`),
    ]);
    assert.equal([gone.codes.includes(303), here.codes.includes(110)], [true, true]);
  }
  assert.equal(await witness.sees(), ['al>ally']);
});

scenario('B4', 'devices that write their nicks in turn rename the account a few times, and no more', async (scene) => {
  const { room } = scene;
  const witness = await watch(scene);
  const marks = bookmarking(scene);
  const desk = await scene.login('alice', { device: 'desk' });
  await marks.put(desk, { room, nick: 'al' });
  await joinRoom(desk, `${room}/al`);
  await desk.fence({ room });
  await untilRead(scene);
  const seen: string[] = await witness.sees();
  const nicks = ['one', 'two', 'three', 'four'];
  for (const nick of nicks) {
    await marks.put(desk, { room, nick });
    if (nick === 'four') break;
    await until(`the account is ${nick}`, async () => {
      seen.push(...(await witness.sees()));
      return seen.at(-1)?.endsWith(`>${nick}`) === true;
    });
  }
  // The account leaves when the bookmark says so, by then it has been read.
  await marks.put(desk, { room, nick: 'five', autojoin: false });
  await until('the account has left', async () => {
    seen.push(...(await witness.sees()));
    return seen.at(-1)?.startsWith('-') === true;
  });
  assert.equal(seen, ['+al', 'al>one', 'one>two', 'two>three', '-three']);
});

scenario.run();
