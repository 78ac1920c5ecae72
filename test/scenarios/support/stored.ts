/** What is said in a room, what the store keeps of it, and what a further device is given. */
import type { RedisServer } from '../../servers/index.ts';
import { type Node, startNode } from './nodes.ts';
import { type Client, createRoom, joinRoom, type Scene, sayInRoom } from './scenario.ts';
import { until } from './witness.ts';

/** More than a room gives as history. */
export const said: readonly string[] = Array.from({ length: 30 }, (_, index) => `word ${index}`);

/** Bob has created the scene's room, and alice's phone has joined it by way of that node. */
export async function inRoom(
  { room, login, direct }: Scene,
  node: Node,
): Promise<{ readonly bob: Client; readonly phone: Client }> {
  const bob = await direct('bob');
  await createRoom(bob, `${room}/bob`);
  const phone = await login('alice', { through: node.proxy });
  await joinRoom(phone, `${room}/al`);
  return { bob, phone };
}

/** One after the other, each heard from the room. */
export async function speak(speaker: Client, room: string, texts: readonly string[]): Promise<void> {
  for (const text of texts) {
    const id = sayInRoom(speaker, room, text);
    await speaker.upTo(`<message type='groupchat' id='${id}'/>`);
  }
}

/** What a device asks for that wants all history (stanzas). */
export const MOST_HISTORY = 100;

/** What a device is given of what was said, in order, that joins there and wants all of it. */
export async function historyFor(device: Client, address: string): Promise<(string | undefined)[]> {
  const { history } = await joinRoom(device, address, { history: `maxstanzas='${MOST_HISTORY}'` });
  return history.map((one) => one.child('body')?.text);
}

/** The same of a further device of alice's. */
export async function historyAt(node: Node, { room, login }: Scene): Promise<(string | undefined)[]> {
  return historyFor(await login('alice', { through: node.proxy }), `${room}/al`);
}

/** The node stops in order, and is started anew. */
export async function restart(scene: Scene, redis: RedisServer, before: Node): Promise<Node> {
  await before.proxy.stop();
  return startNode(scene, redis);
}

/** Where the store has the room's messages to alice, or those that are kept for a session to come. */
export async function keyOf({ room, jid }: Scene, kind: '' | ' kept' = ''): Promise<string> {
  return `test:{${await jid('alice')}}:log:${room}${kind}`;
}

/** The store has so many of these. */
export async function isStored(
  scene: Scene,
  redis: RedisServer,
  count: number,
  kind: '' | ' kept' = '',
): Promise<void> {
  const key = await keyOf(scene, kind);
  await until(`${count} messages to be stored`, async () => Number(await redis.cli('llen', key)) === count);
}

/** The node has taken another's place as home. */
export async function hasTakenOver({ proxy }: Node): Promise<void> {
  await until('the other node to go on', async () => {
    return /^minimix_homes_total\{event="taken-over"\} 1/m.test(await proxy.app.metrics.render());
  });
}
