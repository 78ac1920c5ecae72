/**
 * Scenarios: one promise, played against every server, with both kinds of carrier, over both transports. Each cell has its
 * own proxy, its own accounts and its own rooms, so that nothing of one reaches another.
 */
import { randomBytes } from 'node:crypto';
import { appendFileSync } from 'node:fs';
import process from 'node:process';
import { type Server, type ServerName, serverNames, sharedServers } from '../../servers/index.ts';
import { type Client, type LoginOptions, login, type Target } from '../../support/client.ts';
import { type ConfigFile, type ProxyOptions, startProxy, type TestProxy, type Transport } from '../../support/proxy.ts';
import { isWanted, suite, type TestContext } from '../../support/suite.ts';
import { type Carrier, type Cell, type Reason, ruledOut } from '../impossible.ts';
import { beginParked, config as forParked } from './left-behind.ts';
import { Services } from './service.ts';
import { transcript } from './transcript.ts';

export * from '../../support/client.ts';
export type { ConfigFile } from '../../support/proxy.ts';
export * from '../../support/room.ts';
export { assert } from '../../support/suite.ts';
export type { Carrier, Cell } from '../impossible.ts';

/** How one client differs from the others of its cell. */
export interface DeviceOptions extends Partial<Omit<LoginOptions, 'user'>> {
  /** Resource; chosen by the server unless told. */
  device?: string;
  /** Transport other than the cell's. */
  transport?: Transport;
  /** What its stream header says of it. */
  language?: string;
  /** No initial presence; else it is sent with priority 0, or the one in `presence`. */
  isSilent?: boolean;
  /** Through another proxy than the cell's first. */
  through?: TestProxy;
}

/** What the body of a scenario plays with. */
export interface Scene extends Omit<Cell, 'server'> {
  server: Server;
  proxy: TestProxy;
  /** One node of it, for what cannot hold where devices are on several. */
  node: TestProxy;
  /** A room that nobody has used, bare JID. */
  room: string;
  /** Another such room. */
  newRoom(): string;
  /** The mechanism that makes clients of this cell have its kind of carrier. */
  mechanism: string;
  /** Bare JID of a role's account. The account is created when its name first falls, and belongs to this cell alone. */
  jid(role: string): Promise<string>;
  /** A client of the role through the proxy, available unless told. */
  login(role: string, options?: DeviceOptions): Promise<Client>;
  /** A client of the role straight at the server: a witness. */
  direct(role: string, options?: DeviceOptions): Promise<Client>;
  /** Where the client's session is resumed. */
  back(client: Client, transport: Transport): Target;
  /** A further proxy in front of the same server, or of what `upstream` names. */
  startProxy(config?: ConfigFile, options?: Partial<Omit<ProxyOptions, 'config'>>): Promise<TestProxy>;
  /** A client that the scenario has opened by itself: it is ended with the others, and its stream is shown with theirs. */
  adopt(client: Client): Client;
  /** Registers clean-up. */
  after: TestContext['after'];
}

export interface ScenarioOptions {
  /** Why certain cells cannot hold, see impossible.ts. */
  except?: readonly Reason[];
  /** Keys of the proxy's configuration. */
  config?: ConfigFile;
}

/** Registers the cells of one scenario as tests. `id` is that of the requirement, `promise` what must hold. */
export interface ScenarioSuite {
  (id: string, promise: string, body: (scene: Scene) => Promise<void>, options?: ScenarioOptions): void;
  /** Comes last. */
  run(): void;
}

type Body = (scene: Scene) => Promise<void>;

export interface SuiteOptions {
  /** Cells that no scenario of the file is played in. */
  except?: readonly Reason[];
  /** The time limit of each cell. */
  limitMs?: number;
  /** Cells that are played at a time: more than one where they mostly wait. */
  together?: number;
  /**
   * Each scenario is played with the carrier `parked` too, over TCP: when a role of these first logs in, a stream that another device has
   * left behind has the account in the room already, under this nick.
   */
  parked?: Readonly<Record<string, string>>;
  /** Starts the servers of this file, which are its own then; the run's unless given. */
  start?: (name: ServerName) => Promise<Server>;
}

/** Starts a file of scenarios. */
export function scenarios(
  name: string,
  { limitMs = 30_000, together = 1, parked, start, except: throughout = [] }: SuiteOptions = {},
): ScenarioSuite {
  const test = suite(name, { limitMs, together });
  const servers = new Map<ServerName, Server>();
  const services = new Services();
  const used = new Set<ServerName>();
  let ran = 0;
  let ruled = 0;
  const wanted = cells(parked !== undefined).filter(isNamed);

  test.before(async () => {
    const names = serverNames.filter((one) => used.has(one));
    const started = start ? await Promise.all(names.map(start)) : await sharedServers(names);
    for (const server of started) servers.set(server.name, server);
  });
  test.after(async () => {
    await Promise.all([services.stop(), ...[...servers.values()].map((server) => server.stop())]);
  });

  const scenario = (
    id: string,
    promise: string,
    body: Body,
    { except = [], config = {} }: ScenarioOptions = {},
  ): void => {
    for (const cell of wanted) {
      const title = `${id} ${promise} [${cell.server}, ${cell.carrier}, ${cell.transport}]`;
      if (!isWanted(title)) continue;
      if (ruledOut(cell, [...throughout, ...except]) !== undefined) {
        ruled++;
        continue;
      }
      ran++;
      used.add(cell.server);
      test(title, (context) =>
        play(cell, { services, server: servers.get(cell.server) as Server, parked }, context, body, config),
      );
    }
  };
  return Object.assign(scenario, {
    run() {
      const file = process.env.TEST_REPORT;
      if (file) appendFileSync(file, `${JSON.stringify({ cells: ran, impossible: ruled })}\n`);
      test.run();
    },
  });
}

function cells(withParked: boolean): Cell[] {
  const carriers: Carrier[] = ['account', 'borrowed'];
  const transports: Transport[] = ['tcp', 'websocket'];
  return serverNames.flatMap((server) => [
    ...carriers.flatMap((carrier) => transports.map((transport) => ({ server, carrier, transport }))),
    ...(withParked ? [{ server, carrier: 'parked', transport: 'tcp' } as const] : []),
  ]);
}

/** While working on something: `TEST_CELLS=prosody,borrowed` plays only cells that have all of these. */
function isNamed(cell: Cell): boolean {
  const words = (process.env.TEST_CELLS ?? '').split(',').filter(Boolean);
  return words.every((word) => Object.values(cell).includes(word));
}

/** What the cells of a file have in common. */
interface Ground {
  readonly services: Services;
  readonly server: Server;
  readonly parked: SuiteOptions['parked'];
}

async function play(
  cell: Cell,
  { services, server, parked }: Ground,
  context: TestContext,
  body: Body,
  own: ConfigFile,
): Promise<void> {
  const config = cell.carrier === 'parked' ? { ...forParked, ...own } : own;
  const clients: Client[] = [];
  const tag = randomBytes(4).toString('hex');
  const accounts = new Map<string, Promise<string>>();
  const account = (role: string): Promise<string> => {
    let created = accounts.get(role);
    if (!created) {
      const user = `${role}-${tag}`;
      created = server.addUser(user).then(() => user);
      accounts.set(role, created);
    }
    return created;
  };
  const open = async (role: string, target: Parameters<typeof login>[0], options: DeviceOptions): Promise<Client> => {
    const { device, isSilent, language, transport: _, through: __, ...rest } = options;
    const user = await account(role);
    const choice = device === undefined ? {} : { resource: device };
    const presence = isSilent ? {} : { presence: 0 };
    const spoken = language === undefined ? target : { ...target, language };
    const client = await login(spoken, { user, ...choice, ...presence, ...rest });
    clients.push(client);
    return client;
  };
  // Clients go before their proxy: clean-up runs last-in first-out.
  const begin = async (more: Partial<ProxyOptions>): Promise<TestProxy> => {
    const proxy = await startProxy({ upstream: server, ...more });
    context.after(() => proxy.stop());
    context.after(() => Promise.all(clients.map((one) => one.end(1_000))));
    return proxy;
  };
  let rooms = 0;
  const newRoom = () => `room${++rooms}-${tag}@${server.mucDomain}`;
  const mechanism = mechanismOf(cell);
  /** Accounts that are to be in the room before their first device is. */
  const left = new Map(Object.entries(parked ?? {}));
  const observers: Client[] = [];
  const { proxy, node, next, back } = await services.start({ upstream: server, config }, context.after);
  context.after(() => Promise.all(clients.map((one) => one.end(1_000))));
  const { plain, ws } = server.ports;
  const scene: Scene = {
    ...cell,
    server,
    proxy,
    node,
    mechanism,
    newRoom,
    room: newRoom(),
    after: context.after,
    adopt: (client) => {
      clients.push(client);
      return client;
    },
    jid: async (role) => `${await account(role)}@${server.host}`,
    login: async (role, options = {}) => {
      const { transport = cell.transport } = options;
      const enter = (more: DeviceOptions): Promise<Client> =>
        open(role, (options.through ?? next()).target(transport), { mechanism, ...more });
      const nick = cell.carrier === 'parked' ? left.get(role) : undefined;
      if (nick === undefined) return enter(options);
      left.delete(role);
      const address = `${scene.room}/${nick}`;
      const isUnseen = server.features.sharedNick;
      return beginParked({ proxy, address, isUnseen, observers, enter }, options);
    },
    direct: async (role, options = {}) => {
      const target = {
        tcp: { access: 'tcp', port: plain },
        websocket: { access: 'ws', port: ws, path: server.wsPath },
      } as const;
      const client = await open(role, target[options.transport ?? 'tcp'], options);
      observers.push(client);
      return client;
    },
    back: (_, transport) => back(transport),
    startProxy: (more = {}, options = {}) => begin({ config: { ...config, ...more }, ...options }),
  };
  try {
    await body(scene);
  } catch (error) {
    if (error instanceof Error) error.stack = `${error.stack}\n${transcript(clients, proxy.log)}`;
    throw error;
  }
}

/** With PLAIN the proxy knows the password and opens an account stream; with the others it cannot. */
function mechanismOf({ carrier, server }: Cell): string {
  if (carrier === 'account') return 'PLAIN';
  return server === 'jabberd2' ? 'DIGEST-MD5' : 'SCRAM-SHA-1';
}
