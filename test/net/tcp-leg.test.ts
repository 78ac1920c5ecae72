import { once } from 'node:events';
import { Socket } from 'node:net';
import { Dialer } from '../../proxy/net/dial.ts';
import { parseStanza } from '../../proxy/xml/stanza.ts';
import { assert, suite, type TestContext } from '../support/suite.ts';
import { HEADER, message, Owner, type Pair, type Peer, Signal, serve, setup, tcpPair } from './harness.ts';

const test = suite('net/tcp-leg');

test('a stream cut into single bytes gives the same header, stanzas and end', async (t) => {
  const { owner, peer } = await tcpPair(t);
  for (const byte of Buffer.from(`${HEADER}<message id='é'/> <iq id='2'/></stream:stream>`)) {
    peer.write(Buffer.from([byte]));
  }
  await owner.saw('end');
  assert.equal(owner.seen, ['header', `<message id='é'/>`, `<iq id='2'/>`, 'end']);
  assert.is(owner.headers[0]?.attributes.get('to'), 'localhost');
});

test('our header has default namespace, prefix stream, wanted prefixes and escaped attributes', async (t) => {
  const { owner, peer } = await tcpPair(t);
  const declarations = new Map([
    ['', 'jabber:server'],
    ['stream', 'urn:wrong'],
    ['xml', 'urn:wrong'],
    ['ack', `urn:a'b`],
  ]);
  owner.leg.header({ from: `a'<b`, id: undefined, version: '1.0', 'xml:lang': 'de' }, declarations);
  await peer.has('>');
  await peer.has(`lang='de'>`);
  assert.is(
    peer.text,
    `<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'` +
      ` xmlns:ack='urn:a&apos;b' from='a&apos;&lt;b' version='1.0' xml:lang='de'>`,
  );
  assert.equal(
    [...(owner.leg.declared as Map<string, string>)],
    [
      ['', 'jabber:client'],
      ['stream', 'http://etherx.jabber.org/streams'],
      ['ack', `urn:a'b`],
    ],
  );
});

test('stanzas of one chunk are relayed in one write, as the bytes that came', async (t) => {
  const { owner, other, target } = await relay(t);
  target.leg.header({ version: '1.0' });
  await other.has(`version='1.0'>`);
  const writes = writesTo(t, other);
  const stanzas = Array.from({ length: 16 }, (_, id) => message(id)).join('');
  owner.peer.write(HEADER + stanzas);
  await other.has(message(15));
  assert.is(writes.length, 1);
  assert.ok(other.text.endsWith(stanzas));
});

test('what is sent and forwarded in one turn leaves in order in one write', async (t) => {
  const { owner, peer } = await tcpPair(t);
  const writes = writesTo(t, peer);
  owner.leg.header({ version: '1.0' });
  owner.leg.send(`<iq id='1'/>`);
  owner.leg.forward(parseStanza(`<message id='2'/>`));
  owner.leg.write(Buffer.from(`<iq id='3'/>`));
  await peer.has(`<iq id='1'/><message id='2'/><iq id='3'/>`);
  assert.is(writes.length, 1);
});

test('a stanza that leans on a prefix of another stream gets its declaration', async (t) => {
  const { owner, peer } = await tcpPair(t);
  owner.leg.header({ version: '1.0' });
  const declarations = new Map([
    ['', 'jabber:client'],
    ['a', 'urn:a'],
  ]);
  owner.leg.forward(parseStanza('<message><a:x/></message>', declarations));
  await peer.has('</message>');
  assert.ok(peer.text.includes(`xmlns:a='urn:a'`) || peer.text.includes(`xmlns:a="urn:a"`));
});

test('hold stops in the middle of a chunk, release goes on', async (t) => {
  const { owner, peer } = await tcpPair(t);
  owner.onStanza = () => owner.leg.hold();
  peer.write(`${HEADER}<iq id='1'/><iq id='2'/><iq id='3'/>`);
  await owner.saw(`<iq id='1'/>`);
  assert.is(owner.seen.length, 2);
  owner.leg.release();
  assert.is(owner.seen.at(-1), `<iq id='2'/>`);
  owner.onStanza = () => {};
  owner.leg.release();
  assert.is(owner.seen.at(-1), `<iq id='3'/>`);
  peer.write(`<iq id='4'/>`);
  await owner.saw(`<iq id='4'/>`);
});

test('reading goes on only when the last cause for a pause is gone', async (t) => {
  const { owner, peer } = await tcpPair(t);
  peer.write(HEADER);
  await owner.saw('header');
  owner.leg.pause('backpressure');
  owner.leg.pause('backpressure');
  owner.leg.pause('other');
  peer.write(`<iq id='1'/>`);
  owner.leg.resume('backpressure');
  await fence(t);
  assert.is(owner.seen.length, 1);
  owner.leg.resume('other');
  await owner.saw(`<iq id='1'/>`);
});

test('a peer that does not read makes the leg congested; when it reads, drain is told once and nothing is lost', async (t) => {
  const { owner, peer } = await tcpPair(t, { outboxBytes: 64 * 1_048_576 });
  peer.socket.pause();
  owner.leg.header({ version: '1.0' });
  let sent = 0;
  while (!owner.leg.congested) {
    for (let n = 0; n < 16; n++) owner.leg.send(message(sent++, 4_000));
    await new Promise(setImmediate);
  }
  assert.ok(owner.leg.backlog > 256 * 1024);
  assert.is(owner.drains, 0);
  peer.socket.resume();
  await owner.until(() => owner.drains > 0);
  assert.not(owner.leg.congested);
  owner.leg.send(`<last/>`);
  await peer.has('<last/>');
  assert.is(owner.drains, 1);
  const ids = [...peer.text.matchAll(/id='(\d+)'/g)].map((match) => Number(match[1]));
  assert.ok(ids.length === sent && ids.every((id, index) => id === index));
});

test('a burst in one turn to a peer that reads is no congestion in the end, whatever its size', async (t) => {
  const { owner, peer } = await tcpPair(t, { outboxBytes: 64 * 1_048_576 });
  owner.leg.header({ version: '1.0' });
  for (let id = 0; id < 1_000; id++) owner.leg.send(message(id, 4_000));
  const wasCongested = owner.leg.congested;
  owner.leg.send('<last/>');
  await peer.has('<last/>');
  await owner.until(() => !owner.leg.congested);
  assert.is(owner.drains, wasCongested ? 1 : 0);
});

test('one stanza fits into an outbox that has room, however large it is; what waits behind it is bounded as ever', async (t) => {
  const { owner, peer } = await tcpPair(t, { outboxBytes: 300_000 });
  peer.socket.pause();
  owner.leg.header({ version: '1.0' });
  owner.leg.send(message(0, 16_000_000));
  await new Promise(setImmediate);
  assert.ok(owner.leg.congested && !owner.isClosed);
  peer.socket.resume();
  await owner.until(() => !owner.leg.congested);
  peer.socket.pause();
  owner.leg.send(message(1, 16_000_000));
  for (let id = 0; id < 100 && !owner.isClosed; id++) owner.leg.send(message(id, 4_000));
  await owner.until(() => owner.isClosed);
  assert.is(owner.code, 'OUTBOX_OVERFLOW');
});

test('a backlog beyond outboxBytes ends the leg, counted', async (t) => {
  const { owner, peer, counts } = await tcpPair(t, { outboxBytes: 300_000 });
  peer.socket.pause();
  owner.leg.header({ version: '1.0' });
  for (let id = 0; !owner.isClosed; id++) {
    for (let n = 0; n < 16; n++) owner.leg.send(message(id, 4_000));
    await new Promise(setImmediate);
  }
  assert.is(owner.code, 'OUTBOX_OVERFLOW');
  assert.is(counts.get('drops{outbox-overflow}'), 1);
  assert.ok(owner.leg.isClosed);
});

test('both sides close: one closing tag each, closed without error', async (t) => {
  const { owner, peer, counts } = await tcpPair(t);
  owner.leg.header({ version: '1.0' });
  peer.write(`${HEADER}<iq id='1'/>`);
  await owner.saw(`<iq id='1'/>`);
  owner.leg.end();
  owner.leg.end();
  await peer.has('</stream:stream>');
  assert.not(peer.hasEnded);
  peer.write(`<iq id='2'/></stream:stream>`);
  await peer.ended;
  peer.socket.end();
  await owner.closing;
  assert.equal(owner.seen, ['header', `<iq id='1'/>`, `<iq id='2'/>`, 'end', 'closed']);
  assert.is(owner.closedWith, undefined);
  assert.is(peer.text.split('</stream:stream>').length, 2);
  assert.is(counts.get('legs{accepted,tcp}'), 0);
});

test('the peer closes first: everything before it is handled, its close is answered', async (t) => {
  const { owner, peer } = await tcpPair(t);
  owner.leg.header({ version: '1.0' });
  peer.write(`${HEADER}<iq id='1'/></stream:stream>`);
  await peer.has('</stream:stream>');
  await peer.ended;
  peer.socket.end();
  await owner.closing;
  assert.equal(owner.seen, ['header', `<iq id='1'/>`, 'end', 'closed']);
});

test('a peer that never closes is cut off after closeTimeoutMs', async (t) => {
  const { owner, peer } = await tcpPair(t, { closeTimeoutMs: 30 });
  owner.leg.header({ version: '1.0' });
  peer.write(HEADER);
  await owner.saw('header');
  owner.leg.end();
  await owner.closing;
  assert.is(owner.code, 'CLOSE_TIMEOUT');
});

test('what is sent after end is dropped and counted', async (t) => {
  const { owner, peer, counts } = await tcpPair(t);
  owner.leg.header({ version: '1.0' });
  peer.write(HEADER);
  await owner.saw('header');
  owner.leg.end();
  owner.leg.send(`<iq id='late'/>`);
  owner.leg.forward(parseStanza(`<iq id='late'/>`));
  await peer.has('</stream:stream>');
  peer.write('</stream:stream>');
  peer.socket.end();
  await owner.closing;
  assert.not(peer.text.includes('late'));
  assert.is(counts.get('drops{leg-ended}'), 2);
});

test('a connection closed without closing tag: what it sent is handled, then closed without error', async (t) => {
  const { owner, peer } = await tcpPair(t);
  owner.leg.header({ version: '1.0' });
  peer.socket.end(`${HEADER}<iq id='1'/><iq id='cut`);
  await owner.closing;
  assert.equal(owner.seen, ['header', `<iq id='1'/>`, 'closed']);
  assert.is(owner.closedWith, undefined);
  await peer.ended;
  assert.not(peer.text.includes('</stream:stream>'));
});

test('a connection closed while held: closed comes after what was held', async (t) => {
  const { owner, peer } = await tcpPair(t);
  owner.onStanza = () => owner.leg.hold();
  peer.socket.end(`${HEADER}<iq id='1'/><iq id='2'/>`);
  await owner.saw(`<iq id='1'/>`);
  await fence(t);
  assert.not(owner.isClosed);
  owner.onStanza = () => {};
  owner.leg.release();
  await owner.closing;
  assert.equal(owner.seen, ['header', `<iq id='1'/>`, `<iq id='2'/>`, 'closed']);
});

test('a peer that has closed its side still gets what is queued', async (t) => {
  const { owner, peer } = await tcpPair(t, { outboxBytes: 64 * 1_048_576 });
  owner.leg.header({ version: '1.0' });
  peer.socket.pause();
  for (let id = 0; id < 1_000; id++) owner.leg.send(message(id, 4_000));
  peer.socket.end(HEADER);
  await owner.saw('header');
  peer.socket.resume();
  await owner.closing;
  await peer.ended;
  assert.ok(peer.text.includes(message(999, 4_000)));
});

test('a reset is closed with its error', async (t) => {
  const { owner, peer } = await tcpPair(t);
  peer.write(HEADER);
  await owner.saw('header');
  peer.socket.resetAndDestroy();
  await owner.closing;
  assert.is(owner.code, 'ECONNRESET');
});

test('destroy cuts without closing tag, after what has been sent; closed comes later and without error', async (t) => {
  const { owner, peer } = await tcpPair(t);
  owner.leg.header({ version: '1.0' });
  owner.leg.send(`<iq id='last'/>`);
  owner.leg.destroy();
  assert.not(owner.isClosed);
  await owner.closing;
  await peer.ended;
  assert.is(owner.closedWith, undefined);
  assert.ok(peer.text.endsWith(`<iq id='last'/>`));
});

test('an error before any header is sent behind a header that answers the peer', async (t) => {
  const { owner, peer } = await tcpPair(t);
  peer.write(HEADER);
  await owner.saw('header');
  owner.leg.error({ condition: 'host-unknown', text: 'no <such> host' });
  await peer.ended;
  peer.socket.end();
  await owner.closing;
  assert.match(
    peer.text,
    /^<\?xml version='1.0'\?><stream:stream [^>]*from='localhost' id='[^']+' version='1.0'><stream:error><host-unknown [^>]*\/><text [^>]*>no &lt;such(>|&gt;) host<\/text><\/stream:error><\/stream:stream>$/,
  );
  assert.is(owner.closedWith, undefined);
});

test('a violation is told to the owner, answered with a stream error, and nothing after it is heard', async (t) => {
  const { owner, peer, counts } = await tcpPair(t);
  owner.leg.header({ version: '1.0' });
  peer.write(`${HEADER}<iq id='1'/><a></b><iq id='2'/>`);
  await peer.ended;
  assert.ok(peer.text.includes('<not-well-formed '));
  assert.ok(peer.text.endsWith('</stream:error></stream:stream>'));
  peer.write(`<iq id='3'/>`);
  peer.socket.end();
  await owner.closing;
  assert.equal(owner.seen, ['header', `<iq id='1'/>`, 'violation', 'closed']);
  assert.is(counts.get('violations{not-well-formed}'), 1);
  assert.is(counts.get('errors{not-well-formed,downstream}'), 1);
});

test('an oversize stanza is refused with stanza-too-big; larger ones pass after setLimits', async (t) => {
  const { owner, peer } = await tcpPair(t, { preAuthStanzaBytes: 1_000 });
  owner.leg.header({ version: '1.0' });
  owner.leg.setLimits({ stanzaBytes: 3_000, depth: 10, attributes: 10 });
  peer.write(HEADER + message('ok', 2_000));
  await owner.saw(message('ok', 2_000));
  peer.write(message('big', 4_000));
  await peer.ended;
  assert.ok(peer.text.includes('<policy-violation '));
  assert.ok(peer.text.includes('<stanza-too-big '));
});

test('a fault in a handler ends its own leg with internal-server-error', async (t) => {
  const { owner, peer } = await tcpPair(t);
  owner.onStanza = () => {
    throw new Error('fault');
  };
  owner.leg.header({ version: '1.0' });
  peer.write(`${HEADER}<iq/>`);
  await peer.ended;
  assert.ok(peer.text.includes('<internal-server-error '));
});

test('after restart the peer opens a new stream, and so do we', async (t) => {
  const { owner, peer } = await tcpPair(t);
  owner.leg.header({ version: '1.0' });
  owner.onStanza = (stanza) => {
    if (stanza.name === 'auth') owner.leg.restart();
  };
  peer.write(`${HEADER}<auth/>${HEADER}<iq/>`);
  await owner.saw('<iq/>');
  owner.leg.header({ version: '1.0', id: 'two' });
  await peer.has(`id='two'>`);
  assert.equal(owner.seen, ['header', '<auth/>', 'header', '<iq/>']);
});

test('end while reading is paused still hears the close of the peer', async (t) => {
  const { owner, peer } = await tcpPair(t);
  owner.leg.header({ version: '1.0' });
  peer.write(HEADER);
  await owner.saw('header');
  owner.leg.pause('backpressure');
  peer.write(`<iq id='1'/></stream:stream>`);
  owner.leg.end();
  await peer.ended;
  peer.socket.end();
  await owner.closing;
  assert.equal(owner.seen, ['header', `<iq id='1'/>`, 'end', 'closed']);
  assert.is(owner.closedWith, undefined);
});

test('bytes are counted by direction', async (t) => {
  const { owner, peer, counts } = await tcpPair(t);
  peer.write(HEADER);
  await owner.saw('header');
  owner.leg.send('<iq/>');
  await peer.has('<iq/>');
  assert.is(counts.hot.bytesInDownstream, HEADER.length);
  assert.is(counts.hot.bytesOutDownstream, 5);
  assert.is(counts.hot.bytesInUpstream, 0);
});

test.run();

interface Relay {
  readonly owner: Pair;
  readonly target: Owner;
  readonly other: Peer;
}

/** A client's leg whose stanzas are forwarded to a server's leg. */
async function relay(t: TestContext): Promise<Relay> {
  const pair = await tcpPair(t);
  const { context } = setup();
  const peers: Peer[] = [];
  const signal = new Signal();
  const port = await serve(t, (peer) => {
    peers.push(peer);
    signal.changed();
  });
  const upstream = { scheme: 'xmpp', host: '127.0.0.1', port, path: '', verify: true } as const;
  const leg = await new Dialer(context).dial(upstream, 'localhost');
  const target = new Owner(leg);
  t.after(() => leg.destroy());
  await signal.until(() => peers.length > 0);
  pair.owner.onStanza = (stanza) => leg.forward(stanza);
  return { owner: pair, target, other: peers[0] as Peer };
}

/** Writes down what is handed to the socket at the other end of that peer's connection. */
function writesTo(t: TestContext, peer: Peer): unknown[] {
  const writes: unknown[] = [];
  const { write } = Socket.prototype;
  t.after(() => {
    Socket.prototype.write = write;
  });
  Socket.prototype.write = function (this: Socket, ...given: unknown[]) {
    if (this.localPort === peer.socket.remotePort) writes.push(given[0]);
    return (write as (...given: unknown[]) => boolean).apply(this, given);
  };
  return writes;
}

/** A round trip over another connection: what was on its way before has arrived when it is over. */
async function fence(t: TestContext): Promise<void> {
  const pair = await tcpPair(t);
  pair.peer.write(HEADER);
  await pair.owner.saw('header');
  pair.owner.leg.send('<fence/>');
  await pair.peer.has('<fence/>');
  pair.peer.socket.destroy();
  await once(pair.peer.socket, 'close');
}
