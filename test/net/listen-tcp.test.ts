import { once } from 'node:events';
import { Socket } from 'node:net';
import { WebSocket } from 'ws';
import { AddressLimit, addressKey, isLoopback, plainAddress } from '../../proxy/net/addresses.ts';
import { listenTcp } from '../../proxy/net/listen-tcp.ts';
import { listenWs } from '../../proxy/net/listen-ws.ts';
import { assert, suite } from '../support/suite.ts';
import { Door, dialPeer, HEADER, tcpPair } from './harness.ts';

const test = suite('net/listen');

const ONE_EACH = { connectionsPerAddress: 1, limitLoopback: true };

test('a port in use rejects with the error of the system', async (t) => {
  const { listener, context } = await tcpPair(t);
  let code: string | undefined;
  await listenTcp({ host: '127.0.0.1', port: listener.port, context, accept: () => {} }).catch((error) => {
    code = error.code;
  });
  assert.is(code, 'EADDRINUSE');
});

test('a closed listener leaves the connections that exist, and its port is free', async (t) => {
  const { owner, peer, listener, context } = await tcpPair(t);
  await listener.close();
  peer.write(HEADER);
  await owner.saw('header');
  const again = await listenTcp({ host: '127.0.0.1', port: listener.port, context, accept: () => {} });
  await again.close();
});

test('accepted legs know their peer and are counted', async (t) => {
  const { owner, counts } = await tcpPair(t);
  assert.is(owner.leg.remoteAddress, '127.0.0.1');
  assert.is(owner.leg.role, 'accepted');
  assert.match(owner.leg.id, /^c/);
  assert.is(counts.get('accepted{tcp}'), 1);
  assert.is(counts.get('legs{accepted,tcp}'), 1);
});

test('loopback is not limited', async (t) => {
  const { listener, counts } = await tcpPair(t, { connectionsPerAddress: 1 });
  await dialPeer(t, listener.port);
  assert.is(counts.get('refused{tcp,address-limit}'), 0);
});

test('a connection beyond its share gets a stream error, and a place again when another one is gone', async (t) => {
  const { listener, counts, peer, owner } = await tcpPair(t, ONE_EACH);
  const second = await dialPeer(t, listener.port);
  await second.ended;
  assert.match(
    second.text,
    /<stream:stream [^>]*><stream:error><policy-violation .*<\/stream:error><\/stream:stream>$/,
  );
  assert.is(counts.get('refused{tcp,address-limit}'), 1);
  peer.socket.end();
  await owner.closing;
  const third = await dialPeer(t, listener.port);
  third.write(HEADER);
  await third.until(() => third.isClosed || counts.get('accepted{tcp}') === 2);
  third.write('</stream:stream>');
  third.socket.end();
  await third.until(() => third.isClosed);
  assert.is(counts.get('accepted{tcp}'), 2);
});

test('a WebSocket beyond its share, over all listeners, gets 429', async (t) => {
  const { context, counts } = await tcpPair(t, ONE_EACH);
  const door = new Door();
  const listener = await listenWs({ host: '127.0.0.1', port: 0, path: '/ws', context, accept: door.accept });
  t.after(() => listener.close());
  const status = await new Promise((resolve) => {
    const socket = new WebSocket(`ws://127.0.0.1:${listener.port}/ws`, 'xmpp');
    socket.on('unexpected-response', (request, response) => {
      resolve(response.statusCode);
      request.destroy();
    });
    socket.on('error', () => {});
  });
  assert.is(status, 429);
  const response = await fetch(`http://127.0.0.1:${listener.port}/.well-known/host-meta`);
  assert.is(response.status, 429);
  assert.is(counts.get('refused{websocket,address-limit}'), 2);
});

test('addresses: IPv4 as it is, IPv6 by its /64, mapped ones as IPv4', () => {
  assert.is(plainAddress('::ffff:192.0.2.1'), '192.0.2.1');
  assert.is(addressKey('192.0.2.1'), '192.0.2.1');
  for (const same of ['2001:db8:1:2::', '2001:db8:1:2::1', '2001:0db8:0001:0002:a:b:c:d', '2001:db8:1:2:ffff::%eth0']) {
    assert.is(addressKey(same), '2001:db8:1:2::/64');
  }
  assert.is(addressKey('2001:db8::1'), '2001:db8:0:0::/64');
  assert.is(addressKey('fe80::1%eth0'), 'fe80:0:0:0::/64');
  assert.ok(isLoopback('127.0.0.1') && isLoopback('::1') && !isLoopback('128.0.0.1'));
});

test('the count of an address goes down when its sockets close', async () => {
  const limit = new AddressLimit(2);
  const sockets = [new Socket(), new Socket(), new Socket()] as const;
  assert.ok(limit.admit(sockets[0], '2001:db8::1'));
  assert.ok(limit.admit(sockets[1], '2001:db8::2'));
  assert.not(limit.admit(sockets[2], '2001:db8::3'));
  assert.ok(limit.admit(sockets[2], '2001:db8:0:1::3'));
  sockets[0].destroy();
  await once(sockets[0], 'close');
  assert.ok(limit.admit(new Socket(), '2001:db8::4'));
});

test('a connection beyond its share is gone within seconds, however it goes on sending', async (t) => {
  const { listener } = await tcpPair(t, ONE_EACH);
  const second = await dialPeer(t, listener.port);
  await second.ended;
  const dripping = setInterval(() => second.write(' '), 100);
  t.after(() => clearInterval(dripping));
  const start = Date.now();
  await second.until(() => second.isClosed);
  assert.ok(Date.now() - start < 4_000);
});

test.run();
