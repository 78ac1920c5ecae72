/** Acknowledgements, refusals and ends of managed streams (S9, S10, X3). */
import { breakable } from './support/breakable.ts';
import { befriend } from './support/contacts.ts';
import { Device, openDevice } from './support/device.ts';
import { assert, type Client, converse, joinRoom, ns, type Scene, sayInRoom, scenarios } from './support/scenario.ts';
import { said, until, watch } from './support/witness.ts';

const scenario = scenarios('resume-ends', { limitMs: 40_000, together: 2 });

/** The client asks until everything that it has sent is acknowledged. */
async function untilAcknowledged(device: Device): Promise<void> {
  await until('all is acknowledged', async () => {
    device.client.send(`<r xmlns='${ns.sm}'/>`);
    await device.client.ping();
    // The ping itself may be on its way.
    return device.unacknowledged.length <= 1;
  });
  await until('the last one is', () => {
    device.client.send(`<r xmlns='${ns.sm}'/>`);
    return device.unacknowledged.length === 0;
  });
}

/** How many stanzas stand in a stream's text behind `<enabled/>`. */
function stanzasIn(text: string): number {
  const behind = text.slice(text.search(/<enabled[^>]*>/));
  return behind.match(/<(message|presence|iq)[\s/>]/g)?.length ?? 0;
}

scenario(
  'S9',
  'every <r/> is answered at once on both legs, and h is exact whatever was swallowed or added',
  async (scene) => {
    const { room } = scene;
    const way = await breakable(scene.server.ports.plain);
    scene.after(() => way.stop());
    const through = await scene.startProxy({}, { access: 'tcp', upstream: way.upstream });
    const witness = await watch(scene);
    const device = await openDevice(scene, 'al', { through });
    const own = way.made - 1;
    const sibling = await scene.login('al', { device: 'sibling', through });
    await joinRoom(sibling, `${room}/al`);
    await joinRoom(device.client, `${room}/al`);
    for (let count = 0; count < 30; count += 1) {
      sayInRoom(device.client, room, `mine ${count}`);
      sayInRoom(sibling, room, `sibling's ${count}`);
      sayInRoom(witness.client, room, `theirs ${count}`);
      device.client.send(`<r xmlns='${ns.sm}'/>`);
    }
    await device.client.iq(`<iq type='get' to='${room}'><query xmlns='${ns.discoInfo}'/></iq>`);
    await device.client.iqError(`<iq type='get' to='nobody@localhost/none'><ping xmlns='${ns.ping}'/></iq>`);
    await joinRoom(device.client, `${room}/al`, { history: "maxstanzas='3'" });
    await device.client.fence({ room });
    await untilAcknowledged(device);
    const { up, down } = way.said(own);
    if (!scene.server.features.streamManagement) {
      assert.not.match(up + down, /urn:xmpp:sm/, 'the server hears nothing of it');
      return;
    }
    // The server's side: each of its requests has an answer, and the last one covers all that it has sent.
    await until('the server has all acknowledged', async () => {
      const { up, down } = way.said(own);
      const requests = down.match(/<r\s[^>]*urn:xmpp:sm/g)?.length ?? 0;
      const answers = [...up.matchAll(/<a\s[^>]*h='(\d+)'/g)].map(([, h]) => Number(h));
      assert.ok(
        answers.every((h, index) => index === 0 || h >= (answers[index - 1] as number)),
        'h never falls',
      );
      if (answers.length >= requests && answers.at(-1) === stanzasIn(down)) return true;
      await device.client.ping();
      return false;
    });
  },
);

scenario(
  'S9',
  'what has not reached the server is not acknowledged, though <r/> is answered; lost on its way, it arrives once',
  async (scene) => {
    const way = await breakable(scene.server.ports.plain);
    scene.after(() => way.stop());
    const through = await scene.startProxy({}, { access: 'tcp', upstream: way.upstream });
    const bob = await scene.direct('bob');
    const device = await openDevice(scene, 'al', { through });
    const own = way.made - 1;
    await untilAcknowledged(device);
    // Its earlier requests are answered.
    await device.client.ping();
    way.mute(own);
    device.client.send(`<message type='chat' id='lost' to='${bob.jid}'><body>are you there?</body></message>`);
    const answers = () =>
      device.client.log.filter(({ direction, text }) => direction === 'in' && /^<a\s/.test(text)).length;
    const before = answers();
    device.client.send(`<r xmlns='${ns.sm}'/>`);
    await until('<r/> is answered', () => answers() > before);
    assert.match(device.unacknowledged.at(-1) ?? '', / id='lost'/);
    way.break(own);
    await device.client.closed;
    await device.resume({ target: through.target(scene.transport) });
    await bob.expect(`<message type='chat' id='lost' from='${device.jid}'/>`);
    await bob.expectNothing();
    await untilAcknowledged(device);
  },
  { except: ['streamManagement'] },
);

scenario('S9', 'a resumption takes over from a connection that still lives, with every stanza once', async (scene) => {
  const { room } = scene;
  const witness = await watch(scene);
  const device = await openDevice(scene, 'al');
  await joinRoom(device.client, `${room}/al`);
  await witness.sees();
  const ids: string[] = [];
  for (const transport of ['websocket', 'tcp', 'tcp', 'websocket'] as const) {
    const old = device.client;
    old.stream.pause();
    ids.push(await witness.say(`before ${transport}`));
    const mine = sayInRoom(old, room, `mine ${transport}`);
    await witness.client.pick(said(room, 'al', mine));
    await device.resume({ transport, isTakeover: true });
    old.stream.resume();
    ids.push(mine, await witness.say(`after ${transport}`));
    assert.is((await old.closed).error, undefined);
    await device.client.pick(said(room, 'witness', ids.at(-1) as string));
  }
  await device.client.fence({ room });
  assert.equal(
    device.messages((one) => one.from?.startsWith(`${room}/`) === true && !!one.child('body')).map((one) => one.id),
    ids,
  );
  assert.equal(await witness.sees(), []);
});

/** The condition with which a resumption fails. */
async function refusal(device: Device): Promise<string> {
  const refused = await device.resume().then(
    () => undefined,
    (error: Error) => error.message,
  );
  return refused ?? 'none: it was granted';
}

/** A client of the role that has authenticated, and bound nothing. */
async function unbound(scene: Scene, role: string): Promise<Client> {
  const jid = await scene.jid(role);
  const user = jid.slice(0, jid.indexOf('@'));
  return scene.adopt(
    await converse(scene.proxy.target(scene.transport), `${user}/unbound`, (client) =>
      client.authenticate({ user, mechanism: scene.mechanism }),
    ),
  );
}

scenario(
  'S9',
  "an unknown session, and another account's, is refused; the stream can bind, and the owner's session is unharmed",
  async (scene) => {
    const { room } = scene;
    const witness = await watch(scene);
    const device = await openDevice(scene, 'al');
    await joinRoom(device.client, `${room}/al`);
    await witness.sees();
    const mallory = await unbound(scene, 'mallory');
    const id = device.client.sm?.id ?? '';
    for (const [previd, h] of [
      ['nothing', 0],
      [id, 0],
      [id, 4_000_000_000],
    ] as const) {
      mallory.stream.send(`<resume xmlns='${ns.sm}' previd='${previd}' h='${h}'/>`);
      await mallory.expect(`<failed xmlns='${ns.sm}'><item-not-found xmlns='${ns.stanzas}'/></failed>`);
    }
    for (const wrong of [`previd='${id}'`, `h='1'`, `previd='${id}' h='-1'`]) {
      mallory.stream.send(`<resume xmlns='${ns.sm}' ${wrong}/>`);
      assert.is((await mallory.expect((one) => one.ns === ns.sm)).name, 'failed');
    }
    await mallory.bind();
    await mallory.available();
    assert.is((await mallory.enableSm()).name, 'enabled');
    const word = await witness.say('still there');
    await device.client.pick(said(room, 'witness', word));
    await untilAcknowledged(device);
    await device.cut();
    await device.resume();
    const next = await witness.say('and again');
    await device.client.pick(said(room, 'witness', next));
    await device.client.expectNothing({ room });
    assert.equal(await witness.sees(), []);
    // An attempt that was refused changes nothing about how the session ends.
    const again = await unbound(scene, 'mallory');
    again.stream.send(`<resume xmlns='${ns.sm}' previd='${id}' h='${device.client.sm?.inbound}'/>`);
    await again.expect(`<failed xmlns='${ns.sm}'><item-not-found xmlns='${ns.stanzas}'/></failed>`);
    await scene.direct('al', { device: device.client.resource });
    assert.ok((await device.client.closed).error?.child('conflict'), 'the server has ended it');
    assert.equal(mallory.stream.inbox.pending.map(String), []);
  },
);

scenario(
  'S9',
  "once the server's time is over a resumption fails, and a bind on the same stream and a join begin anew",
  async (scene) => {
    const { room } = scene;
    const witness = await watch(scene);
    const bob = await scene.direct('bob');
    const device = new Device(scene, await scene.login('al', { device: 'phone' }));
    await befriend(device.client, bob);
    await device.client.enableSm("resume='true' max='2'");
    await joinRoom(device.client, `${room}/al`);
    assert.equal(await witness.sees(), ['+al']);
    await device.cut();
    bob.send(`<message type='chat' id='late' to='${await scene.jid('al')}'><body>are you there?</body></message>`);
    await bob.pick(`<presence type='unavailable' from='${device.jid}'/>`, { limitMs: 10_000 });
    assert.match(await refusal(device), 'item-not-found');
    const { client } = device;
    await client.bind('phone');
    await client.available();
    await client.pick(`<presence from='${bob.jid}'/>`);
    assert.is((await client.enableSm()).name, 'enabled');
    if (scene.server.features.mam) {
      // What was not acknowledged is where ejabberd has it without a proxy: in the archive.
      await client.iq(`<iq type='set'><query xmlns='urn:xmpp:mam:2'/></iq>`);
      const archived = await client.pick(`<message><result xmlns='urn:xmpp:mam:2'/></message>`);
      assert.match(archived.print(), 'are you there?');
    } else {
      await client.pick(`<message id='late' type='chat' to='${client.jid}'><delay xmlns='urn:xmpp:delay'/></message>`);
    }
    await joinRoom(client, `${room}/al`);
    const word = await witness.say('welcome back');
    await client.pick(said(room, 'witness', word));
    // COMPAT: jabberd2 tells all sessions what it tells an account stream that becomes available.
    await client.expectNothing({ room, except: [`<presence from='${bob.jid}'/>`] });
  },
  // A parked stream's account stays where it is, and its contacts see that (parking-sleep).
  { except: ['resumptionTime'], config: { parking: 'off' } },
);

scenario(
  'S9',
  "a session whose client does not come back is over behind the server's time for it",
  async (scene) => {
    const device = new Device(scene, await scene.login('al', { device: 'phone' }));
    await device.client.enableSm("resume='true' max='1'");
    await device.cut();
    const { app } = scene.proxy;
    await until('the session hibernates', () => scene.proxy.log.some((line) => line.includes('session hibernates')));
    assert.is(app.census().sessions, 1);
    await until('it is given up', () => app.census().sessions === 0 && app.census().accounts === 0, 10_000);
  },
  { except: ['resumptionTime'] },
);

// A session that is alone in its rooms may have to be parked, for which its stream goes on.
for (const [keeper, parking] of [
  ['the server keeps until it resumes', 'off'],
  ['hibernates and resumes', {}],
] as const) {
  scenario(
    'S9',
    `contacts see nothing of a session that ${keeper}, and what they write meanwhile comes once`,
    async (scene) => {
      const bob = await scene.direct('bob');
      const device = new Device(scene, await scene.login('al', { device: 'phone' }));
      await befriend(device.client, bob);
      await device.client.enableSm();
      await joinRoom(device.client, `${scene.room}/al`);
      for (let round = 0; round < 3; round += 1) {
        await device.cut();
        bob.send(`<message type='chat' id='full${round}' to='${device.jid}'><body>to the device</body></message>`);
        bob.send(
          `<message type='chat' id='bare${round}' to='${await scene.jid('al')}'><body>to the account</body></message>`,
        );
        await bob.fence();
        await device.resume();
        await device.client.pick(`<message type='chat' id='bare${round}'/>`);
        await device.client.fence();
        await bob.expectNothing();
      }
      const ids = device.messages((one) => one.type === 'chat').map((one) => one.id);
      assert.equal(ids, ['full0', 'bare0', 'full1', 'bare1', 'full2', 'bare2']);
    },
    { config: { parking } },
  );
}

scenario(
  'S10',
  'a client is active again when it resumes, and inactivity is not told to the server while its stream carries rooms',
  async (scene) => {
    const way = await breakable(scene.server.ports.plain);
    scene.after(() => way.stop());
    const through = await scene.startProxy({}, { access: 'tcp', upstream: way.upstream });
    const target = through.target(scene.transport);
    const device = await openDevice(scene, 'al', { through });
    const told = (): string[] => way.said(way.made - 1).up.match(/<(in)?active /g) ?? [];
    device.client.send("<inactive xmlns='urn:xmpp:csi:0'/>");
    await device.client.ping();
    assert.equal(told(), ['<inactive ']);
    await device.resume({ target });
    device.client.send("<inactive xmlns='urn:xmpp:csi:0'/>");
    await device.client.ping();
    assert.equal(told(), ['<inactive '], 'the server holds it for active');
    await device.resume({ target });
    const own = way.made - 1;
    await joinRoom(device.client, `${scene.room}/al`);
    device.client.send("<inactive xmlns='urn:xmpp:csi:0'/>");
    await device.client.ping();
    const carries = scene.carrier === 'borrowed';
    assert.equal(way.said(own).up.match(/<(in)?active /g) ?? [], carries ? [] : ['<inactive ']);
  },
  { except: ['clientState'] },
);

scenario(
  'X3',
  'a client that never acknowledges, and a phone that has vanished, are given up before they cost much; siblings go on',
  async (scene) => {
    const { room } = scene;
    const witness = await watch(scene);
    const sibling = await scene.login('al', { device: 'sibling' });
    await joinRoom(sibling, `${room}/al`);
    const vanished = await openDevice(scene, 'al');
    await joinRoom(vanished.client, `${room}/al`);
    const mute = await openDevice(scene, 'al');
    await joinRoom(mute.client, `${room}/al`);
    if (mute.client.sm) mute.client.sm.isAnswering = false;
    await vanished.cut();
    await witness.sees();
    const body = 'x'.repeat(60_000);
    let heard = 0;
    // Where the proxy keeps all that is for a client, one that is there may have more on its way.
    const most = scene.server.features.streamManagement ? 40 : 145;
    for (let count = 0; count < most; count += 1) {
      const id = sayInRoom(witness.client, room, body);
      await witness.client.pick(said(room, 'witness', id));
      await sibling.pick(said(room, 'witness', id));
      heard += 1;
    }
    assert.is(heard, most);
    const { error } = await mute.client.closed;
    assert.ok(error?.child('policy-violation'), error?.print());
    assert.match(await refusal(vanished), 'item-not-found');
    assert.equal(await witness.sees(), []);
    await sibling.expectNothing({ room });
  },
);

scenario(
  'S9',
  'a count that takes in what came before <enabled/> ends nothing; one of stanzas that never were does',
  async (scene) => {
    const client = await scene.login('alice');
    await client.enableSm();
    if (client.sm) client.sm.isAnswering = false;
    client.send("<a xmlns='urn:xmpp:sm:3' h='1'/>");
    await client.ping();
    client.send("<a xmlns='urn:xmpp:sm:3' h='5000'/>");
    const { error } = await client.closed;
    assert.ok(error?.child('handled-count-too-high'));
  },
);

scenario(
  'S9',
  "a session that the server has ended by a stream error is over, also when its client drops at once, and is nobody's place in a room",
  async (scene) => {
    const { room } = scene;
    const way = await breakable(scene.server.ports.plain);
    scene.after(() => way.stop());
    const through = await scene.startProxy({ leave: { grace: '0s' } }, { access: 'tcp', upstream: way.upstream });
    const witness = await watch(scene);
    const device = await openDevice(scene, 'al', { through });
    // COMPAT: ejabberd may leave it to the client to end the connection.
    way.leaveOpen(way.made - 1);
    const desk = await scene.login('al', { device: 'desk', through });
    await joinRoom(device.client, `${room}/al`);
    await joinRoom(desk, `${room}/al`);
    assert.equal(await witness.sees(), ['+al']);
    const { client } = device;
    const ended = new Promise<void>((resolve) => {
      client.stream.onError = resolve;
    });
    // Another client that asks for the resource is given it (RFC 6120 7.7.2.2).
    const jid = client.jid;
    await scene.direct('al', { device: jid.slice(jid.indexOf('/') + 1) });
    await ended;
    await client.drop();
    await until('the session is gone', () => through.app.census().sessions === 1);
    await desk.fence({ room });
    desk.send(`<presence type='unavailable' to='${room}'/>`);
    await witness.client.pick(`<presence type='unavailable' from='${room}/al'/>`);
  },
  { except: ['streamManagement'] },
);

scenario.run();
