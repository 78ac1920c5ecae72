/** Account streams whose connection to the server breaks (S9, L9): rooms, devices and messages know nothing of it. */
import { type Breakable, breakable } from './support/breakable.ts';
import { record } from './support/device.ts';
import {
  assert,
  type Client,
  type Element,
  joinRoom,
  leaveRoom,
  type Scene,
  sayInRoom,
  scenarios,
} from './support/scenario.ts';
import { said, until, type Witness, watch } from './support/witness.ts';

const scenario = scenarios('account-resume', { together: 2 });
const except = ['streamManagement', 'accountStream'] as const;

interface Play {
  way: Breakable;
  witness: Witness;
  phone: Client;
  desk: Client;
  heard: { readonly phone: Element[]; readonly desk: Element[] };
  /** Number of the account stream's present connection. */
  carrier(): number;
  /** The account stream has gone on over so many connections in all. */
  untilResumed(count: number): Promise<void>;
  /** The proxy has noticed so many breaks in all. */
  untilBroken(count: number): Promise<void>;
}

/** Two devices in the room, through a way to the server that can be broken. */
async function play(scene: Scene, config = {}): Promise<Play> {
  const { room } = scene;
  const way = await breakable(scene.server.ports.plain);
  scene.after(() => way.stop());
  const through = await scene.startProxy(config, { access: 'tcp', upstream: way.upstream });
  const witness = await watch(scene);
  const phone = await scene.login('al', { device: 'phone', through });
  const heard = { phone: record(phone), desk: [] as Element[] };
  await joinRoom(phone, `${room}/al`);
  let carrier = way.made - 1;
  const desk = await scene.login('al', { device: 'desk', through });
  heard.desk = record(desk);
  await joinRoom(desk, `${room}/al`);
  assert.equal(await witness.sees(), ['+al']);
  const times = (words: string): number => through.log.filter((line) => line.includes(words)).length;
  return {
    way,
    witness,
    phone,
    desk,
    heard,
    carrier: () => carrier,
    untilBroken: (count) => until(`${count} breaks are noticed`, () => times('account stream broken') === count),
    untilResumed: async (count) => {
      await until(`${count} connections are resumed`, () => times('account stream resumed') === count);
      carrier = way.made - 1;
    },
  };
}

/** Ids of the room's messages with a body, in the order in which they came. */
function spoken(heard: readonly Element[], room: string): string[] {
  const isSpoken = (one: Element) => one.type === 'groupchat' && one.from?.startsWith(room) && one.child('body');
  return heard.filter(isSpoken).map((one) => one.id ?? '');
}

scenario(
  'S9',
  'an account stream goes on over another connection: nothing lost, nothing doubled, in order, and the room sees nothing',
  async (scene) => {
    const { room } = scene;
    const { way, witness, phone, desk, heard, carrier, untilBroken, untilResumed } = await play(scene);
    const wanted: string[] = [];
    for (let round = 1; round <= 4; round += 1) {
      // What is on its way in either direction when it breaks is lost with the connection.
      if (round % 2 === 0) way.stall(carrier());
      else way.mute(carrier());
      const before = [];
      for (const word of ['a', 'b']) {
        if (round % 2 === 0) before.push(await witness.say(`${round}${word}`));
        else before.push(sayInRoom(phone, room, `${round}${word}`));
      }
      if (round % 2 === 1) await phone.ping();
      way.isOpen = false;
      way.break(carrier());
      await untilBroken(round);
      // Nobody can send through it: what devices say now waits.
      const own = sayInRoom(desk, room, `${round}c`);
      await desk.ping();
      way.isOpen = true;
      await untilResumed(round);
      const last = round % 2 === 0 ? own : (before.at(-1) as string);
      for (const client of [phone, desk]) {
        await client.pick(said(room, round % 2 === 0 ? 'al' : 'al', own));
        if (round % 2 === 1) await client.pick(said(room, 'al', last));
      }
      wanted.push(...before, own);
    }
    const end = await witness.say('end');
    for (const [name, client] of [
      ['phone', phone],
      ['desk', desk],
    ] as const) {
      await client.pick(said(room, 'witness', end));
      assert.equal(spoken(heard[name], room), [...wanted, end], name);
    }
    const toWitness = (await witness.client.upTo(said(room, 'al', wanted.at(-1) as string))).filter(
      (one) => one.from === `${room}/al` && one.type === 'groupchat',
    );
    assert.equal(
      [...new Set(toWitness.map(({ id }) => id))].length,
      toWitness.length,
      'the room has got each message once',
    );
    assert.equal(await witness.sees(), []);
  },
  { except },
);

scenario(
  'S9',
  'an account stream whose peer has vanished without a word is noticed while it is idle, and goes on',
  async (scene) => {
    const { room } = scene;
    const { way, witness, phone, desk, carrier, untilResumed } = await play(scene, {
      limits: { ping: '1s', idle: '2s' },
    });
    way.stall(carrier());
    way.mute(carrier());
    const ids = [await witness.say('one')];
    await untilResumed(1);
    ids.push(await witness.say('two'));
    for (const client of [phone, desk]) {
      for (const id of ids) await client.pick(said(room, 'witness', id));
      await client.expectNothing({ room });
    }
    assert.equal(await witness.sees(), []);
  },
  { except },
);

scenario(
  'S9',
  'a device joins and another leaves while the account stream has no connection: both hold when it is back',
  async (scene) => {
    const { room } = scene;
    const { way, witness, phone, desk, carrier, untilBroken, untilResumed } = await play(scene);
    const other = scene.newRoom();
    way.isOpen = false;
    way.break(carrier());
    await untilBroken(1);
    await leaveRoom(desk, `${room}/al`);
    const joining = joinRoom(phone, `${other}/al`);
    await phone.ping();
    way.isOpen = true;
    await untilResumed(1);
    await joining;
    const id = await witness.say('left?');
    await phone.pick(said(room, 'witness', id));
    await desk.expectNothing({ room });
    assert.equal(await witness.sees(), []);
  },
  { except },
);

scenario(
  'L5',
  'a session that the server has given up meanwhile: the account comes back, and each message was said once',
  async (scene) => {
    const { room } = scene;
    const { way, witness, phone, desk, heard, carrier, untilBroken } = await play(scene);
    const jid = /<jid>([^<]*)<\/jid>/.exec(way.said(carrier()).down)?.[1] ?? '';
    way.isOpen = false;
    way.break(carrier());
    await untilBroken(1);
    const own = sayInRoom(desk, room, 'said meanwhile');
    await desk.ping();
    const theirs = await witness.say('heard meanwhile');
    // Whoever binds the resource ends the session that hibernates.
    const ender = await scene.direct('al', { device: jid.slice(jid.indexOf('/') + 1), isSilent: true });
    await ender.end();
    way.isOpen = true;
    await witness.client.pick(said(room, 'al', own), { limitMs: 10_000 });
    for (const [name, client] of [
      ['phone', phone],
      ['desk', desk],
    ] as const) {
      await client.pick(said(room, 'al', own));
      await client.fence({ room });
      assert.equal(spoken(heard[name], room).toSorted(), [theirs, own].toSorted(), name);
    }
    const changes = await witness.sees();
    assert.equal([changes[0]?.slice(0, 3), changes[1]], ['-al', '+al']);
    assert.is(changes.length, 2);
    const end = await witness.say('end');
    for (const client of [phone, desk]) {
      await client.pick(said(room, 'witness', end));
      await client.expectNothing({ room });
    }
  },
  { except },
);

scenario.run();
