/** Groupchat messages and subjects (M1, M2, M8). */
import {
  assert,
  type Client,
  type Element,
  type Joined,
  joinRoom,
  ns,
  type Scene,
  sayInRoom,
  scenarios,
} from './support/scenario.ts';
import { heardOnce, said, type Witness, watch } from './support/witness.ts';

const scenario = scenarios('groupchat', { together: 3, parked: { alice: 'al' } });

async function twoJoined(scene: Scene): Promise<{ witness: Witness; desk: Client; phone: Client }> {
  const witness = await watch(scene);
  const desk = await scene.login('alice', { device: 'desk' });
  const phone = await scene.login('alice', { device: 'phone' });
  await joinRoom(desk, `${scene.room}/al`);
  await joinRoom(phone, `${scene.room}/al`);
  await witness.sees();
  return { witness, desk, phone };
}

scenario(
  'M1',
  'a message arrives at each joined session once, in the order of the room, with all its content',
  async (scene) => {
    const { room } = scene;
    const { witness, desk, phone } = await twoJoined(scene);
    const ids: string[] = [];
    for (let index = 0; index < 20; index++) {
      ids.push(sayInRoom(witness.client, room, `to all ${index}`), sayInRoom(desk, room, `from desk ${index}`));
      ids.push(sayInRoom(phone, room, `from phone ${index}`));
    }
    // What each device has said has reached the room when its own fence is answered.
    const early = new Map([
      [desk, await desk.fence({ room })],
      [phone, await phone.fence({ room })],
    ]);
    const reference = (await witness.client.fence({ room })).map((one) => one.id);
    assert.equal([...reference].sort(), [...ids].sort());
    for (const client of [desk, phone]) {
      const all = [...(early.get(client) ?? []), ...(await client.fence({ room }))];
      const heard = all.filter((one) => one.name === 'message');
      assert.equal(
        heard.map((one) => one.id),
        reference,
      );
      assert.ok(heard.every((one) => one.to === client.jid));
    }
    witness.client.send(
      `<message type='groupchat' to='${room}' id='rich'><body>a &amp; b &lt;c&gt; \u{1f600}</body><html xmlns='http://jabber.org/protocol/xhtml-im'><body xmlns='http://www.w3.org/1999/xhtml'><p>a</p></body></html><x xmlns='urn:example:unknown' a='1'><y/></x></message>`,
    );
    for (const client of [desk, phone]) {
      await client.expect(
        `<message type='groupchat' from='${room}/witness' to='${client.jid}' id='rich'><body>a &amp; b &lt;c&gt; \u{1f600}</body><html xmlns='http://jabber.org/protocol/xhtml-im'><body xmlns='http://www.w3.org/1999/xhtml'><p>a</p></body></html><x xmlns='urn:example:unknown' a='1'><y/></x></message>`,
      );
      await client.expectNothing({ room });
    }
  },
);

scenario('M2', 'all joined sessions, the sender too, get the reflection with the id unchanged', async (scene) => {
  const { room } = scene;
  const { witness, desk, phone } = await twoJoined(scene);
  for (const sender of [desk, phone]) {
    const id = sayInRoom(sender, room, 'mine');
    await heardOnce([desk, phone], room, 'al', id);
    await witness.client.expect(said(room, 'al', id));
  }
  // Two sessions may use one id.
  sayInRoom(desk, room, 'one of two', 'same');
  sayInRoom(phone, room, 'two of two', 'same');
  for (const client of [desk, phone, witness.client]) {
    const bodies = ['one of two', 'two of two'].map(
      (body) => `${said(room, 'al', 'same').slice(0, -2)}><body>${body}</body></message>`,
    );
    await client.expectInAnyOrder(bodies);
    await client.expectNothing({ room });
  }
});

scenario('M2', 'an error to a message comes to its sender only, also where two sessions use one id', async (scene) => {
  const { room } = scene;
  const { witness, desk, phone } = await twoJoined(scene);
  const owner = `<iq type='set' to='${room}'><query xmlns='http://jabber.org/protocol/muc#owner'><x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'><value>http://jabber.org/protocol/muc#roomconfig</value></field><field var='muc#roomconfig_moderatedroom'><value>1</value></field></x></query></iq>`;
  await witness.client.iq(owner);
  await witness.client.iq(
    `<iq type='set' to='${room}'><query xmlns='http://jabber.org/protocol/muc#admin'><item nick='al' role='visitor'/></query></iq>`,
  );
  for (const client of [desk, phone]) await client.fence({ room });
  for (const sender of [desk, phone]) {
    const sibling = sender === desk ? phone : desk;
    const id = sayInRoom(sender, room, 'may I?');
    const error = await sender.expect(`<message type='error' id='${id}' from='${room}' to='${sender.jid}'/>`);
    assert.is(error.condition, 'forbidden');
    await sibling.expectNothing({ room });
  }
  sayInRoom(desk, room, 'may I?', 'same');
  sayInRoom(phone, room, 'may I?', 'same');
  for (const client of [desk, phone]) {
    await client.expect(`<message type='error' id='same' from='${room}' to='${client.jid}'/>`);
    await client.expectNothing({ room });
  }
});

scenario('M8', 'a subject reaches all joined sessions live, and later ones as the room had sent it', async (scene) => {
  const { room } = scene;
  const { witness, desk, phone } = await twoJoined(scene);
  const late = async (device: string) => joinRoom(await scene.login('alice', { device }), `${room}/al`);
  assert.is((await late('first')).subject?.child('subject')?.text, '');
  const change = (client: Client, text: string) =>
    client.send(`<message type='groupchat' to='${room}' id='${client.id()}'><subject>${text}</subject></message>`);
  change(witness.client, 'tea');
  for (const client of [desk, phone]) {
    const live = await client.expect(
      `<message type='groupchat' from='${room}/witness' to='${client.jid}'><subject>tea</subject></message>`,
    );
    assert.not.ok(live.child('delay'));
    await client.expectNothing({ room });
  }
  const replayed = (await late('second')).subject;
  assert.is(replayed?.from, `${room}/witness`);
  assert.is(replayed?.child('subject')?.text, 'tea');
  change(witness.client, '');
  for (const client of [desk, phone])
    await client.expect(`<message type='groupchat' from='${room}/witness'><subject/></message>`);
  const emptied = (await late('third')).subject;
  assert.is(emptied?.child('subject')?.text, '');
  assert.is(emptied?.from, `${room}/witness`);
});

/** A subject as it came, but for whose it is and the time. */
function written(subject: Element | undefined, to: string): string | undefined {
  return subject
    ?.print()
    .replace(to, '')
    .replace(/ stamp='[^']+'/, '')
    .replace(/ xml:lang='[^']+'/, '');
}

scenario(
  'M8',
  'a device that joins after a subject was set is given it as whoever joins then',
  async (scene) => {
    const { room } = scene;
    const { witness, desk } = await twoJoined(scene);
    for (const text of ['tea', '']) {
      witness.client.send(`<message type='groupchat' to='${room}' id='t'><subject>${text}</subject></message>`);
      await desk.upTo(`<message type='groupchat' from='${room}/witness'><subject>${text}</subject></message>`);
      const [newcomer, late] = [await scene.direct('bob'), await scene.login('alice')];
      const given = (await joinRoom(newcomer, `${room}/bob`)).subject;
      const replayed = (await joinRoom(late, `${room}/al`)).subject;
      assert.is(written(replayed, late.jid), written(given, newcomer.jid));
      const [at, wanted] = [replayed, given].map((one) => one?.child('delay', ns.delay)?.attrs.stamp ?? '');
      if (wanted) assert.ok(Math.abs(Date.parse(at ?? '') - Date.parse(wanted)) < 5000, `${at} ${wanted}`);
      await newcomer.end();
    }
  },
  { except: ['closingSubject'] },
);

scenario(
  'M8',
  'a message with a subject and a thread is a message like others, and leaves the subject as it was',
  async (scene) => {
    const { room } = scene;
    const { witness, desk } = await twoJoined(scene);
    const say = async (id: string, inner: string) => {
      witness.client.send(`<message type='groupchat' to='${room}' id='${id}'>${inner}</message>`);
      await desk.upTo(`<message type='groupchat' from='${room}/witness'>${inner}</message>`);
    };
    await say('first', '<subject>tea</subject>');
    await say('second', '<subject>lunch</subject><thread>t1</thread>');
    const [newcomer, late] = [await scene.direct('bob'), await scene.login('alice')];
    const given = await joinRoom(newcomer, `${room}/bob`);
    const replayed = await joinRoom(late, `${room}/al`);
    assert.is(written(replayed.subject, late.jid), written(given.subject, newcomer.jid));
    assert.is(replayed.subject?.child('subject')?.text, 'tea');
    const threads = ({ all }: Joined) => all.flatMap((one) => one.child('thread')?.text ?? []);
    assert.equal(threads(replayed), threads(given));
  },
  { except: ['closingSubject'] },
);

scenario('M8', 'a subject from before the join is replayed with its author and time', async (scene) => {
  const { room } = scene;
  const witness = await watch(scene);
  witness.client.send(`<message type='groupchat' to='${room}' id='topic'><subject>coffee</subject></message>`);
  await witness.client.fence({ room });
  const desk = await scene.login('alice', { device: 'desk' });
  const phone = await scene.login('alice', { device: 'phone' });
  const first = (await joinRoom(desk, `${room}/al`)).subject;
  const second = (await joinRoom(phone, `${room}/al`)).subject;
  for (const subject of [first, second]) {
    assert.is(subject?.child('subject')?.text, 'coffee');
    assert.is(subject?.from, `${room}/witness`);
  }
  assert.is(second?.child('delay')?.attrs.stamp, first?.child('delay')?.attrs.stamp);
  if (scene.server.name === 'prosody') assert.ok(first?.child('delay'));
});

scenario('M9', 'two accounts in one room never get what is meant for the other', async (scene) => {
  const { room } = scene;
  const { desk, phone } = await twoJoined(scene);
  const bob = await scene.login('bob', { device: 'desk' });
  const bobPhone = await scene.login('bob', { device: 'phone' });
  await joinRoom(bob, `${room}/bob`);
  await joinRoom(bobPhone, `${room}/bob`);
  for (const client of [desk, phone]) await client.fence({ room });
  const id = sayInRoom(bob, room, 'hello', 'same');
  await heardOnce([desk, phone, bob, bobPhone], room, 'bob', id);
  bob.send(`<message type='chat' to='${room}/al' id='secret'><body>psst</body></message>`);
  for (const client of [desk, phone])
    await client.expect(`<message type='chat' id='secret' from='${room}/bob' to='${client.jid}'/>`);
  await bobPhone.expectNothing({ room });
  const query = `<iq type='get' id='q' to='${room}'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>`;
  const answers = await Promise.all([desk, phone, bob, bobPhone].map((client) => client.iq(query)));
  assert.equal(
    answers.map((one) => one.to),
    [desk.jid, phone.jid, bob.jid, bobPhone.jid],
  );
  for (const client of [desk, phone, bob, bobPhone]) {
    await client.expectNothing({ room });
    for (const { text, direction } of client.log) {
      const stranger = client.bareJid === desk.bareJid ? bob : desk;
      if (direction === 'in') assert.not.match(text, `to='${stranger.bareJid}`);
    }
  }
});

scenario.run();
