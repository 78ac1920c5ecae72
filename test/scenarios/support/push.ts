/**
 * Push notifications (XEP-0357): a push service that remembers what it was told, and the same conversation played by two
 * accounts at once, one through the proxy and one straight at the server, which must be told of in the same way.
 */
import { Device } from './device.ts';
import { type Client, type DeviceOptions, type Element, type Scene, sayInRoom } from './scenario.ts';
import { said, until, type Witness, watch } from './witness.ts';

const xmlns = 'urn:xmpp:push:0';

/** An account straight at the server: its full JID is the service, and it takes every notification. */
export class PushService {
  /** Node and kind of each notification, in the order of their coming. `isImportant`: it is about a message with a text. */
  readonly told: { readonly node: string; readonly isImportant: boolean }[] = [];
  readonly #client: Client;

  private constructor(client: Client) {
    this.#client = client;
    const { intercept } = client.stream;
    client.stream.intercept = (element) => this.#take(element) || intercept(element);
  }

  static async open(scene: Scene): Promise<PushService> {
    return new PushService(await scene.direct('push', { isSilent: true, transport: 'tcp' }));
  }

  #take(element: Element): boolean {
    const publish = element.type === 'set' ? element.at('pubsub', 'publish') : undefined;
    if (element.name !== 'iq' || !publish) return false;
    this.told.push({ node: publish.attrs.node ?? '', isImportant: hasBody(element) });
    this.#client.send(`<iq type='result' id='${element.id}' to='${element.from}'/>`);
    return true;
  }

  async enable(client: Client, node: string): Promise<void> {
    await client.iq(`<iq type='set'><enable xmlns='${xmlns}' jid='${this.#client.jid}' node='${node}'/></iq>`);
  }

  async disable(client: Client, node: string): Promise<void> {
    await client.iq(`<iq type='set'><disable xmlns='${xmlns}' jid='${this.#client.jid}' node='${node}'/></iq>`);
  }

  /** Resolves when that node has been told so often. */
  async until(node: string, count: number, limitMs = 8_000): Promise<void> {
    const number = () => this.told.filter((one) => one.node === node).length;
    await until(`${node} is told of ${count} times`, () => number() >= count, limitMs);
  }
}

/** One of the two accounts, with the same means. */
export interface Party {
  /** Names the party in nodes. */
  readonly name: 'proxied' | 'direct';
  /** A room of its own, with a witness in it. */
  readonly room: string;
  readonly witness: Witness;
  /** Bare JID. */
  readonly jid: string;
  login(device: string, options?: DeviceOptions): Promise<Client>;
  /** With stream management, enabled by these attributes. */
  open(device: string, attributes?: string): Promise<Device>;
  /** The device has gone, and the server knows it. */
  cut(device: Device): Promise<void>;
  resume(device: Device): Promise<void>;
  /** The client closes its stream, and the server knows it. */
  end(client: Client): Promise<void>;
  enable(client: Client, node: string): Promise<void>;
  disable(client: Client, node: string): Promise<void>;
  /** Somebody writes to this JID. */
  writes(to: string): Promise<void>;
  /** The witness says something in the room, and returns its id. */
  says(body: string): Promise<string>;
  /** Notes what the service was told since the last time, behind this word. */
  note(word: string): Promise<void>;
}

/** What was noted for each: `word: node node`. */
export interface Noted {
  readonly proxied: readonly string[];
  readonly direct: readonly string[];
}

/** Plays the conversation for both at once. */
export async function playBoth(scene: Scene, conversation: (party: Party) => Promise<void>): Promise<Noted> {
  const service = await PushService.open(scene);
  const noted = { proxied: [] as string[], direct: [] as string[] };
  const parties = [await partyOf(scene, service, 'proxied', noted), await partyOf(scene, service, 'direct', noted)];
  await Promise.all(parties.map(conversation));
  return noted;
}

async function partyOf(
  scene: Scene,
  service: PushService,
  name: Party['name'],
  noted: { proxied: string[]; direct: string[] },
): Promise<Party> {
  const role = `${name}-al`;
  const room = scene.newRoom();
  const witness = await watch(scene, { room, by: await scene.direct(`${name}-witness`, { transport: 'tcp' }) });
  const bob = await scene.direct(`${name}-bob`, { transport: 'tcp' });
  const sentinel = await sentinelOf(scene, service, name, bob);
  const login = (device: string, options: DeviceOptions = {}): Promise<Client> =>
    name === 'proxied' ? scene.login(role, { device, ...options }) : scene.direct(role, { device, ...options });
  const { ports } = scene.server;
  let seen = 0;
  let asleep = 0;
  return {
    name,
    room,
    witness,
    jid: await scene.jid(role),
    login,
    open: async (device, attributes) => {
      const opened = new Device(scene, await login(device));
      const enabled = await opened.client.enableSm(attributes);
      if (enabled.name !== 'enabled') throw new Error(enabled.print());
      return opened;
    },
    cut: async (device) => {
      await device.cut();
      asleep += 1;
      const hibernations = () => scene.proxy.log.filter((line) => line.includes('session hibernates')).length;
      if (name === 'proxied') await until('the proxy knows it', () => hibernations() >= asleep);
      await sentinel();
    },
    resume: async (device) => {
      const target = { access: 'tcp', port: ports.plain } as const;
      await device.resume(name === 'proxied' ? {} : { target });
    },
    end: async (client) => {
      const { legs } = scene.proxy.app.census();
      await client.end();
      // Both of its connections: the server has closed its own then.
      if (name === 'proxied') await until('the session is over', () => scene.proxy.app.census().legs <= legs - 2);
    },
    enable: (client, node) => service.enable(client, `${name} ${node}`),
    disable: (client, node) => service.disable(client, `${name} ${node}`),
    writes: async (to) => {
      bob.send(`<message type='chat' id='${bob.id()}' to='${to}'><body>are you there?</body></message>`);
      await bob.fence();
    },
    says: async (body) => {
      const id = sayInRoom(witness.client, room, body);
      await witness.client.pick(said(room, 'witness', id));
      return id;
    },
    note: async (word) => {
      await sentinel();
      const since = service.told.slice(seen).filter((one) => one.node.startsWith(`${name} `));
      seen = service.told.length;
      noted[name].push([`${word}:`, ...since.map((one) => one.node.slice(name.length + 1))].join(' '));
    },
  };
}

/**
 * A fence for notifications: a sleeping device straight at the server of which the service is told behind all others that were
 * due before. Prosody waits a second before it tells of something.
 */
async function sentinelOf(scene: Scene, service: PushService, name: string, bob: Client): Promise<() => Promise<void>> {
  const sentinel = await scene.direct(`${name}-sentinel`, { transport: 'tcp' });
  const node = `${name}-sentinel`;
  await service.enable(sentinel, node);
  await sentinel.enableSm();
  await sentinel.drop();
  let count = 0;
  return async () => {
    // ejabberd has a process for each session: what is asked of one is done when another has been asked twice.
    const rounds = scene.server.name === 'prosody' ? 1 : 2;
    for (let round = 0; round < rounds; round += 1) {
      count += 1;
      bob.send(`<message type='chat' id='${bob.id()}' to='${sentinel.jid}'><body>now</body></message>`);
      await service.until(node, count);
    }
  };
}

/** Servers leave the field of the body empty, or out, when they tell of something else than a message with a text. */
function hasBody(element: Element): boolean {
  return /var='last-message-body'[^>]*>\s*<value>/.test(element.print());
}
