/** Prosody, ejabberd and Redis as the samples of deploy/ configure them. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import process from 'node:process';
import { parse } from 'yaml';
import { type EjabberdConfig, startEjabberd } from '../servers/ejabberd.ts';
import { ensurePackages, packagesOf } from '../servers/install.ts';
import { Daemon, freePorts, inFolder, removeFolder } from '../servers/process.ts';
import { addProsodyUser } from '../servers/prosody.ts';
import type { ServerFacts } from '../servers/server.ts';
import { replaceAll, sample } from './balanced.ts';

/** A server with the account of whoever is wanted, on 127.0.0.1. */
export interface SampledServer {
  readonly name: 'prosody' | 'ejabberd';
  readonly mucDomain: string;
  /** Where the proxy connects. */
  readonly port: number;
  /** It wants a header of the PROXY protocol there. */
  readonly takesProxy: boolean;
  /** Where witnesses connect, without such a header. */
  readonly directPort: number;
  /** The account; its password is its name. */
  addUser(name: string): Promise<void>;
  stop(): Promise<void>;
}

const mucDomain = 'conference.localhost';

/** Prosody with deploy/prosody/prosody.cfg.lua. */
export function startSampledProsody(): Promise<SampledServer> {
  ensurePackages(packagesOf.prosody);
  return inFolder('prosody', async (folder) => {
    const [port] = (await freePorts(1)) as [number];
    const file = await prosodyConfiguration(folder, port);
    const env = { XMPP_DOMAIN: 'localhost' };
    const daemon = new Daemon(folder, 'prosody', 'prosody', ['--config', file, '-F'], env);
    const stop = async (): Promise<void> => {
      await daemon.kill();
      removeFolder(folder);
    };
    try {
      await daemon.listening(port);
    } catch (error) {
      await stop();
      throw error;
    }
    const facts = { folder, host: 'localhost' } as ServerFacts;
    return {
      name: 'prosody',
      mucDomain,
      port,
      takesProxy: false,
      directPort: port,
      stop,
      addUser: (name) => addProsodyUser(facts, name),
    };
  });
}

/** The sample, with a folder and a port of its own, and nothing of it on other ports of this machine. */
export async function prosodyConfiguration(folder: string, port: number): Promise<string> {
  await mkdir(join(folder, 'data', 'localhost', 'accounts'), { recursive: true });
  const file = join(folder, 'prosody.cfg.lua');
  const own = [
    `run_as_root = ${process.getuid?.() === 0}`,
    `data_path = "${folder}/data"`,
    `pidfile = "${folder}/prosody.pid"`,
    's2s_ports = {}; component_ports = {}; http_ports = {}; https_ports = {}',
  ];
  const text = replaceAll(sample('prosody/prosody.cfg.lua'), [['c2s_ports = { 15222 }', `c2s_ports = { ${port} }`]]);
  await writeFile(file, `${own.join('\n')}\n${text}`);
  return file;
}

/** ejabberd with deploy/ejabberd/ejabberd.yml; accounts are made through a listener that the tests add. */
export async function startSampledEjabberd(): Promise<SampledServer> {
  const server = await startEjabberd({ edit: useSample });
  return {
    name: 'ejabberd',
    mucDomain,
    port: server.ports.proxy as number,
    takesProxy: true,
    directPort: server.ports.plain,
    stop: () => server.stop(),
    addUser: (name) => server.addUser(name),
  };
}

/** Puts the sample in the place of the tests' own configuration, whose other listeners stay. */
function useSample(config: EjabberdConfig): void {
  const text = replaceAll(sample('ejabberd/ejabberd.yml'), [['example.org', 'localhost']]);
  const sampled = parse(text) as EjabberdConfig;
  const own = [...config.listen];
  const proxied = own.find(({ use_proxy_protocol: wants }) => wants === true);
  const clients = sampled.listen.find(({ module }) => module === 'ejabberd_c2s');
  if (!proxied || clients?.port !== 15222) throw new Error('the sample has a listener for the proxy on port 15222');
  const { certfiles, api_permissions } = config;
  const acl = { ...(sampled.acl as object), loopback: { ip: ['127.0.0.0/8'] } };
  for (const name of Object.keys(config)) delete config[name];
  const modules = { ...sampled.modules, mod_http_api: {}, mod_admin_extra: {} };
  const listen = [...own.filter((one) => one !== proxied), { ...clients, port: proxied.port }];
  Object.assign(config, sampled, { listen, modules, acl, certfiles, api_permissions });
}

/** Redis with deploy/redis/redis.conf. */
export function startSampledRedis(): Promise<{
  url: string;
  daemon: () => Daemon;
  restart(): Promise<void>;
  stop(): Promise<void>;
}> {
  ensurePackages(packagesOf.redis);
  return inFolder('redis', async (folder) => {
    const [port] = (await freePorts(1)) as [number];
    const file = join(folder, 'redis.conf');
    const text = replaceAll(sample('redis/redis.conf'), [
      ['bind 0.0.0.0', 'bind 127.0.0.1'],
      ['port 6379', `port ${port}`],
      ['dir /var/lib/redis', `dir ${folder}`],
    ]);
    await writeFile(file, text);
    const launch = async (): Promise<Daemon> => {
      const started = new Daemon(folder, 'redis', 'redis-server', [file]);
      await started.listening(port);
      return started;
    };
    let daemon = await launch();
    return {
      url: `redis://minimix:change-me@127.0.0.1:${port}`,
      daemon: () => daemon,
      async restart() {
        daemon = await launch();
      },
      async stop() {
        await daemon.kill();
        removeFolder(folder);
      },
    };
  });
}
