/** What the room sees of an account with several devices (L6): the presence of the most active one. */

import {
  assert,
  type Client,
  type Element,
  joinRoom,
  leaveRoom,
  ns,
  type Scene,
  scenarios,
} from './support/scenario.ts';
import { until, type Witness, watch } from './support/witness.ts';

const scenario = scenarios('presence', { limitMs: 60_000, together: 3 });
/** The default is for people; what is tested is the order. */
const config = { presence: { pause: '1s' } };

/** States of availability that the witness has been shown of `al`, each change once, in order. */
function observe(witness: Witness): { states: string[]; presences: Element[] } {
  const seen = { states: [] as string[], presences: [] as Element[] };
  const { intercept } = witness.client.stream;
  witness.client.stream.intercept = (one) => {
    if (one.name === 'presence' && one.from === `${witness.room}/al`) {
      const state = one.type ?? one.child('show')?.text ?? 'available';
      if (seen.states.at(-1) !== state) seen.states.push(state);
      seen.presences.push(one);
    }
    return intercept(one);
  };
  return seen;
}

function state(client: Client, room: string, show: string, inner = ''): void {
  client.send(`<presence to='${room}/al'><show>${show}</show>${inner}</presence>`);
}

/** Both devices are in the room, and the room has seen one join. */
async function twoDevices(scene: Scene) {
  const { room } = scene;
  const witness = await watch(scene);
  const seen = observe(witness);
  const [phone, desk] = [await scene.login('al', { device: 'phone' }), await scene.login('al', { device: 'desk' })];
  await joinRoom(phone, `${room}/al`);
  await joinRoom(desk, `${room}/al`);
  await witness.client.fence({ room });
  return { witness, seen, phone, desk };
}

scenario(
  'L6',
  'one device that goes away is not seen as long as another is there, and who becomes available is seen at once',
  async (scene) => {
    const { room } = scene;
    const { witness, seen, phone, desk } = await twoDevices(scene);
    state(phone, room, 'away');
    await phone.expect(`<presence from='${room}/al' to='${phone.jid}'><show>away</show></presence>`);
    await witness.client.fence({ room });
    assert.equal(seen.states, ['available']);
    state(desk, room, 'xa');
    await until('the room sees the more available of the two', () => seen.states.at(-1) === 'away');
    state(phone, room, 'chat');
    await until('the room sees it at once', () => seen.states.at(-1) === 'chat', 3_000);
    assert.equal(seen.states, ['available', 'away', 'chat']);
  },
  { config },
);

scenario(
  'L6',
  'when the most active device goes, the room sees the presence of the next one, its capabilities and avatar included',
  async (scene) => {
    const { room } = scene;
    const { seen, phone, desk } = await twoDevices(scene);
    const marks = (ver: string) =>
      `<c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='urn:${ver}' ver='${ver}'/>` +
      `<x xmlns='vcard-temp:x:update'><photo>${ver}</photo></x>`;
    state(desk, room, 'away', marks('ZGVzaw=='));
    state(phone, room, 'chat', marks('cGhvbmU='));
    const ver = (one: Element | undefined) => one?.child('c', 'http://jabber.org/protocol/caps')?.attrs.ver;
    await until('the room sees the phone', () => ver(seen.presences.at(-1)) === 'cGhvbmU=');
    await phone.drop();
    await until('the room sees the desk', () => seen.states.at(-1) === 'away');
    const last = seen.presences.at(-1);
    assert.is(ver(last), 'ZGVzaw==');
    assert.is(last?.child('x', 'vcard-temp:x:update')?.child('photo')?.text, 'ZGVzaw==');
    assert.ok(!seen.states.includes('unavailable'));
  },
  { except: ['sharedNick'], config },
);

scenario(
  'L6',
  'many changes in a short time are few for the room, and the last one is what it sees in the end',
  async (scene) => {
    const { room } = scene;
    const { seen, phone, desk } = await twoDevices(scene);
    const before = seen.presences.length;
    for (let count = 0; count < 10; count += 1) {
      state(phone, room, 'away', `<status>${count}</status>`);
      state(desk, room, 'away', `<status>${count}</status>`);
    }
    for (const one of [phone, desk]) {
      await one.pick(`<presence from='${room}/al' to='${one.jid}'><status>9</status></presence>`);
    }
    await until('the room sees the last', () => seen.presences.at(-1)?.child('status')?.text === '9');
    assert.ok(seen.presences.length - before <= 3, `${seen.presences.length - before} presences`);
  },
  { config },
);

scenario(
  'L6',
  'an account that stays with no device is shown as xa, and as available as soon as one has joined again',
  async (scene) => {
    const { room } = scene;
    const { witness, seen, phone, desk } = await twoDevices(scene);
    await phone.drop();
    await desk.drop();
    await until('the room sees that nobody is there', () => seen.states.at(-1) === 'xa', 15_000);
    const back = await scene.login('al');
    await joinRoom(back, `${room}/al`);
    await until('the room sees that somebody is', () => seen.states.at(-1) === 'available', 3_000);
    assert.equal(seen.states, ['available', 'xa', 'available']);
    assert.equal(await witness.sees(), ['+al']);
  },
  { except: ['accountStream'], config },
);

scenario(
  'L6',
  'a page reload is not seen by the room',
  async (scene) => {
    const { room } = scene;
    const { witness, seen, phone, desk } = await twoDevices(scene);
    await desk.end();
    await phone.drop();
    await until('the account has no device', () => scene.proxy.app.census().sessions === 0);
    const again = await scene.login('al');
    await joinRoom(again, `${room}/al`);
    state(again, room, 'dnd');
    await until('the room sees what it says', () => seen.states.at(-1) === 'dnd');
    assert.equal(seen.states, ['available', 'dnd']);
    assert.equal(await witness.sees(), ['+al']);
  },
  { except: ['accountStream'], config },
);

scenario('L6', 'a device without siblings is answered by the room itself, change by change', async (scene) => {
  const { room } = scene;
  const witness = await watch(scene);
  const seen = observe(witness);
  const only = await scene.login('al');
  await joinRoom(only, `${room}/al`);
  for (const show of ['away', 'dnd', 'xa']) {
    state(only, room, show);
    await only.expect(
      `<presence from='${room}/al' to='${only.jid}'><show>${show}</show><x xmlns='${ns.mucUser}'/></presence>`,
    );
    await until(`the room sees ${show}`, () => seen.states.at(-1) === show, 3_000);
  }
  await leaveRoom(only, `${room}/al`);
});

scenario.run();
