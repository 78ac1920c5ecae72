/** What is taken back is shown to nobody who joins later (M7). */
import {
  assert,
  type Client,
  createRoom,
  type Element,
  type Joined,
  joinRoom,
  leaveRoom,
  scenarios,
} from './support/scenario.ts';

const scenario = scenarios('log-retraction', { together: 3 });
const sid = 'urn:xmpp:sid:0';
const retract = 'urn:xmpp:message-retract:1';

/** Says something and waits for what the room makes of it. */
async function say(speaker: Client, room: string, inner: string): Promise<Element> {
  const id = speaker.id();
  speaker.send(`<message type='groupchat' to='${room}' id='${id}'>${inner}</message>`);
  return (await speaker.upTo(`<message type='groupchat' id='${id}'/>`)).at(-1) as Element;
}

/** By what others know the message: the room's id where it gives one. */
function nameOf(message: Element): string {
  return message.child('stanza-id', sid)?.attrs.id ?? message.id ?? '';
}

const takeBack = (id: string) =>
  `<retract xmlns='${retract}' id='${id}'/><body>took it back</body><store xmlns='urn:xmpp:hints'/>`;

function all(joined: Joined): string {
  return joined.all.map((one) => one.print()).join('\n');
}

function bodies(joined: Joined): (string | undefined)[] {
  return joined.history.map((one) => one.child('body')?.text);
}

for (const when of ['heard live', 'that the room gives as history']) {
  scenario(
    'M7',
    `of a message ${when} and taken back by its sender, and of what corrected it, nothing is replayed but that`,
    async ({ room, login, direct }) => {
      const bob = await direct('bob');
      await createRoom(bob, `${room}/bo`);
      const phone = await login('alice', { device: 'phone' });
      if (when === 'heard live') await joinRoom(phone, `${room}/al`);
      const secret = await say(bob, room, '<body>my secret</body>');
      await say(bob, room, '<body>harmless</body>');
      await say(
        bob,
        room,
        `<body>my secret, better</body><replace xmlns='urn:xmpp:message-correct:0' id='${secret.id}'/>`,
      );
      await say(bob, room, takeBack(nameOf(secret)));
      if (when !== 'heard live') await joinRoom(phone, `${room}/al`);
      await phone.fence({ room });
      const desk = await joinRoom(await login('alice', { device: 'desk' }), `${room}/al`);
      assert.not.match(all(desk), 'my secret');
      assert.equal(bodies(desk), [undefined, 'harmless', undefined, 'took it back']);
      const [tombstone] = desk.history;
      assert.equal([tombstone?.id, tombstone?.from], [secret.id, `${room}/bo`]);
      assert.ok(tombstone?.child('retracted', retract)?.attrs.stamp, tombstone?.print());
      assert.is(tombstone?.child('stanza-id', sid)?.attrs.id, secret.child('stanza-id', sid)?.attrs.id);
    },
  );
}

scenario('M7', 'nobody takes back what another has said, nor under a nick that was left', async (scene) => {
  const { room, login, direct } = scene;
  const bob = await direct('bob');
  await createRoom(bob, `${room}/bo`);
  const mallory = await direct('mallory');
  await joinRoom(mallory, `${room}/mal`);
  const phone = await login('alice', { device: 'phone' });
  await joinRoom(phone, `${room}/al`);
  const carol = await direct('carol');
  await joinRoom(carol, `${room}/ca`);
  const said = await say(bob, room, '<body>stays</body>');
  const more = await say(carol, room, '<body>stays too</body>');
  await say(mallory, room, takeBack(nameOf(said)));
  const moderated = `<moderated xmlns='urn:xmpp:message-moderate:1' by='${room}/bo'/>`;
  await say(
    mallory,
    room,
    `<body>forged</body><retract xmlns='${retract}' id='${nameOf(said)}'>${moderated}</retract>`,
  );
  await leaveRoom(carol, `${room}/ca`);
  await mallory.fence({ room });
  mallory.send(`<presence to='${room}/ca'/>`);
  await mallory.upTo(`<presence from='${room}/ca'/>`);
  await say(mallory, room, takeBack(more.id ?? ''));
  await phone.fence({ room });
  const desk = await joinRoom(await login('alice', { device: 'desk' }), `${room}/al`);
  assert.equal(bodies(desk), ['stays', 'stays too', 'took it back', 'forged', 'took it back']);
});

scenario(
  'M7',
  'who takes the nick of somebody who was gone before the account came takes back nothing of theirs',
  async ({ room, login, direct }) => {
    const bob = await direct('bob');
    await createRoom(bob, `${room}/bo`);
    const carol = await direct('carol');
    await joinRoom(carol, `${room}/ca`);
    const said = await say(carol, room, '<body>stays</body>');
    await leaveRoom(carol, `${room}/ca`);
    const phone = await login('alice', { device: 'phone' });
    await joinRoom(phone, `${room}/al`);
    const mallory = await direct('mallory');
    await joinRoom(mallory, `${room}/ca`);
    await say(mallory, room, takeBack(said.id ?? ''));
    await say(mallory, room, takeBack(nameOf(said)));
    await phone.fence({ room });
    const desk = await joinRoom(await login('alice', { device: 'desk' }), `${room}/al`);
    assert.equal(bodies(desk), ['stays', 'took it back', 'took it back']);
  },
);

scenario(
  'M7',
  'of a message that a moderator has removed, by any session of the account, nothing is replayed but that',
  async (scene) => {
    const { room, login, direct } = scene;
    const phone = await login('alice', { device: 'phone' });
    await createRoom(phone, `${room}/al`);
    const mallory = await direct('mallory');
    await joinRoom(mallory, `${room}/mal`);
    const desk = await login('alice', { device: 'desk' });
    await joinRoom(desk, `${room}/al`);
    const spam = await say(mallory, room, '<body>buy now</body>');
    const moderate = `<moderate xmlns='urn:xmpp:message-moderate:0'><retract xmlns='urn:xmpp:message-retract:0'/><reason>spam</reason></moderate>`;
    await desk.iq(
      `<iq type='set' to='${room}'><apply-to xmlns='urn:xmpp:fasten:0' id='${nameOf(spam)}'>${moderate}</apply-to></iq>`,
    );
    for (const device of [phone, desk]) {
      await device.pick(`<message type='groupchat' from='${room}'><apply-to xmlns='urn:xmpp:fasten:0'/></message>`);
    }
    const tablet = await joinRoom(await login('alice', { device: 'tablet' }), `${room}/al`);
    assert.not.match(all(tablet), 'buy now');
    const retracted = tablet.history.find((one) => one.id === spam.id)?.child('retracted', retract);
    assert.is(retracted?.child('moderated', 'urn:xmpp:message-moderate:1')?.attrs.by, `${room}/al`);
    assert.is(retracted?.child('reason')?.text, 'spam');
  },
  { except: ['moderation'] },
);

scenario(
  'M6',
  'a private message that was taken back before a session could take it is given to none',
  async (scene) => {
    const { room, login, direct } = scene;
    const bob = await direct('bob');
    await createRoom(bob, `${room}/bo`);
    const desk = await login('alice', { device: 'desk' });
    await joinRoom(desk, `${room}/al`);
    await leaveRoom(desk, `${room}/al`);
    bob.send(`<message type='chat' to='${room}/al' id='secret'><body>my secret</body></message>`);
    bob.send(`<message type='chat' to='${room}/al' id='other'><body>harmless</body></message>`);
    bob.send(`<message type='chat' to='${room}/al' id='back'>${takeBack('secret')}</message>`);
    await bob.iq(`<iq type='get' to='${room}/al'><ping xmlns='urn:xmpp:ping'/></iq>`);
    const joined = await joinRoom(desk, `${room}/al`);
    assert.not.match(all(joined), /my secret|took it back/);
    assert.is(joined.all.filter((one) => one.id === 'other').length, 1);
  },
);

scenario(
  'M6',
  'who has taken the nick of its sender takes no private message back',
  async ({ room, login, direct }) => {
    const bob = await direct('bob');
    await createRoom(bob, `${room}/bo`);
    const mallory = await direct('mallory');
    await joinRoom(mallory, `${room}/mal`);
    const desk = await login('alice', { device: 'desk' });
    await joinRoom(desk, `${room}/al`);
    await leaveRoom(desk, `${room}/al`);
    const ask = (client: Client) => client.iq(`<iq type='get' to='${room}/al'><ping xmlns='urn:xmpp:ping'/></iq>`);
    bob.send(`<message type='chat' to='${room}/al' id='stays'><body>stays</body></message>`);
    await ask(bob);
    await leaveRoom(bob, `${room}/bo`);
    mallory.send(`<presence to='${room}/bo'/>`);
    await mallory.upTo(`<presence from='${room}/bo'/>`);
    mallory.send(`<message type='chat' to='${room}/al' id='back'>${takeBack('stays')}</message>`);
    await ask(mallory);
    const joined = await joinRoom(desk, `${room}/al`);
    assert.equal(
      joined.all.filter(({ type }) => type === 'chat').map(({ id }) => id),
      ['stays', 'back'],
    );
  },
);

scenario.run();
