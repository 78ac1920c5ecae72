/** What a server is told of the client whom a connection is made for (S4): the dialer against our own listeners. */
import { createServer } from 'node:http';
import { Balancers } from '../../proxy/net/balancers.ts';
import { Certificates } from '../../proxy/net/certificates.ts';
import { Dialer, type Upstream } from '../../proxy/net/dial.ts';
import { listenTcp } from '../../proxy/net/listen-tcp.ts';
import { listenWs } from '../../proxy/net/listen-ws.ts';
import type { Route } from '../../proxy/net/proxy-header.ts';
import { silentLog } from '../../proxy/ops/log.ts';
import { assert, suite, type TestContext } from '../support/suite.ts';
import { Door, listening, Owner, portOf, setup } from './harness.ts';

const test = suite('net/dial/client');

const client: Route = {
  source: { address: '2001:db8::7', port: 4711 },
  destination: { address: '2001:db8::1', port: 5222 },
};

interface Told {
  readonly scheme: Upstream['scheme'];
  readonly clientAddress: Upstream['clientAddress'];
  readonly client: Route | undefined;
}

/** Dials one of our own listeners; returns the owner of what arrives there. */
async function arrive(t: TestContext, { scheme, clientAddress, client: route }: Told): Promise<Owner> {
  const { context } = setup();
  const door = new Door();
  const isTls = scheme === 'xmpps' || scheme === 'wss';
  const tls = isTls ? await Certificates.load({ hosts: { localhost: {} }, log: silentLog }) : undefined;
  const balancers = new Balancers(['127.0.0.1']);
  const proxyProtocol = clientAddress === 'proxy-v1' || clientAddress === 'proxy-v2';
  const common = { host: '127.0.0.1', port: 0, context, accept: door.accept, balancers, proxyProtocol };
  const listener = await (scheme === 'ws' || scheme === 'wss'
    ? listenWs({ ...common, path: '/ws', tls })
    : listenTcp({ ...common, directTls: tls }));
  t.after(() => listener.close());
  const upstream = { scheme, host: '127.0.0.1', port: listener.port, path: '/ws', verify: false, clientAddress };
  const dialed = new Owner(await new Dialer(context).dial(upstream, 'localhost', { client: route }));
  t.after(() => dialed.leg.destroy());
  dialed.leg.header({ to: 'localhost', version: '1.0' });
  const owner = await door.owner();
  t.after(() => owner.leg.destroy());
  await owner.saw('header');
  return owner;
}

for (const scheme of ['xmpp', 'xmpps', 'ws', 'wss'] as const) {
  for (const clientAddress of ['proxy-v1', 'proxy-v2'] as const) {
    test(`${scheme}, ${clientAddress}: the header names both ends of the client's connection`, async (t) => {
      assert.equal((await arrive(t, { scheme, clientAddress, client })).leg.route, client);
    });

    test(`${scheme}, ${clientAddress}: a connection of the proxy's own names its own ends`, async (t) => {
      const { leg } = await arrive(t, { scheme, clientAddress, client: undefined });
      assert.is(leg.remoteAddress, '127.0.0.1');
      assert.is(leg.route.source.address, '127.0.0.1');
      assert.ok(leg.route.source.port > 0 && leg.route.destination.port > 0);
    });
  }

  test(`${scheme}, nothing: the server sees the proxy alone`, async (t) => {
    assert.is((await arrive(t, { scheme, clientAddress: undefined, client })).leg.remoteAddress, '127.0.0.1');
  });
}

for (const scheme of ['ws', 'wss'] as const) {
  test(`${scheme}, x-forwarded-for`, async (t) => {
    const clientAddress = 'x-forwarded-for';
    assert.is((await arrive(t, { scheme, clientAddress, client })).leg.remoteAddress, '2001:db8::7');
    assert.is((await arrive(t, { scheme, clientAddress, client: undefined })).leg.remoteAddress, '127.0.0.1');
  });
}

test('without x-forwarded-for no such header is sent', async (t) => {
  const { context } = setup();
  const seen: string[][] = [];
  const server = await listening(createServer());
  t.after(() => server.close());
  server.on('upgrade', (request, socket) => {
    seen.push(Object.keys(request.headers).sort());
    socket.destroy();
  });
  const upstream = { scheme: 'ws', host: '127.0.0.1', port: portOf(server), path: '/', verify: true } as const;
  const failed = await new Dialer(context).dial(upstream, 'localhost', { client }).catch((error) => error.code);
  assert.is(failed, 'websocket');
  assert.not(seen.flat().includes('x-forwarded-for'));
  assert.is(seen.length, 1);
});

test.run();
