import { createServer as createHttpServer } from 'node:http';
import { createServer as createTlsServer } from 'node:tls';
import { WebSocketServer } from 'ws';
import { type DialError, Dialer, type DialOptions, type Upstream } from '../../proxy/net/dial.ts';
import { assert, suite, type TestContext } from '../support/suite.ts';
import {
  certificateFor,
  freePort,
  HEADER,
  listening,
  Owner,
  type Peer,
  portOf,
  Signal,
  serve,
  setup,
  temporaryFolder,
} from './harness.ts';

const test = suite('net/dial');

const TCP: Omit<Upstream, 'port'> = { scheme: 'xmpp', host: '127.0.0.1', path: '', verify: true };

test('a plain connection: a leg that has sent nothing, named and addressed', async (t) => {
  const { peers, port, signal } = await echoless(t);
  const { context, counts } = setup();
  const owner = new Owner(await new Dialer(context).dial({ ...TCP, port }, 'example.org'));
  t.after(() => owner.leg.destroy());
  await signal.until(() => peers.length === 1);
  const peer = peers[0] as Peer;
  assert.is(owner.leg.role, 'dialed');
  assert.is(owner.leg.remoteAddress, '127.0.0.1');
  assert.not(owner.leg.encrypted);
  assert.is(counts.get('legs{dialed,tcp}'), 1);
  assert.match(owner.leg.id, /^s/);
  owner.leg.header({ to: 'example.org', version: '1.0' });
  await peer.has(`to='example.org' version='1.0'>`);
  assert.is(peer.text.indexOf('<?xml'), 0);
  peer.write(`${HEADER}<stream:features/>`);
  await owner.saw('<stream:features/>');
  assert.is(counts.hot.bytesInUpstream, HEADER.length + '<stream:features/>'.length);
});

test('an error towards a server that nothing was said to is sent behind a header with its domain', async (t) => {
  const { peers, port, signal } = await echoless(t);
  const { context } = setup();
  const owner = new Owner(await new Dialer(context).dial({ ...TCP, port }, 'example.org'));
  await signal.until(() => peers.length === 1);
  owner.leg.error({ condition: 'reset' });
  const peer = peers[0] as Peer;
  await peer.ended;
  peer.socket.end();
  await owner.closing;
  assert.match(peer.text, /to='example\.org' version='1\.0'><stream:error><reset /);
});

test('nobody listens there: refused', async () => {
  assert.is(await codeOf({ ...TCP, port: await freePort() }), 'refused');
  assert.is(await codeOf({ ...TCP, scheme: 'xmpps', port: await freePort() }), 'refused');
  assert.is(await codeOf({ ...TCP, scheme: 'ws', path: '/', port: await freePort() }), 'refused');
  assert.is(await codeOf({ ...TCP, host: 'localhost', port: await freePort() }), 'refused');
});

test('no such name: unreachable', async () => {
  assert.is(await codeOf({ ...TCP, host: 'nowhere.invalid', port: 5222 }), 'unreachable');
  assert.is(await codeOf({ ...TCP, scheme: 'wss', host: 'nowhere.invalid', port: 5222 }), 'unreachable');
});

test('a server that is silent where it should shake hands: timeout', async (t) => {
  const { port } = await echoless(t);
  for (const scheme of ['xmpps', 'ws', 'wss'] as const) {
    assert.is(await codeOf({ ...TCP, scheme, path: '/', port }, { handshakeTimeoutMs: 40 }), 'timeout');
  }
});

test('the caller gives up: aborted, before and during', async (t) => {
  const { peers, port, signal } = await echoless(t);
  const before = { signal: AbortSignal.abort() };
  assert.is(await codeOf({ ...TCP, port }, {}, before), 'aborted');
  for (const scheme of ['xmpps', 'wss'] as const) {
    const abort = new AbortController();
    const dialing = codeOf({ ...TCP, scheme, path: '/', port }, {}, { signal: abort.signal });
    const count = peers.length;
    await signal.until(() => peers.length > count);
    abort.abort();
    assert.is(await dialing, 'aborted');
    await peers.at(-1)?.ended;
  }
});

test('no TLS there, or a certificate that nobody vouches for: tls', async (t) => {
  const port = await serve(t, (peer) => {
    void peer.until(() => peer.text !== '').then(() => peer.socket.end('what?'));
  });
  assert.is(await codeOf({ ...TCP, scheme: 'xmpps', port }), 'tls');
  assert.is(await codeOf({ ...TCP, scheme: 'wss', port }), 'tls');
  const { port: secure, folder } = await tlsServer(t, 'example.org');
  assert.is(await codeOf({ ...TCP, scheme: 'xmpps', port: secure }), 'tls');
  assert.is(await codeOf({ ...TCP, scheme: 'wss', port: secure }), 'tls');
  assert.is(await codeOf({ ...TCP, scheme: 'xmpps', port: secure, ca: `${folder}/none.crt` }), 'tls');
});

test('direct TLS: ALPN xmpp-client, SNI and certificate for the XMPP domain, not for the host name dialed', async (t) => {
  const { port, ca, seen, signal } = await tlsServer(t, 'example.org');
  const { context } = setup();
  const upstream = { ...TCP, scheme: 'xmpps', host: 'localhost', port, ca } as const;
  const owner = new Owner(await new Dialer(context).dial(upstream, 'example.org'));
  t.after(() => owner.leg.destroy());
  assert.ok(owner.leg.encrypted);
  await signal.until(() => seen.length > 0);
  assert.equal(seen, [['example.org', 'xmpp-client']]);
  assert.is(await codeOf(upstream, {}, {}, 'localhost'), 'tls');
  const careless = new Owner(await new Dialer(context).dial({ ...upstream, verify: false }, 'localhost'));
  t.after(() => careless.leg.destroy());
  assert.ok(careless.leg.encrypted);
});

test('a web server that knows no such endpoint, or not the subprotocol: websocket', async (t) => {
  const web = createHttpServer((_, response) => response.writeHead(404).end());
  t.after(() => web.close());
  assert.is(await codeOf({ ...TCP, scheme: 'ws', path: '/x', port: portOf(await listening(web)) }), 'websocket');
  const other = new WebSocketServer({ port: 0, host: '127.0.0.1', handleProtocols: () => false });
  t.after(() => other.close());
  await new Promise((resolve) => other.once('listening', resolve));
  const { port } = other.address() as { port: number };
  assert.is(await codeOf({ ...TCP, scheme: 'ws', path: '/x', port }), 'websocket');
});

test('a WebSocket server behind a plain connection is asked for the XMPP domain', async (t) => {
  const hosts: (string | undefined)[] = [];
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1', handleProtocols: () => 'xmpp' });
  server.on('connection', (socket, request) => {
    hosts.push(request.headers.host);
    t.after(() => socket.terminate());
  });
  t.after(() => server.close());
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as { port: number };
  const { context } = setup();
  const leg = await new Dialer(context).dial({ ...TCP, scheme: 'ws', path: '/x', port }, 'example.org');
  t.after(() => leg.destroy());
  assert.equal(hosts, ['example.org']);
});

test.run();

async function codeOf(upstream: Upstream, limits = {}, options: DialOptions = {}, host = 'example.org') {
  const { context, counts } = setup(limits);
  try {
    const leg = await new Dialer(context).dial(upstream, host, options);
    leg.destroy();
    return 'connected';
  } catch (error) {
    assert.is(counts.counts.size, 0);
    assert.is((error as DialError).name, 'DialError');
    return (error as DialError).code;
  }
}

/** A server that takes connections and says nothing. */
async function echoless(t: TestContext) {
  const peers: Peer[] = [];
  const signal = new Signal();
  const port = await serve(t, (peer) => {
    peers.push(peer);
    signal.changed();
  });
  return { peers, port, signal };
}

async function tlsServer(t: TestContext, name: string) {
  const folder = await temporaryFolder(t);
  const { cert, key, files } = await certificateFor(folder, name);
  const seen: unknown[][] = [];
  const signal = new Signal();
  const server = createTlsServer({ cert, key, ALPNProtocols: ['xmpp-client', 'http/1.1'] }, (socket) => {
    t.after(() => socket.destroy());
    socket.on('error', () => {});
    socket.on('data', () => {});
    if (socket.alpnProtocol === 'xmpp-client') seen.push([servernameOf(socket), socket.alpnProtocol]);
    signal.changed();
  });
  server.on('tlsClientError', () => {});
  t.after(() => server.close());
  return { port: portOf(await listening(server)), ca: files.cert, folder, seen, signal };
}

function servernameOf(socket: object): unknown {
  return (socket as { servername?: string }).servername;
}
