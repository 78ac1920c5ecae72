/**
 * Servers without XEP-0198 and several nodes (S9): the session stays at the node that it dropped from, and its client resumes it through
 * whatever node it comes to; what it was owed when it does not outlives that node. `resume-cut` and its like show every step of a
 * conversation (test/over-nodes.ts).
 */
import { befriend } from './support/contacts.ts';
import { type Device, openDevice, record } from './support/device.ts';
import { kill, type Node, nodes, shared, startNode } from './support/nodes.ts';
import { bodies } from './support/plain-server.ts';
import { assert, joinPresence, joinRoom, ns, type Scene, sayInRoom, scenarios } from './support/scenario.ts';
import { said, until, watch } from './support/witness.ts';

const scenario = scenarios('resume-own-nodes', { limitMs: 60_000, except: ['ownHibernation'] });

function sessions(...all: readonly Node[]): number[] {
  return all.map(({ proxy }) => proxy.app.census().sessions);
}

/** What each node says to the server on connections of its own that clients were bound on for a proof. */
function proofs({ upstream }: Node): string[] {
  return Array.from({ length: upstream.made }, (_, number) => upstream.said(number).up).filter(
    (up) => up.includes('<bind') && !up.includes('<resource'),
  );
}

function refusal(device: Device, scene: Scene, { proxy }: Node): Promise<string> {
  return device.resume({ target: proxy.target(scene.transport) }).then(
    () => 'none: it was granted',
    (error: Error) => error.message,
  );
}

scenario(
  'S9',
  'a client resumes through another node, over either transport, asleep or not: everything comes once and in order; nobody sees it go',
  async (scene) => {
    const { room } = scene;
    const all = (await nodes(scene, 3)) as [Node, Node, Node];
    const [first, second, third] = all;
    const witness = await watch(scene);
    const bob = await scene.direct('bob');
    const phone = await openDevice(scene, 'al', { device: 'phone', through: first.proxy });
    await befriend(phone.client, bob);
    await joinRoom(phone.client, `${room}/al`);
    const desk = await scene.login('al', { device: 'desk', through: second.proxy });
    await joinRoom(desk, `${room}/al`);
    const byDesk = record(desk);
    await witness.sees();
    await bob.fence();
    const from = phone.heard.length;
    const [inRoom, chats, toBob] = [[] as string[], [] as string[], [] as string[]];
    const byBob = record(bob);
    for (const [round, { node, transport }] of (
      [
        { node: second, transport: 'websocket' },
        { node: third, transport: 'tcp' },
        { node: third, transport: 'websocket' },
        { node: first, transport: 'tcp' },
        { node: second, transport: 'tcp' },
      ] as const
    ).entries()) {
      const isTakeover = round % 2 === 1;
      // What it says before and hears no answer to is on its way.
      const early = sayInRoom(phone.client, room, `on its way ${round}`);
      if (isTakeover) phone.client.stream.pause();
      else await phone.cut();
      await witness.client.fence({ room });
      inRoom.push(await witness.say(`theirs ${round}`));
      bob.send(`<message type='chat' id='chat${round}' to='${phone.jid}'><body>hi</body></message>`);
      chats.push(`chat${round}`);
      bob.send(`<iq type='get' id='ping${round}' to='${phone.jid}'><ping xmlns='${ns.ping}'/></iq>`);
      await phone.resume({ target: node.proxy.target(transport), isTakeover });
      await phone.client.pick(`<message type='chat' id='chat${round}'/>`);
      await phone.client.pick(`<iq type='get' id='ping${round}'/>`);
      phone.client.send(`<iq type='result' id='ping${round}' to='${bob.jid}'/>`);
      await bob.pick(`<iq type='result' id='ping${round}' from='${phone.jid}'/>`);
      await desk.pick(said(room, 'al', early));
      const mine = sayInRoom(phone.client, room, `mine ${round}`);
      phone.client.send(`<message type='chat' id='mine${round}' to='${bob.jid}'><body>hi</body></message>`);
      toBob.push(`mine${round}`);
      await desk.pick(said(room, 'al', mine));
      await phone.client.pick(said(room, 'al', mine));
    }
    await phone.client.fence({ room });
    await desk.fence({ room });
    await bob.fence();
    const shown = bodies(byDesk, `${room}/`);
    assert.equal(bodies(phone.heard.slice(from), `${room}/`), shown, 'the phone in the room hears what the desk hears');
    assert.equal(bodies(byDesk, `${room}/witness`), inRoom, 'the desk');
    assert.is(shown.length, 15);
    assert.equal(bodies(phone.heard.slice(from), bob.jid), chats, 'the phone');
    assert.equal(bodies(byBob, phone.jid), toBob, 'the contact');
    assert.equal(await witness.sees(), []);
    assert.equal(byBob.filter(({ name }) => name === 'presence').map(String), [], 'its contact sees nothing');
    assert.equal(sessions(...all), [1, 1, 0], 'the session has stayed where it was');
    // Each node has had a connection for each proof, which was closed in order before anything was said on it.
    assert.equal(
      all.map((node) => proofs(node).length),
      [1, 2, 2],
    );
    for (const up of all.flatMap(proofs)) {
      assert.not.match(up, '<presence');
      assert.match(up, '</stream:stream>');
    }
    await phone.client.end();
    await until('it is gone, and so is all that it had elsewhere', () => sessions(...all).join() === '0,1,0');
    if (scene.carrier === 'account') return;
    await until('no connection stays', () => first.proxy.app.census().legs + third.proxy.app.census().legs === 0);
  },
);

scenario(
  'S9',
  "another account's session is nobody's to resume through another node; its stream can bind, and the session is unharmed",
  async (scene) => {
    const [first, second] = (await nodes(scene, 2)) as [Node, Node];
    const witness = await watch(scene);
    const phone = await openDevice(scene, 'al', { device: 'phone', through: first.proxy });
    await joinRoom(phone.client, `${scene.room}/al`);
    await phone.cut();
    const tries = async (previd: string) => {
      const thief = await openDevice(scene, 'mallory', { through: second.proxy });
      if (thief.client.sm) thief.client.sm.id = previd;
      assert.is(await refusal(thief, scene, second), 'item-not-found');
      return thief.client;
    };
    await tries('nobody-has-this');
    const thief = await tries(phone.client.sm?.id ?? '');
    await thief.bind('mine');
    await thief.available();
    assert.is((await thief.enableSm()).name, 'enabled');
    const word = await witness.say('still there');
    await phone.resume({ target: second.proxy.target(scene.transport) });
    await phone.client.pick(said(scene.room, 'witness', word));
    assert.equal(await witness.sees(), ['+al']);
  },
);

scenario(
  'S9',
  'the node that a client has come to stops: it is cut off without a word, and resumes through the next one',
  async (scene) => {
    const { room } = scene;
    const redis = await shared(scene);
    const first = await startNode(scene, redis);
    const second = await startNode(scene, redis);
    const witness = await watch(scene);
    const bob = await scene.direct('bob');
    const phone = await openDevice(scene, 'al', { device: 'phone', through: first.proxy });
    await joinRoom(phone.client, `${room}/al`);
    await phone.cut();
    await phone.resume({ target: second.proxy.target(scene.transport) });
    const from = phone.heard.length;
    phone.client.stream.pause();
    bob.send(`<message type='chat' id='on-its-way' to='${phone.jid}'><body>hi</body></message>`);
    await bob.fence();
    await second.proxy.app.stop();
    phone.client.stream.resume();
    const ending = await phone.client.closed;
    assert.equal([ending.error, ending.isClean], [undefined, false], 'its stream has not ended');
    bob.send(`<message type='chat' id='meanwhile' to='${phone.jid}'><body>hi</body></message>`);
    const word = await witness.say('meanwhile');
    await phone.resume({ target: first.proxy.target(scene.transport) });
    await phone.client.pick(said(room, 'witness', word));
    await phone.client.fence();
    assert.equal(bodies(phone.heard.slice(from), bob.jid), ['on-its-way', 'meanwhile']);
    assert.equal(await witness.sees(), ['+al']);
  },
);

for (const ends of ['stops', 'dies'] as const) {
  scenario(
    'S9',
    `the node that has a session ${ends} while its client is at another one: the client hears of it and begins anew, and nothing acknowledged is lost`,
    async (scene) => {
      const { room } = scene;
      const [first, second] = (await nodes(scene, 2)) as [Node, Node];
      const witness = await watch(scene);
      const bob = await scene.direct('bob');
      const phone = await openDevice(scene, 'al', { device: 'phone', through: first.proxy });
      await joinRoom(phone.client, `${room}/al`);
      await phone.cut();
      await phone.resume({ target: second.proxy.target(scene.transport) });
      const mine = sayInRoom(phone.client, room, 'acknowledged');
      phone.client.send(`<message type='chat' id='acknowledged' to='${bob.jid}'><body>hi</body></message>`);
      await until('it is acknowledged', async () => {
        await phone.client.ping();
        phone.client.stream.send(`<r xmlns='${ns.sm}'/>`);
        return !phone.unacknowledged.some((xml) => xml.includes('acknowledged'));
      });
      if (ends === 'dies') await kill(first, []);
      else await first.proxy.app.stop();
      await phone.client.closed;
      await witness.client.pick(said(room, 'al', mine));
      await bob.pick("<message type='chat' id='acknowledged'/>");
      assert.is(await refusal(phone, scene, second), 'item-not-found');
      await phone.client.bind('resumed');
      phone.client.send('<presence/>');
      phone.client.send(joinPresence(`${room}/al`));
      await phone.client.upTo(`<message type='groupchat' from='{any}'><subject/></message>`);
      const word = await witness.say('to the new session');
      await phone.client.pick(said(room, 'witness', word));
    },
  );
}

scenario(
  'S9',
  'a client at another node that takes nothing slows its server down and nobody else; it gets all over another connection, and is heard in order',
  async (scene) => {
    const { room } = scene;
    const all = (await nodes(scene, 2)) as [Node, Node];
    const [first, second] = all;
    const bob = await scene.direct('bob');
    const phone = await openDevice(scene, 'al', { device: 'phone', through: first.proxy });
    const desk = await scene.login('al', { device: 'desk', through: first.proxy });
    await joinRoom(desk, `${room}/al`);
    await phone.cut();
    await phone.resume({ target: second.proxy.target(scene.transport) });
    const from = phone.heard.length;
    phone.client.stream.pause();
    const ids: string[] = [];
    // More than may wait for a client that is there.
    for (let count = 0; count < 240; count += 1) {
      ids.push(`m${count}`);
      bob.send(`<message type='chat' id='m${count}' to='${phone.jid}'><body>${'x'.repeat(50_000)}</body></message>`);
      if (count % 10 === 9) await bob.fence();
    }
    const mine = sayInRoom(desk, room, 'at once');
    await desk.pick(said(room, 'al', mine));
    await phone.resume({ target: second.proxy.target('tcp'), isTakeover: true });
    await phone.client.pick("<message type='chat' id='m239'/>", { limitMs: 20_000 });
    await phone.client.fence();
    assert.equal(bodies(phone.heard.slice(from), bob.jid), ids);
    const byBob = record(bob);
    const own = Array.from({ length: 200 }, (_, index) => `n${index}`);
    for (const id of own) {
      phone.client.send(`<message type='chat' id='${id}' to='${bob.jid}'><body>${'x'.repeat(4000)}</body></message>`);
    }
    await bob.pick("<message type='chat' id='n199'/>", { limitMs: 20_000 });
    assert.equal(bodies(byBob, phone.jid), own);
    assert.equal(sessions(...all), [2, 0]);
  },
);

scenario(
  'S9',
  'what had come for a session that was not resumed outlives its node: the account has it with its next one',
  async (scene) => {
    const redis = await shared(scene);
    const short = { hibernation: { time: '1s' } };
    const first = await startNode(scene, redis, short);
    const second = await startNode(scene, redis, short);
    const bob = await scene.direct('bob');
    const phone = await openDevice(scene, 'al', { device: 'phone', through: first.proxy });
    await phone.cut();
    for (const id of ['one', 'two']) {
      bob.send(`<message type='chat' id='${id}' to='${phone.jid}'><body>hi</body></message>`);
    }
    await bob.fence();
    await until('its time is over', () => sessions(first)[0] === 0);
    await until('they are in the store', async () => (await redis.cli('keys', '*letters*')).includes('letters'));
    await kill(first, []);
    const next = await scene.login('al', { device: 'phone', through: second.proxy });
    for (const id of ['one', 'two']) {
      const letter = await next.pick(`<message type='chat' id='${id}' to='${next.jid}'/>`, { limitMs: 10_000 });
      assert.ok(letter.child('delay', 'urn:xmpp:delay'), letter.print());
    }
    await next.expectNothing();
  },
);

scenario.run();
