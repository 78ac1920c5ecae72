/**
 * Joins whose answer comes late, in pieces, or never, and services of old: what real servers cannot be made to do to the
 * moment (J6, J7, J9, J12).
 */
import { type Element, escapeXml, ns } from '../support/element.ts';
import { answerJoin, type FakePeer } from '../support/fake-server.ts';
import { joinPresence, joinRoom } from '../support/room.ts';
import { assert } from '../support/suite.ts';
import { fakeScenarios } from './support/fake-room.ts';
import { awaitedLater, refused, verdict } from './support/joining.ts';

const scenario = fakeScenarios('join-silence');
const room = 'den@rooms.localhost';
const address = `${room}/al`;
const short = { join: { timeout: '1s' } };

const isJoin = (element: Element) => element.name === 'presence' && element.child('x', ns.muc) !== undefined;
const leaving = `<presence type='unavailable' to='${address}'/>`;

/** The next join that reaches the room, and the fence behind it. */
async function nextJoin(peer: FakePeer): Promise<{ join: Element; fence: Element }> {
  const join = await peer.pick(isJoin);
  const fence = await peer.pick(`<iq type='get' to='{any}'><query xmlns='${ns.discoInfo}'/></iq>`);
  return { join, fence };
}

function result(peer: FakePeer, request: Element): void {
  peer.send(`<iq type='result' id='${request.id}' from='${escapeXml(request.attrs.to ?? '')}' to='${peer.jid}'/>`);
}

function refuse(peer: FakePeer, join: Element, type: string, condition: string): void {
  const error = `<error type='${type}'><${condition} xmlns='${ns.stanzas}'/></error>`;
  peer.send(`<presence type='error' id='${join.id}' from='${join.attrs.to}' to='${peer.jid}'>${error}</presence>`);
}

/** Confirms a leave. */
function gone(peer: FakePeer, from = address): void {
  const x = `<x xmlns='${ns.mucUser}'><item affiliation='none' role='none'/><status code='110'/></x>`;
  peer.send(`<presence type='unavailable' from='${from}' to='${peer.jid}'>${x}</presence>`);
}

/** Nothing is waiting at the room's side, behind a round trip of the client's own. */
function nothingReached(peer: FakePeer): void {
  const reached = peer.inbox.pending.filter((one) => one.to?.startsWith(room));
  assert.equal(reached.map(String), []);
}

scenario(
  'J7',
  'silence: each waiting session is told to wait, within the limit',
  async ({ login, carrierPeer }) => {
    const [phone, desk] = [await login(), await login()];
    const started = Date.now();
    phone.send(joinPresence(address, { id: 'phone' }));
    desk.send(joinPresence(`${room}/lissy`, { id: 'desk' }));
    const peer = await carrierPeer();
    await nextJoin(peer);
    assert.is(verdict(await refused(phone, address, 'phone')), 'wait remote-server-timeout');
    assert.is(verdict(await refused(desk, `${room}/lissy`, 'desk')), 'wait remote-server-timeout');
    const took = Date.now() - started;
    assert.ok(took >= 900 && took < 3_000, `${took} ms`);
    await peer.pick(leaving);
    await phone.expectNothing();
    await desk.expectNothing();
    nothingReached(peer);
  },
  { config: short },
);

scenario(
  'J7',
  'a success that comes after the limit is left again, and the client hears nothing of it',
  async ({ login, carrierPeer }) => {
    const phone = await login();
    phone.send(joinPresence(address, { id: 'join' }));
    const peer = await carrierPeer();
    const { join, fence } = await nextJoin(peer);
    await refused(phone, address, 'join');
    await peer.pick(leaving);
    answerJoin(peer, join, { occupants: ['bo'], subject: 'late' });
    result(peer, fence);
    gone(peer);
    await phone.expectNothing();
    nothingReached(peer);
    // Nothing stays behind: the next join is a first one.
    const again = awaitedLater(joinRoom(phone, address));
    const next = await nextJoin(peer);
    answerJoin(peer, next.join, { occupants: ['bo'] });
    result(peer, next.fence);
    result(peer, await peer.pick(`<iq type='get' to='${room}'/>`));
    assert.is((await again).sequence, 'PST');
  },
  { config: short },
);

scenario(
  'J7',
  'unless somebody rejoins: then the session is in, when all has settled',
  async ({ login, carrierPeer }) => {
    const phone = await login();
    phone.send(joinPresence(address, { id: 'early' }));
    const peer = await carrierPeer();
    const first = await nextJoin(peer);
    await refused(phone, address, 'early');
    await peer.pick(leaving);
    phone.send(joinPresence(address, { id: 'late' }));
    await phone.ping();
    answerJoin(peer, first.join, { occupants: ['bo'] });
    gone(peer);
    const second = await nextJoin(peer);
    answerJoin(peer, second.join, { occupants: ['bo'] });
    result(peer, second.fence);
    await phone.expect(`<presence from='${room}/bo'/>`);
    await phone.expect(
      `<presence from='${address}' id='late'><x xmlns='${ns.mucUser}'><status code='110'/></x></presence>`,
    );
    await phone.expect(`<message type='groupchat'><subject/></message>`);
    await phone.expectNothing();
    nothingReached(peer);
  },
  { config: short },
);

scenario(
  'J7',
  'a join behind a leave that the room never confirms is answered within the limit too',
  async ({ login, carrierPeer }) => {
    const phone = await login();
    phone.send(joinPresence(address, { id: 'early' }));
    const peer = await carrierPeer();
    await nextJoin(peer);
    await refused(phone, address, 'early');
    await peer.pick(leaving);
    const started = Date.now();
    phone.send(joinPresence(address, { id: 'late' }));
    assert.is(verdict(await refused(phone, address, 'late')), 'wait remote-server-timeout');
    assert.ok(Date.now() - started < 3_000);
  },
  { config: short },
);

scenario(
  'J7',
  'an error of the network reaches each session in the words of the server',
  async ({ login, carrierPeer }) => {
    const [phone, desk] = [await login(), await login()];
    let carried: FakePeer | undefined;
    for (const [type, condition] of [
      ['cancel', 'remote-server-not-found'],
      ['wait', 'remote-server-timeout'],
      ['modify', 'not-acceptable'],
      ['wait', 'service-unavailable'],
    ] as const) {
      phone.send(joinPresence(address, { id: `phone-${condition}` }));
      desk.send(joinPresence(address, { id: `desk-${condition}` }));
      carried ??= await carrierPeer();
      const { join } = await nextJoin(carried);
      await desk.ping();
      refuse(carried, join, type, condition);
      assert.is(verdict(await refused(phone, address, `phone-${condition}`)), `${type} ${condition}`);
      assert.is(verdict(await refused(desk, address, `desk-${condition}`)), `${type} ${condition}`);
    }
    await phone.expectNothing();
  },
);

scenario('J7', 'what the client sends behind its join waits for the answer', async ({ login, carrierPeer }) => {
  const phone = await login();
  phone.send(joinPresence(address, { id: 'join' }));
  const peer = await carrierPeer();
  const { join, fence } = await nextJoin(peer);
  for (const word of ['one', 'two']) {
    phone.send(`<message type='groupchat' id='${word}' to='${room}'><body>${word}</body></message>`);
  }
  phone.send(`<presence to='${address}' id='status'><show>away</show></presence>`);
  await phone.ping();
  nothingReached(peer);
  answerJoin(peer, join);
  result(peer, fence);
  const reached = await peer.inbox.upTo(`<presence to='${address}'><show>away</show></presence>`, 5_000);
  assert.equal(
    reached.filter((one) => one.to?.startsWith(room)).map((one) => one.id),
    ['one', 'two', 'status'],
  );
  await phone.expect(`<presence from='${address}' id='join'/>`);
});

scenario(
  'J6',
  'sessions that wait make one join; one that leaves meanwhile is not waited for',
  async ({ login, carrierPeer }) => {
    const [phone, desk] = [await login(), await login()];
    phone.send(joinPresence(address, { id: 'phone' }));
    const peer = await carrierPeer();
    const { join, fence } = await nextJoin(peer);
    desk.send(joinPresence(address, { id: 'desk' }));
    await desk.ping();
    phone.send(`<presence type='unavailable' id='leave' to='${address}'/>`);
    await phone.expect(
      `<presence type='unavailable' from='${address}'><x xmlns='${ns.mucUser}'><status code='110'/></x></presence>`,
    );
    answerJoin(peer, join, { occupants: ['bo'], codes: [201] });
    result(peer, fence);
    await desk.expect(`<presence from='${room}/bo'/>`);
    const self = await desk.expect(`<presence from='${address}' id='desk'/>`);
    assert.ok(self.codes.includes(110));
    await desk.expect(`<message type='groupchat'><subject/></message>`);
    await phone.expectNothing();
    nothingReached(peer);
  },
);

scenario(
  'J6',
  'the wish of the next session is tried when that of the first is refused',
  async ({ carrier, login, carrierPeer }) => {
    const [phone, desk, web] = [await login(), await login(), await login()];
    phone.send(joinPresence(address, { id: 'phone' }));
    const peer = await carrierPeer();
    const first = await nextJoin(peer);
    desk.send(joinPresence(address, { id: 'desk', password: 'sesame' }));
    await desk.ping();
    web.send(joinPresence(address, { id: 'web' }));
    await web.ping();
    refuse(peer, first.join, 'auth', 'not-authorized');
    assert.is(verdict(await refused(phone, address, 'phone')), 'auth not-authorized');
    assert.is(verdict(await refused(web, address, 'web')), 'auth not-authorized');
    // A borrowed carrier is that of the session which asks.
    const next = carrier === 'account' ? peer : await carrierPeer();
    const second = await nextJoin(next);
    assert.is(second.join.at('x', 'password')?.text, 'sesame');
    // The first join's fence is answered when nobody waits for it any more.
    result(peer, first.fence);
    answerJoin(next, second.join);
    result(next, second.fence);
    await desk.expect(
      `<presence from='${address}' id='desk'><x xmlns='${ns.mucUser}'><status code='110'/></x></presence>`,
    );
    for (const session of [phone, web]) await session.expectNothing();
    nothingReached(peer);
  },
);

scenario(
  'J7',
  'a leave in mid-join is answered at once, and the account leaves behind its join',
  async ({ login, carrierPeer }) => {
    const phone = await login();
    phone.send(joinPresence(address, { id: 'join' }));
    const peer = await carrierPeer();
    const { join, fence } = await nextJoin(peer);
    phone.send(`<presence type='unavailable' id='leave' to='${address}'/>`);
    await phone.expect(`<presence type='unavailable' id='leave' from='${address}'/>`);
    await peer.pick(leaving);
    answerJoin(peer, join, { occupants: ['bo'] });
    result(peer, fence);
    gone(peer);
    await phone.expectNothing();
    nothingReached(peer);
  },
);

scenario(
  'J7',
  'a stream that is lost in mid-join: the join goes out on another, and who still waits is answered in full',
  async ({ carrier, server, login, carrierPeer }) => {
    const [phone, desk] = [await login(), await login()];
    phone.send(joinPresence(address, { id: 'phone' }));
    const peer = await carrierPeer();
    await nextJoin(peer);
    desk.send(joinPresence(address, { id: 'desk' }));
    await desk.ping();
    peer.drop();
    const others = server.peers.filter((one) => one !== peer);
    const { next, join, fence } = await Promise.any(
      others.map(async (one) => ({ next: one, ...(await nextJoin(one)) })),
    );
    answerJoin(next, join, { occupants: ['bo'] });
    result(next, fence);
    // A borrowed carrier takes its own client with it.
    const sessions = carrier === 'account' ? { phone, desk } : { desk };
    for (const [id, session] of Object.entries(sessions)) {
      await session.expect(`<presence from='${room}/bo'/>`);
      await session.expect(`<presence from='${address}' id='${id}'/>`);
      await session.expect(`<message type='groupchat'><subject/></message>`);
    }
  },
);

scenario(
  'J7',
  'a client that is gone in mid-join leaves nobody in the room',
  async ({ server, login, carrierPeer }) => {
    const [phone, desk] = [await login(), await login()];
    phone.send(joinPresence(address, { id: 'join' }));
    const peer = await carrierPeer();
    const { join, fence } = await nextJoin(peer);
    await phone.drop();
    await peer.pick(leaving);
    answerJoin(peer, join, { occupants: ['bo'] });
    result(peer, fence);
    gone(peer);
    await desk.expectNothing();
    for (const one of server.peers) nothingReached(one);
  },
);

scenario(
  'J12',
  'a service without 110, 210 and subject: the proxy supplies what is missing',
  async ({ login, carrierPeer }) => {
    const [phone, desk] = [await login(), await login()];
    const answer = awaitedLater(joinRoom(phone, address));
    const peer = await carrierPeer();
    const { fence } = await nextJoin(peer);
    const item = `<x xmlns='${ns.mucUser}'><item affiliation='none' role='participant'/></x>`;
    peer.send(`<presence from='${room}/bo' to='${peer.jid}'>${item}</presence>`);
    peer.send(`<presence from='${address}' to='${peer.jid}'>${item}</presence>`);
    result(peer, fence);
    result(peer, await peer.pick(`<iq type='get' to='${room}'/>`));
    const first = await answer;
    assert.is(first.sequence, 'PST');
    assert.equal(first.self.codes, [110]);
    const later = awaitedLater(joinRoom(desk, `${room}/lissy`));
    result(peer, await peer.pick(`<iq type='get' to='${room}'/>`));
    const second = await later;
    assert.is(second.sequence, 'PST');
    assert.is(second.nick, 'al');
    assert.equal(second.self.codes, [110, 210]);
    // Another's presence is another's; one's own later presence is marked too.
    peer.send(`<presence from='${room}/bo' to='${peer.jid}'><show>away</show>${item}</presence>`);
    peer.send(`<presence from='${address}' to='${peer.jid}'><show>xa</show>${item}</presence>`);
    for (const session of [phone, desk]) {
      assert.equal((await session.expect(`<presence from='${room}/bo'><show>away</show></presence>`)).codes, []);
      assert.equal((await session.expect(`<presence from='${address}'><show>xa</show></presence>`)).codes, [110]);
    }
    nothingReached(peer);
  },
);

scenario(
  'J12',
  'a service that gives another nick and does not say so: 210 is supplied',
  async ({ login, carrierPeer }) => {
    const phone = await login();
    phone.send(joinPresence(address, { id: 'join' }));
    const peer = await carrierPeer();
    const { join, fence } = await nextJoin(peer);
    answerJoin(peer, join, { nick: 'guest7' });
    result(peer, fence);
    const self = await phone.expect(`<presence from='${room}/guest7' id='join'/>`);
    assert.equal(self.codes, [110, 210]);
  },
);

scenario(
  'J9',
  'rooms of a gateway are joined once, whatever their address looks like',
  async ({ login, carrierPeer }) => {
    const channel = '#café%irc.example.org@irc.localhost';
    const [phone, desk] = [await login(), await login()];
    const answer = awaitedLater(joinRoom(phone, `${channel}/al[m]`));
    const peer = await carrierPeer();
    const { join, fence } = await nextJoin(peer);
    answerJoin(peer, join, { occupants: ['ChanServ'], subject: 'hi' });
    result(peer, fence);
    const ask = `<iq type='get' to='${channel}'/>`;
    result(peer, await peer.pick(ask));
    assert.is((await answer).sequence, 'PST');
    const later = awaitedLater(joinRoom(desk, `${channel}/al[m]`));
    result(peer, await peer.pick(ask));
    const second = await later;
    assert.is(second.sequence, 'PST');
    assert.equal(second.self.codes, [110]);
    assert.ok(!peer.inbox.pending.some(isJoin));
  },
);

scenario(
  'M4',
  'an occupant who answers in the room’s place ends no join, though the id of the join tells the next one',
  async (scene) => {
    const phone = await scene.login();
    phone.send(joinPresence(address));
    const peer = await scene.carrierPeer();
    const { join, fence } = await nextJoin(peer);
    const forged = `<iq type='result' id='${fence.id}' from='${room}/mallory' to='${peer.jid}'/>`;
    const said = `<message type='groupchat' from='${room}/bo' to='${peer.jid}' id='said'><body>said before</body>
    <delay xmlns='${ns.delay}' from='${room}' stamp='2026-11-27T12:00:00Z'/></message>`;
    answerJoin(peer, join, { occupants: ['bo'], history: `${forged}${said}`, subject: 'tea' });
    result(peer, fence);
    await phone.expect(`<presence from='${room}/bo'/>`);
    await phone.expect(`<presence from='${address}'/>`);
    await phone.expect(`<message type='groupchat' id='said'/>`);
    await phone.expect(`<message type='groupchat'><subject>tea</subject></message>`);
    await phone.expectNothing();
  },
);

scenario.run();
