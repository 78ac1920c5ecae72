/**
 * A room that has forgotten the account in silence (L5, L8), and what the account does next: a status, a nick change, a message, or nothing. The
 * others have come back before. Devices are told who has gone and come, and of nothing else; the witness sees the account come once.
 */
import { startServer } from '../servers/index.ts';
import { record } from './support/device.ts';
import { comes, goesOn, limitMs, noticed, type Play, play } from './support/places.ts';
import { assert, type Element, joinRoom, type Scene, sayInRoom, scenarios } from './support/scenario.ts';
import { said, until } from './support/witness.ts';

const scenario = scenarios('forgotten', { start: startServer, limitMs: 60_000 });
const silent = { config: { rooms: { 'self-ping': '0s' } } };

interface Forgotten extends Play {
  /** What the witness has been sent since it is back. */
  seen: Element[];
  /** The id of what was said while the account was out. */
  meanwhile: string;
}

/** The room forgets all who are in it, without a word: carol, who has just come, stays away, and dave is there instead. */
async function forget(scene: Scene): Promise<Forgotten> {
  const { room, server } = scene;
  const played = await play(scene);
  const { witness, phone, desk } = played;
  const carol = await scene.direct('carol');
  await joinRoom(carol, `${room}/carol`);
  for (const client of [phone, desk]) await client.pick(`<presence from='${room}/carol'/>`);
  await server.forgetOccupants();
  await comes(witness.client, room, 'witness');
  const seen = record(witness.client);
  const dave = await scene.direct('dave');
  await comes(dave, room, 'dave');
  const meanwhile = await witness.say('meanwhile');
  return { ...played, seen, meanwhile };
}

/** What the witness has seen of others, without what only says again that somebody is there. */
function sawOf({ seen }: Forgotten, room: string): string[] {
  const all = noticed(seen, room).map((one) => one.replace('presence ', ''));
  return all.filter((one, index) => one !== all[index - 1]);
}

/** Each device knows that carol has gone and dave has come, and has been told that once; `own`: of the account's own nick. */
async function told(scene: Scene, { phone, desk, heard }: Forgotten, own: readonly string[] = []): Promise<void> {
  const news = ['available carol', 'available dave', 'unavailable carol', ...own].sort();
  for (const client of [phone, desk]) {
    const all = () => noticed(heard.get(client) ?? [], scene.room).map((one) => one.replace('presence ', ''));
    await until('the device knows who is there', () => all().length >= news.length, limitMs);
    await client.fence();
    assert.equal(
      all()
        .map((one) => one.replace('110 303', '303 110'))
        .sort(),
      news,
    );
  }
}

const present = ['dave', 'witness'];

scenario(
  'L5',
  'what a device says of itself in a room that has forgotten the account is shown there, and devices are told who has gone and come',
  async (scene) => {
    const { room } = scene;
    const played = await forget(scene);
    const { witness, phone, desk, meanwhile } = played;
    const chat = `<presence from='${room}/al'><show>chat</show></presence>`;
    phone.send(`<presence to='${room}/al'><show>chat</show></presence>`);
    await witness.client.pick(chat, { limitMs });
    for (const client of [phone, desk]) await client.pick(chat, { limitMs });
    await told(scene, played);
    assert.equal(sawOf(played, room), ['available dave', 'available al']);
    await goesOn(scene, played, [meanwhile], { present });
  },
  silent,
);

scenario(
  'L7',
  'a nick change in a room that has forgotten the account is seen by all devices as one, and who has gone and come',
  async (scene) => {
    const { room } = scene;
    const played = await forget(scene);
    const { witness, phone, desk, meanwhile } = played;
    phone.send(`<presence id='change' to='${room}/al2'/>`);
    await witness.client.pick(`<presence from='${room}/al2'/>`, { limitMs });
    await phone.pick(`<presence id='change' from='${room}/al2'/>`, { limitMs });
    await desk.pick(`<presence from='${room}/al2'/>`, { limitMs });
    await told(scene, played, ['unavailable al 303 110']);
    // Prosody does not let in who asks for a nick; the others take that for a join.
    const came =
      scene.server.name === 'prosody' ? ['available al', 'unavailable al 303', 'available al2'] : ['available al2'];
    assert.equal(sawOf(played, room), ['available dave', ...came]);
    await goesOn(scene, played, [meanwhile], { nick: 'al2', present });
  },
  silent,
);

scenario(
  'L8',
  'a message to a room that has forgotten the account is said there when it is back, and devices are told who has gone and come',
  async (scene) => {
    const { room } = scene;
    const played = await forget(scene);
    const { witness, phone, desk, meanwhile } = played;
    const id = sayInRoom(phone, room, 'hello?');
    await witness.client.pick(said(room, 'al', id), { limitMs });
    for (const client of [phone, desk]) await client.pick(said(room, 'al', id), { limitMs });
    await told(scene, played);
    assert.equal(sawOf(played, room), ['available dave', 'available al']);
    assert.is(spokenBy(played.seen, id), 1);
    await goesOn(scene, played, [meanwhile, id], { present });
  },
  silent,
);

scenario(
  'L8',
  'a room that has forgotten the account and says nothing has it back, and devices are told who has gone and come',
  async (scene) => {
    const { room } = scene;
    const played = await forget(scene);
    await told(scene, played);
    await until('the witness sees the account', () => sawOf(played, room).length >= 2, limitMs);
    assert.equal(sawOf(played, room).sort(), ['available al', 'available dave']);
    await goesOn(scene, played, [played.meanwhile], { present });
  },
  { config: { rooms: { 'self-ping': '1s' } } },
);

function spokenBy(heard: readonly Element[], id: string): number {
  return heard.filter((one) => one.type === 'groupchat' && one.id === id).length;
}

scenario.run();
