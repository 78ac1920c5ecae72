/** Starts a Redis of its own. */
import { join } from 'node:path';
import { ensurePackages, packagesOf } from './install.ts';
import { Daemon, freePorts, inFolder, removeFolder, tail } from './process.ts';

export interface RedisOptions {
  /** Lines of redis.conf, such as `appendonly yes`. */
  extra?: string[];
  /** Asked from every client but with no user name. */
  password?: string;
}

/** A Redis that runs, on a port of 127.0.0.1 and on a unix socket. */
export interface RedisServer {
  readonly url: string;
  readonly port: number;
  readonly socket: string;
  readonly folder: string;
  readonly pid: number;
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

async function start(folder: string, { extra = [], password }: RedisOptions): Promise<RedisServer> {
  const [port] = (await freePorts(1)) as [number];
  const socket = join(folder, 'redis.sock');
  const settings = ['bind 127.0.0.1', `port ${port}`, `unixsocket ${socket}`, `dir ${folder}`, 'save ""', ...extra];
  if (password) settings.push(`requirepass ${password}`);
  const args = settings.flatMap((line) => {
    const space = line.indexOf(' ');
    return [`--${line.slice(0, space)}`, line.slice(space + 1).replace('""', '')];
  });
  const launch = async (): Promise<Daemon> => {
    const daemon = new Daemon(folder, 'redis', 'redis-server', args);
    await daemon.listening(port);
    return daemon;
  };
  let daemon = await launch();
  const halt = (abrupt = false) => (abrupt ? daemon.kill() : daemon.stop());
  return {
    url: `redis://${password ? `:${password}@` : ''}127.0.0.1:${port}`,
    port,
    socket,
    folder,
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
