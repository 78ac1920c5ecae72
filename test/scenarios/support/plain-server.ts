/** A server without XEP-0198: jabberd2 as it is, the others with that module left out. */
import { type Server, startEjabberd, startProsody } from '../../servers/index.ts';
import type { ConfigFile, TestProxy } from '../../support/proxy.ts';
import { Device } from './device.ts';
import { assert, type Client, type DeviceOptions, type Element, login, type Scene } from './scenario.ts';

export interface PlainServer {
  readonly server: Server;
  /** In front of it. */
  readonly through: TestProxy;
  /** The accounts are this server's too. */
  login(role: string, options?: DeviceOptions): Promise<Client>;
  /** Straight at the server. */
  direct(role: string): Promise<Client>;
}

/** `upstream`: by this way to the server, where it is not the server itself. */
export async function plainServer(
  scene: Scene,
  { config = {}, upstream }: { config?: ConfigFile; upstream?: (server: Server) => Promise<string> } = {},
): Promise<PlainServer> {
  const server = await start(scene);
  const through = await scene.startProxy(config, { upstream: (await upstream?.(server)) ?? server });
  const known = new Map<string, Promise<string>>();
  const account = (role: string): Promise<string> => {
    const found = known.get(role) ?? create(scene, server, role);
    known.set(role, found);
    return found;
  };
  return {
    server,
    through,
    login: async (role, options = {}) => {
      await account(role);
      return await scene.login(role, { ...options, through });
    },
    direct: async (role) => {
      const target = { access: 'tcp', port: server.ports.plain } as const;
      return scene.adopt(await login(target, { user: await account(role), presence: 0 }));
    },
  };
}

async function start(scene: Scene): Promise<Server> {
  const { name } = scene.server;
  if (name === 'jabberd2') return scene.server;
  const server =
    name === 'prosody'
      ? await startProsody({ extra: 'modules_disabled = { "s2s", "smacks" }' })
      : await startEjabberd({
          edit: (config) => {
            const { mod_stream_mgmt: _, ...modules } = config.modules;
            config.modules = modules;
          },
        });
  scene.after(() => server.stop());
  return server;
}

async function create(scene: Scene, server: Server, role: string): Promise<string> {
  const jid = await scene.jid(role);
  const user = jid.slice(0, jid.indexOf('@'));
  if (server !== scene.server) await server.addUser(user);
  return user;
}

/** Logs a device in and enables stream management. */
export async function openDevice(
  scene: Scene,
  { login }: PlainServer,
  device: string,
  asked?: string,
): Promise<Device> {
  const opened = new Device(scene, await login('al', { device }));
  const enabled = await opened.client.enableSm(asked);
  assert.is(enabled.name, 'enabled');
  return opened;
}

/** Ids of messages with a body from addresses that begin so, in the order in which they came. */
export function bodies(heard: readonly Element[], from: string): (string | undefined)[] {
  return heard
    .filter((one) => one.name === 'message' && one.from?.startsWith(from) === true && one.child('body') !== undefined)
    .map(({ id }) => id);
}
