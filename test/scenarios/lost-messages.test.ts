/**
 * Messages whose stream is lost on their way, or whose sender does not wait for anything (M4, J7, L7): each is seen in the room or
 * answered, and none is said twice.
 */
import { type Breakable, breakable } from './support/breakable.ts';
import { record } from './support/device.ts';
import {
  assert,
  type Client,
  type Element,
  joinPresence,
  joinRoom,
  ns,
  type Scene,
  sayInRoom,
  scenarios,
} from './support/scenario.ts';
import { said, until, type Witness, watch } from './support/witness.ts';

const scenario = scenarios('lost-messages');

interface Play {
  way: Breakable;
  witness: Witness;
  /** Its stream carries the room where the carrier is borrowed. */
  phone: Client;
  desk: Client;
  heard: Element[];
  /** Number of the connection that carries the room. */
  carrier: number;
  log: readonly string[];
}

/** Two devices in the room, through a way to the server that can be broken. */
async function play(scene: Scene): Promise<Play> {
  const { room } = scene;
  const way = await breakable(scene.server.ports.plain);
  scene.after(() => way.stop());
  const through = await scene.startProxy({}, { access: 'tcp', upstream: way.upstream });
  const witness = await watch(scene);
  const phone = await scene.login('al', { device: 'phone', through });
  await joinRoom(phone, `${room}/al`);
  const carrier = way.made - 1;
  const desk = await scene.login('al', { device: 'desk', through });
  const heard = record(desk);
  await joinRoom(desk, `${room}/al`);
  await witness.sees();
  return { way, witness, phone, desk, heard, carrier, log: through.log };
}

/** An account stream that the server acknowledges goes on over another connection: nothing is lost with the first. */
function isResumed(scene: Scene): boolean {
  return scene.carrier === 'account' && scene.server.name !== 'jabberd2';
}

/** Ids of the account's messages that the room has shown to the witness, behind the last thing that was said by the desk. */
async function shown({ witness, desk }: Play, room: string): Promise<string[]> {
  const last = sayInRoom(desk, room, 'last');
  const seen = await witness.client.upTo(said(room, 'al', last), { limitMs: 15_000 });
  return seen
    .filter((one) => one.type === 'groupchat' && one.from === `${room}/al` && one.id !== last)
    .map(({ id }) => id ?? '');
}

const errorTo = (id: string, from: string): string =>
  `<message type='error' id='${id}' from='${from}'><error type='wait'><service-unavailable xmlns='${ns.stanzas}'/></error></message>`;

scenario(
  'M4',
  'a message that is lost with its stream is answered with an error of type wait, or said through the next stream',
  async (scene) => {
    const { room } = scene;
    const played = await play(scene);
    const { way, desk, heard, carrier } = played;
    way.mute(carrier);
    const lost = sayInRoom(desk, room, 'lost');
    await desk.ping();
    way.break(carrier);
    if (isResumed(scene)) await desk.pick(said(room, 'al', lost));
    else await desk.pick(errorTo(lost, room), { limitMs: 15_000 });
    assert.equal(await shown(played, room), isResumed(scene) ? [lost] : []);
    assert.is(heard.filter(({ id }) => id === lost).length, 1);
  },
);

scenario(
  'M4',
  'a message that the room has shown, but not to the stream that was lost, is no error and heard once',
  async (scene) => {
    const { room } = scene;
    const played = await play(scene);
    const { way, witness, desk, heard, carrier } = played;
    way.stall(carrier);
    const seen = sayInRoom(desk, room, 'seen');
    await witness.client.pick(said(room, 'al', seen));
    way.break(carrier);
    await desk.pick(said(room, 'al', seen), { limitMs: 15_000 });
    assert.equal(await shown(played, room), []);
    assert.is(heard.filter(({ id }) => id === seen).length, 1);
  },
);

scenario(
  'M4',
  'a private message that is lost with its stream is answered with an error of type wait, or sent through the next stream',
  async (scene) => {
    const { room } = scene;
    const { way, witness, desk, carrier } = await play(scene);
    const send = (id: string): void =>
      desk.send(`<message type='chat' id='${id}' to='${room}/witness'><body>${id}</body></message>`);
    send('first');
    await witness.client.pick(`<message type='chat' id='first' from='${room}/al'/>`);
    way.mute(carrier);
    send('lost');
    await desk.ping();
    way.break(carrier);
    if (isResumed(scene))
      await witness.client.pick(`<message type='chat' id='lost' from='${room}/al'/>`, { limitMs: 15_000 });
    else await desk.pick(errorTo('lost', `${room}/witness`), { limitMs: 15_000 });
  },
);

scenario('L7', 'a nick change that is lost with its stream is asked for again', async (scene) => {
  const { room } = scene;
  const { way, witness, desk, carrier } = await play(scene);
  way.mute(carrier);
  desk.send(`<presence id='rename' to='${room}/alicia'/>`);
  await desk.ping();
  way.break(carrier);
  await desk.pick(`<presence from='${room}/alicia'><x xmlns='${ns.mucUser}'><status code='110'/></x></presence>`, {
    limitMs: 15_000,
  });
  const changes: string[] = [];
  await until('the room has seen the change', async () => {
    changes.push(...(await witness.sees()));
    // A server that has not noticed yet that the lost stream is gone has two in the room, and renames the one that asks: the other one leaves then.
    const isSplit = !isResumed(scene) && changes.includes('+alicia') && changes.includes('-al');
    return isSplit || changes.at(-1) === 'al>alicia';
  });
});

scenario(
  'L7',
  'a nick change that is lost with its stream and refused later is refused to who asked',
  async (scene) => {
    const { room } = scene;
    const { way, desk, carrier } = await play(scene);
    way.mute(carrier);
    desk.send(`<presence id='rename' to='${room}/witness'/>`);
    await desk.ping();
    way.break(carrier);
    await desk.pick(`<presence type='error' id='rename' from='${room}/witness'/>`, { limitMs: 15_000 });
    await desk.fence({ room });
  },
);

scenario(
  'L9',
  'what was said while the stream of a carrier that goes had died unnoticed is heard once',
  async (scene) => {
    const { room } = scene;
    const { way, witness, phone, desk, heard, carrier, log } = await play(scene);
    way.stall(carrier);
    const gap = await witness.say('gap');
    await phone.drop();
    if (scene.carrier === 'borrowed') {
      await until('the hand-over is done', () => way.said(way.made - 1).down.includes(`${room}/al`));
      await desk.fence({ room });
    }
    const live = await witness.say('live');
    way.break(carrier);
    await desk.pick(said(room, 'witness', live));
    await desk.fence({ room });
    const spoken = heard.filter((one) => one.type === 'groupchat' && one.child('body')).map(({ id }) => id);
    assert.equal(spoken, [gap, live], log.join('\n'));
  },
  { except: ['sharedNick', 'sharedAnyway'] },
);

for (const isPolite of [false, true]) {
  scenario(
    'J7',
    `what is said behind a join and followed at once by ${isPolite ? 'unavailable and ' : ''}the end of the stream reaches the room`,
    async (scene) => {
      const { room } = scene;
      const witness = await watch(scene);
      const desk = await scene.login('al', { device: 'desk' });
      const words = [1, 2, 3].map(
        (k) => `<message type='groupchat' id='word${k}' to='${room}'><body>${k}</body></message>`,
      );
      // Written one behind the other, without waiting: the proxy has them before the room has answered.
      for (const xml of [joinPresence(`${room}/al`), ...words]) desk.send(xml);
      if (isPolite) desk.send("<presence type='unavailable'/>");
      await desk.end();
      const seen = await witness.client.upTo(said(room, 'al', 'word3'), { limitMs: 15_000 });
      const own = seen.filter((one) => one.type === 'groupchat' && one.from === `${room}/al`).map(({ id }) => id);
      assert.equal(own, ['word1', 'word2', 'word3']);
      assert.is(seen.filter((one) => one.name === 'presence' && one.from === `${room}/al`)[0]?.type, undefined);
      if (scene.carrier === 'account') assert.equal(await witness.sees(), []);
      else {
        await until('the room has seen the account leave', async () => (await witness.sees()).at(-1) === '-al');
      }
    },
  );
}

scenario.run();
