/**
 * The servers of a test run. A run starts some once and hands them to its test processes (variable `TEST_SERVERS`, the path
 * of a JSON file); the others, and all when a test file is started alone, are started where they are used. What a test must change or stop it starts for
 * itself with `startProsody` and the like.
 */
import { readFileSync } from 'node:fs';
import process from 'node:process';
import { addEjabberdUser, startEjabberd } from './ejabberd.ts';
import { addJabberd2User, startJabberd2 } from './jabberd2.ts';
import { tail } from './process.ts';
import { addProsodyUser, startProsody } from './prosody.ts';
import { type Server, type ServerFacts, type ServerName, type StartOptions, upstreamUrl } from './server.ts';

export { type EjabberdConfig, type EjabberdOptions, startEjabberd } from './ejabberd.ts';
export { type Jabberd2Options, startJabberd2 } from './jabberd2.ts';
export { type ProsodyOptions, startProsody } from './prosody.ts';
export { type RedisCluster, type RedisServer, startRedis, startRedisCluster } from './redis.ts';
export type { Access, Features, Mechanism, Server, ServerFacts, ServerName, StartOptions } from './server.ts';

export const serverNames: readonly ServerName[] = ['prosody', 'ejabberd', 'jabberd2'];

/** Starts a server of that kind for the caller alone. */
export function startServer(name: ServerName, options: StartOptions = {}): Promise<Server> {
  if (name === 'prosody') return startProsody(options);
  if (name === 'ejabberd') return startEjabberd(options);
  return startJabberd2(options);
}

/** Starts servers of several kinds at once; if one fails, none is left. */
export async function startServers(names: readonly ServerName[], options: StartOptions = {}): Promise<Server[]> {
  const results = await Promise.allSettled(names.map((name) => startServer(name, options)));
  const failed = results.find((result) => result.status === 'rejected');
  const servers = results.filter((result) => result.status === 'fulfilled').map((result) => result.value);
  if (!failed) return servers;
  await Promise.all(servers.map((server) => server.stop()));
  throw failed.reason;
}

/** The servers that a run shares; the others are started for each test file. */
export const sharedNames: readonly ServerName[] = ['prosody', 'ejabberd'];

/**
 * A server of each kind: that of the run, where it shares one, else a new one. `stop` leaves the run's servers alone.
 * jabberd2 is not shared: it knows connections by file descriptor, and the end of one client's hits another's new one.
 */
export async function sharedServers(names: readonly ServerName[]): Promise<Server[]> {
  const file = process.env.TEST_SERVERS;
  const shared = file ? (JSON.parse(readFileSync(file, 'utf8')) as ServerFacts[]) : [];
  const own = await startServers(names.filter((name) => shared.every((one) => one.name !== name)));
  const all = [...shared.map(attach), ...own];
  return names.map((name) => all.find((one) => one.name === name) as Server);
}

/** What another process needs to know of servers, for `TEST_SERVERS`. */
export function describeServers(servers: readonly Server[]): string {
  return JSON.stringify(servers.map(({ pids: _, ...facts }) => facts));
}

const adders = { prosody: addProsodyUser, ejabberd: addEjabberdUser, jabberd2: addJabberd2User };

function attach(facts: ServerFacts): Server {
  const refuse = async (): Promise<never> => {
    throw new Error('this server is shared: a test that stops or restarts one starts its own');
  };
  return {
    ...facts,
    pids: [],
    upstream: (access) => upstreamUrl(facts, access),
    addUser: (name, password) => adders[facts.name](facts, name, password),
    restart: refuse,
    restartRooms: refuse,
    forgetOccupants: refuse,
    halt: refuse,
    stop: async () => {},
    logTail: (lines) => facts.logs.map((file) => tail(file, lines)).join('\n'),
  };
}
