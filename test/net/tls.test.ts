import { once } from 'node:events';
import { chmod, mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { duplexPair } from 'node:stream';
import { type ConnectionOptions, connect, createServer, type TLSSocket } from 'node:tls';
import { Certificates } from '../../proxy/net/certificates.ts';
import { Dialer } from '../../proxy/net/dial.ts';
import { LegError } from '../../proxy/net/leg.ts';
import { listenTcp } from '../../proxy/net/listen-tcp.ts';
import { captureLog, silentLog } from '../../proxy/ops/log.ts';
import { assert, suite, type TestContext } from '../support/suite.ts';
import { certificateFor, Door, HEADER, Owner, Peer, serve, setup, tcpPair, temporaryFolder } from './harness.ts';

const STARTTLS = `<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>`;
const PROCEED = `<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>`;

const test = suite('net/tls');

test('STARTTLS on an accepted leg: the stream starts anew inside TLS', async (t) => {
  const { owner, peer, certificates } = await starttlsPair(t);
  peer.write(HEADER + STARTTLS);
  await peer.has(PROCEED);
  const client = await clientTls(t, peer.socket, { servername: 'localhost', ca: certificates.defaultPair().cert });
  assert.ok(client.socket.authorized);
  client.write(`${HEADER}<iq id='inside'/>`);
  await owner.saw(`<iq id='inside'/>`);
  assert.ok(owner.leg.encrypted);
  owner.leg.header({ version: '1.0', id: 'inside' });
  await client.has(`id='inside'>`);
  client.write('</stream:stream>');
  await client.has('</stream:stream>');
  client.socket.end();
  await owner.closing;
  assert.is(owner.closedWith, undefined);
});

test('white space behind <starttls/> does no harm', async (t) => {
  const { owner, peer, certificates } = await starttlsPair(t);
  peer.write(`${HEADER + STARTTLS}\r\n `);
  await peer.has(PROCEED);
  const client = await clientTls(t, peer.socket, { servername: 'localhost', ca: certificates.defaultPair().cert });
  client.write(`${HEADER}<iq/>`);
  await owner.saw('<iq/>');
  assert.equal(owner.seen, ['header', STARTTLS, 'header', '<iq/>']);
});

for (const [what, injected] of [
  ['a whole stanza', `<iq id='injected'/>`],
  ['the beginning of a stanza', `<iq id='inj`],
  ['a new stream header', HEADER.slice(HEADER.indexOf('<stream'))],
  ['a closing tag', '</stream:stream>'],
] as const) {
  test(`STARTTLS injection: ${what} behind <starttls/> in plain text ends the stream`, async (t) => {
    const { owner, peer, counts, failures } = await starttlsPair(t);
    peer.write(HEADER + STARTTLS + injected);
    await peer.ended;
    peer.socket.end();
    await owner.closing;
    assert.equal(owner.seen, ['header', STARTTLS, 'closed']);
    assert.ok(peer.text.includes('<policy-violation '));
    assert.is(counts.get('violations{policy-violation}'), 1);
    assert.ok(failures[0] instanceof LegError && failures[0].code === 'TLS');
  });
}

test('a handshake that fails closes the leg with an error', async (t) => {
  const { owner, peer, failures } = await starttlsPair(t);
  peer.write(HEADER + STARTTLS);
  await peer.has(PROCEED);
  peer.write('GET / HTTP/1.0\r\n\r\n');
  await owner.closing;
  assert.is(owner.code, 'TLS');
  await peer.ended;
  assert.is(failures.length, 1);
});

test('a peer that never shakes hands is cut off in time, one that hangs up at once', async (t) => {
  const slow = await starttlsPair(t, { handshakeTimeoutMs: 50 });
  slow.peer.write(HEADER + STARTTLS);
  await slow.peer.has(PROCEED);
  await slow.owner.closing;
  assert.is(slow.owner.code, 'TLS');

  const gone = await starttlsPair(t);
  gone.peer.write(HEADER + STARTTLS);
  await gone.peer.has(PROCEED);
  gone.peer.socket.resetAndDestroy();
  await gone.owner.closing;
  assert.is(gone.owner.code, 'TLS');
});

test('end and destroy during a handshake close the connection', async (t) => {
  for (const how of ['end', 'destroy'] as const) {
    const { owner, peer } = await starttlsPair(t);
    peer.write(HEADER + STARTTLS);
    await peer.has(PROCEED);
    owner.leg[how]();
    await owner.closing;
    await peer.ended;
    assert.ok(owner.leg.isClosed);
  }
});

test('a reset inside TLS is closed with its error', async (t) => {
  const { owner, peer, certificates } = await starttlsPair(t);
  peer.write(HEADER + STARTTLS);
  await peer.has(PROCEED);
  const [inner, outer] = duplexPair();
  peer.socket.removeAllListeners('data');
  peer.socket.pipe(outer).pipe(peer.socket);
  const client = connect({ socket: inner, servername: 'localhost', ca: certificates.defaultPair().cert });
  const inside = new Peer(client);
  client.write(HEADER);
  await owner.until(() => owner.headers.length === 2);
  owner.leg.header({ version: '1.0' });
  await inside.has('>');
  peer.socket.resetAndDestroy();
  await owner.closing;
  assert.is(owner.code, 'ECONNRESET');
});

test('backpressure works through TLS', async (t) => {
  const { owner, peer, certificates } = await starttlsPair(t, { outboxBytes: 64 * 1_048_576 });
  peer.write(HEADER + STARTTLS);
  await peer.has(PROCEED);
  const client = await clientTls(t, peer.socket, { servername: 'localhost', ca: certificates.defaultPair().cert });
  client.write(HEADER);
  await owner.until(() => owner.headers.length === 2);
  client.socket.pause();
  owner.leg.header({ version: '1.0' });
  const text = `<message><body>${'x'.repeat(4_000)}</body></message>`;
  let sent = 0;
  while (!owner.leg.congested) {
    for (let n = 0; n < 16; n++, sent++) owner.leg.send(text);
    await new Promise(setImmediate);
  }
  client.socket.resume();
  await owner.until(() => owner.drains === 1);
  owner.leg.send('<last/>');
  await client.has('<last/>');
  assert.is(client.text.split(text).length - 1, sent);
});

test('direct TLS: ALPN xmpp-client, certificates by SNI, the first one without SNI or for a stranger', async (t) => {
  const { port, certs, door } = await directListener(t);
  const ca = [certs.one.cert, certs.two.cert];
  const names: (string | undefined)[] = [];
  for (const servername of ['one.example', 'two.example', 'sub.two.example', 'three.example', undefined]) {
    const options = { ca, ALPNProtocols: ['xmpp-client'], checkServerIdentity: () => undefined };
    const socket = connect({
      host: '127.0.0.1',
      port,
      ...options,
      ...(servername === undefined ? {} : { servername }),
    });
    t.after(() => socket.destroy());
    await once(socket, 'secureConnect');
    assert.is(socket.alpnProtocol, 'xmpp-client');
    names.push(socket.getPeerCertificate().subject.CN as string | undefined);
  }
  assert.equal(names, ['one.example', 'two.example', 'two.example', 'one.example', 'one.example']);
  assert.ok((await door.owner()).leg.encrypted);
});

test('direct TLS: a client without ALPN is served, one that wants another protocol is not', async (t) => {
  const { port, certs, counts, door } = await directListener(t);
  const socket = connect({ host: '127.0.0.1', port, ca: certs.one.cert, servername: 'one.example' });
  const peer = new Peer(socket);
  t.after(() => socket.destroy());
  await once(socket, 'secureConnect');
  peer.write(HEADER);
  await (await door.owner()).saw('header');

  const other = connect({ host: '127.0.0.1', port, rejectUnauthorized: false, ALPNProtocols: ['http/1.1'] });
  t.after(() => other.destroy());
  await assertRejects(once(other, 'secureConnect'));
  assert.is(door.owners.length, 1);
  await once(other, 'close');
  assert.is(counts.get('refused{tcp,tls-handshake}'), 1);
});

test('TLS 1.1 is refused, 1.2 and 1.3 are taken', async (t) => {
  const { port } = await directListener(t);
  const attempt = async (version: 'TLSv1.1' | 'TLSv1.2' | 'TLSv1.3') => {
    const ciphers = 'DEFAULT@SECLEVEL=0';
    const options = { minVersion: version, maxVersion: version, rejectUnauthorized: false, ciphers };
    const socket = connect({ host: '127.0.0.1', port, ...options });
    t.after(() => socket.destroy());
    await once(socket, 'secureConnect');
    return socket.getProtocol();
  };
  const error = await assertRejects(attempt('TLSv1.1'));
  assert.match(String(error), /protocol version/);
  assert.is(await attempt('TLSv1.2'), 'TLSv1.2');
  assert.is(await attempt('TLSv1.3'), 'TLSv1.3');
});

test('reload shows the new certificate to new connections and leaves the old ones; a broken file changes nothing', async (t) => {
  const { port, certs, certificates, door } = await directListener(t);
  const peerOf = async () => {
    const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false, servername: 'one.example' });
    t.after(() => socket.destroy());
    await once(socket, 'secureConnect');
    return new Peer(socket);
  };
  const serial = (peer: Peer) => (peer.socket as TLSSocket).getPeerCertificate().serialNumber;
  const first = await peerOf();
  let reloads = 0;
  certificates.onReload(() => reloads++);
  await certificates.reloadChanged();
  assert.is(reloads, 0);

  const folder = join(certs.one.files.cert, '..');
  await certificateFor(folder, 'one.example');
  await certificates.reloadChanged();
  assert.is(reloads, 1);
  const second = await peerOf();
  assert.is.not(serial(second), serial(first));
  first.write(HEADER);
  await (await door.owner()).saw('header');

  await writeFile(certs.one.files.cert, 'nonsense');
  await certificates.reload();
  const third = await peerOf();
  assert.is(serial(third), serial(second));
});

test('a configured certificate that cannot be read is an error that names the host', async () => {
  const hosts = { 'example.org': { certificate: { cert: '/nowhere/a', key: '/nowhere/b' } } };
  const error = await assertRejects(Certificates.load({ hosts, log: silentLog }));
  assert.match((error as Error).message, /^certificate of example\.org: ENOENT/);
});

test('a self-signed certificate is made once, kept with a private key file, and said in the log', async (t) => {
  const folder = await temporaryFolder(t);
  const log = captureLog();
  const load = () => Certificates.load({ hosts: { 'example.org': {} }, stateDirectory: folder, log });
  const first = (await load()).defaultPair();
  const second = (await load()).defaultPair();
  assert.is(first.cert, second.cert);
  assert.is(first.key, second.key);
  const file = join(folder, 'self-signed', 'example.org.key');
  assert.is((await stat(file)).mode & 0o777, 0o600);
  assert.is(await readFile(file, 'utf8'), first.key);
  assert.ok(log.lines.some(({ level, message }) => level === 'warn' && message.startsWith('SELF-SIGNED')));
});

test('without a directory, or with one that cannot be written, a self-signed certificate lives in memory', async (t) => {
  const folder = await temporaryFolder(t);
  await mkdir(join(folder, 'sub'));
  await writeFile(join(folder, 'file'), '');
  await chmod(join(folder, 'sub'), 0o500);
  for (const stateDirectory of [undefined, join(folder, 'file', 'x')]) {
    const certificates = await Certificates.load({ hosts: { localhost: {} }, stateDirectory, log: silentLog });
    assert.match(certificates.defaultPair().cert, /BEGIN CERTIFICATE/);
  }
});

test('STARTTLS on a dialed leg: the certificate is verified against the XMPP domain', async (t) => {
  const folder = await temporaryFolder(t);
  const right = await certificateFor(folder, 'example.org');
  const upstream = {
    scheme: 'xmpp+starttls',
    host: '127.0.0.1',
    path: '',
    verify: true,
    ca: right.files.cert,
  } as const;
  const { context } = setup();
  const port = await starttlsServer(t, right);
  const dial = async (host: string, verify: boolean) => {
    const leg = await new Dialer(context).dial({ ...upstream, port, verify }, host);
    const owner = new Owner(leg);
    t.after(() => leg.destroy());
    const secured = new Promise<void>((resolve, reject) => {
      owner.onStanza = (stanza) => {
        if (stanza.name === 'proceed') leg.startTls().then(resolve, reject);
      };
    });
    leg.header({ to: host, version: '1.0' });
    leg.send(STARTTLS);
    await secured;
    leg.header({ to: host, version: '1.0' });
    leg.send('<hello/>');
    await owner.saw('<hello/>');
    return leg;
  };
  assert.ok((await dial('example.org', true)).encrypted);
  assert.ok((await dial('other.example', false)).encrypted);
  const error = await assertRejects(dial('other.example', true));
  assert.is((error as LegError).code, 'TLS');
});

test('what a server says in plain text behind <proceed/> ends the stream', async (t) => {
  const port = await serve(t, (peer) => {
    void peer.has('starttls').then(() => peer.write(`${HEADER + PROCEED}<injected/>`));
  });
  const { context } = setup();
  const upstream = { scheme: 'xmpp+starttls', host: '127.0.0.1', port, path: '', verify: false } as const;
  const leg = await new Dialer(context).dial(upstream, 'localhost');
  const owner = new Owner(leg);
  const failed = new Promise<Error>((resolve) => {
    owner.onStanza = () => leg.startTls().catch(resolve);
  });
  leg.header({ version: '1.0' });
  leg.send(STARTTLS);
  assert.is(((await failed) as LegError).code, 'TLS');
  t.after(() => leg.destroy());
  assert.not(owner.seen.includes('<injected/>'));
});

test.run();

async function starttlsPair(t: TestContext, limits = {}) {
  const pair = await tcpPair(t, limits);
  const certificates = await Certificates.load({ hosts: { localhost: {} }, log: silentLog });
  const { owner } = pair;
  const failures: unknown[] = [];
  owner.onStanza = (stanza) => {
    if (stanza.name !== 'starttls') return;
    owner.leg.hold();
    owner.leg.send(PROCEED);
    owner.leg.startTls(certificates).catch((error: unknown) => failures.push(error));
  };
  return { ...pair, certificates, failures };
}

/** TLS as a client on a connection that has been used in plain text. */
async function clientTls(t: TestContext, plain: Peer['socket'], options: ConnectionOptions) {
  plain.removeAllListeners('data');
  plain.removeAllListeners('end');
  const socket = connect({ socket: plain, ...options });
  t.after(() => socket.destroy());
  const peer = new Peer(socket);
  await once(socket, 'secureConnect');
  return Object.assign(peer, { socket });
}

async function directListener(t: TestContext) {
  const folder = await temporaryFolder(t);
  const one = await certificateFor(folder, 'one.example');
  const two = await certificateFor(folder, 'two.example');
  const hosts = { 'one.example': { certificate: one.files }, 'two.example': { certificate: two.files } };
  const certificates = await Certificates.load({ hosts, log: silentLog });
  const made = setup();
  const door = new Door();
  const { context } = made;
  const listener = await listenTcp({
    host: '127.0.0.1',
    port: 0,
    context,
    accept: door.accept,
    directTls: certificates,
  });
  t.after(() => listener.close());
  t.after(() => {
    for (const { leg } of door.owners) leg.destroy();
  });
  return { ...made, port: listener.port, certs: { one, two }, certificates, door };
}

/** A server that does STARTTLS with that certificate and repeats, inside, what it is told. */
async function starttlsServer(t: TestContext, pair: { cert: string; key: string }): Promise<number> {
  const inner = createServer({ ...pair }, (socket) => {
    t.after(() => socket.destroy());
    socket.on('error', () => {});
    socket.on('data', (chunk) => socket.write(chunk));
  });
  return serve(t, (peer) => {
    void peer.has('starttls').then(() => {
      peer.write(HEADER + PROCEED);
      peer.socket.removeAllListeners('data');
      inner.emit('connection', peer.socket);
    });
  });
}

async function assertRejects(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error('should have been rejected');
}
