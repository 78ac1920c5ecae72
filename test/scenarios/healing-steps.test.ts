/** Lost places step by step, with the room's answers given to the moment (L5, L8): what real servers cannot be made to do. */

import type { Client } from '../support/client.ts';
import { type Element, ns } from '../support/element.ts';
import { answerJoin, type FakePeer, type JoinAnswer } from '../support/fake-server.ts';
import { joinPresence } from '../support/room.ts';
import { assert } from '../support/suite.ts';
import { type FakeScene, fakeScenarios } from './support/fake-room.ts';

const scenario = fakeScenarios('healing-steps');
const room = 'den@rooms.localhost';
const address = `${room}/al`;
const isJoin = (element: Element) => element.name === 'presence' && element.child('x', ns.muc) !== undefined;

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
  const join = await peer.pick(isJoin, { limitMs: 8_000 });
  await peer.pick(`<iq type='get' to='${room}'/>`);
  const error = `<error type='${type}'><${condition} xmlns='${ns.stanzas}'/></error>`;
  peer.send(`<presence type='error' id='${join.id}' from='${address}' to='${peer.jid}'>${error}</presence>`);
}

/** The room ends the account's stay with these codes beside 110. */
function end(peer: FakePeer, ...codes: number[]): void {
  const statuses = [110, ...codes].map((code) => `<status code='${code}'/>`).join('');
  const x = `<x xmlns='${ns.mucUser}'><item affiliation='none' role='none'/>${statuses}</x>`;
  peer.send(`<presence type='unavailable' from='${address}' to='${peer.jid}'>${x}</presence>`);
}

/** Two devices in the room; `peer` is the room's end of what carries it. */
async function inside(scene: FakeScene): Promise<{ phone: Client; desk: Client; peer: FakePeer }> {
  const phone = await scene.login({ resource: 'phone' });
  phone.send(joinPresence(address));
  const peer = await scene.carrierPeer();
  await admit(peer);
  const desk = await scene.login({ resource: 'desk' });
  desk.send(joinPresence(address));
  for (const client of [phone, desk]) await client.upTo(`<message type='groupchat'><subject/></message>`);
  return { phone, desk, peer };
}

const isOfRoom = ({ from }: Element): boolean => from?.startsWith(room) === true;

/** What has come of the room so far. */
async function told(client: Client): Promise<Element[]> {
  return (await client.fence()).filter(isOfRoom);
}

const removed = `<presence type='unavailable' from='${address}'><x xmlns='${ns.mucUser}'><status code='110'/><status code='333'/></x></presence>`;

function says(peer: FakePeer, id: string): void {
  peer.send(`<message type='groupchat' id='${id}' from='${room}/bo' to='${peer.jid}'><body>${id}</body></message>`);
}

scenario(
  'L5',
  'a service that ends and is away for a while takes the account back, and devices hear of nothing',
  async (scene) => {
    const { phone, desk, peer } = await inside(scene);
    end(peer, 332);
    await refuse(peer, 'cancel', 'remote-server-not-found');
    await refuse(peer, 'wait', 'service-unavailable');
    const join = await admit(peer);
    assert.ok(join.child('x', ns.muc)?.child('history')?.attrs.since, 'what was missed is asked for');
    says(peer, 'back');
    for (const client of [phone, desk]) {
      await client.expect((one) => isOfRoom(one) && one.id === 'back');
    }
  },
);

scenario(
  'L5',
  'a service that stays away for longer than it may: the devices are told, once, and may join anew',
  async (scene) => {
    const { phone, desk, peer } = await inside(scene);
    end(peer, 333);
    // It is asked four times however little time there is, at growing intervals.
    for (let tries = 0; tries < 4; tries += 1) await refuse(peer, 'cancel', 'remote-server-not-found');
    for (const client of [phone, desk]) await client.pick(removed);
    for (const client of [phone, desk]) assert.equal((await told(client)).map(String), []);
    phone.send(joinPresence(address, { id: 'anew' }));
    await admit(peer);
    await phone.upTo(`<presence id='anew' from='${address}'/>`);
  },
  { config: { rooms: { heal: '1s' } } },
);

scenario('L5', 'a room that has ended meanwhile is not created anew behind the devices’ backs', async (scene) => {
  const { phone, desk, peer } = await inside(scene);
  end(peer, 332);
  await admit(peer, { codes: [201] });
  await peer.pick(`<presence type='unavailable' to='${address}'/>`);
  for (const client of [phone, desk]) await client.pick(removed);
});

scenario(
  'L5',
  'with healing off the end of a service is told at once',
  async (scene) => {
    const { phone, desk, peer } = await inside(scene);
    end(peer, 332);
    for (const client of [phone, desk])
      await client.pick(
        `<presence type='unavailable' from='${address}' to='${client.jid}'><x xmlns='${ns.mucUser}'><status code='110'/><status code='332'/></x></presence>`,
      );
    assert.equal(peer.inbox.pending.filter(isJoin).map(String), []);
  },
  { config: { rooms: { heal: '0' } } },
);

scenario(
  'L8',
  'a message that is refused makes the room be asked; if the account is in, the sender is told',
  async (scene) => {
    const { phone, desk, peer } = await inside(scene);
    desk.send(`<message type='groupchat' id='m1' to='${room}'><body>no</body></message>`);
    await peer.pick(`<message type='groupchat' id='m1'/>`);
    peer.send(
      `<message type='error' id='m1' from='${room}' to='${peer.jid}'><error type='cancel'><not-acceptable xmlns='${ns.stanzas}'/></error></message>`,
    );
    const ping = await peer.pick(`<iq type='get' to='${address}'><ping xmlns='${ns.ping}'/></iq>`);
    assert.equal((await told(desk)).map(String), []);
    peer.send(`<iq type='result' id='${ping.id}' from='${address}' to='${peer.jid}'/>`);
    await desk.pick(
      `<message type='error' id='m1' from='${room}'><error><not-acceptable xmlns='${ns.stanzas}'/></error></message>`,
    );
    assert.equal((await told(phone)).map(String), []);
  },
);

scenario(
  'L8',
  'a device’s own ping is answered without the room while that was just heard, and with it while it is doubted',
  async (scene) => {
    const { phone, desk, peer } = await inside(scene);
    const ping = (id: string): string => `<iq type='get' id='${id}' to='${address}'><ping xmlns='${ns.ping}'/></iq>`;
    says(peer, 'hello');
    await phone.pick(`<message type='groupchat' id='hello'/>`);
    phone.send(ping('p1'));
    await phone.pick(`<iq type='result' id='p1' from='${address}' to='${phone.jid}'/>`);
    const isPing = (one: Element): boolean =>
      one.name === 'iq' && one.child('ping') !== undefined && one.to === address;
    assert.equal(peer.inbox.pending.filter(isPing).map(String), []);
    desk.send(`<message type='groupchat' id='m1' to='${room}'><body>no</body></message>`);
    await peer.pick(`<message type='groupchat' id='m1'/>`);
    peer.send(
      `<message type='error' id='m1' from='${room}' to='${peer.jid}'><error type='cancel'><not-acceptable xmlns='${ns.stanzas}'/></error></message>`,
    );
    const asked = await peer.pick(isPing);
    phone.send(ping('p2'));
    desk.send(ping('p3'));
    for (const client of [phone, desk])
      assert.equal((await told(client)).filter(({ name }) => name === 'iq').map(String), []);
    assert.equal(peer.inbox.pending.filter(isPing).map(String), []);
    peer.send(
      `<iq type='error' id='${asked.id}' from='${address}' to='${peer.jid}'><error type='cancel'><not-acceptable xmlns='${ns.stanzas}'/></error></iq>`,
    );
    await admit(peer);
    await phone.pick(`<iq type='result' id='p2' from='${address}' to='${phone.jid}'/>`);
    await desk.pick(`<iq type='result' id='p3' from='${address}' to='${desk.jid}'/>`);
    await peer.pick(`<message type='groupchat' id='m1'/>`);
  },
);

scenario.run();
