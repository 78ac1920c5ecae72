/** What one device, one account or one occupant may try against others (M9, M9a, X3), on the fake server. */
import { connect } from 'node:net';
import { Speaker } from '../runtime/scripted.ts';
import { type Client, login } from '../support/client.ts';
import { type Element, escapeXml, ns } from '../support/element.ts';
import { answerJoin, type FakePeer, startFakeServer } from '../support/fake-server.ts';
import { startProxy } from '../support/proxy.ts';
import { joinPresence } from '../support/room.ts';
import { assert, suite, type TestContext } from '../support/suite.ts';

const test = suite('abuse', { limitMs: 30_000 });
const room = 'den@rooms.localhost';
const address = `${room}/al`;
const isJoin = (element: Element) => element.name === 'presence' && element.child('x', ns.muc) !== undefined;

async function stage({ after }: TestContext, config = {}, isBorrowed = false) {
  const server = await startFakeServer();
  after(() => server.stop());
  const hosts = isBorrowed ? { hosts: { localhost: { upstream: server.upstream, 'account-streams': false } } } : {};
  const proxy = await startProxy({ upstream: server.upstream, config: { ...config, ...hosts } });
  after(() => proxy.stop());
  return {
    server,
    proxy,
    /** A client and the server's end of its stream; no account stream. */
    async login(user = 'alice', resource = 'phone', mechanism = 'X-TEST'): Promise<{ client: Client; peer: FakePeer }> {
      const client = await login(proxy.target('tcp'), { user, resource, mechanism, presence: 0 });
      after(() => (client.stream.isClosed ? undefined : client.drop()));
      const peer = await server.peer();
      await peer.pick('<presence/>');
      return { client, peer };
    },
  };
}

/** Answers the next join and its fence, in the service's name with this identity. */
async function admit(peer: FakePeer, identity = `<identity category='conference' type='text'/>`): Promise<void> {
  const join = await peer.pick(isJoin);
  const fence = await peer.pick(`<iq type='get' to='{any}'><query xmlns='${ns.discoInfo}'/></iq>`);
  answerJoin(peer, join);
  const from = escapeXml(fence.attrs.to ?? '');
  const query = `<query xmlns='${ns.discoInfo}'>${identity}</query>`;
  peer.send(`<iq type='result' id='${fence.id}' from='${from}' to='${escapeXml(peer.jid)}'>${query}</iq>`);
}

const joined = `<presence from='{any}'><x xmlns='${ns.mucUser}'><status code='110'/></x></presence>`;
const subject = `<message type='groupchat'><subject/></message>`;

async function join({ client, peer }: { client: Client; peer: FakePeer }, to = address): Promise<void> {
  client.send(joinPresence(to, { id: 'join' }));
  await admit(peer);
  await client.pick(joined);
  await client.pick(subject);
}

test('M9 two accounts that look alike to us, but not to the server, do not share a place', async (context) => {
  const { login } = await stage(context);
  // U+1E9E is a capital since Unicode 5.1: the stringprep of servers lets it be.
  const one = await login('strasse', 'a');
  const other = await login('stra\u1e9ee', 'b');
  await join(one);
  await join(other);
  one.peer.send(
    `<message type='groupchat' from='${room}/bo' to='${one.peer.jid}' id='secret'><body>for one</body></message>`,
  );
  await one.client.pick(`<message type='groupchat' id='secret'/>`);
  await other.client.expectNothing();
});

test('M9 a contact that plays a room does not stop directed presence to its server for others', async (context) => {
  const { login } = await stage(context);
  const mallory = await login('mallory', 'x');
  mallory.client.send(joinPresence('accomplice@localhost/phone', { id: 'join' }));
  await admit(mallory.peer, `<identity category='account' type='registered'/>`);
  await mallory.client.pick(joined);
  const { client, peer } = await login('alice');
  client.send(`<presence id='d' to='bob@localhost/phone'/>`);
  await peer.pick(`<presence id='d' to='bob@localhost/phone'/>`);
});

test('a service that says that it is one is known to all accounts: presence as of groupchat 1.0 does not reach it', async (context) => {
  const { login } = await stage(context);
  await join(await login('bob', 'x'));
  const { client } = await login('alice');
  client.send(`<presence id='d' to='${address}'/>`);
  await client.pick(`<presence type='unavailable' from='${address}'/>`);
});

test('M9a what an occupant sends is as large as the server lets it: no carrier ends, and later sessions get it', async (context) => {
  const { server, login } = await stage(context);
  const one = await login();
  await join(one);
  const wide = `<a ${Array.from({ length: 11_000 }, (_, k) => `a${k}=''`).join(' ')}/>`;
  const x = `<x xmlns='${ns.mucUser}'><item affiliation='none' role='participant'/></x>`;
  const from = `from='${room}/bo' to='${one.peer.jid}'`;
  one.peer.send(`<presence ${from}>${x}${wide}</presence>`);
  one.peer.send(`<message type='groupchat' ${from} id='wide'><body>hi</body>${wide}</message>`);
  assert.is((await one.client.pick(`<message type='groupchat' id='wide'/>`)).child('body')?.text, 'hi');
  const two = await login('alice', 'desk');
  two.client.send(joinPresence(address, { id: 'second' }));
  await two.client.pick(`<presence from='${room}/bo'/>`);
  await two.client.pick(`<message type='groupchat' id='wide'/>`);
  // The proxy's own look at the start, and two clients.
  assert.is(server.peers.length, 3);
});

test('X3 one stanza fits, however much larger than the outbox it is', async (context) => {
  const { login } = await stage(context, {
    limits: { outbox: '64 KiB', 'stanza-size': '32 KiB', 'pre-auth-stanza-size': '16 KiB' },
  });
  const { client, peer } = await login();
  const body = 'x'.repeat(8 << 20);
  peer.send(`<message from='bob@localhost/x' to='${peer.jid}' id='big'><body>${body}</body></message>`);
  peer.send(`<message from='bob@localhost/x' to='${peer.jid}' id='next'/>`);
  const big = await client.pick(`<message id='big'/>`, { limitMs: 10_000 });
  assert.is(big.child('body')?.text.length, body.length);
  await client.pick(`<message id='next'/>`);
});

test('M9 the server of one host cannot grant the resumption of a session at another', async (context) => {
  const sm = 'urn:xmpp:sm:3';
  const start = async (domain: string) => {
    const server = await startFakeServer({
      domain,
      features: `<sm xmlns='${sm}'/>`,
      answer: (element) => {
        if (element.name === 'enable') return `<enabled xmlns='${sm}' id='same' resume='true' max='60'/>`;
        return element.name === 'resume' ? `<resumed xmlns='${sm}' previd='same' h='0'/>` : undefined;
      },
    });
    context.after(() => server.stop());
    return server;
  };
  const [good, evil] = [await start('localhost'), await start('evil.test')];
  const hosts = { localhost: { upstream: good.upstream }, 'evil.test': { upstream: evil.upstream } };
  const proxy = await startProxy({ upstream: good.upstream, config: { hosts } });
  context.after(() => proxy.stop());
  const alice = await login(proxy.target('tcp'), { user: 'alice', mechanism: 'X-TEST' });
  alice.send(`<enable xmlns='${sm}' resume='true'/>`);
  await alice.pick(`<enabled xmlns='${sm}'/>`);
  const mallory = new Speaker(connect(proxy.target('tcp').port, '127.0.0.1'));
  const open = `<stream:stream xmlns='jabber:client' xmlns:stream='${ns.streams}' to='evil.test' version='1.0'>`;
  mallory.send(open);
  await mallory.hear('</stream:features>');
  mallory.send(`<auth xmlns='${ns.sasl}' mechanism='X-TEST'>${Buffer.from('mallory').toString('base64')}</auth>`);
  await mallory.hear('<success');
  mallory.send(open);
  await mallory.hear('</stream:features>');
  mallory.send(`<resume xmlns='${sm}' previd='same' h='0'/>`);
  await mallory.hear('<failed');
  mallory.drop();
  await alice.ping();
  await alice.end();
});

test('a client that asks for its resource in characters that servers normalise ends no carrier, and its ghost goes', async (context) => {
  const { login } = await stage(context, {}, true);
  // The fake server binds what it is asked for; a real one has made this of `Handy` and U+2122.
  const old = await login('alice', 'HandyTM', 'PLAIN');
  await join(old);
  const back = await login('alice', 'Handy\u2122', 'PLAIN');
  assert.match(back.peer.jid, /^alice@localhost\/HandyTM-[0-9a-f]+$/);
  assert.ok((await old.client.closed).error?.child('conflict'));
});

test.run();
