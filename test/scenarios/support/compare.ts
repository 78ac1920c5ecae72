/**
 * The same play twice: by a device that is connected straight to the server, and by one behind the proxy whose sibling came
 * first and has the carrier. Everybody must hear the same, in the same order, and the sibling what the acting device hears apart
 * from its answers.
 */
import { isOwnPresence } from '../../support/noise.ts';
import { describe, inAnyOrder } from './described.ts';
import { assert, type Client, createRoom, type Element, joinRoom, type RoomConfig, type Scene } from './scenario.ts';

/** What a play is played with. */
export interface Play {
  /** The device that acts: of alice, in the room as `al`. */
  readonly actor: Client;
  readonly room: string;
  /** Bare JID of a role's account, as it is in this play. */
  jid(role: string): Promise<string>;
  /** Somebody else, connected straight to the server. What he hears is compared too. */
  person(role: string): Promise<Client>;
  /** Somebody joins: he himself is not listened to, as servers show occupants in no order. */
  enters(client: Client, nick: string): Promise<void>;
  /** Does something and collects what everybody hears of it; somebody must hear something. */
  step(what: string, act: () => Promise<unknown>): Promise<void>;
  /** Sends a request and waits until its answer is there; it stays among what is heard. Returns it. */
  ask(client: Client, xml: string): Promise<Element>;
  /** What the acting device has heard in the last step. */
  heard(): readonly Element[];
}

export interface CompareOptions {
  /** Alice makes the room; else somebody called `bob` has made it, with this configuration. */
  isOwner?: boolean;
  config?: RoomConfig;
  /** Alice has another device, `outsider`, which does not join and has carbons on: it hears the same, too. */
  hasOutsider?: boolean;
  /** The acting device has no sibling, and joins by itself when the play has it so; what is done may be in vain. */
  isAlone?: boolean;
}

interface Step {
  what: string;
  /** Name of who hears -> what is heard. */
  heard: Record<string, string[]>;
}

/** Plays both and compares. */
export async function asWithoutProxy(
  scene: Scene,
  play: (one: Play) => Promise<void>,
  options: CompareOptions = {},
): Promise<void> {
  const straight = await perform(scene, 'direct', play, options);
  const proxied = await perform(scene, 'proxied', play, options);
  for (const [index, { what, heard }] of straight.entries()) {
    const { sibling, ...others } = proxied[index]?.heard ?? {};
    for (const who of Object.keys(heard)) assert.equal(others[who], heard[who], `${what}, heard by ${who}`);
    if (options.isAlone) continue;
    // mu-conference ignores much.
    const isVain = Object.values(heard).flat().length === 0 && scene.server.name !== 'jabberd2';
    assert.not.ok(isVain, `${what}: nobody hears anything`);
    assert.equal(sibling, heard.actor?.filter(isForAll), `${what}, heard by the sibling`);
  }
  assert.is(proxied.length, straight.length);
}

/** What answers the acting device alone is not for its sibling. */
function isForAll(line: string): boolean {
  return !line.startsWith('<iq') && !/^<\w+[^>]* type='error'/.test(line);
}

async function perform(
  scene: Scene,
  label: 'direct' | 'proxied',
  play: (one: Play) => Promise<void>,
  { isOwner = false, config = {}, hasOutsider = false, isAlone = false }: CompareOptions,
): Promise<Step[]> {
  const room = scene.newRoom();
  const cast = new Map<string, Client>();
  const steps: Step[] = [];
  let last: readonly Element[] = [];
  const jid = (role: string) => scene.jid(`${role}-${label}`);
  const enter = async (name: string, client: Client): Promise<Client> => {
    client.isNoise = (one) => isOwnPresence(one, client.bareJid);
    cast.set(name, client);
    return client;
  };
  const person = async (role: string): Promise<Client> => {
    const there = cast.get(role);
    if (there) return there;
    const client = await scene.direct(`${role}-${label}`, { device: role, transport: 'tcp' });
    return enter(role, client);
  };
  const device = (name: string): Promise<Client> =>
    label === 'direct'
      ? scene.direct(`alice-${label}`, { device: name })
      : scene.login(`alice-${label}`, { device: name });
  if (!isOwner) await createRoom(await person('bob'), `${room}/bob`, config);
  const devices = label === 'direct' || isAlone ? ['phone'] : ['desk', 'phone'];
  for (const [index, name] of devices.entries()) {
    const client = await enter(name === 'phone' ? 'actor' : 'sibling', await device(name));
    if (isOwner && index === 0) await createRoom(client, `${room}/al`, config);
    else if (!isAlone) await joinRoom(client, `${room}/al`);
  }
  const actor = cast.get('actor') as Client;
  if (hasOutsider) {
    const outsider = await enter('outsider', await device('tablet'));
    await outsider.iq(`<iq type='set'><enable xmlns='urn:xmpp:carbons:2'/></iq>`);
  }
  /** All that has arrived, for the second time: what one hears may follow from what another is answered. */
  const collect = async (): Promise<Map<string, Element[]>> => {
    const arrived = new Map<string, Element[]>();
    for (const round of [1, 2]) {
      for (const [name, client] of cast) {
        const more = await client.fence({ room });
        arrived.set(name, round === 1 ? more : [...(arrived.get(name) ?? []), ...more]);
      }
    }
    return arrived;
  };
  await collect();
  await play({
    actor,
    room,
    jid,
    person,
    heard: () => last,
    enters: async (client, nick) => {
      await joinRoom(client, `${room}/${nick}`);
      await collect();
    },
    ask: async (client, xml) => {
      const id = `ask-${steps.length}`;
      client.send(xml.replace('<iq', `<iq id='${id}'`));
      const isAnswer = (one: Element) => one.name === 'iq' && one.id === id && one.type !== 'get' && one.type !== 'set';
      return await client.stream.inbox.wait(5_000, `the answer to ${xml}`, (there) => there.find(isAnswer));
    },
    step: async (what, act) => {
      await act();
      const heard: Step['heard'] = {};
      for (const [name, arrived] of await collect()) {
        const client = cast.get(name) as Client;
        const lines = arrived.map((one) => describe(one, client, room, isAlone));
        heard[name] = isAlone ? inAnyOrder(lines) : lines;
        if (name === 'actor') last = arrived;
      }
      steps.push({ what, heard });
    },
  });
  return steps;
}
