/** What scenarios about joining share: the room's own view of a join, and what an answer to a join says. */
import { type Element, escapeXml, ns } from '../../support/element.ts';
import { assert, type Client, type Joined, joinPresence, type StanzaError } from './scenario.ts';

/** The witness sees this occupant come (or show itself anew), as the next thing. */
export function seesArrival(witness: Client, address: string): Promise<Element> {
  return witness.expect(
    `<presence from='${escapeXml(address)}'><x xmlns='${ns.mucUser}'><item role='{any}'/></x></presence>`,
  );
}

/**
 * What the sessions have sent so far has not reached the room: behind all of it on every stream that it may have taken, the
 * witness has seen nothing. Nor have the sessions.
 */
export async function nothingHappens(witness: Client, room: string, ...sessions: Client[]): Promise<void> {
  for (const session of sessions) await session.expectNothing({ room });
  await witness.expectNothing({ room });
}

/** The children of a stanza as text in a settled order: what it says, whoever it is addressed to. */
export function says(stanza: Element): string {
  return stanza.elements
    .map((one) => one.print())
    .sort()
    .join('\n');
}

/** What an answer says of the others: nick -> presence. */
export function roster(joined: Joined): Record<string, string> {
  return Object.fromEntries(joined.occupants.map((one) => [nickOf(one), says(one)]).sort());
}

/** Sender, id and text of each message of the history. */
export function past(joined: Joined): string[] {
  return joined.history.map((one) => `${nickOf(one)} ${one.id} ${one.child('body')?.text}`);
}

/** Nick of the occupant who sent it; empty for the room itself. */
export function nickOf({ from = '' }: Element): string {
  const slash = from.indexOf('/');
  return slash < 0 ? '' : from.slice(slash + 1);
}

/** `jid` of the first item of a room presence. */
export function realJid(presence: Element): string | undefined {
  return presence.child('x', ns.mucUser)?.child('item')?.attrs.jid;
}

/** Sends a join and returns the room's refusal of it, which must have all that clients look for. */
export async function refusal(client: Client, address: string, password?: string): Promise<Element> {
  const id = client.id();
  client.send(joinPresence(address, password === undefined ? { id } : { id, password }));
  return await refused(client, address, id);
}

/** The next thing is the refusal of the join with this id: from the address asked for, with the `muc` child. */
export async function refused(client: Client, address: string, id: string): Promise<Element> {
  const frame = `<presence type='error' id='${id}' from='${escapeXml(address)}' to='${client.jid}'><x xmlns='${ns.muc}'/><error type='{any}'/></presence>`;
  return await client.expect(frame, { limitMs: 10_000 });
}

/** Type and condition of an error. */
export function verdict(error: Element): string {
  return `${error.child('error')?.type} ${error.condition}`;
}

/** A message to the room from a session that is not in it is refused, in the words that the servers have for strangers. */
export async function isStranger(client: Client, room: string): Promise<void> {
  const id = client.id();
  client.send(`<message type='groupchat' id='${id}' to='${room}'><body>am I in?</body></message>`);
  const error = await client.expect(`<message type='error' id='${id}' from='${room}'><error type='{any}'/></message>`);
  assert.ok(['not-acceptable', 'not-allowed', 'forbidden'].includes(error.condition ?? ''), error.print());
}

/** Gives an account an affiliation, as an owner of the room, who hears what the room makes of it. */
export async function affiliate(owner: Client, room: string, jid: string, affiliation: string): Promise<void> {
  const item = `<item jid='${jid}' affiliation='${affiliation}'/>`;
  await owner.iq(`<iq type='set' to='${room}'><query xmlns='${ns.mucAdmin}'>${item}</query></iq>`);
  await owner.fence({ room });
}

/** The error that a refused join throws. */
export async function thrown(join: Promise<unknown>): Promise<StanzaError> {
  const error = await join.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.ok(error, 'the join was to be refused');
  return error as StanzaError;
}

/** A join that is awaited further down: when something else fails before, its own failure must not end the process. */
export function awaitedLater<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {});
  return promise;
}
