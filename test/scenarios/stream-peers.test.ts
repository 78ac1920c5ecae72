/** Streams whose other end misbehaves (S8, S11), with servers and clients that real ones cannot be made to be. */
import { createServer } from 'node:net';
import { type Client, connect, type LoginOptions, login } from '../support/client.ts';
import { type FakePeer, type FakeServer, type FakeServerOptions, startFakeServer } from '../support/fake-server.ts';
import { type ConfigFile, startProxy, type TestProxy } from '../support/proxy.ts';
import { assert, suite, type TestContext } from '../support/suite.ts';
import { until } from './support/witness.ts';

const test = suite('stream-peers', { together: 4 });

const listeners = ['tcp', 'ws'] as const;
type Access = (typeof listeners)[number];

interface Play {
  proxy: TestProxy;
  server: FakeServer;
  /** A bound client, and its stream at the server. */
  bound(access: Access, options?: Partial<LoginOptions>): Promise<[Client, FakePeer]>;
}

async function play({ after }: TestContext, options: FakeServerOptions = {}, config: ConfigFile = {}): Promise<Play> {
  const server = await startFakeServer(options);
  after(() => server.stop());
  const proxy = await startProxy({ upstream: server.upstream, config });
  after(() => proxy.stop());
  return {
    proxy,
    server,
    bound: async (access, more) => {
      const client = await login(proxy.at(access), { user: 'alice', mechanism: 'X-TEST', ...more });
      after(() => client.end(500));
      return [client, await server.peer()];
    },
  };
}

/** What a client that never gets as far as features is told. */
async function refusal(proxy: TestProxy, access: Access): Promise<string> {
  const error = await connect(proxy.at(access)).catch((thrown: Error) => thrown);
  if (!(error instanceof Error)) throw new Error('the client was served');
  return error.message;
}

test("S8 a client's stream error, and its close, reach the server", async (context) => {
  const { bound } = await play(context);
  for (const access of listeners) {
    const [client, peer] = await bound(access);
    const stream = access === 'ws' ? ` xmlns:stream='http://etherx.jabber.org/streams'` : '';
    client.sendRaw(`<stream:error${stream}><reset xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>`);
    const ended = client.end();
    assert.ok((await peer.expect(`<error xmlns='http://etherx.jabber.org/streams'/>`)).child('reset'));
    assert.is(await peer.closed, true);
    assert.ok((await ended).isClean);
  }
});

test('S8 bad XML of a client ends its stream at the server with the same condition', async (context) => {
  const { bound } = await play(context);
  for (const access of listeners) {
    const [client, peer] = await bound(access);
    client.sendRaw(`<message xmlns='jabber:client' to='a' to='b'/>`);
    assert.ok((await client.closed).error?.child('not-well-formed'), access);
    assert.ok((await peer.expect(`<error xmlns='http://etherx.jabber.org/streams'/>`)).child('not-well-formed'));
    assert.is(await peer.closed, true);
    assert.not.match(peer.text, "to='a'");
  }
});

test("S8 a server's stream error reaches the client as it is, its application-specific part too", async (context) => {
  const { bound } = await play(context);
  for (const access of listeners) {
    const [client, peer] = await bound(access);
    peer.fail(
      'policy-violation',
      `<text xmlns='urn:ietf:params:xml:ns:xmpp-streams'>no</text><own xmlns='urn:example'/>`,
    );
    const { error, isClean } = await client.closed;
    assert.ok(error?.child('policy-violation'));
    assert.is(error?.child('text')?.text, 'no');
    assert.ok(error?.child('own', 'urn:example'));
    assert.ok(isClean);
  }
});

test("S8 a server that closes its stream closes the client's; one that breaks off leaves it broken off", async (context) => {
  const { bound } = await play(context);
  for (const access of listeners) {
    const [client, peer] = await bound(access);
    peer.end();
    assert.equal(await client.closed.then(({ isClean, error }) => [isClean, error]), [true, undefined], access);
    for (const way of ['drop', 'fin'] as const) {
      const [other, itsPeer] = await bound(access);
      itsPeer[way]();
      // Without a closing tag, so that a client that can resume does so.
      assert.equal(await other.closed.then(({ isClean, error }) => [isClean, error]), [false, undefined], access);
    }
  }
});

test('S8 bad XML of a server is answered, and the client is not left hanging', async (context) => {
  const { bound } = await play(context);
  for (const access of listeners) {
    const [client, peer] = await bound(access);
    peer.send('<message><body></message>');
    const ending = await client.closed;
    assert.is(ending.isClean, false);
    assert.ok((await peer.expect(`<error xmlns='http://etherx.jabber.org/streams'/>`)).child('not-well-formed'));
  }
});

test('S8 with the server unreachable the client gets remote-connection-failed at once', async (context) => {
  const { proxy, server } = await play(context);
  await server.stop();
  for (const access of listeners) assert.match(await refusal(proxy, access), 'remote-connection-failed');
});

test('S8 a server that accepts and never answers, at any step, ends in remote-connection-failed in time', async (context) => {
  const { after } = context;
  // A connection that nothing is ever read from, a web server that is none, and XMPP servers that stop half-way.
  const deaf = createServer((socket) => void socket.on('error', () => {}).pause());
  await new Promise<void>((resolve) => deaf.listen(0, '127.0.0.1', resolve));
  after(() => deaf.close());
  const port = (deaf.address() as { port: number }).port;
  const schemes = ['xmpp', 'xmpp+starttls', 'xmpps', 'ws', 'wss'];
  const limits = { 'handshake-time': '300ms' };
  for (const scheme of schemes) {
    const proxy = await startProxy({ upstream: `${scheme}://127.0.0.1:${port}`, config: { limits } });
    after(() => proxy.stop());
    for (const access of listeners) {
      const from = performance.now();
      assert.match(await refusal(proxy, access), 'remote-connection-failed', scheme);
      assert.ok(performance.now() - from < 3_000, scheme);
    }
  }
  const { proxy } = await play(context, { upTo: 'nothing' }, { limits });
  for (const access of listeners) assert.match(await refusal(proxy, access), 'remote-connection-failed');
});

test('S8 a server that falls silent behind the features is waited for as long as authentication may take', async (context) => {
  const { proxy } = await play(
    context,
    { upTo: 'login', answer: (element) => (element.name === 'auth' ? '' : undefined) },
    { limits: { 'auth-time': '1s', 'handshake-time': '200ms' } },
  );
  for (const access of listeners) {
    const client = await connect(proxy.at(access));
    client.send(`<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>AGFsaWNlAGFsaWNl</auth>`);
    const { error, isClean } = await client.closed;
    assert.ok(error?.child('connection-timeout'), access);
    assert.ok(isClean);
  }
});

test("S11 spaces between stanzas are nobody's business, and reach nobody as stanzas", async (context) => {
  const { bound } = await play(context);
  const [client, peer] = await bound('tcp');
  for (const space of [' ', '\n', '\r\n\t ', ' '.repeat(10_000)]) {
    client.sendRaw(space);
    peer.send(space);
    client.send(`<message to='bob@localhost' id='m'/>`);
    await peer.expect(`<message to='bob@localhost' id='m'/>`);
    peer.send(`<message from='bob@localhost' id='n'/>`);
    await client.expect(`<message from='bob@localhost' id='n'/>`);
  }
});

test('S11 after a silence the proxy shows both sides that it lives', async (context) => {
  const { bound } = await play(context, {}, { limits: { ping: '1s', idle: '2s' } });
  const [client, peer] = await bound('tcp');
  const seen = client.log.length;
  const heard = peer.received.length;
  await until('a space has come to the client', () => client.log.slice(seen).some(({ text }) => text === ' '));
  await until('a space has come to the server', () => peer.received.slice(heard).some((one) => one.toString() === ' '));
  // Who is only silent stays.
  const [web] = await bound('ws');
  await new Promise((resolve) => setTimeout(resolve, 3_000));
  for (const one of [client, web]) {
    const id = one.id();
    one.send(`<iq type='get' id='${id}' to='localhost'><ping xmlns='urn:xmpp:ping'/></iq>`);
    await one.expect(`<iq type='result' id='${id}'/>`);
  }
});

test('S11 a WebSocket client that is dead is ended, and its session at the server with it', async (context) => {
  const { proxy, bound } = await play(context, {}, { limits: { ping: '1s', idle: '2s' } });
  const [client, peer] = await bound('ws');
  // Reads nothing any more, so answers no ping either.
  client.stream.pause();
  await peer.closed;
  await until('the session is over', () => proxy.app.census().sessions === 0);
  client.stream.resume();
  await client.closed;
});

test('S11 a client that takes nothing is ended, and its session at the server with it', async (context) => {
  const { proxy, bound } = await play(context, {}, { limits: { ping: '1s', idle: '2s', outbox: '64 MiB' } });
  for (const access of listeners) {
    const [client, peer] = await bound(access);
    client.stream.pause();
    const body = 'x'.repeat(100_000);
    for (let count = 0; count < 200; count++) peer.send(`<message from='bob@localhost'><body>${body}</body></message>`);
    await peer.closed;
    await until('the session is over', () => proxy.app.census().sessions === 0);
    client.stream.resume();
    await client.drop();
  }
});

test('S11 a server that takes nothing is ended, and its client told by a broken connection', async (context) => {
  const { proxy, bound } = await play(context, {}, { limits: { ping: '1s', idle: '2s', outbox: '64 MiB' } });
  for (const access of listeners) {
    const [client, peer] = await bound(access);
    peer.pause();
    const body = 'x'.repeat(100_000);
    for (let count = 0; count < 200; count++) {
      client.send(`<message to='bob@localhost'><body>${body}</body></message>`);
    }
    const { isClean } = await client.closed;
    assert.is(isClean, false);
    await until('the session is over', () => proxy.app.census().sessions === 0);
    peer.drop();
  }
});

test.run();
