/** Starts a jabberd2 of its own with mu-conference as its room service, from Debian's packages. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { ensurePackages, packagesOf } from './install.ts';
import { accountSql, configurationFiles, logFile } from './jabberd2-config.ts';
import { Daemon, freePorts, inFolder, makeCertificate, removeFolder, tail, until } from './process.ts';
import { initialUsers, type Server, type ServerFacts, type StartOptions, upstreamUrl } from './server.ts';

export interface Jabberd2Options extends StartOptions {
  /** XML added to mu-conference's `<conference/>`. */
  extraRooms?: string;
}

/** Starts the four processes on free ports, in a temporary folder. */
export function startJabberd2(options: Jabberd2Options = {}): Promise<Server> {
  ensurePackages(packagesOf.jabberd2);
  return inFolder('jabberd2', (folder) => start(folder, options));
}

/** Creates an account. */
export async function addJabberd2User({ folder }: ServerFacts, name: string, password = name): Promise<void> {
  sqlite(folder, accountSql(name, password));
}

async function start(folder: string, options: Jabberd2Options): Promise<Server> {
  const [plain, tls, router] = (await freePorts(3)) as [number, number, number];
  const facts: ServerFacts = {
    name: 'jabberd2',
    host: 'localhost',
    mucDomain: 'conference.localhost',
    ports: { plain, tls, ws: plain, wss: tls },
    wsPath: '/xmpp-websocket',
    certificate: await makeCertificate(folder),
    folder,
    logs: ['c2s', 'sm', 'mu-conference', 'router'].map((program) => logFile(folder, program)),
    users: initialUsers(options),
    features: {
      mechanisms: ['PLAIN', 'DIGEST-MD5', 'legacy'],
      sharedNick: false,
      streamManagement: false,
      carbons: false,
      mam: false,
      pep: false,
      blocking: false,
      privacyLists: true,
      occupantId: false,
      needsInitialPresence: true,
      newRoomsLocked: true,
      closingSubject: false,
      stanzaBytes: 65_000,
      proxyProtocol: false,
    },
  };
  mkdirSync(join(folder, 'rooms'));
  const files = configurationFiles({ ...facts, router, modules: modulesFolder() }, options.extraRooms ?? '');
  for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), content);
  const accounts = facts.users.map((name) => accountSql(name, name));
  sqlite(folder, files['database.sql'] + accounts.join(''));

  const launch = () => startAll(folder, router, plain, tls);
  let daemons = await launch();
  // mu-conference sleeps up to 5 s before it goes; its rooms are on disk by then.
  const halt = async (abrupt = false) => {
    for (const daemon of [...daemons].reverse()) await (abrupt ? daemon.kill() : daemon.stop(500));
  };
  const restartRooms = async () => {
    const rooms = daemons.findIndex(({ name }) => name === 'muc');
    await daemons[rooms]?.kill();
    const before = read(logFile(folder, 'router')).length;
    const daemon = new Daemon(folder, 'muc', 'mu-conference', ['-c', join(folder, 'muc.xml')]);
    daemons[rooms] = daemon;
    await bound(folder, before, daemon, facts.mucDomain);
  };
  return {
    ...facts,
    get pids() {
      return daemons.map((daemon) => daemon.pid);
    },
    upstream: (access) => upstreamUrl(facts, access),
    addUser: (name, password) => addJabberd2User(facts, name, password),
    halt,
    async restart() {
      await halt();
      daemons = await launch();
    },
    restartRooms,
    forgetOccupants: restartRooms,
    async stop() {
      await halt(true);
      removeFolder(folder);
    },
    logTail: (lines) => facts.logs.map((file) => tail(file, lines)).join('\n'),
  };
}

/** In this order, each waited for: sm and mu-conference by what the router logs, which says when a domain is bound. */
async function startAll(folder: string, router: number, plain: number, tls: number): Promise<Daemon[]> {
  const daemons: Daemon[] = [];
  const launch = (name: string, program: string): Daemon => {
    const daemon = new Daemon(folder, name, program, ['-c', join(folder, `${name}.xml`)]);
    daemons.push(daemon);
    return daemon;
  };
  const before = read(logFile(folder, 'router')).length;
  try {
    await launch('router', 'jabberd2-router').listening(router);
    const sessions = launch('sm', 'jabberd2-sm');
    const rooms = launch('muc', 'mu-conference');
    await bound(folder, before, sessions, 'localhost');
    await bound(folder, before, rooms, 'conference.localhost');
    const clients = launch('c2s', 'jabberd2-c2s');
    await clients.listening(plain);
    await clients.listening(tls);
    return daemons;
  } catch (error) {
    for (const daemon of daemons) await daemon.kill();
    throw error;
  }
}

/** The router knows the process as that domain, by what it has logged behind the given length. */
function bound(folder: string, before: number, daemon: Daemon, domain: string): Promise<void> {
  return until(`${domain} to be bound`, 10_000, () => {
    if (!daemon.isRunning) throw new Error(`${daemon.name} ended:\n${tail(daemon.logFile)}`);
    return read(logFile(folder, 'router')).slice(before).includes(`[${domain}] online`);
  });
}

function modulesFolder(): string {
  const files = spawnSync('dpkg-query', ['-L', 'jabberd2'], { encoding: 'utf8' }).stdout.split('\n');
  const module = files.find((file) => file.endsWith('/authreg_sqlite.so'));
  if (!module) throw new Error('the package jabberd2 does not hold authreg_sqlite.so');
  return dirname(module);
}

function sqlite(folder: string, statements: string): void {
  const input = `.timeout 5000\n${statements}`;
  const run = spawnSync('sqlite3', ['-bail', join(folder, 'jabberd2.db')], { input, encoding: 'utf8' });
  if (run.status !== 0) throw new Error(`sqlite3 failed: ${run.stderr}`);
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
