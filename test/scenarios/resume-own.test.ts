/** Servers without XEP-0198 (S9): the proxy itself agrees to it, keeps the session of a client that drops, and lets it resume. */
import { type Breakable, breakable } from './support/breakable.ts';
import { befriend } from './support/contacts.ts';
import { Device, record } from './support/device.ts';
import { bodies, openDevice, type PlainServer, plainServer } from './support/plain-server.ts';
import {
  assert,
  type Client,
  converse,
  joinRoom,
  login,
  ns,
  type Scene,
  sayInRoom,
  scenarios,
} from './support/scenario.ts';
import { said, until, watch } from './support/witness.ts';

const scenario = scenarios('resume-own', { limitMs: 60_000, together: 2 });

/** A client of the role that has authenticated, and bound nothing. */
async function unbound(scene: Scene, { through }: PlainServer, role: string): Promise<Client> {
  const jid = await scene.jid(role);
  const user = jid.slice(0, jid.indexOf('@'));
  const { mechanism } = scene;
  return scene.adopt(
    await converse(through.target(scene.transport), `${user}/unbound`, (client) =>
      client.authenticate({ user, mechanism }),
    ),
  );
}

/** The condition with which a resumption fails. */
async function refusal(device: Device, { through }: PlainServer): Promise<string> {
  const target = through.target('tcp');
  return await device.resume({ target }).then(
    () => 'none: it was granted',
    (error: Error) => error.message,
  );
}

function untilHibernating({ through }: PlainServer, count = 1): Promise<void> {
  return until(
    'the session hibernates',
    () => through.log.filter((line) => line.includes('session hibernates')).length === count,
  );
}

/** Waits until the proxy has had `count` more stanzas for its clients than before `act`. */
async function arrived({ through }: PlainServer, count: number, act: () => void): Promise<void> {
  const { hot } = through.app.metrics;
  const wanted = hot.stanzasDown + count;
  act();
  await until('all has arrived at the proxy', () => hot.stanzasDown >= wanted);
}

const refused = `<failed xmlns='${ns.sm}'><item-not-found xmlns='${ns.stanzas}'/></failed>`;

scenario(
  'S9',
  'a client that is cut off resumes over either transport with all that came meanwhile, once and in order; nobody sees it go',
  async (scene) => {
    const { room } = scene;
    const ways: Breakable[] = [];
    const plain = await plainServer(scene, {
      upstream: async ({ ports }) => {
        const made = await breakable(ports.plain);
        scene.after(() => made.stop());
        ways.push(made);
        return made.upstream;
      },
    });
    const [way] = ways as [Breakable];
    const { through, direct } = plain;
    const witness = await watch(scene, { by: await direct('witness') });
    const bob = await direct('bob');
    const phone = await openDevice(scene, plain, 'phone');
    assert.ok(phone.client.features.child('sm', ns.sm));
    const own = way.made - 1;
    await befriend(phone.client, bob);
    await joinRoom(phone.client, `${room}/al`);
    const desk = await plain.login('al', { device: 'desk' });
    await joinRoom(desk, `${room}/al`);
    const byDesk = record(desk);
    await witness.sees();
    await bob.fence();
    const from = phone.heard.length;
    const inRoom: string[] = [];
    const chats: string[] = [];
    for (const [round, transport] of (['websocket', 'tcp', 'tcp', 'websocket'] as const).entries()) {
      if (round % 2 === 0) await phone.cut();
      else phone.client.stream.pause();
      if (round === 0) await untilHibernating(plain);
      inRoom.push(await witness.say(`theirs ${round}`));
      await arrived(plain, 2, () => {
        bob.send(`<message type='chat' id='chat${round}' to='${phone.jid}'><body>hi</body></message>`);
        bob.send(`<iq type='get' id='ping${round}' to='${phone.jid}'><ping xmlns='${ns.ping}'/></iq>`);
      });
      chats.push(`chat${round}`);
      await phone.resume({ target: through.target(transport), isTakeover: round % 2 === 1 });
      const chat = await phone.client.pick(`<message type='chat' id='chat${round}'/>`);
      assert.ok(chat.child('delay', 'urn:xmpp:delay'), chat.print());
      await phone.client.pick(`<iq type='get' id='ping${round}'/>`);
      phone.client.send(`<iq type='result' id='ping${round}' to='${bob.jid}'/>`);
      await bob.pick(`<iq type='result' id='ping${round}' from='${phone.jid}'/>`);
      const mine = sayInRoom(phone.client, room, `mine ${round}`);
      await desk.pick(said(room, 'al', mine));
      await phone.client.pick(said(room, 'al', mine));
      inRoom.push(mine);
    }
    await phone.client.fence({ room });
    assert.equal(bodies(phone.heard.slice(from), `${room}/`), inRoom, 'the phone in the room');
    assert.equal(bodies(phone.heard.slice(from), bob.jid), chats, 'the phone');
    assert.equal(bodies(byDesk, `${room}/`), inRoom, 'the desk');
    assert.equal(await witness.sees(), []);
    await bob.expectNothing();
    // Each resumption has had a connection of its own, which was closed in order before anything was said on it.
    const proofs = Array.from({ length: way.made }, (_, number) => way.said(number).up).filter(
      (up) => up.includes('<bind') && !up.includes('<resource'),
    );
    assert.is(proofs.length, 4);
    for (const up of proofs) {
      assert.not.match(up, '<presence');
      assert.match(up, '</stream:stream>');
    }
    assert.not.match(way.said(own).up, '</stream:stream>');
  },
);

scenario(
  'S9',
  "another account's session is refused; its stream can bind and be managed, and the owner's session is unharmed",
  async (scene) => {
    const plain = await plainServer(scene);
    const { room } = scene;
    const witness = await watch(scene, { by: await plain.direct('witness') });
    const phone = await openDevice(scene, plain, 'phone');
    await joinRoom(phone.client, `${room}/al`);
    await phone.cut();
    await untilHibernating(plain);
    const id = phone.client.sm?.id ?? '';
    await plain.direct('mallory');
    const mallory = await unbound(scene, plain, 'mallory');
    for (const [previd, h] of [
      ['nothing', 0],
      [id, 0],
      [id, phone.client.sm?.inbound ?? 0],
      [id, 4_000_000_000],
    ] as const) {
      mallory.stream.send(`<resume xmlns='${ns.sm}' previd='${previd}' h='${h}'/>`);
      await mallory.expect(refused);
    }
    await mallory.bind('mine');
    assert.is(mallory.bareJid, await scene.jid('mallory'));
    await mallory.available();
    assert.is((await mallory.enableSm()).name, 'enabled');
    const bob = await plain.direct('bob');
    bob.send(`<message type='chat' id='hers' to='${mallory.jid}'><body>hi</body></message>`);
    await mallory.pick("<message type='chat' id='hers'/>");
    const word = await witness.say('still there');
    await phone.resume({ target: plain.through.target(scene.transport) });
    await phone.client.pick(said(room, 'witness', word));
    assert.equal(
      mallory.stream.inbox.pending.filter((one) => one.from?.startsWith(phone.client.bareJid)).map(String),
      [],
    );
    assert.equal(await witness.sees(), ['+al']);
  },
);

scenario(
  'S9',
  'a client that does not ask for resumption is not kept, and what it has not acknowledged reaches its next session',
  async (scene) => {
    const plain = await plainServer(scene);
    const bob = await plain.direct('bob');
    const phone = new Device(scene, await plain.login('al', { device: 'phone' }));
    const enabled = await phone.client.enableSm('');
    assert.is(enabled.id, undefined);
    assert.is(enabled.attrs.resume, undefined);
    if (phone.client.sm) phone.client.sm.isAnswering = false;
    bob.send(`<message type='chat' id='unread' to='${phone.jid}'><body>hi</body></message>`);
    await phone.client.pick("<message type='chat' id='unread'/>");
    await phone.cut();
    await until('it has gone', () => plain.through.app.census().sessions === 0);
    const next = await plain.login('al', { device: 'phone' });
    const letter = await next.pick("<message type='chat' id='unread'/>");
    assert.ok(letter.child('delay', 'urn:xmpp:delay'), letter.print());
    await next.expectNothing();
  },
  { except: ['ownHibernation'] },
);

scenario(
  'S9',
  'its time over, its messages go to a sibling, else to the next session; who asks it something is refused',
  async (scene) => {
    const { room } = scene;
    const plain = await plainServer(scene, { config: { hibernation: { time: '1s' } } });
    const bob = await plain.direct('bob');
    const witness = await watch(scene, { by: await plain.direct('witness') });
    for (const isSiblingThere of [true, false]) {
      const phone = await openDevice(scene, plain, 'phone');
      await joinRoom(phone.client, `${room}/al`);
      const sibling = isSiblingThere ? await plain.login('al', { device: 'desk' }) : undefined;
      await phone.cut();
      const tag = `sibling-${isSiblingThere}`;
      bob.send(`<message type='chat' id='${tag}' to='${phone.jid}'><body>hi</body></message>`);
      bob.send(`<iq type='get' id='q-${tag}' to='${phone.jid}'><query xmlns='jabber:iq:version'/></iq>`);
      witness.client.send(`<message type='chat' id='pm-${tag}' to='${room}/al'><body>psst</body></message>`);
      await bob.pick(
        `<iq type='error' id='q-${tag}' from='${phone.jid}'><error><service-unavailable xmlns='${ns.stanzas}'/></error></iq>`,
        { limitMs: 10_000 },
      );
      assert.match(await refusal(phone, plain), 'item-not-found');
      const next = sibling ?? phone.client;
      if (!sibling) {
        await next.bind();
        await next.available();
      }
      // As long as the account stays in the room its private messages wait there, and come with the answer to the join.
      const { all } = await joinRoom(next, `${room}/al`);
      for (const one of all) if (one.type === 'chat') next.stream.inbox.add(one);
      for (const id of [tag, `pm-${tag}`]) {
        const letter = await next.pick(`<message type='chat' id='${id}' to='${next.jid}'/>`);
        assert.ok(letter.child('delay', 'urn:xmpp:delay'), letter.print());
      }
      await next.expectNothing({ room });
      await next.end();
      await phone.client.end();
      await until('all have gone', () => plain.through.app.census().sessions === 0);
    }
    await bob.expectNothing();
  },
  { except: ['ownHibernation'], config: { leave: { grace: '0' } } },
);

scenario(
  'S9',
  "the server's connection breaks while a session is kept: it is gone, and what had come for it reaches the next one",
  async (scene) => {
    const { room } = scene;
    const way = await breakable(scene.server.ports.plain);
    scene.after(() => way.stop());
    const plain = await plainServer(scene, { upstream: async () => way.upstream });
    const bob = await plain.direct('bob');
    const witness = await watch(scene, { by: await plain.direct('witness') });
    const phone = await openDevice(scene, plain, 'phone');
    const own = way.made - 1;
    await joinRoom(phone.client, `${room}/al`);
    await phone.cut();
    await untilHibernating(plain);
    await arrived(plain, 1, () =>
      bob.send(`<message type='chat' id='late' to='${phone.jid}'><body>hi</body></message>`),
    );
    const word = await witness.say('meanwhile');
    way.break(own);
    await until('it has gone', () => plain.through.app.census().sessions === 0);
    assert.match(await refusal(phone, plain), 'item-not-found');
    const { client } = phone;
    await client.bind('phone');
    await client.available();
    await client.pick(`<message type='chat' id='late' to='${client.jid}'/>`);
    const { history } = await joinRoom(client, `${room}/al`, { history: "maxstanzas='5'" });
    assert.ok(
      history.some(({ id }) => id === word),
      'the room has it',
    );
    assert.is((await client.enableSm()).name, 'enabled');
    const mine = sayInRoom(client, room, 'back');
    await witness.client.pick(said(room, 'al', mine));
  },
  { except: ['ownHibernation'] },
);

scenario(
  'S9',
  'a device that comes back without resuming gets what it had not acknowledged from its session before',
  async (scene) => {
    const plain = await plainServer(scene);
    const bob = await plain.direct('bob');
    const phone = await openDevice(scene, plain, 'phone');
    await phone.cut();
    await untilHibernating(plain);
    await arrived(plain, 2, () => {
      bob.send(`<message type='chat' id='one' to='${phone.jid}'><body>one</body></message>`);
      bob.send(`<message type='chat' id='two' to='${phone.jid}'><body>two</body></message>`);
    });
    const next = await plain.login('al', { device: 'phone' });
    for (const id of ['one', 'two']) {
      const letter = await next.expect(`<message type='chat' id='${id}' to='${next.jid}'/>`);
      assert.ok(letter.child('delay', 'urn:xmpp:delay'), letter.print());
    }
    await next.expectNothing();
    assert.is(plain.through.app.census().sessions, 1);
  },
  { except: ['ownHibernation'] },
);

scenario(
  'S9',
  'when the proxy stops, senders learn that a session which was kept has not got their messages',
  async (scene) => {
    const plain = await plainServer(scene);
    const bob = await plain.direct('bob');
    const phone = await openDevice(scene, plain, 'phone');
    await phone.cut();
    await untilHibernating(plain);
    await arrived(plain, 1, () =>
      bob.send(`<message type='chat' id='lost' to='${phone.jid}'><body>hi</body></message>`),
    );
    await plain.through.stop();
    await bob.pick(
      `<message type='error' id='lost' from='${phone.jid}'><error><recipient-unavailable xmlns='${ns.stanzas}'/></error></message>`,
    );
  },
  { except: ['ownHibernation'] },
);

scenario(
  'S9',
  'stream management is offered behind authentication only, and not on a legacy stream',
  async (scene) => {
    const target = scene.proxy.target(scene.transport);
    const jid = await scene.jid('al');
    const user = jid.slice(0, jid.indexOf('@'));
    const offered = (client: Client) =>
      client.features.elements.filter(({ name }) => name === 'sm').map((one) => one.ns);
    const seen: string[][] = [];
    const modern = scene.adopt(
      await converse(target, user, async (client) => {
        seen.push(offered(client));
        await client.authenticate({ user, mechanism: scene.mechanism });
        seen.push(offered(client));
      }),
    );
    assert.equal(seen.slice(-2), [[], ['urn:xmpp:sm:2', ns.sm]]);
    await modern.bind();
    const old = scene.adopt(await login(target, { user, mechanism: 'legacy', resource: 'old' }));
    assert.equal(offered(old), []);
    old.send(`<enable xmlns='${ns.sm}' resume='true'/>`);
    await old.expect(`<failed xmlns='${ns.sm}'><unexpected-request xmlns='${ns.stanzas}'/></failed>`);
    await old.ping();
  },
  { except: ['ownHibernation'] },
);

scenario.run();
