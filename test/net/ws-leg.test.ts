import { once } from 'node:events';
import { request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { Socket } from 'node:net';
import { WebSocket, WebSocketServer } from 'ws';
import { Certificates } from '../../proxy/net/certificates.ts';
import { Dialer } from '../../proxy/net/dial.ts';
import { LegError } from '../../proxy/net/leg.ts';
import { type ListenWsOptions, listenWs } from '../../proxy/net/listen-ws.ts';
import { silentLog } from '../../proxy/ops/log.ts';
import { parseStanza } from '../../proxy/xml/stanza.ts';
import { assert, suite, type TestContext } from '../support/suite.ts';
import { Door, message, Owner, Signal, setup, temporaryFolder } from './harness.ts';

const OPEN = `<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='localhost' version='1.0'/>`;
const CLOSE = `<close xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>`;
const STREAMS = `xmlns:stream='http://etherx.jabber.org/streams'`;

const test = suite('net/ws-leg');

test('a stream is opened, carries one element a message, and is closed from our side', async (t) => {
  const { owner, client } = await wsPair(t);
  client.send(OPEN);
  await owner.saw('header');
  assert.is(owner.headers[0]?.attributes.get('to'), 'localhost');
  owner.leg.header({ from: `a'b`, version: '1.0', id: undefined });
  owner.leg.send('<stream:features/>');
  owner.leg.send(`<iq id='1'/>`);
  owner.leg.send(`<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>`);
  owner.leg.forward(parseStanza(`<message id='2'><body>é</body></message>`));
  owner.leg.end();
  await client.count(6);
  assert.equal(client.messages, [
    `<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' from='a&apos;b' version='1.0'/>`,
    `<stream:features xmlns='jabber:client' ${STREAMS}/>`,
    `<iq xmlns='jabber:client' id='1'/>`,
    `<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>`,
    `<message xmlns='jabber:client' id='2'><body>é</body></message>`,
    CLOSE,
  ]);
  client.send(CLOSE);
  await client.closing;
  assert.is(client.code, 1000);
  await owner.closing;
  assert.equal(owner.seen, ['header', 'end', 'closed']);
  assert.is(owner.closedWith, undefined);
});

test('the peer closes first, by <close/>', async (t) => {
  const { owner, client, counts } = await wsPair(t);
  owner.leg.header({ version: '1.0' });
  client.send(OPEN);
  client.send(`<iq xmlns='jabber:client' id='1'/>`);
  client.send(CLOSE);
  await client.closing;
  await owner.closing;
  assert.is(client.messages.at(-1), CLOSE);
  assert.is(client.code, 1000);
  assert.equal(owner.seen, ['header', `<iq xmlns='jabber:client' id='1'/>`, 'end', 'closed']);
  assert.is(counts.get('legs{accepted,websocket}'), 0);
});

test('a WebSocket that is closed, or cut, without <close/> gives closed without error; a reset gives its error', async (t) => {
  const closed = await wsPair(t);
  closed.client.socket.close(1001);
  await closed.owner.closing;
  assert.is(closed.owner.closedWith, undefined);

  const cut = await wsPair(t);
  cut.client.socket.terminate();
  await cut.owner.closing;
  assert.is(cut.owner.closedWith, undefined);

  const reset = await wsPair(t);
  reset.client.below.resetAndDestroy();
  await reset.owner.closing;
  assert.is(reset.owner.code, 'ECONNRESET');
});

test('messages of one chunk are held, released, and still come before closed', async (t) => {
  const { owner, client } = await wsPair(t);
  owner.onStanza = () => owner.leg.hold();
  client.below.cork();
  client.send(OPEN);
  for (const id of [1, 2, 3]) client.send(`<iq xmlns='jabber:client' id='${id}'/>`);
  client.socket.close();
  client.below.uncork();
  await owner.saw(`<iq xmlns='jabber:client' id='1'/>`);
  await client.closing;
  assert.equal(owner.seen, ['header', `<iq xmlns='jabber:client' id='1'/>`]);
  owner.onStanza = () => {};
  owner.leg.release();
  await owner.closing;
  assert.is(owner.seen.length, 5);
});

test('a stanza beyond the limit before authentication is answered with policy-violation and a close', async (t) => {
  const { owner, client, counts } = await wsPair(t, { preAuthStanzaBytes: 1_000 });
  client.send(OPEN);
  await owner.saw('header');
  owner.leg.header({ version: '1.0' });
  client.send(message(1, 2_000));
  await client.closing;
  assert.ok(client.messages[1]?.startsWith(`<stream:error xmlns='jabber:client' ${STREAMS}><policy-violation `));
  assert.ok(client.messages[1]?.includes('<stanza-too-big '));
  assert.is(client.messages[2], CLOSE);
  await owner.closing;
  assert.equal(owner.seen, ['header', 'violation', 'closed']);
  assert.is(counts.get('violations{policy-violation}'), 1);
});

test('a message beyond any limit is not read at all, and answered the same way with code 1009', async (t) => {
  const { owner, client, counts } = await wsPair(t, { stanzaBytes: 10_000 });
  client.send(OPEN);
  await owner.saw('header');
  client.send(message(1, 5_000_000));
  await client.closing;
  assert.ok(client.messages[0]?.startsWith('<open '));
  assert.ok(client.messages[1]?.includes('<policy-violation ') && client.messages[1].includes('<stanza-too-big '));
  assert.is(client.messages[2], CLOSE);
  assert.is(client.code, 1009);
  await owner.closing;
  assert.equal(owner.seen, ['header', 'violation', 'closed']);
  assert.is(counts.get('violations{policy-violation}'), 1);
});

test('a binary message closes the WebSocket with 1003', async (t) => {
  const { owner, client, counts } = await wsPair(t);
  client.send(OPEN);
  client.socket.send(Buffer.from('<iq/>'));
  await client.closing;
  assert.is(client.code, 1003);
  await owner.closing;
  assert.is(owner.code, 'BINARY_FRAME');
  assert.is(counts.get('violations{binary-frame}'), 1);
});

test('a breach of RFC 6455 closes the WebSocket with 1002', async (t) => {
  const { owner, client, counts } = await wsPair(t);
  client.below.write(Buffer.from([0xf1, 0x80, 0, 0, 0, 0]));
  await client.closing;
  assert.is(client.code, 1002);
  await owner.closing;
  assert.is(counts.get('violations{websocket-protocol}'), 1);
  assert.ok(owner.closedWith);
});

test('bad XML, and invalid UTF-8, end the stream with not-well-formed', async (t) => {
  for (const bad of [Buffer.from('<a></b>'), Buffer.from([0x3c, 0x61, 0x3e, 0xff, 0x3c, 0x2f, 0x61, 0x3e])]) {
    const { owner, client } = await wsPair(t);
    client.send(OPEN);
    client.socket.send(bad, { binary: false });
    await client.closing;
    assert.ok(client.messages[1]?.includes('<not-well-formed '));
    await owner.closing;
  }
});

test('STARTTLS does not exist on a WebSocket', async (t) => {
  const { owner } = await wsPair(t);
  let error: unknown;
  await owner.leg.startTls().catch((caught: unknown) => {
    error = caught;
  });
  assert.ok(error instanceof LegError && error.code === 'TLS');
});

test('a peer that does not read makes the leg congested, and drain comes when it reads', async (t) => {
  const { owner, client } = await wsPair(t, { outboxBytes: 64 * 1_048_576 });
  client.socket.pause();
  owner.leg.header({ version: '1.0' });
  let sent = 0;
  while (!owner.leg.congested) {
    for (let n = 0; n < 16; n++) owner.leg.send(message(sent++, 4_000));
    await new Promise(setImmediate);
  }
  assert.is(owner.drains, 0);
  client.socket.resume();
  await owner.until(() => owner.drains > 0);
  assert.not(owner.leg.congested);
  await client.count(sent + 1);
  assert.ok(client.messages.every((text, index) => index === 0 || text.includes(` id='${index - 1}'`)));
});

test('a backlog beyond outboxBytes ends the leg, counted', async (t) => {
  const { owner, client, counts } = await wsPair(t, { outboxBytes: 300_000 });
  client.socket.pause();
  owner.leg.header({ version: '1.0' });
  while (!owner.isClosed) {
    for (let n = 0; n < 16; n++) owner.leg.send(message(n, 4_000));
    await new Promise(setImmediate);
  }
  assert.is(owner.code, 'OUTBOX_OVERFLOW');
  assert.is(counts.get('drops{outbox-overflow}'), 1);
});

test('a client that does not offer the subprotocol xmpp is refused with 400', async (t) => {
  const { port, counts, door } = await wsListener(t);
  assert.is(await refusal(port, '/xmpp-websocket', []), 400);
  assert.is(await refusal(port, '/xmpp-websocket', ['xmpp-framing']), 400);
  assert.is(await refusal(port, '/elsewhere', ['xmpp']), 404);
  assert.is(counts.get('refused{websocket,bad-subprotocol}'), 2);
  assert.is(counts.get('refused{websocket,bad-path}'), 1);
  assert.is(door.owners.length, 0);
});

test('xmpp is chosen among several subprotocols', async (t) => {
  const { port } = await wsListener(t);
  const socket = new WebSocket(`ws://127.0.0.1:${port}/xmpp-websocket?x=1`, ['chat', 'xmpp']);
  t.after(() => socket.terminate());
  await once(socket, 'open');
  assert.is(socket.protocol, 'xmpp');
});

test('host-meta and host-meta.json tell the endpoint to any origin', async (t) => {
  const { port } = await wsListener(t);
  const xml = await get(port, '/.well-known/host-meta', { host: 'chat.example.org' });
  assert.is(xml.status, 200);
  assert.is(xml.headers['access-control-allow-origin'], '*');
  assert.match(xml.headers['content-type'] ?? '', /^application\/xrd\+xml/);
  assert.ok(xml.body.includes(`rel='urn:xmpp:alt-connections:websocket'`));
  assert.ok(xml.body.includes(`href='ws://chat.example.org/xmpp-websocket'`));
  const json = await get(port, '/.well-known/host-meta.json', { host: `chat.example.org:${port}` });
  assert.is(json.headers['access-control-allow-origin'], '*');
  assert.equal(JSON.parse(json.body), {
    links: [{ rel: 'urn:xmpp:alt-connections:websocket', href: `ws://chat.example.org:${port}/xmpp-websocket` }],
  });
  assert.is((await get(port, '/.well-known/host-meta.json', {}, 'OPTIONS')).status, 204);
  assert.is((await get(port, '/.well-known/host-meta.json', {}, 'POST')).status, 405);
  assert.is((await get(port, '/.well-known/host-meta.json', {}, 'HEAD')).body, '');
});

test('host-meta believes X-Forwarded-Proto on a trusted listener only, and no Host header that is none', async (t) => {
  const headers = { host: `a'b`, 'x-forwarded-proto': 'https' };
  const stranger = await wsListener(t);
  const plain = await get(stranger.port, '/.well-known/host-meta', headers);
  assert.ok(plain.body.includes(`href='ws://localhost/xmpp-websocket'`));
  const trusted = await wsListener(t, {}, { trusted: true });
  const forwarded = await get(trusted.port, '/.well-known/host-meta', { ...headers, host: 'chat.example.org' });
  assert.ok(forwarded.body.includes(`href='wss://chat.example.org/xmpp-websocket'`));
  const fixed = await wsListener(t, {}, { url: 'wss://fixed.example/ws' });
  assert.ok((await get(fixed.port, '/.well-known/host-meta')).body.includes(`href='wss://fixed.example/ws'`));
});

test('other requests are turned away', async (t) => {
  const { port } = await wsListener(t);
  assert.is((await get(port, '/xmpp-websocket')).status, 426);
  assert.is((await get(port, '/')).status, 404);
});

test('wss, dialed and accepted: TLS, the certificate checked', async (t) => {
  const folder = await temporaryFolder(t);
  const hosts = { 'example.org': {} };
  const tls = await Certificates.load({ hosts, stateDirectory: folder, log: silentLog });
  const { port, door, context } = await wsListener(t, {}, { tls });
  const ca = `${folder}/self-signed/example.org.crt`;
  const upstream = { scheme: 'wss', host: '127.0.0.1', port, path: '/xmpp-websocket', verify: true, ca } as const;
  const dialed = new Owner(await new Dialer(context).dial(upstream, 'example.org'));
  t.after(() => dialed.leg.destroy());
  assert.ok(dialed.leg.encrypted);
  assert.is(dialed.leg.remoteAddress, '127.0.0.1');
  const accepted = await door.owner();
  assert.ok(accepted.leg.encrypted);
  dialed.leg.header({ to: 'example.org', version: '1.0' });
  await accepted.saw('header');
  accepted.leg.header({ from: 'example.org', version: '1.0' });
  accepted.leg.send('<iq/>');
  await dialed.saw(`<iq xmlns='jabber:client'/>`);
  dialed.leg.forward(parseStanza(`<iq id='up'/>`));
  await accepted.saw(`<iq xmlns='jabber:client' id='up'/>`);
  dialed.leg.end();
  await Promise.all([dialed.closing, accepted.closing]);
  assert.is(dialed.closedWith, undefined);
  assert.is(accepted.closedWith, undefined);

  const wrong = await new Dialer(context).dial(upstream, 'other.example').catch((error: unknown) => error);
  assert.is((wrong as { code?: string }).code, 'tls');
  assert.is((await get(port, '/.well-known/host-meta', { host: 'x.org' }, 'GET', true)).status, 200);
});

test('what is forwarded to a server is masked without touching the source', async (t) => {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1', handleProtocols: () => 'xmpp' });
  t.after(() => server.close());
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  const received = new Promise<string>((resolve) => {
    server.on('connection', (socket) => {
      t.after(() => socket.terminate());
      socket.once('message', (data) => resolve(String(data)));
    });
  });
  const { context } = setup();
  const upstream = { scheme: 'ws', host: '127.0.0.1', port, path: '/', verify: true } as const;
  const leg = await new Dialer(context).dial(upstream, 'localhost');
  t.after(() => leg.destroy());
  const stanza = parseStanza(`<iq xmlns='jabber:client' id='1'/>`);
  leg.forward(stanza);
  assert.is(await received, stanza.toString());
  assert.is(stanza.toString(), `<iq xmlns='jabber:client' id='1'/>`);
});

test.run();

async function wsListener(t: TestContext, limits = {}, options: Partial<ListenWsOptions> = {}) {
  const made = setup(limits);
  const door = new Door();
  const { context } = made;
  const path = '/xmpp-websocket';
  const listener = await listenWs({ host: '127.0.0.1', port: 0, path, context, accept: door.accept, ...options });
  t.after(() => listener.close());
  t.after(() => {
    for (const { leg } of door.owners) leg.destroy();
  });
  return { ...made, door, port: listener.port };
}

async function wsPair(t: TestContext, limits = {}) {
  const made = await wsListener(t, limits);
  const client = new Client(new WebSocket(`ws://127.0.0.1:${made.port}/xmpp-websocket`, 'xmpp'));
  t.after(() => client.socket.terminate());
  await once(client.socket, 'open');
  return { ...made, client, owner: await made.door.owner() };
}

class Client {
  readonly socket: WebSocket;
  readonly messages: string[] = [];
  code: number | undefined;
  below: Socket;
  readonly #signal = new Signal();

  constructor(socket: WebSocket) {
    this.socket = socket;
    this.below = undefined as unknown as Socket;
    socket.on('upgrade', (response) => {
      this.below = response.socket;
    });
    socket.on('message', (data) => {
      this.messages.push(String(data));
      this.#signal.changed();
    });
    socket.on('close', (code) => {
      this.code = code;
      this.#signal.changed();
    });
    socket.on('error', () => {});
  }

  send(text: string): void {
    this.socket.send(text);
  }

  count(messages: number): Promise<void> {
    return this.#signal.until(() => this.messages.length >= messages);
  }

  get closing(): Promise<void> {
    return this.#signal.until(() => this.code !== undefined);
  }
}

/** The HTTP status with which an upgrade is refused. */
function refusal(port: number, path: string, protocols: string[]): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`, protocols);
    socket.on('unexpected-response', (request, response) => {
      resolve(response.statusCode);
      request.destroy();
    });
    socket.on('open', () => reject(new Error('was accepted')));
    socket.on('error', () => {});
  });
}

interface Answer {
  readonly status: number | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

function get(port: number, path: string, headers = {}, method = 'GET', isTls = false): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const options = { host: '127.0.0.1', port, path, headers, method, agent: false as const };
    const request = isTls ? httpsRequest({ ...options, rejectUnauthorized: false }) : httpRequest(options);
    request.on('response', (response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        body += chunk;
      });
      response.on('end', () => resolve({ status: response.statusCode, headers: response.headers, body }));
    });
    request.on('error', reject);
    request.end();
  });
}
