/**
 * Behind a balancer (S4): the client's real address, as the balancer states it, shows in the log and at the server, which is
 * told in the way that it understands.
 */
import { readFileSync } from 'node:fs';
import { proxyHeader } from '../../proxy/net/proxy-header.ts';
import { type Server, type ServerName, startEjabberd, startJabberd2, startProsody } from '../servers/index.ts';
import { type ConfigFile, startProxy, type TestProxy } from '../support/proxy.ts';
import { assert, type Client, joinRoom, login, type Scene, sayInRoom, scenarios } from './support/scenario.ts';
import { until } from './support/witness.ts';

const scenario = scenarios('edge', { limitMs: 60_000, together: 3, start });

const CLIENT = '203.0.113.7';
const balancers = ['127.0.0.1'];

/** Servers that log where a client comes from, and believe what this machine says about it. */
function start(name: ServerName): Promise<Server> {
  if (name === 'jabberd2') return startJabberd2();
  if (name === 'ejabberd')
    return startEjabberd({ edit: (config) => Object.assign(config, { trusted_proxies: balancers }) });
  const extra = 'log_auth_ips = "all"; trusted_proxies = { "127.0.0.1" }';
  return startProsody({ extra, extraHost: 'modules_enabled = { "log_auth" }' });
}

const open = { address: '127.0.0.1:0', tls: 'none', trusted: true };
const listeners = [
  { kind: 'tcp', ...open, 'proxy-protocol': true },
  { kind: 'websocket', ...open },
];

type Told = 'off' | 'proxy-v1' | 'proxy-v2' | 'x-forwarded-for';

/** A proxy behind a balancer that runs on this machine, in front of the server's `upstream`. */
async function behind(scene: Scene, upstream: string, told: Told, more: ConfigFile = {}): Promise<TestProxy> {
  const hosts = { localhost: { upstream, 'client-address': told } };
  const proxy = await startProxy({ upstream, config: { listeners, balancers, hosts, ...more } });
  scene.after(() => proxy.stop());
  return proxy;
}

/** Comes from `address` by way of the balancer. */
async function arrive(scene: Scene, proxy: TestProxy, address = CLIENT): Promise<Client> {
  const jid = await scene.jid('alice');
  const route = { source: { address, port: 4711 }, destination: { address: '192.0.2.1', port: 5222 } };
  const stated =
    scene.transport === 'tcp'
      ? { preamble: proxyHeader(1, route) }
      : { headers: { 'X-Forwarded-For': `198.51.100.1, ${address}` } };
  const user = jid.slice(0, jid.indexOf('@'));
  const options = { user, mechanism: scene.mechanism, presence: 0 };
  return scene.adopt(await login({ ...proxy.target(scene.transport), ...stated }, options));
}

/** Lines of the server's log that tell of a login by this account, with the addresses they name. */
function loginsAt({ logs }: Server, user: string): string[] {
  const lines = readFileSync(logs[0] as string, 'utf8').split('\n');
  const told = lines.filter((line) => /Accepted c2s|Successful authentication/.test(line) && line.includes(`${user}@`));
  return told.map((line) => /from (?:IP: )?(?:::ffff:)?([\da-f.:]+)\s*$/.exec(line)?.[1] ?? line);
}

/** By each way that this server takes: its URL, and how it is told. */
function waysTo({ name, ports }: Server): [upstream: string, told: Told][] {
  const ws = `ws://127.0.0.1:${ports.ws}/xmpp-websocket`;
  if (name === 'prosody') return [[ws, 'x-forwarded-for']];
  const tcp = `xmpp://127.0.0.1:${ports.proxy}`;
  return [
    [tcp, 'proxy-v1'],
    [tcp, 'proxy-v2'],
    [ws, 'x-forwarded-for'],
  ];
}

scenario(
  'S4',
  'the server sees the address that the balancer states, and so does the log; rooms work as ever',
  async (scene) => {
    const { server, room } = scene;
    const [user = ''] = (await scene.jid('alice')).split('@');
    for (const [upstream, told] of waysTo(server)) {
      const proxy = await behind(scene, upstream, told);
      const client = await arrive(scene, proxy);
      await until(`the login at the server (${told})`, () => loginsAt(server, user).includes(CLIENT));
      const bound = proxy.log.map((line) => JSON.parse(line)).filter(({ jid }) => jid === client.jid);
      assert.is(bound.find(({ address }) => address !== undefined)?.address, CLIENT);
      await joinRoom(client, `${room}/al`);
      const id = sayInRoom(client, room, told);
      await client.pick(`<message type='groupchat' id='${id}'/>`);
      await client.end();
    }
    // Streams of the proxy's own are its own at the server too.
    const own = () => loginsAt(server, user).filter((address) => address !== CLIENT);
    if (scene.carrier === 'account') await until('a login of the proxy itself', () => own().length > 0);
    assert.equal([...new Set(own())], scene.carrier === 'account' ? ['127.0.0.1'] : []);
  },
  { except: ['clientAddress'] },
);

scenario('S4', 'connections are limited by the address that the balancer states', async (scene) => {
  const upstream = scene.server.upstream();
  const proxy = await behind(scene, upstream, 'off', { limits: { 'connections-per-address': 1 } });
  const first = await arrive(scene, proxy);
  const second = await arrive(scene, proxy).catch((error: Error) => error);
  assert.ok(second instanceof Error);
  const other = await arrive(scene, proxy, '203.0.113.8');
  await first.ping();
  await other.ping();
});

scenario.run();
