/**
 * A hand-over step by step, with the room's answers held back to the moment: what two streams hear, what is owed to the old
 * one, and what it must not do meanwhile (L3, L9, M1, M4).
 */
import { type Client, type LoginOptions, login } from '../support/client.ts';
import { type Element, ns } from '../support/element.ts';
import {
  answerJoin,
  type FakePeer,
  type FakeServer,
  type JoinAnswer,
  startFakeServer,
} from '../support/fake-server.ts';
import { startProxy } from '../support/proxy.ts';
import { joinPresence } from '../support/room.ts';
import { assert, suite, type TestContext } from '../support/suite.ts';

const test = suite('handover-order', { limitMs: 30_000 });
const room = 'den@rooms.localhost';
const address = `${room}/al`;
const carbons = 'urn:xmpp:carbons:2';
const leaving = `<presence type='unavailable' to='${address}'/>`;
const isJoin = (element: Element) => element.name === 'presence' && element.child('x', ns.muc) !== undefined;

interface Device {
  client: Client;
  /** The server's end of its stream. */
  peer: FakePeer;
}

interface Stage {
  server: FakeServer;
  /** A device of alice; with X-TEST, which it is unless told, there is no account stream. */
  open(resource: string, options?: Partial<LoginOptions>): Promise<Device>;
}

async function stage({ after }: TestContext): Promise<Stage> {
  const server = await startFakeServer();
  after(() => server.stop());
  const proxy = await startProxy({ upstream: server.upstream });
  after(() => proxy.stop());
  const open = async (resource: string, options: Partial<LoginOptions> = {}): Promise<Device> => {
    const client = await login(proxy.target('tcp'), { user: 'alice', resource, mechanism: 'X-TEST', ...options });
    after(() => (client.stream.isClosed ? undefined : client.drop()));
    return { client, peer: await server.peer() };
  };
  return { server, open };
}

async function available({ client, peer }: Device): Promise<void> {
  await client.available();
  await peer.pick('<presence/>');
}

/** Two devices of one account in the room, the first of which carries it. */
async function twoJoined(context: TestContext): Promise<{ phone: Device; desk: Device }> {
  const { open } = await stage(context);
  const [phone, desk] = [await open('phone'), await open('desk')];
  for (const device of [phone, desk]) await available(device);
  phone.client.send(joinPresence(address));
  await admit(phone.peer);
  desk.client.send(joinPresence(address));
  for (const { client } of [phone, desk]) await client.upTo(`<message type='groupchat'><subject/></message>`);
  return { phone, desk };
}

/** Answers the next join and its fence; returns the join. */
async function admit(peer: FakePeer, answer: JoinAnswer = { occupants: ['bo'] }): Promise<Element> {
  const join = await peer.pick(isJoin);
  const fence = await peer.pick(`<iq type='get' to='${room}'><query xmlns='${ns.discoInfo}'/></iq>`);
  answerJoin(peer, join, answer);
  peer.send(`<iq type='result' id='${fence.id}' from='${room}' to='${peer.jid}'/>`);
  return join;
}

/** Refuses the next join. */
async function refuse(peer: FakePeer, type: string, condition: string): Promise<void> {
  const join = await peer.pick(isJoin);
  await peer.pick(`<iq type='get' to='${room}'/>`);
  const error = `<error type='${type}'><${condition} xmlns='${ns.stanzas}'/></error>`;
  peer.send(`<presence type='error' id='${join.id}' from='${address}' to='${peer.jid}'>${error}</presence>`);
}

function said(peer: FakePeer, id: string, inner = ''): string {
  return `<message type='groupchat' id='${id}' from='${room}/bo' to='${peer.jid}'><body>${id}</body>${inner}</message>`;
}

/** Confirms a leave. */
function gone(peer: FakePeer): void {
  const x = `<x xmlns='${ns.mucUser}'><item affiliation='none' role='none'/><status code='110'/></x>`;
  peer.send(`<presence type='unavailable' from='${address}' to='${peer.jid}'>${x}</presence>`);
}

/** What has come there that is not looked at yet. */
function pending({ inbox }: FakePeer, name: string): string[] {
  return inbox.pending.filter((one) => one.name === name).map(String);
}

async function hears(client: Client, ids: readonly string[]): Promise<void> {
  for (const id of ids) await client.expect(`<message type='groupchat' id='${id}' from='${room}/bo'/>`);
}

test('M1 the old stream of a hand-over is heard to its end before the new one, and each message once', async (context) => {
  const { phone, desk } = await twoJoined(context);
  await phone.client.drop();
  await admit(desk.peer);
  await phone.peer.pick(leaving);
  // The new stream is the faster one. The last word reaches the room when the old stream has left.
  for (const id of ['one', 'two', 'three']) desk.peer.send(said(desk.peer, id));
  await desk.client.expectNothing();
  for (const id of ['one', 'two']) phone.peer.send(said(phone.peer, id));
  gone(phone.peer);
  await hears(desk.client, ['one', 'two', 'three']);
  await desk.client.expectNothing();
});

test('M1 what the old stream of a hand-over brings late, the new one does not bring again', async (context) => {
  const { phone, desk } = await twoJoined(context);
  await phone.client.drop();
  await admit(desk.peer);
  await phone.peer.pick(leaving);
  phone.peer.send(said(phone.peer, 'one'));
  gone(phone.peer);
  await hears(desk.client, ['one']);
  for (const id of ['one', 'two']) desk.peer.send(said(desk.peer, id));
  await hears(desk.client, ['two']);
});

test('M4 the old stream of a hand-over stays until the room has answered what was asked through it', async (context) => {
  const { phone, desk } = await twoJoined(context);
  desk.client.send(`<iq type='get' id='q' to='${room}/bo'><query xmlns='jabber:iq:version'/></iq>`);
  const asked = await phone.peer.pick(`<iq type='get' to='${room}/bo'><query xmlns='jabber:iq:version'/></iq>`);
  await phone.client.drop();
  await admit(desk.peer);
  // A word through the new stream shows that it carries the room.
  desk.client.send(`<message type='groupchat' id='mine' to='${room}'><body>mine</body></message>`);
  await desk.peer.pick(`<message type='groupchat' id='mine'/>`);
  assert.equal(
    pending(phone.peer, 'presence').filter((text) => text.includes(room)),
    [],
  );
  phone.peer.send(`<iq type='result' id='${asked.id}' from='${room}/bo' to='${phone.peer.jid}'/>`);
  await desk.client.expect(`<iq type='result' id='q' from='${room}/bo' to='${desk.client.jid}'/>`);
  await phone.peer.pick(leaving);
});

test('L3 a stream that is held for its rooms takes no one-to-one messages, and what still comes goes to the others', async (context) => {
  const { phone, desk } = await twoJoined(context);
  phone.client.send(`<iq type='set' id='c'><enable xmlns='${carbons}'/></iq>`);
  const enable = await phone.peer.pick(`<iq type='set'><enable xmlns='${carbons}'/></iq>`);
  phone.peer.send(`<iq type='result' id='${enable.id}' to='${phone.peer.jid}'/>`);
  await phone.client.expect(`<iq type='result' id='c'/>`);
  await phone.client.drop();
  await phone.peer.pick(`<presence><priority>-1</priority></presence>`);
  await phone.peer.pick(`<iq type='set'><disable xmlns='${carbons}'/></iq>`);
  const from = `from='bob@localhost/x' to='${phone.peer.jid}'`;
  phone.peer.send(`<message type='chat' id='late' ${from}><body>late</body></message>`);
  await desk.client.expect(`<message type='chat' id='late' from='bob@localhost/x' to='${desk.client.jid}'/>`);
  phone.peer.send(`<iq type='get' id='v' ${from}><query xmlns='jabber:iq:version'/></iq>`);
  await phone.peer.pick(`<iq type='error' id='v' to='bob@localhost/x'/>`);
  await admit(desk.peer);
  await phone.peer.pick(leaving);
  gone(phone.peer);
  await phone.peer.closed;
});

test('L3 the unavailable presence of a carrier waits until its rooms have been handed over', async (context) => {
  const { phone, desk } = await twoJoined(context);
  phone.client.send(`<presence type='unavailable'><status>off</status></presence>`);
  await phone.client.expect(`<presence type='unavailable' from='${address}'/>`);
  await phone.client.ping();
  await admit(desk.peer);
  await phone.peer.pick(leaving);
  await phone.client.ping();
  assert.equal(pending(phone.peer, 'presence'), []);
  gone(phone.peer);
  await phone.peer.pick(`<presence type='unavailable'><status>off</status></presence>`);
  desk.peer.send(said(desk.peer, 'still'));
  await hears(desk.client, ['still']);
});

test('L9 who shows itself differently to the new stream of a hand-over is shown to the sessions, and nobody else is', async (context) => {
  const { phone, desk } = await twoJoined(context);
  await phone.client.drop();
  await admit(desk.peer, { occupants: ['bo', 'ca'] });
  await desk.client.expect(`<presence from='${room}/ca' to='${desk.client.jid}'/>`);
  await phone.peer.pick(leaving);
  gone(phone.peer);
  await desk.client.expectNothing();
});

test('L5 the carrier is lost: the sessions are told who has come and gone, and what was said and decided meanwhile', async (context) => {
  const { phone, desk } = await twoJoined(context);
  phone.peer.send(said(phone.peer, 'before'));
  await hears(desk.client, ['before']);
  phone.peer.drop();
  const now = new Date().toISOString();
  const history = ['before', 'missed'].map((id) =>
    said(desk.peer, id, `<delay xmlns='${ns.delay}' from='${room}' stamp='${now}'/>`),
  );
  const join = await admit(desk.peer, { occupants: ['ca'], history: history.join(''), subject: 'decided' });
  assert.ok(join.at('x', 'history')?.attrs.since);
  await desk.client.expect(`<presence type='unavailable' from='${room}/bo' to='${desk.client.jid}'/>`);
  await desk.client.expect(`<presence from='${room}/ca' to='${desk.client.jid}'/>`);
  await hears(desk.client, ['missed']);
  await desk.client.expect(`<message type='groupchat'><subject>decided</subject></message>`);
  await desk.client.expectNothing();
});

test('L5 a room that does not let the account back at once is asked again', async (context) => {
  const { phone, desk } = await twoJoined(context);
  phone.peer.drop();
  await refuse(desk.peer, 'wait', 'resource-constraint');
  await refuse(desk.peer, 'wait', 'remote-server-timeout');
  await admit(desk.peer);
  desk.peer.send(said(desk.peer, 'back'));
  await hears(desk.client, ['back']);
});

test('L5 a room that does not let the account back at all: the sessions are told, and may join anew', async (context) => {
  const { phone, desk } = await twoJoined(context);
  phone.peer.drop();
  // A service that is being started may say so once.
  await refuse(desk.peer, 'auth', 'forbidden');
  await refuse(desk.peer, 'auth', 'forbidden');
  await desk.client.expect(
    `<presence type='unavailable' from='${address}' to='${desk.client.jid}'><x xmlns='${ns.mucUser}'><status code='110'/><status code='333'/></x></presence>`,
  );
  desk.client.send(joinPresence(address, { id: 'anew' }));
  await admit(desk.peer);
  await desk.client.upTo(`<presence id='anew' from='${address}'/>`);
});

test('L9 rooms are handed over to a device that is available, where there is one', async (context) => {
  const { open } = await stage(context);
  const [phone, silent, desk] = [await open('phone'), await open('silent'), await open('desk')];
  for (const device of [phone, desk]) await available(device);
  phone.client.send(joinPresence(address));
  await admit(phone.peer);
  await phone.client.upTo(`<message type='groupchat'><subject/></message>`);
  await phone.client.drop();
  await admit(desk.peer);
  await phone.peer.pick(leaving);
  assert.equal(pending(silent.peer, 'presence'), []);
});

test('L3 an account stream that is lost is opened again, and takes its rooms back', async (context) => {
  const { server, open } = await stage(context);
  const phone = await open('phone', { mechanism: 'PLAIN' });
  await available(phone);
  phone.client.send(joinPresence(address));
  const own = await server.peer();
  assert.match(own.jid, '/minimix-rooms-');
  await admit(own);
  await phone.client.upTo(`<message type='groupchat'><subject/></message>`);
  own.drop();
  // Until the stream is there again the device's own carries the room.
  await admit(phone.peer);
  const again = await server.peer();
  assert.match(again.jid, '/minimix-rooms-');
  await admit(again);
  await phone.peer.pick(leaving);
  gone(phone.peer);
  again.send(said(again, 'still'));
  await hears(phone.client, ['still']);
});

test.run();
