/** Joining, creating and leaving rooms, for tests that are about something else. */
import { type Client, StanzaError } from './client.ts';
import { type Element, escapeXml, ns } from './element.ts';

export interface JoinOptions {
  password?: string;
  /** Attributes of `<history/>`, such as `maxstanzas='0'`. */
  history?: string;
  /** XML inside the presence, beside the `muc` child. */
  inner?: string;
  /** Id of the presence. */
  id?: string;
  limitMs?: number;
}

/** A room's answer to a join, in the order in which it came. */
export interface Joined {
  /** Bare JID of the room. */
  room: string;
  /** The nick that the room has given. */
  nick: string;
  /** Presences of the other occupants. */
  occupants: Element[];
  self: Element;
  history: Element[];
  /** The last message with a subject and no body. */
  subject: Element | undefined;
  /** The order: P occupant, S self-presence, H history, T subject, M other message. */
  sequence: string;
  all: Element[];
}

/**
 * Joins `room/nick` and collects the answer up to that of a `disco#info` request sent right behind: every known service
 * answers that after all history, and not every one ends a join with a subject. Throws a StanzaError when refused.
 */
export async function joinRoom(client: Client, address: string, options: JoinOptions = {}): Promise<Joined> {
  const { id = client.id(), limitMs = 10_000 } = options;
  const room = address.slice(0, address.indexOf('/'));
  // The room writes its own address as it likes, whatever case the client has used.
  const written = room.toLowerCase();
  const fence = client.id();
  client.send(joinPresence(address, { ...options, id }));
  client.send(`<iq type='get' id='${fence}' to='${escapeXml(room)}'><query xmlns='${ns.discoInfo}'/></iq>`);
  const all = await client.stream.inbox.wait(limitMs, `the answer to the join of ${address}`, (elements) => {
    const end = elements.findIndex((one) => one.name === 'iq' && one.id === fence);
    if (end < 0) return undefined;
    const [, ...arrived] = elements.splice(0, end + 1).reverse();
    const isOfRoom = ({ from = '' }: Element) => (from.split('/')[0] as string).toLowerCase() === written;
    elements.unshift(...arrived.filter((one) => !isOfRoom(one)).reverse());
    return arrived.filter(isOfRoom).reverse();
  });
  return collect(room, all);
}

/** The presence that asks to join. */
export function joinPresence(address: string, { password, history, inner = '', id }: JoinOptions = {}): string {
  const secret = password === undefined ? '' : `<password>${escapeXml(password)}</password>`;
  const past = history === undefined ? '' : `<history ${history}/>`;
  const muc = secret || past ? `<x xmlns='${ns.muc}'>${secret}${past}</x>` : `<x xmlns='${ns.muc}'/>`;
  return `<presence to='${escapeXml(address)}'${id === undefined ? '' : ` id='${id}'`}>${muc}${inner}</presence>`;
}

/** Sorts what a room has answered to a join. Throws a StanzaError for a refusal. */
function collect(room: string, all: Element[]): Joined {
  const refusal = all.find((one) => one.name === 'presence' && one.type === 'error');
  if (refusal) throw new StanzaError(refusal);
  const self = all.find((one) => one.name === 'presence' && one.codes.includes(110));
  if (!self) throw new Error(`no self-presence in the answer to a join:\n${all.map((one) => one.print()).join('\n')}`);
  const kinds = all.map((one) => kindOf(one, self));
  const only = (kind: string) => all.filter((_, index) => kinds[index] === kind);
  return {
    room,
    nick: (self.from ?? '').slice(room.length + 1),
    occupants: only('P'),
    self,
    history: only('H'),
    subject: only('T').at(-1),
    sequence: kinds.join(''),
    all,
  };
}

function kindOf(element: Element, self: Element): string {
  if (element === self) return 'S';
  if (element.name === 'presence') return 'P';
  if (element.child('subject') && !element.child('body')) return 'T';
  return element.child('delay', ns.delay) ? 'H' : 'M';
}

/** Fields of a room's configuration without their prefix, such as `{ membersonly: '1' }`. */
export type RoomConfig = Record<string, string | string[]>;

/**
 * Creates a room: joins it and submits its configuration, an empty form (instant room) unless told. The owner is joined
 * afterwards, and has consumed all that came of it.
 */
export async function createRoom(owner: Client, address: string, config: RoomConfig = {}): Promise<Joined> {
  const joined = await joinRoom(owner, address);
  await configureRoom(owner, joined.room, config);
  return joined;
}

/** Submits a room's configuration. */
export async function configureRoom(owner: Client, room: string, config: RoomConfig): Promise<void> {
  const fields = Object.entries(config).map(([name, value]) => {
    const values = [value].flat().map((one) => `<value>${escapeXml(one)}</value>`);
    return `<field var='muc#roomconfig_${name}'>${values.join('')}</field>`;
  });
  const type = `<field var='FORM_TYPE'><value>http://jabber.org/protocol/muc#roomconfig</value></field>`;
  const form = `<x xmlns='${ns.data}' type='submit'>${fields.length > 0 ? type : ''}${fields.join('')}</x>`;
  await owner.iq(`<iq type='set' to='${escapeXml(room)}'><query xmlns='${ns.mucOwner}'>${form}</query></iq>`);
  // What the room announces of the change is not what a test waits for.
  const announced = (one: Element) => one.from === room && one.name === 'message' && !one.child('body');
  for (const one of await owner.fence({ room })) if (!announced(one)) owner.stream.inbox.add(one);
}

/** Leaves and waits for the own `unavailable`. */
export async function leaveRoom(client: Client, address: string): Promise<Element> {
  client.send(`<presence to='${escapeXml(address)}' type='unavailable'/>`);
  const self = (one: Element) =>
    one.name === 'presence' && one.type === 'unavailable' && one.from === address && one.codes.includes(110);
  return await client.pick(Object.assign(self, { wanted: `the own leave of ${address}` }));
}

/** Sends a groupchat message and returns its id. */
export function sayInRoom(client: Client, room: string, body: string, id = client.id()): string {
  client.send(`<message to='${escapeXml(room)}' type='groupchat' id='${id}'><body>${escapeXml(body)}</body></message>`);
  return id;
}
