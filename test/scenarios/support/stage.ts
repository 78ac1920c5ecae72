/**
 * For promises that are not about carriers and rooms: a test for each server, with proxies, accounts and clients that are
 * cleaned up behind it.
 */
import { randomBytes } from 'node:crypto';
import process from 'node:process';
import { type Access, type Server, type ServerName, serverNames, sharedServers } from '../../servers/index.ts';
import { type Client, converse, type LoginOptions, login, type Target } from '../../support/client.ts';
import type { ProxyOptions, TestProxy } from '../../support/proxy.ts';
import { isWanted, suite, type TestContext } from '../../support/suite.ts';
import { Services } from './service.ts';
import { transcript } from './transcript.ts';

export * from '../../support/client.ts';
export { assert } from '../../support/suite.ts';

/** Every way to reach a listener, or a server. */
export const accesses: readonly Access[] = ['tcp', 'starttls', 'tls', 'ws', 'wss'];

/** What the body of a test plays with. */
export interface Stage {
  readonly server: Server;
  readonly after: TestContext['after'];
  /** Name of a role's account, which is created when it first falls; the password is the name. */
  user(role: string): Promise<string>;
  /** A proxy (or several nodes, see service.ts) in front of the server; in front of something else where `upstream` says so. */
  proxy(options?: Partial<ProxyOptions>): Promise<TestProxy>;
  /** Logs the role in, available with priority 0 unless `presence` says otherwise. */
  login(target: Target, role: string, options?: Partial<LoginOptions>): Promise<Client>;
  /** The same straight at the server: a witness. */
  direct(role: string, options?: Partial<LoginOptions>): Promise<Client>;
  /** A stream with the server's features and what the conversation makes of it; nothing unless given. */
  connect(target: Target, conversation?: (client: Client) => Promise<void>): Promise<Client>;
  /** Where a client reaches the server itself. */
  serverTarget(access: Access): Target;
  /** A room that nobody has used. */
  newRoom(): string;
}

/** Registers a test for each server. */
export interface StageSuite {
  (id: string, promise: string, body: (stage: Stage) => Promise<void>, options?: StageOptions): void;
  /** Comes last. */
  run(): void;
}

export interface StageOptions {
  /** Only these servers, with the reason in a comment beside it. */
  on?: readonly ServerName[];
}

/** Starts a file of such tests. `limitMs` is the time limit of each. */
export function stages(name: string, { limitMs = 30_000 } = {}): StageSuite {
  const test = suite(name, { limitMs });
  const servers = new Map<ServerName, Server>();
  const services = new Services();
  const used = new Set<ServerName>();
  const words = (process.env.TEST_CELLS ?? '').split(',').filter((word) => serverNames.some((one) => one === word));

  test.before(async () => {
    for (const server of await sharedServers([...used])) servers.set(server.name, server);
  });
  test.after(() => Promise.all([services.stop(), ...[...servers.values()].map((server) => server.stop())]));

  const stage = (
    id: string,
    promise: string,
    body: (stage: Stage) => Promise<void>,
    { on = serverNames }: StageOptions = {},
  ): void => {
    for (const server of on) {
      // While working on something: `TEST_CELLS=prosody`.
      if (words.length > 0 && !words.includes(server)) continue;
      const title = `${id} ${promise} [${server}]`;
      if (isWanted(title)) used.add(server);
      test(title, (context) => play(services, servers.get(server) as Server, context, body));
    }
  };
  return Object.assign(stage, { run: () => test.run() });
}

async function play(
  services: Services,
  server: Server,
  { after }: TestContext,
  body: (stage: Stage) => Promise<void>,
): Promise<void> {
  const tag = randomBytes(4).toString('hex');
  const users = new Map<string, Promise<string>>();
  const clients: Client[] = [];
  const proxies: TestProxy[] = [];
  let rooms = 0;
  const keep = async (opening: Promise<Client>): Promise<Client> => {
    const client = await opening;
    clients.push(client);
    return client;
  };
  const user = (role: string): Promise<string> => {
    let created = users.get(role);
    if (!created) {
      const name = `${role}-${tag}`;
      created = server.addUser(name).then(() => name);
      users.set(role, created);
    }
    return created;
  };
  const open = async (target: Target, role: string, options: Partial<LoginOptions> = {}): Promise<Client> =>
    keep(login(target, { user: await user(role), presence: 0, ...options }));
  const serverTarget = (access: Access): Target => {
    const { plain, tls, ws, wss } = server.ports;
    return { access, port: { tcp: plain, starttls: plain, tls, ws, wss }[access], path: server.wsPath };
  };
  after(() => Promise.all(clients.map((one) => one.end(1_000))));
  try {
    await body({
      server,
      after,
      user,
      proxy: async (options = {}) => {
        const { proxy } = await services.start({ upstream: server, ...options }, after);
        proxies.push(proxy);
        // Clients go before their proxy: clean-up runs last-in first-out.
        after(() => Promise.all(clients.map((one) => one.end(1_000))));
        return proxy;
      },
      login: open,
      direct: (role, options) => open(serverTarget('tcp'), role, options),
      connect: (target, conversation = async () => {}) => keep(converse(target, 'client', conversation)),
      serverTarget,
      newRoom: () => `room${++rooms}-${tag}@${server.mucDomain}`,
    });
  } catch (error) {
    const log = proxies.flatMap((proxy) => proxy.log);
    if (error instanceof Error) error.stack = `${error.stack}\n${transcript(clients, log)}`;
    throw error;
  }
}
