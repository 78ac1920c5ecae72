/**
 * Private messages of a room (M3), and a device that goes on at another node (S9): what comes between the end of its session on the one and
 * its coming to the other is in no room's log. It is given to it all the same, once, wherever the account is at home.
 */
import { type Device, managed } from './support/device.ts';
import { type Node, nodes } from './support/nodes.ts';
import { assert, type Client, type Element, joinRoom, type Scene, scenarios } from './support/scenario.ts';
import { type Witness, watch } from './support/witness.ts';

const scenario = scenarios('resume-nodes-private', { limitMs: 60_000, except: ['streamManagement'] });

const carbons = 'urn:xmpp:carbons:2';

interface Cast {
  readonly witness: Witness;
  /** On the second node. */
  readonly desk: Client;
  /** On the first one. */
  readonly phone: Device;
  readonly first: Node;
  readonly second: Node;
}

/** Two devices in the room; the account is at home where the one is that comes first. */
async function cast(scene: Scene, order: readonly ('desk' | 'phone')[]): Promise<Cast> {
  const [first, second] = (await nodes(scene, 2)) as [Node, Node];
  const witness = await watch(scene);
  const at = { desk: second, phone: first };
  const devices = new Map<string, Client>();
  for (const device of order) {
    const client = await scene.login('alice', { device, through: at[device].proxy });
    await client.iq(`<iq type='set'><enable xmlns='${carbons}'/></iq>`);
    devices.set(device, client);
    if (device === 'phone') continue;
    await joinRoom(client, `${scene.room}/al`);
  }
  const phone = await managed(scene, devices.get('phone') as Client);
  await joinRoom(phone.client, `${scene.room}/al`);
  assert.equal(await witness.sees(), ['+al']);
  return { witness, desk: devices.get('desk') as Client, phone, first, second };
}

const pm = (to: string, id: string): string =>
  `<message type='chat' to='${to}' id='${id}'><body>${id}</body></message>`;

/** How often the device has been given each of these, and as what it was sent by another one. */
function counts({ heard }: Device, ids: readonly string[]): number[] {
  const idOf = (one: Element): string | undefined => one.at('sent', 'forwarded', 'message')?.id ?? one.id;
  const messages = heard.filter(({ name }) => name === 'message').map(idOf);
  return ids.map((wanted) => messages.filter((id) => id === wanted).length);
}

for (const [place, order] of [
  ['the node that stops', ['phone', 'desk']],
  ['the other node', ['desk', 'phone']],
] as const) {
  scenario(
    'M3',
    `a device is given what was written in private while it had no node, once, with the account at home on ${place}`,
    async (scene) => {
      const { room } = scene;
      const { witness, desk, phone, first, second } = await cast(scene, order);
      witness.client.send(pm(`${room}/al`, 'before'));
      await phone.client.pick("<message type='chat' id='before'/>");
      await first.proxy.app.stop();
      await phone.client.closed;
      witness.client.send(pm(`${room}/al`, 'meanwhile'));
      await desk.pick("<message type='chat' id='meanwhile'/>");
      desk.send(pm(`${room}/witness`, 'own'));
      await witness.client.pick("<message type='chat' id='own'/>");
      await phone.resume({ target: second.proxy.target(scene.transport) });
      witness.client.send(pm(`${room}/al`, 'after'));
      await phone.client.pick("<message type='chat' id='after'/>");
      await phone.client.fence({ room });
      assert.equal(counts(phone, ['before', 'meanwhile', 'own', 'after']), [1, 1, 1, 1]);
      assert.equal(await witness.sees(), []);
    },
  );
}

scenario.run();
