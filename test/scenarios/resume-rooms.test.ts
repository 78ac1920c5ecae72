/** Rooms of sessions that hibernate (S9, L5, L9): what is said meanwhile, who takes over, who is removed. */

import { breakable } from './support/breakable.ts';
import { openDevice, record } from './support/device.ts';
import {
  assert,
  type Element,
  joinRoom,
  leaveRoom,
  ns,
  type Scene,
  sayInRoom,
  scenarios,
  without,
} from './support/scenario.ts';
import { said, until, type Witness, watch } from './support/witness.ts';

const scenario = scenarios('resume-rooms', { limitMs: 30_000, together: 3 });

/** Ids of the occupants' messages with a body, in the order in which they came. */
function spoken(heard: readonly Element[], room: string): string[] {
  const isSpoken = (one: Element) => one.type === 'groupchat' && one.from?.startsWith(`${room}/`) && one.child('body');
  return heard.filter(isSpoken).map((one) => one.id ?? '');
}

async function sayAll(witness: Witness, words: readonly string[]): Promise<string[]> {
  const ids: string[] = [];
  for (const word of words) ids.push(await witness.say(word));
  return ids;
}

/** The proxy has noticed that these connections have gone. */
function untilHibernating({ proxy }: Scene, count = 1): Promise<void> {
  return until(
    'the session hibernates',
    () => proxy.log.filter((line) => line.includes('session hibernates')).length === count,
  );
}

scenario(
  'S9',
  'a sibling that joins while the only session of a room hibernates gets all that was said, and so does that session',
  async (scene) => {
    const { room } = scene;
    const witness = await watch(scene);
    const phone = await openDevice(scene, 'al');
    await joinRoom(phone.client, `${room}/al`);
    assert.equal(await witness.sees(), ['+al']);
    await phone.cut();
    await untilHibernating(scene);
    const before = await sayAll(witness, ['one', 'two', 'three']);
    const desk = await scene.login('al', { device: 'desk' });
    const byDesk = record(desk);
    await joinRoom(desk, `${room}/al`);
    // Said at once: it must not go the way of the stream that sleeps.
    const own = sayInRoom(desk, room, 'at once');
    await witness.client.pick(said(room, 'al', own));
    const after = await sayAll(witness, ['four', 'five']);
    await desk.pick(said(room, 'witness', after[1] as string));
    await phone.resume();
    await phone.client.pick(said(room, 'witness', after[1] as string));
    await phone.client.fence({ room });
    assert.equal(spoken(phone.heard, room), [...before, own, ...after], 'the phone');
    assert.equal(spoken(byDesk, room), [...before, own, ...after], 'the desk');
    await desk.fence({ room });
    const last = await sayAll(witness, ['six']);
    for (const client of [phone.client, desk]) {
      await client.pick(said(room, 'witness', last[0] as string, client.jid));
      await client.expectNothing({ room });
    }
    assert.equal(await witness.sees(), []);
  },
  // Where its stream could be parked it would go on meanwhile (parking-sleep).
  { config: { parking: 'off' } },
);

scenario(
  'S9',
  'siblings go on while a session hibernates, whoever carried the room, and it has missed nothing when it resumes',
  async (scene) => {
    const { room } = scene;
    const witness = await watch(scene);
    const phone = await openDevice(scene, 'al');
    await joinRoom(phone.client, `${room}/al`);
    const desk = await scene.login('al', { device: 'desk' });
    const byDesk = record(desk);
    await joinRoom(desk, `${room}/al`);
    await witness.sees();
    const wanted: string[] = [];
    for (let round = 0; round < 3; round += 1) {
      await phone.cut();
      await untilHibernating(scene, round + 1);
      wanted.push(...(await sayAll(witness, [`${round}a`, `${round}b`])));
      const own = sayInRoom(desk, room, `${round}c`);
      await desk.pick(said(room, 'al', own));
      wanted.push(own);
      await phone.resume({ transport: round % 2 === 0 ? 'websocket' : 'tcp' });
      const mine = sayInRoom(phone.client, room, `${round}d`);
      await phone.client.pick(said(room, 'al', mine));
      await desk.pick(said(room, 'al', mine));
      wanted.push(mine);
    }
    await phone.client.fence({ room });
    assert.equal(spoken(phone.heard, room), wanted, 'the phone');
    assert.equal(spoken(byDesk, room), wanted, 'the desk');
    assert.equal(await witness.sees(), []);
  },
);

scenario(
  'L5',
  'a kick while the session hibernates is told at its resumption, and ends the occupancy',
  async (scene) => {
    const { room } = scene;
    const witness = await watch(scene);
    const phone = await openDevice(scene, 'al');
    await joinRoom(phone.client, `${room}/al`);
    await phone.cut();
    await untilHibernating(scene);
    const item = "<item nick='al' role='none'/>";
    await witness.client.iq(`<iq type='set' to='${room}'><query xmlns='${ns.mucAdmin}'>${item}</query></iq>`);
    assert.equal(await witness.sees(), ['+al', '-al 307']);
    await phone.resume();
    const removal = await phone.client.pick(
      `<presence type='unavailable' from='${room}/al'><x xmlns='${ns.mucUser}'><status code='307'/></x></presence>`,
    );
    assert.ok(removal.codes.includes(110) || scene.server.name === 'ejabberd', removal.print());
    const id = phone.client.id();
    phone.client.send(`<message type='groupchat' id='${id}' to='${room}'><body>am I in?</body></message>`);
    await phone.client.pick(`<message type='error' id='${id}' from='${room}'/>`);
    await joinRoom(phone.client, `${room}/al`);
    assert.equal(await witness.sees(), ['+al']);
  },
);

scenario(
  'L5',
  'a room that is destroyed while the session hibernates is told at its resumption, with the reason and the other venue',
  async (scene) => {
    const { room } = scene;
    const witness = await watch(scene);
    const phone = await openDevice(scene, 'al');
    await joinRoom(phone.client, `${room}/al`);
    await phone.cut();
    await untilHibernating(scene);
    const destroy = `<destroy jid='${scene.newRoom()}'><reason>moved</reason></destroy>`;
    await witness.client.iq(`<iq type='set' to='${room}'><query xmlns='${ns.mucOwner}'>${destroy}</query></iq>`);
    await phone.resume();
    await phone.client.pick(
      `<presence type='unavailable' from='${room}/al'><x xmlns='${ns.mucUser}'>${destroy}</x></presence>`,
    );
    await phone.client.ping();
  },
);

scenario(
  'M1',
  'what the server sends again at a resumption is no history: a later sibling gets it as the room would send it',
  async (scene) => {
    const { room } = scene;
    const witness = await watch(scene);
    const phone = await openDevice(scene, 'al');
    await joinRoom(phone.client, `${room}/al`);
    await phone.cut();
    await untilHibernating(scene);
    const [first] = (await sayAll(witness, ['meanwhile'])) as [string];
    await phone.resume();
    await phone.client.pick(said(room, 'witness', first));
    const desk = await scene.login('al', { device: 'desk' });
    const { history } = await joinRoom(desk, `${room}/al`);
    const [again] = history.filter(({ id }) => id === first);
    assert.ok(
      again?.elements.some((one) => one.name === 'delay' && one.attrs.from === room),
      again?.print(),
    );
    // Said again with the same words it is another message.
    const second = sayInRoom(witness.client, room, 'meanwhile', first);
    for (const client of [phone.client, desk]) await client.pick(without(said(room, 'witness', second), 'delay'));
  },
  // Else the stream goes on, to be parked, and the server sends nothing again.
  { config: { parking: 'off' } },
);

scenario(
  'S9',
  'a connection to the server that breaks under a client cuts the client off, which resumes and has missed nothing',
  async (scene) => {
    const { room } = scene;
    const way = await breakable(scene.server.ports.plain);
    scene.after(() => way.stop());
    const through = await scene.startProxy({}, { access: 'tcp', upstream: way.upstream });
    const witness = await watch(scene);
    const phone = await openDevice(scene, 'al', { through });
    let own = way.made - 1;
    await joinRoom(phone.client, `${room}/al`);
    assert.equal(await witness.sees(), ['+al']);
    const bob = await scene.direct('bob');
    const wanted = { room: [] as string[], chat: [] as string[] };
    const target = through.target(scene.transport);
    for (let round = 0; round < 4; round += 1) {
      const mine = sayInRoom(phone.client, room, `mine ${round}`);
      // The session's own connection; an account stream stays.
      way.break(own);
      const ending = await phone.client.closed;
      assert.is(ending.error, undefined, 'as a lost connection');
      assert.is(ending.isClean, false);
      const theirs = await sayAll(witness, [`theirs ${round}`]);
      bob.send(`<message type='chat' id='chat${round}' to='${phone.jid}'><body>hi</body></message>`);
      await bob.fence();
      await phone.resume({ target });
      own = way.made - 1;
      await phone.client.pick(said(room, 'al', mine));
      await phone.client.pick(`<message type='chat' id='chat${round}'/>`);
      wanted.room.push(mine, ...theirs);
      wanted.chat.push(`chat${round}`);
    }
    await phone.client.fence({ room });
    assert.equal(spoken(phone.heard, room).sort(), wanted.room.sort());
    assert.equal(
      phone.messages((one) => one.type === 'chat').map((one) => one.id),
      wanted.chat,
    );
    assert.equal(await witness.sees(), []);
  },
  { except: ['streamManagement'] },
);

scenario(
  'S9',
  'a connection to the server that breaks under the carrier: its siblings miss nothing, and it neither',
  async (scene) => {
    const { room } = scene;
    const way = await breakable(scene.server.ports.plain);
    scene.after(() => way.stop());
    const through = await scene.startProxy({}, { access: 'tcp', upstream: way.upstream });
    const witness = await watch(scene);
    const phone = await openDevice(scene, 'al', { through });
    const own = way.made - 1;
    await joinRoom(phone.client, `${room}/al`);
    const desk = await scene.login('al', { device: 'desk', through });
    const byDesk = record(desk);
    await joinRoom(desk, `${room}/al`);
    await witness.sees();
    // With all that was said before it breaks on its way, and more behind.
    if (scene.carrier === 'borrowed') way.stall(own);
    const ids = await sayAll(witness, ['one', 'two', 'three']);
    way.break(own);
    await phone.client.closed;
    ids.push(...(await sayAll(witness, ['four', 'five'])));
    for (const id of ids) await desk.pick(said(room, 'witness', id));
    await phone.resume({ target: through.target(scene.transport) });
    const last = sayInRoom(desk, room, 'six');
    ids.push(last);
    await phone.client.pick(said(room, 'al', last));
    await phone.client.fence({ room });
    assert.equal(spoken(phone.heard, room), ids, 'the phone');
    assert.equal(spoken(byDesk, room), ids, 'the desk');
    assert.equal(await witness.sees(), []);
  },
  { except: ['streamManagement'] },
);

scenario(
  'L1',
  'a leave that is lost with the connection is sent again and heard once',
  async (scene) => {
    const { room } = scene;
    const witness = await watch(scene);
    const phone = await openDevice(scene, 'al');
    await joinRoom(phone.client, `${room}/al`);
    phone.client.send(`<presence type='unavailable' id='bye' to='${room}/al'/>`);
    await phone.cut();
    await phone.resume();
    await phone.client.pick(`<presence type='unavailable' id='bye' from='${room}/al'/>`);
    await witness.client.pick(`<presence type='unavailable' from='${room}/al'/>`);
    await joinRoom(phone.client, `${room}/al`);
    await leaveRoom(phone.client, `${room}/al`);
    await phone.client.expectNothing({ room });
  },
  { config: { leave: { grace: '0' } } },
);

scenario.run();
