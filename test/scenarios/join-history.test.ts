/** History as each session asks for it, from what the account has heard (J4). */
import { past } from './support/joining.ts';
import {
  assert,
  type Client,
  createRoom,
  type Element,
  joinRoom,
  leaveRoom,
  ns,
  type Scene,
  sayInRoom,
  scenarios,
} from './support/scenario.ts';

const scenario = scenarios('join-history', { together: 3 });

/** Says the texts one by one, each heard before the next. */
async function speak(speaker: Client, room: string, texts: string[]): Promise<void> {
  for (const text of texts) {
    const id = sayInRoom(speaker, room, text);
    await speaker.upTo(`<message type='groupchat' id='${id}'><body>${text}</body></message>`);
  }
}

function texts(joined: { history: Element[] }): (string | undefined)[] {
  return joined.history.map((one) => one.child('body')?.text);
}

function stampOf(message: Element): number {
  return Date.parse(message.child('delay', ns.delay)?.attrs.stamp ?? '');
}

/** A room in which `bob` has said these texts, and alice's first session. */
async function spokenRoom({ room, login, direct }: Scene, said: string[]): Promise<{ bob: Client; phone: Client }> {
  const bob = await direct('bob');
  await createRoom(bob, `${room}/bo`);
  const phone = await login('alice');
  await joinRoom(phone, `${room}/al`);
  await bob.fence({ room });
  await speak(bob, room, said);
  await phone.fence({ room });
  return { bob, phone };
}

scenario('J4', 'maxstanzas counts the newest messages, for each session on its own, and 0 is none', async (scene) => {
  const { room, login } = scene;
  await spokenRoom(scene, ['one', 'two', 'three', 'four']);
  const joinWith = async (limit: number) =>
    texts(await joinRoom(await login('alice'), `${room}/al`, { history: `maxstanzas='${limit}'` }));
  assert.equal(await joinWith(2), ['three', 'four']);
  assert.equal(await joinWith(0), []);
  assert.equal(await joinWith(3), ['two', 'three', 'four']);
  assert.equal(await joinWith(50), ['one', 'two', 'three', 'four']);
});

scenario('J4', 'maxchars counts the characters of whole stanzas, and 0 is none', async (scene) => {
  const { room, login } = scene;
  await spokenRoom(scene, ['one', 'x'.repeat(4000), 'three', 'four']);
  const joinWith = async (limit: number) =>
    texts(await joinRoom(await login('alice'), `${room}/al`, { history: `maxchars='${limit}'` }));
  assert.equal(await joinWith(0), []);
  // Less than any stanza has, more than two short ones have, more than all four have.
  assert.equal(await joinWith(20), []);
  assert.equal(await joinWith(3000), ['three', 'four']);
  assert.equal(await joinWith(9000), ['one', 'x'.repeat(4000), 'three', 'four']);
});

scenario('J4', "seconds and since are spans of time, which the room's own stamps decide", async (scene) => {
  const { room, login } = scene;
  const { bob } = await spokenRoom(scene, ['old one', 'old two']);
  // Stamps may be of whole seconds.
  await new Promise((resolve) => setTimeout(resolve, 2_200));
  const between = Date.now() - 1_000;
  await speak(bob, room, ['new one', 'new two']);
  const joinWhen = async (history: () => string) => {
    const client = await login('alice');
    return texts(await joinRoom(client, `${room}/al`, { history: history() }));
  };
  const join = (history: string) => joinWhen(() => history);

  assert.equal(await join(`since='${new Date(between).toISOString()}'`), ['new one', 'new two']);
  assert.equal(await join(`since='${new Date(between).toISOString().slice(0, 19)}Z'`), ['new one', 'new two']);
  assert.equal(await join("since='1970-01-01T00:00:00Z'"), ['old one', 'old two', 'new one', 'new two']);
  assert.equal(await join(`since='${new Date(Date.now() + 60_000).toISOString()}'`), []);
  const age = () => Math.round((Date.now() - between) / 1000);
  assert.equal(await joinWhen(() => `seconds='${age()}'`), ['new one', 'new two']);
  assert.equal(await join("seconds='3600'"), ['old one', 'old two', 'new one', 'new two']);
  assert.equal(await join("seconds='0'"), []);
  assert.equal(await joinWhen(() => `seconds='${age()}' maxstanzas='1'`), ['new two']);
});

scenario('J4', 'a client that names the stamp of a message is given what the room itself would give', async (scene) => {
  const { room, login, direct } = scene;
  const bob = await direct('bob');
  await createRoom(bob, `${room}/bo`);
  await speak(bob, room, ['one', 'two', 'three']);
  // The log gets them with the room's own stamps.
  const phone = await login('alice');
  const { history } = await joinRoom(phone, `${room}/al`);
  assert.is(history.length, 3);
  const carol = await direct('carol');
  for (const message of history) {
    const since = `since='${message.child('delay', ns.delay)?.attrs.stamp}'`;
    const told = await joinRoom(carol, `${room}/ca`, { history: since });
    await leaveRoom(carol, `${room}/ca`);
    const tablet = await login('alice');
    const replayed = await joinRoom(tablet, `${room}/al`, { history: since });
    assert.equal(texts(replayed), texts(told), since);
    await tablet.end();
  }
});

scenario('J4', 'of several limits the tightest holds', async (scene) => {
  const { room, login } = scene;
  await spokenRoom(scene, ['one', 'two', 'three']);
  const join = async (history: string) => texts(await joinRoom(await login('alice'), `${room}/al`, { history }));
  assert.equal(await join("maxstanzas='2' maxchars='100000' seconds='3600' since='1970-01-01T00:00:00Z'"), [
    'two',
    'three',
  ]);
  assert.equal(await join("maxstanzas='2' maxchars='0'"), []);
  assert.equal(await join("maxstanzas='0' seconds='3600'"), []);
  assert.equal(await join("maxstanzas='2' since='2999-01-01T00:00:00Z'"), []);
});

scenario('J4', "a session that states no wish gets the room's usual stretch", async (scene) => {
  const { room, login } = scene;
  const said = Array.from({ length: 25 }, (_, index) => `word ${index}`);
  await spokenRoom(scene, said);
  const joined = await joinRoom(await login('alice'), `${room}/al`);
  assert.equal(texts(joined), said.slice(-20));
  const all = await joinRoom(await login('alice'), `${room}/al`, { history: "maxstanzas='100'" });
  assert.equal(texts(all), said);
});

scenario(
  'J4',
  "what the account's first session does not want is there for the second",
  async ({ room, login, direct }) => {
    const bob = await direct('bob');
    await createRoom(bob, `${room}/bo`);
    await speak(bob, room, ['one', 'two', 'three']);
    const first = await joinRoom(await login('alice'), `${room}/al`, { history: "maxstanzas='0'" });
    assert.is(first.sequence, 'PST');
    const second = await joinRoom(await login('alice'), `${room}/al`);
    assert.equal(texts(second), ['one', 'two', 'three']);
    const third = await joinRoom(await login('alice'), `${room}/al`, { history: "maxchars='0'" });
    assert.is(third.sequence, 'PST');
    const fourth = await joinRoom(await login('alice'), `${room}/al`, { history: "maxstanzas='1'" });
    assert.equal(texts(fourth), ['three']);
  },
);

scenario('J4', "ids, the room's marks and the delay are those that the room itself would send", async (scene) => {
  const { room, server, login, direct } = scene;
  const { bob, phone } = await spokenRoom(scene, ['heard live']);
  const before = Date.now();
  bob.send(
    `<message type='groupchat' to='${room}' id='rich'><body>rich</body><origin-id xmlns='urn:xmpp:sid:0' id='origin'/>` +
      `<odd xmlns='urn:odd'><inner mark='&lt;'/></odd></message>`,
  );
  const live = (await phone.upTo("<message type='groupchat' id='rich'/>")).at(-1) as Element;
  const witness = await joinRoom(await direct('carol'), `${room}/ca`);
  const joined = await joinRoom(await login('alice'), `${room}/al`);

  assert.equal(past(joined), past(witness));
  for (const [index, message] of joined.history.entries()) {
    const delay = message.elements.filter((one) => one.name === 'delay');
    assert.is(delay.length, 1, message.print());
    assert.is(delay[0]?.attrs.from, room);
    const stamp = stampOf(message);
    // mu-conference stamps in whole seconds.
    assert.ok(Math.abs(stamp - stampOf(witness.history[index] as Element)) < 2_000, message.print());
  }
  const replayed = joined.history.at(-1) as Element;
  assert.ok(stampOf(replayed) >= before - 2_000 && stampOf(replayed) <= Date.now(), replayed.print());
  const marks = (one: Element) => one.elements.filter(({ name }) => name !== 'delay').map((child) => child.print());
  assert.equal(marks(replayed), marks(live));
  assert.is(replayed.id, 'rich');
  assert.is(replayed.from, `${room}/bo`);
  if (server.features.mam) {
    const own = live.child('stanza-id')?.attrs;
    assert.is(own?.by, room);
    assert.equal(replayed.child('stanza-id')?.attrs, own);
    assert.equal(witness.history.at(-1)?.child('stanza-id')?.attrs, own);
  }
});

scenario(
  'J4',
  'what a session has heard live is history for one that joins later, in the order of the room',
  async ({ room, login, direct }) => {
    const bob = await direct('bob');
    await createRoom(bob, `${room}/bo`);
    await speak(bob, room, ['before']);
    const phone = await login('alice');
    await joinRoom(phone, `${room}/al`);
    await speak(bob, room, ['by bob']);
    await phone.upTo(`<message type='groupchat' from='${room}/bo'><body>by bob</body></message>`);
    await speak(phone, room, ['by alice']);
    const joined = await joinRoom(await login('alice'), `${room}/al`);
    assert.equal(texts(joined), ['before', 'by bob', 'by alice']);
    const stamps = joined.history.map(stampOf);
    assert.equal(
      stamps,
      [...stamps].sort((a, b) => a - b),
    );
    for (const message of joined.history) {
      const delays = message.elements.filter((one) => one.name === 'delay');
      assert.equal(
        delays.map((one) => one.attrs.from),
        [room],
        message.print(),
      );
    }
  },
);

scenario(
  'J4',
  'what has no body and is history for the room is so for each session, and nothing else is',
  async ({ room, login, direct, server }) => {
    const bob = await direct('bob');
    await createRoom(bob, `${room}/bo`);
    const mark = async (id: string) => {
      bob.send(
        `<message type='groupchat' to='${room}' id='${id}'><displayed xmlns='urn:xmpp:chat-markers:0' id='x'/></message>`,
      );
      await bob.upTo(`<message type='groupchat' id='${id}'/>`);
    };
    await speak(bob, room, ['one']);
    await mark('early');
    await speak(bob, room, ['two']);
    const phone = await login('alice');
    const witness = await joinRoom(await direct('carol'), `${room}/ca`);
    assert.equal(past(await joinRoom(phone, `${room}/al`)), past(witness));
    assert.equal(past(await joinRoom(await login('alice'), `${room}/al`)), past(witness));

    // What is said now is heard live. Only a mark of its archive tells what the room keeps.
    if (!server.features.mam) return;
    await mark('late');
    await speak(bob, room, ['three']);
    await phone.upTo(`<message type='groupchat' from='${room}/bo'><body>three</body></message>`);
    const later = await joinRoom(await direct('dave'), `${room}/da`);
    assert.equal(past(await joinRoom(await login('alice'), `${room}/al`)), past(later));
  },
);

scenario('J4', 'chat states, and messages that ask not to be kept, are no history', async (scene) => {
  const { room, login } = scene;
  const { bob, phone } = await spokenRoom(scene, ['kept']);
  const state = "<composing xmlns='http://jabber.org/protocol/chatstates'/>";
  bob.send(`<message type='groupchat' to='${room}' id='state'>${state}</message>`);
  bob.send(
    `<message type='groupchat' to='${room}' id='hint'><body>gone</body><no-store xmlns='urn:xmpp:hints'/></message>`,
  );
  await phone.upTo("<message type='groupchat' id='hint'/>");
  const joined = await joinRoom(await login('alice'), `${room}/al`);
  assert.equal(texts(joined), ['kept']);
});

scenario.run();
