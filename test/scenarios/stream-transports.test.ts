/** Every kind of listener with every kind of upstream (S1, S2, S3): the stream of a client is the server's own. */
import { connect as connectTls } from 'node:tls';
import type { Access } from '../servers/index.ts';
import { ns } from '../support/element.ts';
import type { TestProxy } from '../support/proxy.ts';
import { createRoom, joinPresence, joinRoom } from '../support/room.ts';
import { accesses, assert, type Client, type Stage, stages } from './support/stage.ts';

const stage = stages('stream-transports', { limitMs: 60_000 });

/** Declared on the stream header of jabberd2 alone, and used in its features. */
const oldAcks = 'http://www.xmpp.org/extensions/xep-0198.html#ns';

/** ejabberd passes on elements with prefixes that it does not declare, whether the proxy is there or not. */
const keepsPrefixes = ['prosody', 'jabberd2'] as const;

for (const upstream of accesses) {
  stage('S1 S3', `every kind of listener works with an upstream by ${upstream}`, async (scene) => {
    const proxy = await proxyWithTls(scene, upstream);
    const bob = await scene.direct('bob');
    for (const access of accesses) {
      const alice = await scene.login(proxy.at(access), 'alice', { resource: access });
      assert.is(alice.jid, `${await scene.user('alice')}@localhost/${access}`, access);
      await talk(alice, bob, access);
      // All that a header declares must be known on the other leg too (jabberd2 leaves the feature out on WebSockets).
      if (scene.server.name === 'jabberd2' && !upstream.startsWith('ws')) {
        assert.ok(alice.features.child('ack', oldAcks), `${access}: the feature with the prefix of the stream header`);
      }
      assert.ok((await alice.end()).isClean, access);
    }
  });

  stage(
    'S3',
    `prefixes of a client's stream header keep their meaning with an upstream by ${upstream}`,
    async (scene) => {
      const proxy = await proxyWithTls(scene, upstream);
      const bob = await scene.direct('bob');
      for (const access of ['tcp', 'starttls', 'tls'] as const) {
        const alice = await scene.connect(proxy.at(access), (client) => loginWithPrefix(scene, client, 'alice'));
        alice.send(
          `<message type='chat' to='${bob.jid}' id='my-${access}'><my:tag my:how='so'>text</my:tag></message>`,
        );
        const message = await bob.expect(`<message type='chat' id='my-${access}' from='${alice.jid}'/>`);
        assert.is(message.child('tag', 'urn:example:mine')?.text, 'text');
        await alice.end();
      }
    },
    { on: keepsPrefixes },
  );
}

stage('M9a', 'a stanza whose prefixes the server has lost ends no stream, and arrives well-formed', async (scene) => {
  const room = scene.newRoom();
  const proxy = await proxyWithTls(scene);
  const witness = await scene.direct('witness');
  await createRoom(witness, `${room}/witness`);
  const clients = [await scene.login(proxy.at('tcp'), 'alice'), await scene.login(proxy.at('ws'), 'alice')];
  for (const client of clients) await joinRoom(client, `${room}/al`);
  const mallory = await scene.connect(scene.serverTarget('tcp'), (client) => loginWithPrefix(scene, client, 'mallory'));
  for (const client of clients) {
    mallory.send(`<message type='chat' to='${client.jid}' id='bad'><my:tag>text</my:tag></message>`);
    await client.pick(`<message type='chat' id='bad' from='${mallory.jid}'/>`);
  }
  // Last: the streams of those who are strict and without a proxy end with it, the sender's and the witness's.
  mallory.send(joinPresence(`${room}/mal`));
  mallory.send(`<message type='groupchat' to='${room}' id='worse'><body>hi</body><my:tag my:how='so'/></message>`);
  for (const client of clients) {
    await client.pick(
      `<message type='groupchat' id='worse' from='${room}/mal' to='${client.jid}'><body>hi</body></message>`,
    );
  }
  const late = await scene.login(proxy.at('ws'), 'alice');
  const { history } = await joinRoom(late, `${room}/al`);
  assert.equal(
    history.map((one) => one.id),
    ['worse'],
  );
});

stage('S1', 'direct TLS agrees on the protocol xmpp-client, and serves whoever names none', async (scene) => {
  const proxy = await proxyWithTls(scene);
  const { port } = proxy.at('tls');
  for (const wanted of [['xmpp-client'], []]) {
    const socket = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false, ALPNProtocols: wanted });
    scene.after(() => socket.destroy());
    await new Promise((resolve, reject) => socket.once('secureConnect', resolve).once('error', reject));
    assert.is(socket.alpnProtocol || undefined, wanted[0]);
    socket.write(`<stream:stream to='localhost' version='1.0' xmlns='${ns.client}' xmlns:stream='${ns.streams}'>`);
    const answer = await new Promise<Buffer>((resolve) => socket.once('data', resolve));
    assert.match(answer.toString(), /<stream:stream[^>]* from=['"]localhost['"]/);
  }
});

stage('S1', 'any number of listeners, of one kind too', async (scene) => {
  const open = { address: '127.0.0.1:0', tls: 'none', trusted: true };
  const kinds = ['tcp', 'websocket', 'tcp', 'websocket', 'tcp'];
  const proxy = await scene.proxy({ config: { listeners: kinds.map((kind) => ({ kind, ...open })) } });
  const ports = proxy.app.addresses.map((one) => one.port);
  assert.is(new Set(ports).size, kinds.length);
  const bob = await scene.direct('bob');
  for (const { kind, port } of proxy.app.addresses) {
    const alice = await scene.login({ access: kind === 'tcp' ? 'tcp' : 'ws', port }, 'alice');
    await talk(alice, bob, `${kind}-${port}`);
  }
});

stage('S2', 'the WebSocket is at the path of the configuration only, and host-meta tells it', async (scene) => {
  const listeners = [
    { kind: 'websocket', address: '127.0.0.1:0', tls: 'none', trusted: true },
    { kind: 'websocket', address: '127.0.0.1:0', tls: 'none', trusted: true, path: '/chat/ws' },
  ];
  const proxy = await scene.proxy({ config: { listeners } });
  for (const [index, path] of ['/xmpp-websocket', '/chat/ws'].entries()) {
    const port = proxy.app.addresses[index]?.port ?? 0;
    const json = await fetch(`http://127.0.0.1:${port}/.well-known/host-meta.json`);
    const { links } = (await json.json()) as { links: { rel: string; href: string }[] };
    const [link] = links.filter(({ rel }) => rel === 'urn:xmpp:alt-connections:websocket');
    assert.is(link?.href, `ws://127.0.0.1:${port}${path}`);
    const xml = await (await fetch(`http://127.0.0.1:${port}/.well-known/host-meta`)).text();
    assert.match(xml, `rel='urn:xmpp:alt-connections:websocket' href='${link?.href}'`);
    // What is told there works.
    const alice = await scene.login({ access: 'ws', port, path: new URL(link?.href ?? '').pathname }, 'alice');
    await alice.ping();
    const error = await scene.connect({ access: 'ws', port, path: '/elsewhere' }).catch((thrown: Error) => thrown);
    assert.match((error as Error).message, '404');
  }
});

stage.run();

function proxyWithTls({ proxy, server }: Stage, access: Access = 'tcp'): Promise<TestProxy> {
  return proxy({ access, certificate: server.certificate });
}

/** Logs in on a stream whose header declares the prefix `my`. */
async function loginWithPrefix(scene: Stage, client: Client, role: string): Promise<void> {
  const open = client.stream.open.bind(client.stream);
  client.stream.open = () => open({ 'xmlns:my': 'urn:example:mine' });
  await client.login({ user: await scene.user(role), presence: 0 });
}

/** A message each way, with what a relay might lose, and nothing beyond it. */
async function talk(alice: Client, bob: Client, id: string): Promise<void> {
  const text = `it's "5 &gt; 4" <![CDATA[<&>]]> \u{1f642}`;
  const meant = `it's "5 &gt; 4" &lt;&amp;&gt; \u{1f642}`;
  const odd = `<x xmlns='urn:example:odd' a='&#9;'><y xmlns=''/><z:z xmlns:z='urn:example:z'/></x>`;
  alice.send(`<message type='chat' to='${bob.jid}' id='a-${id}'><body>${text}</body>${odd}</message>`);
  const content = `<body>${meant}</body><x xmlns='urn:example:odd'><z xmlns='urn:example:z'/></x>`;
  await bob.expect(`<message type='chat' id='a-${id}' from='${alice.jid}' to='${bob.jid}'>${content}</message>`);
  bob.send(`<message type='chat' to='${alice.jid}' id='b-${id}'><body>${text}</body></message>`);
  await alice.expect(
    `<message type='chat' id='b-${id}' from='${bob.jid}' to='${alice.jid}'><body>${meant}</body></message>`,
  );
  await alice.expectNothing();
}
