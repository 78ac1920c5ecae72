/** The room's own view: an occupant of another account, connected straight to the server, and what it sees of the others. */
import {
  type Client,
  createRoom,
  type Element,
  joinRoom,
  leaveRoom,
  ns,
  type RoomConfig,
  type Scene,
  sayInRoom,
} from './scenario.ts';
import { until } from './until.ts';

export { until } from './until.ts';

/** An independent occupant, owner of the room. */
export interface Witness {
  readonly client: Client;
  readonly room: string;
  /**
   * What others have done since the last call, in order: `+al` has come, `-al` has gone (with the status codes, as in
   * `-al 307`), `al>bo` has changed the nick. A presence of an occupant who is there already is none of these: it is what
   * a hand-over is allowed to show. All else stays in the client's inbox.
   */
  sees(): Promise<string[]>;
  /** Says something, waits for the reflection, and returns the id. */
  say(body: string): Promise<string>;
  /** A round trip to an account that is in the room with no session joined: all said before has reached the proxy then. */
  ping(nick: string): Promise<void>;
}

/** Creates the room with an owner whose nick is `witness`. */
export async function watch(
  scene: Pick<Scene, 'room' | 'direct'>,
  { room = scene.room, config = {}, by }: { room?: string; config?: RoomConfig; by?: Client } = {},
): Promise<Witness> {
  const client = by ?? (await scene.direct('witness', { transport: 'tcp' }));
  await createRoom(client, `${room}/witness`, config);
  const present = new Set<string>();
  return {
    client,
    room,
    sees: async () => {
      const arrived = await client.fence({ room });
      const isSeen = (one: Element): boolean => isOccupantPresence(one, room);
      for (const one of arrived) if (!isSeen(one)) client.stream.inbox.add(one);
      return arrived.filter(isSeen).flatMap((one) => noteChange(present, one));
    },
    say: async (body) => {
      const id = sayInRoom(client, room, body);
      await client.pick(said(room, 'witness', id));
      return id;
    },
    ping: async (nick) => {
      await client.iq(`<iq type='get' to='${room}/${nick}'><ping xmlns='urn:xmpp:ping'/></iq>`);
    },
  };
}

/** The groupchat message of an occupant, with the address of who must get it where that is given. */
export function said(room: string, nick: string, id: string, to?: string): string {
  return `<message type='groupchat' from='${room}/${nick}' id='${id}'${to === undefined ? '' : ` to='${to}'`}/>`;
}

/** Each of the clients gets the message under its own address, and gets it once. */
export async function heardOnce(clients: readonly Client[], room: string, nick: string, id: string): Promise<void> {
  for (const client of clients) {
    await client.expect(said(room, nick, id, client.jid));
    await client.expectNothing({ room });
  }
}

function isOccupantPresence(one: Element, room: string): boolean {
  return (
    one.name === 'presence' &&
    one.type !== 'error' &&
    one.from?.startsWith(`${room}/`) === true &&
    !one.codes.includes(110)
  );
}

function noteChange(present: Set<string>, presence: Element): string[] {
  const from = presence.from ?? '';
  const nick = from.slice(from.indexOf('/') + 1);
  if (presence.type === undefined) {
    if (present.has(nick)) return [];
    present.add(nick);
    return [`+${nick}`];
  }
  present.delete(nick);
  const renamed = presence.child('x', ns.mucUser)?.child('item')?.attrs.nick;
  if (!presence.codes.includes(303) || renamed === undefined) return [[`-${nick}`, ...presence.codes].join(' ')];
  present.add(renamed);
  return [`${nick}>${renamed}`];
}

/** Ids of the witness's messages that the device has heard, in order, up to this one. */
export async function heardUpTo(client: Client, room: string, last: string): Promise<(string | undefined)[]> {
  const heard = await client.upTo(said(room, 'witness', last));
  return heard.filter(({ name, from }) => name === 'message' && from === `${room}/witness`).map(({ id }) => id);
}

/** The device says something and waits for the room's reflection, for as long as another node may need to take over. */
export async function speaks(client: Client, room: string, nick: string): Promise<string> {
  const id = sayInRoom(client, room, 'is anybody there?');
  await client.pick(said(room, nick, id), { limitMs: 15_000 });
  return id;
}

/** The device leaves, and comes back, until the room sees the account go with it: no other device holds the account there. */
export async function leavesAlone(client: Client, { room, sees }: Witness, nick: string): Promise<void> {
  await until(
    'the account goes with the device',
    async () => {
      await leaveRoom(client, `${room}/${nick}`);
      if ((await sees()).includes(`-${nick}`)) return true;
      await joinRoom(client, `${room}/${nick}`);
      return false;
    },
    15_000,
  );
}

/**
 * Waits until a room that was destroyed is gone. COMPAT: what ejabberd is asked of one that is just going is never answered: without the
 * proxy 40 of 300 who asked at once were not.
 */
export async function untilGone(client: Client, room: string): Promise<void> {
  const ask = `<iq type='get' to='${room}'><query xmlns='${ns.discoInfo}'/></iq>`;
  await until('the room is gone', () =>
    client.iqError(ask, { limitMs: 200 }).then(
      () => true,
      () => false,
    ),
  );
}

/** Waits until the proxy holds no stream but those of `clients` bound clients and the account streams. */
export function untilSettled(scene: Scene, clients: number, accountStreams = scene.carrier === 'account' ? 1 : 0) {
  const { app } = scene.proxy;
  const wanted = 2 * clients + accountStreams;
  return until(`the proxy holds ${wanted} streams (it holds ${app.census().legs})`, () => {
    const { legs, sessions } = app.census();
    return legs === wanted && sessions === clients;
  });
}
