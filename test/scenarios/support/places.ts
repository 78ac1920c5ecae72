/** A conversation in a room of which the account loses its place, and what came of that to devices (healing). */
import { record } from './device.ts';
import { assert, type Client, type Element, joinRoom, type Scene, sayInRoom } from './scenario.ts';
import { said, type Witness, watch } from './witness.ts';

/** For what a place in a room takes to be had again. */
export const limitMs = 20_000;

export interface Play {
  witness: Witness;
  phone: Client;
  desk: Client;
  /** All that each device has been sent since it was in the room. */
  heard: Map<Client, Element[]>;
}

/** A room that outlives a restart, its owner, and two devices in it that have heard the owner say something. */
export async function play(scene: Scene): Promise<Play> {
  const { room } = scene;
  const witness = await watch(scene, { config: { persistentroom: '1' } });
  const phone = await scene.login('alice', { device: 'phone' });
  await joinRoom(phone, `${room}/al`);
  const desk = await scene.login('alice', { device: 'desk' });
  await joinRoom(desk, `${room}/al`);
  const before = await witness.say('before');
  for (const client of [phone, desk]) await client.upTo(said(room, 'witness', before));
  await witness.sees();
  return { witness, phone, desk, heard: new Map([phone, desk].map((client) => [client, record(client)])) };
}

/** Somebody else's client comes (back) into the room by itself, as it would without a proxy; returns whom it sees there. */
export async function comes(client: Client, room: string, nick: string): Promise<string[]> {
  await client.fence();
  const { occupants } = await joinRoom(client, `${room}/${nick}`);
  return occupants.map(({ from = '' }) => from.slice(room.length + 1)).sort();
}

/** What came of the room since, but for what others say and the own presence as it was: own ends, errors, others' comings and goings. */
export function noticed(heard: readonly Element[], room: string): string[] {
  return heard
    .filter(({ from = '' }) => from.startsWith(room))
    .filter(
      ({ name, type, codes }) =>
        type === 'error' || (name === 'presence' && (type !== undefined || codes.length === 0)),
    )
    .map(({ name, type, from = '', codes }) =>
      [name, type ?? 'available', from.slice(room.length + 1), ...codes].join(' '),
    );
}

/** Ids of what was said in the room, in order. */
export function spoken(heard: readonly Element[], room: string): string[] {
  return heard
    .filter(({ type, from = '' }) => type === 'groupchat' && from.startsWith(`${room}/`))
    .filter((one) => one.child('body'))
    .map(({ id }) => id ?? '');
}

/** The conversation goes on: the witness and a device speak, both devices hear both, once, and a later device sees who is there. */
export async function goesOn(
  scene: Scene,
  { witness, phone, desk, heard }: Play,
  earlier: readonly string[],
  { nick = 'al', present = ['witness'] }: { nick?: string; present?: readonly string[] } = {},
): Promise<void> {
  const { room } = scene;
  const mine = sayInRoom(desk, room, 'is anybody there?');
  for (const client of [phone, desk]) await client.pick(said(room, nick, mine), { limitMs });
  await witness.client.pick(said(room, nick, mine));
  const last = await witness.say('last');
  for (const client of [phone, desk]) {
    await client.upTo(said(room, 'witness', last));
    const all = heard.get(client) ?? [];
    assert.equal(spoken(all, room), [...earlier, mine, last]);
  }
  const tablet = await scene.login('alice', { device: 'tablet' });
  const { occupants, nick: own } = await joinRoom(tablet, `${room}/${nick}`);
  const nicks = occupants.map(({ from = '' }) => from.slice(room.length + 1)).sort();
  assert.equal([own, ...nicks], [nick, ...present]);
}
