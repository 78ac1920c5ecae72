/** The answer to a join in its parts: history, what is said meanwhile, what the room asks and shows of itself (J2, J4, J8). */
import { type Element, ns } from '../support/element.ts';
import { answerJoin, type FakePeer } from '../support/fake-server.ts';
import { joinPresence, joinRoom } from '../support/room.ts';
import { assert } from '../support/suite.ts';
import { fakeScenarios } from './support/fake-room.ts';
import { awaitedLater } from './support/joining.ts';
import { until } from './support/witness.ts';

const scenario = fakeScenarios('join-steps');
const room = 'den@rooms.localhost';
const address = `${room}/al`;
const captcha = 'urn:xmpp:captcha';
const ask = `<iq type='get' to='${room}'><query xmlns='${ns.discoInfo}'/></iq>`;
const isJoin = (element: Element) => element.name === 'presence' && element.child('x', ns.muc) !== undefined;

function result(peer: FakePeer, request: Element): void {
  peer.send(`<iq type='result' id='${request.id}' from='${room}' to='${peer.jid}'/>`);
}

/** A message of another occupant, as the room sends it. */
function said(peer: FakePeer, id: string, inner = ''): string {
  return `<message type='groupchat' id='${id}' from='${room}/bo' to='${peer.jid}'><body>${id}</body>${inner}</message>`;
}

function delayed(stamp: string): string {
  return `<delay xmlns='${ns.delay}' from='${room}' stamp='${stamp}'/>`;
}

scenario(
  'J2',
  'what is said before the answer is complete comes once: behind the subject, and not as history',
  async ({ login, carrierPeer }) => {
    const [phone, desk] = [await login(), await login()];
    phone.send(joinPresence(address, { id: 'phone' }));
    const peer = await carrierPeer();
    const join = await peer.pick(isJoin);
    const fence = await peer.pick(ask);
    desk.send(joinPresence(address, { id: 'desk', history: "maxstanzas='0'" }));
    await desk.ping();
    answerJoin(peer, join, { history: said(peer, 'past', delayed(new Date().toISOString())) });
    peer.send(said(peer, 'live'));
    result(peer, fence);
    for (const [id, session] of Object.entries({ phone, desk })) {
      await session.expect(`<presence from='${address}' id='${id}'/>`);
      if (session === phone) await session.expect(`<message type='groupchat' id='past'/>`);
      await session.expect(`<message type='groupchat'><subject/></message>`);
      const live = await session.expect(`<message type='groupchat' id='live'/>`);
      assert.not.ok(live.child('delay'));
      await session.expectNothing();
    }
  },
);

scenario(
  'J2',
  'a private word and a notice of changes before the answer is complete reach each device, behind its answer and in their order',
  async ({ login, carrierPeer }) => {
    const [phone, desk] = [await login(), await login()];
    phone.send(joinPresence(address, { id: 'phone' }));
    const peer = await carrierPeer();
    const join = await peer.pick(isJoin);
    const fence = await peer.pick(ask);
    desk.send(joinPresence(address, { id: 'desk' }));
    await desk.ping();
    answerJoin(peer, join);
    const changed = `<x xmlns='${ns.mucUser}'><status code='104'/></x>`;
    peer.send(`<message type='groupchat' from='${room}' to='${peer.jid}' id='changed'>${changed}</message>`);
    peer.send(said(peer, 'live'));
    peer.send(`<message type='chat' id='hello' from='${room}/bo' to='${peer.jid}'><body>welcome</body></message>`);
    await phone.expectNothing();
    result(peer, fence);
    for (const [id, session] of Object.entries({ phone, desk })) {
      await session.expect(`<presence from='${address}' id='${id}'/>`);
      await session.expect(`<message type='groupchat'><subject/></message>`);
      for (const one of ['changed', 'live', 'hello']) {
        const next = await session.expect((element: Element) => element.name === 'message');
        assert.is(next.id, one);
      }
      await session.expectNothing();
    }
  },
);

scenario(
  'J4',
  'what a room gives as history is given to each session, however long ago it was said',
  async ({ login, carrierPeer }) => {
    const [phone, desk] = [await login(), await login()];
    const first = awaitedLater(joinRoom(phone, address));
    const peer = await carrierPeer();
    const join = await peer.pick(isJoin);
    const fence = await peer.pick(ask);
    answerJoin(peer, join, { history: said(peer, 'past', delayed('2002-02-02T02:02:02Z')) });
    result(peer, fence);
    result(peer, await peer.pick(ask));
    const second = awaitedLater(first.then(() => joinRoom(desk, address)));
    result(peer, await peer.pick(ask));
    for (const { sequence, history } of [await first, await second]) {
      assert.is(sequence, 'SHT');
      assert.is(history[0]?.id, 'past');
    }
  },
);

scenario(
  'J8',
  'a room that asks a question first: who joins is asked, has time to answer, and later sessions are not asked',
  async ({ login, carrierPeer }) => {
    const [phone, desk] = [await login(), await login()];
    const since = performance.now();
    phone.send(joinPresence(address, { id: 'join' }));
    const peer = await carrierPeer();
    const join = await peer.pick(isJoin);
    const fence = await peer.pick(ask);
    const form = (type: string) => `<captcha xmlns='${captcha}'><x xmlns='${ns.data}' type='${type}'/></captcha>`;
    peer.send(`<message id='question' from='${room}' to='${peer.jid}'><body>?</body>${form('form')}</message>`);
    result(peer, fence);
    await phone.expect(`<message id='question' from='${room}' to='${phone.jid}'>${form('form')}</message>`);
    await until('the time for a join would be over', () => performance.now() - since > 1_300);
    phone.send(`<iq type='set' id='solved' to='${room}'>${form('submit')}</iq>`);
    result(peer, await peer.pick(`<iq type='set' to='${room}'>${form('submit')}</iq>`));
    await phone.expect(`<iq type='result' id='solved' from='${room}'/>`);
    answerJoin(peer, join, { occupants: ['bo'] });
    result(peer, await peer.pick(ask));
    await phone.expect(`<presence from='${room}/bo'/>`);
    await phone.expect(`<presence id='join' from='${address}'/>`);
    await phone.expect(`<message type='groupchat'><subject/></message>`);
    const later = awaitedLater(joinRoom(desk, address));
    result(peer, await peer.pick(ask));
    assert.is((await later).sequence, 'PST');
    assert.not.ok(peer.inbox.pending.some(isJoin));
  },
  { config: { join: { timeout: '1s' } } },
);

scenario('J2', 'the presence of the room itself comes with each answer, and to all when it changes', async (scene) => {
  const [phone, desk] = [await scene.login(), await scene.login()];
  for (const client of [phone, desk]) client.isNoise = () => false;
  const own = (hash: string) => `<x xmlns='vcard-temp:x:update'><photo>${hash}</photo></x>`;
  phone.send(joinPresence(address, { id: 'phone' }));
  const peer = await scene.carrierPeer();
  const join = await peer.pick(isJoin);
  peer.send(`<presence from='${room}' to='${peer.jid}'>${own('one')}</presence>`);
  answerJoin(peer, join);
  result(peer, await peer.pick(ask));
  desk.send(joinPresence(address, { id: 'desk' }));
  for (const client of [phone, desk]) {
    await client.pick(`<presence from='${room}' to='${client.jid}'>${own('one')}</presence>`);
    await client.upTo(`<message type='groupchat'><subject/></message>`);
  }
  peer.send(`<presence from='${room}' to='${peer.jid}'>${own('two')}</presence>`);
  for (const client of [phone, desk]) {
    await client.expect(`<presence from='${room}' to='${client.jid}'>${own('two')}</presence>`);
  }
});

scenario.run();
