/** Listeners behind balancers: what is believed, from whom, and what becomes of the rest (S4). */
import { once } from 'node:events';
import { connect } from 'node:net';
import { Duplex } from 'node:stream';
import { type TLSSocket, connect as tlsConnect } from 'node:tls';
import { WebSocket } from 'ws';
import { Balancers } from '../../proxy/net/balancers.ts';
import { Certificates } from '../../proxy/net/certificates.ts';
import { type Listener, listenTcp } from '../../proxy/net/listen-tcp.ts';
import { listenWs } from '../../proxy/net/listen-ws.ts';
import { proxyHeader, type Route } from '../../proxy/net/proxy-header.ts';
import { silentLog } from '../../proxy/ops/log.ts';
import { assert, suite, type TestContext } from '../support/suite.ts';
import { type Counts, Door, HEADER, Peer, setup } from './harness.ts';

const test = suite('net/proxied');

const US = new Balancers(['127.0.0.1']);
const client: Route = {
  source: { address: '203.0.113.7', port: 4711 },
  destination: { address: '192.0.2.1', port: 5222 },
};

interface Behind {
  readonly listener: Listener;
  readonly door: Door;
  readonly counts: Counts;
}

interface Wish {
  readonly kind?: 'tcp' | 'websocket';
  readonly isTls?: boolean;
  readonly balancers?: Balancers;
  readonly proxyProtocol?: boolean;
  readonly handshakeTimeoutMs?: number;
}

async function behind(t: TestContext, wish: Wish = {}): Promise<Behind> {
  const { balancers = US, proxyProtocol = true, handshakeTimeoutMs = 2_000 } = wish;
  const { context, counts } = setup({ handshakeTimeoutMs, connectionsPerAddress: 1, limitLoopback: true });
  const door = new Door();
  const certificates = wish.isTls ? await Certificates.load({ hosts: { localhost: {} }, log: silentLog }) : undefined;
  const common = { host: '127.0.0.1', port: 0, context, accept: door.accept, balancers, proxyProtocol };
  const listener = await (wish.kind === 'websocket'
    ? listenWs({ ...common, path: '/ws', tls: certificates })
    : listenTcp({ ...common, directTls: certificates }));
  t.after(async () => {
    await listener.close();
    for (const { leg } of door.owners) leg.destroy();
  });
  return { listener, door, counts };
}

/** Connects and sends these pieces, each by itself. */
async function say(t: TestContext, port: number, ...pieces: (string | Buffer)[]): Promise<Peer> {
  const peer = new Peer(connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true }));
  t.after(() => peer.socket.destroy());
  await once(peer.socket, 'connect');
  for (const piece of pieces) {
    peer.write(piece);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  return peer;
}

for (const version of [1, 2] as const) {
  test(`version ${version}: the client is who the header says, and what follows it is the client's`, async (t) => {
    const { listener, door, counts } = await behind(t);
    await say(t, listener.port, Buffer.concat([proxyHeader(version, client), Buffer.from(HEADER)]));
    const owner = await door.owner();
    await owner.saw('header');
    assert.is(owner.leg.remoteAddress, '203.0.113.7');
    assert.equal(owner.leg.route, client);
    assert.is(counts.get('accepted{tcp}'), 1);
  });

  test(`version ${version}: byte for byte`, async (t) => {
    const { listener, door } = await behind(t);
    const bytes = Buffer.concat([proxyHeader(version, client), Buffer.from('<')]);
    await say(t, listener.port, ...Array.from(bytes, (_, at) => bytes.subarray(at, at + 1)), HEADER.slice(1));
    const owner = await door.owner();
    await owner.saw('header');
    assert.is(owner.leg.remoteAddress, '203.0.113.7');
  });
}

for (const isSplit of [false, true]) {
  test(`direct TLS begins behind the header, ${isSplit ? 'in a later' : 'in the same'} packet`, async (t) => {
    const { listener, door } = await behind(t, { isTls: true });
    const socket = await headed(t, listener.port, isSplit);
    socket.write(HEADER);
    const owner = await door.owner();
    await owner.saw('header');
    assert.is(owner.leg.encrypted, true);
    assert.equal(owner.leg.route, client);
  });
}

/** TLS behind a PROXY header, in the packet of the first bytes of TLS or in one before it. */
async function headed(t: TestContext, port: number, isSplit: boolean): Promise<TLSSocket> {
  const plain = connect({ port, host: '127.0.0.1', noDelay: true });
  t.after(() => plain.destroy());
  await once(plain, 'connect');
  let header: Buffer = proxyHeader(2, client);
  if (isSplit) {
    plain.write(header);
    header = Buffer.alloc(0);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  const below = new Duplex({
    read() {},
    write(chunk: Buffer, _, done) {
      plain.write(Buffer.concat([header, chunk]), () => done());
      header = Buffer.alloc(0);
    },
  });
  plain.on('data', (chunk) => below.push(chunk));
  const secured = tlsConnect({ socket: below, rejectUnauthorized: false });
  await once(secured, 'secureConnect');
  return secured;
}

for (const isTls of [false, true]) {
  test(`a WebSocket ${isTls ? 'over TLS ' : ''}behind a header`, async (t) => {
    const { listener, door, counts } = await behind(t, { kind: 'websocket', isTls });
    const socket = isTls ? await headed(t, listener.port, false) : connect({ port: listener.port, host: '127.0.0.1' });
    if (!isTls) socket.write(proxyHeader(1, client));
    const webSocket = new WebSocket(`ws://localhost/ws`, 'xmpp', { createConnection: () => socket });
    t.after(() => webSocket.terminate());
    await once(webSocket, 'open');
    const owner = await door.owner();
    assert.is(owner.leg.remoteAddress, '203.0.113.7');
    assert.is(owner.leg.encrypted, isTls);
    assert.equal(owner.leg.route, client);
    assert.is(counts.get('accepted{websocket}'), 1);
  });
}

test('LOCAL and UNKNOWN: the balancer speaks for itself, as often as it likes', async (t) => {
  const { listener, door, counts } = await behind(t);
  for (const version of [1, 2] as const) await say(t, listener.port, proxyHeader(version, undefined), HEADER);
  for (const index of [0, 1]) {
    const owner = await door.owner(index);
    await owner.saw('header');
    assert.is(owner.leg.remoteAddress, '127.0.0.1');
  }
  assert.is(counts.get('refused{tcp,address-limit}'), 0);
});

test('the limit of connections is for the address in the header', async (t) => {
  const { listener, door, counts } = await behind(t);
  await say(t, listener.port, proxyHeader(2, client), HEADER);
  await (await door.owner()).saw('header');
  const second = await say(t, listener.port, proxyHeader(1, client), HEADER);
  await second.has('policy-violation');
  const other = { ...client, source: { address: '203.0.113.8', port: 1 } };
  await say(t, listener.port, proxyHeader(1, other), HEADER);
  await (await door.owner(1)).saw('header');
  assert.is(counts.get('refused{tcp,address-limit}'), 1);
});

/** [what comes, what it is refused as] */
const refusals: [string, string | Buffer, string][] = [
  ['a stream with no header', HEADER, 'proxy-malformed'],
  ['TLS with no header', Buffer.from('16030100', 'hex'), 'proxy-malformed'],
  ['half a header and the end', 'PROXY TCP4 1.2', 'proxy-malformed'],
  ['nothing but the end', '', 'proxy-missing'],
  ['a line that does not end', `PROXY UNKNOWN ${'x'.repeat(2000)}`, 'proxy-malformed'],
];

for (const kind of ['tcp', 'websocket'] as const) {
  for (const [what, bytes, reason] of refusals) {
    test(`${kind}: ${what} is refused, counted, and gets no answer`, async (t) => {
      const { listener, door, counts } = await behind(t, { kind });
      const peer = await say(t, listener.port, bytes);
      peer.socket.end();
      await peer.until(() => peer.isClosed);
      assert.is(peer.text, '');
      assert.is(counts.get(`refused{${kind},${reason}}`), 1);
      assert.is(door.owners.length, 0);
    });
  }

  test(`${kind}: a header from somebody else is refused unread`, async (t) => {
    const { listener, door, counts } = await behind(t, { kind, balancers: new Balancers(['192.0.2.0/24']) });
    const peer = await say(t, listener.port, proxyHeader(2, client), HEADER);
    await peer.until(() => peer.isClosed);
    assert.is(counts.get(`refused{${kind},proxy-untrusted}`), 1);
    assert.is(door.owners.length, 0);
  });

  test(`${kind}: who does not finish the header in time is refused, however he drips`, async (t) => {
    const { listener, counts } = await behind(t, { kind, handshakeTimeoutMs: 150 });
    const peer = await say(t, listener.port, 'PROXY UNKNOWN ');
    const dripping = setInterval(() => peer.write('x'), 20);
    t.after(() => clearInterval(dripping));
    await peer.until(() => peer.isClosed);
    assert.is(counts.get(`refused{${kind},proxy-timeout}`), 1);
  });
}

test('a listener that wants no header takes none', async (t) => {
  const { listener, door } = await behind(t, { proxyProtocol: false });
  await say(t, listener.port, proxyHeader(1, client));
  const owner = await door.owner();
  await owner.saw('violation');
  assert.is(owner.leg.remoteAddress, '127.0.0.1');
});

interface Asked {
  readonly headers: Record<string, string | string[]>;
  readonly status: number;
}

/** Opens a WebSocket with these headers: 101, or how it was refused. */
async function upgrade(t: TestContext, { listener }: Behind, headers: Asked['headers']): Promise<number> {
  const webSocket = new WebSocket(`ws://127.0.0.1:${listener.port}/ws`, 'xmpp', { headers });
  t.after(() => webSocket.terminate());
  return await new Promise((resolve) => {
    webSocket.on('open', () => resolve(101));
    webSocket.on('error', () => {});
    webSocket.on('unexpected-response', (request, response) => {
      resolve(response.statusCode ?? 0);
      request.destroy();
    });
  });
}

test('X-Forwarded-For of a balancer names the client, and the limit is for that', async (t) => {
  const there = await behind(t, { kind: 'websocket', proxyProtocol: false });
  assert.is(await upgrade(t, there, { 'X-Forwarded-For': '198.51.100.1, 203.0.113.7' }), 101);
  const { leg } = await there.door.owner();
  assert.is(leg.remoteAddress, '203.0.113.7');
  assert.equal(leg.route.source, { address: '203.0.113.7', port: 0 });
  assert.is(await upgrade(t, there, { 'X-Forwarded-For': '198.51.100.2, 203.0.113.7' }), 429);
  assert.is(await upgrade(t, there, { 'X-Forwarded-For': ['203.0.113.7', '203.0.113.8'] }), 101);
  assert.is((await there.door.owner(1)).leg.remoteAddress, '203.0.113.8');
});

test('X-Forwarded-For of anybody else says nothing', async (t) => {
  const there = await behind(t, { kind: 'websocket', proxyProtocol: false, balancers: new Balancers(['192.0.2.1']) });
  assert.is(await upgrade(t, there, { 'X-Forwarded-For': '203.0.113.7' }), 101);
  assert.is((await there.door.owner()).leg.remoteAddress, '127.0.0.1');
});

test('with a PROXY header X-Forwarded-For says nothing: the client may have written it', async (t) => {
  const { listener, door } = await behind(t, { kind: 'websocket' });
  const socket = connect({ port: listener.port, host: '127.0.0.1' });
  socket.write(proxyHeader(2, client));
  const headers = { 'X-Forwarded-For': '198.51.100.9' };
  const webSocket = new WebSocket('ws://localhost/ws', 'xmpp', { createConnection: () => socket, headers });
  t.after(() => webSocket.terminate());
  await once(webSocket, 'open');
  assert.is((await door.owner()).leg.remoteAddress, '203.0.113.7');
});

test.run();
