/** Starts a Redis of its own. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ensurePackages, packagesOf } from './install.ts';
import {
  type Certificate,
  Daemon,
  freePorts,
  inFolder,
  makeCertificate,
  removeFolder,
  tail,
  until,
} from './process.ts';

const run = promisify(execFile);

export interface RedisOptions {
  /** Lines of redis.conf, such as `appendonly yes`. */
  extra?: string[];
  /** Asked from every client but with no user name. */
  password?: string;
  /** Speaks TLS only, with a certificate for 127.0.0.1 and localhost that is its own authority. */
  tls?: boolean;
}

/** A Redis that runs, on a port of 127.0.0.1 and on a unix socket. */
export interface RedisServer {
  readonly url: string;
  readonly port: number;
  readonly socket: string;
  readonly folder: string;
  readonly pid: number;
  /** Set where it speaks TLS. */
  readonly certificate: Certificate | undefined;
  /** What redis-cli prints for a command, `['config', 'set', …]`. */
  cli(...command: string[]): Promise<string>;
  /** Stops it from answering without closing a connection, until `resume`. */
  pause(): void;
  resume(): void;
  /** Ends the process and keeps port and data, for `restart`. `abrupt`: by SIGKILL. */
  halt(abrupt?: boolean): Promise<void>;
  /** Starts it again with the same port and data. */
  restart(): Promise<void>;
  /** Ends it for good and removes its folder. */
  stop(): Promise<void>;
  logTail(lines?: number): string;
}

/** Starts Redis, without persistence unless `extra` asks for it. */
export function startRedis(options: RedisOptions = {}): Promise<RedisServer> {
  ensurePackages(packagesOf.redis);
  return inFolder('redis', (folder) => start(folder, options));
}

async function start(folder: string, { extra = [], password, tls = false }: RedisOptions): Promise<RedisServer> {
  const [port] = (await freePorts(1)) as [number];
  const socket = join(folder, 'redis.sock');
  const certificate = tls ? await makeCertificate(folder) : undefined;
  const ports = certificate
    ? ['port 0', `tls-port ${port}`, 'tls-auth-clients no', `tls-ca-cert-file ${certificate.cert}`]
    : [`port ${port}`];
  if (certificate) ports.push(`tls-cert-file ${certificate.cert}`, `tls-key-file ${certificate.key}`);
  const settings = ['bind 127.0.0.1', ...ports, `unixsocket ${socket}`, `dir ${folder}`, 'save ""', ...extra];
  if (password) settings.push(`requirepass ${password}`);
  const args = settings.flatMap((line) => {
    const space = line.indexOf(' ');
    return [`--${line.slice(0, space)}`, line.slice(space + 1).replace('""', '')];
  });
  const cli = async (...command: string[]): Promise<string> => {
    const login = password ? ['-a', password, '--no-auth-warning'] : [];
    return (await run('redis-cli', ['-s', socket, ...login, ...command])).stdout.trim();
  };
  const launch = async (): Promise<Daemon> => {
    const daemon = new Daemon(folder, 'redis', 'redis-server', args);
    await daemon.listening(port);
    // It listens before it has read what it has kept.
    await until('Redis to answer', 20_000, async () => (await cli('ping')).includes('PONG'));
    return daemon;
  };
  let daemon = await launch();
  const halt = (abrupt = false) => (abrupt ? daemon.kill() : daemon.stop());
  return {
    url: `${tls ? 'rediss' : 'redis'}://${password ? `:${password}@` : ''}127.0.0.1:${port}`,
    port,
    socket,
    folder,
    certificate,
    cli,
    get pid() {
      return daemon.pid;
    },
    pause: () => daemon.signal('SIGSTOP'),
    resume: () => daemon.signal('SIGCONT'),
    halt,
    async restart() {
      await halt();
      daemon = await launch();
    },
    async stop() {
      await halt(true);
      removeFolder(folder);
    },
    logTail: (lines) => tail(daemon.logFile, lines),
  };
}

/** A Redis Cluster on 127.0.0.1. */
export interface RedisCluster {
  /** `redis+cluster://` with all of its masters. */
  readonly url: string;
  readonly masters: readonly RedisServer[];
  /** One for each master, in no order; empty where none were asked for. */
  readonly replicas: readonly RedisServer[];
  stop(): Promise<void>;
}

/** Starts a cluster of three masters, each with a replica if asked for. `extra` as for one Redis. */
export async function startRedisCluster(options: { extra?: string[]; replicas?: boolean } = {}): Promise<RedisCluster> {
  // Short where a fail-over is waited for; else a busy machine must not be taken for a dead master.
  const timeoutMs = options.replicas ? 2000 : 15_000;
  const extra = ['cluster-enabled yes', `cluster-node-timeout ${timeoutMs}`, 'cluster-require-full-coverage no'];
  const count = options.replicas ? 6 : 3;
  const started = await Promise.allSettled(Array.from({ length: count }, () => clusterNode(extra, options.extra)));
  const servers = started.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
  const stop = async (): Promise<void> => void (await Promise.all(servers.map((server) => server.stop())));
  try {
    for (const one of started) if (one.status === 'rejected') throw one.reason;
    const masters = servers.slice(0, 3);
    const replicas = servers.slice(3);
    const addresses = servers.map(({ port }) => `127.0.0.1:${port}`);
    const replicated = options.replicas ? ['--cluster-replicas', '1'] : [];
    await run('redis-cli', ['--cluster', 'create', ...addresses, ...replicated, '--cluster-yes']);
    await until('the cluster to agree', 20_000, async () => {
      const states = await Promise.all(servers.map((server) => server.cli('cluster', 'info')));
      const isWhole = (state: string) => /cluster_state:ok/.test(state) && state.includes(`known_nodes:${count}`);
      const links = await Promise.all(replicas.map((server) => server.cli('info', 'replication')));
      return states.every(isWhole) && links.every((link) => /master_link_status:up/.test(link));
    });
    return {
      url: `redis+cluster://${masters.map(({ port }) => `127.0.0.1:${port}`).join(',')}`,
      masters,
      replicas,
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** The port of the cluster's own bus is 10000 above the other by default, which may be taken. */
async function clusterNode(...settings: (string[] | undefined)[]): Promise<RedisServer> {
  const [busPort] = (await freePorts(1)) as [number];
  return startRedis({ extra: [`cluster-port ${busPort}`, ...settings.flatMap((some) => some ?? [])] });
}
