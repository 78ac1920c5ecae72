/** Starts an ejabberd of its own, from Debian's packages, by Erlang itself: `ejabberdctl` insists on another user. */
import { execFile, spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { promisify } from 'node:util';
import { stringify } from 'yaml';
import { ensurePackages, packagesOf } from './install.ts';
import { Daemon, freePorts, inFolder, makeCertificate, removeFolder, tail } from './process.ts';
import { initialUsers, type Server, type ServerFacts, type StartOptions, upstreamUrl } from './server.ts';

const run = promisify(execFile);

/** What an ejabberd.yml holds. */
export interface EjabberdConfig {
  listen: Record<string, unknown>[];
  modules: Record<string, Record<string, unknown>>;
  shaper_rules: Record<string, unknown>;
  [key: string]: unknown;
}

export interface EjabberdOptions extends StartOptions {
  /** Changes the configuration before it is written. */
  edit?: (config: EjabberdConfig) => void;
}

/** Starts ejabberd on free ports, in a temporary folder. */
export function startEjabberd(options: EjabberdOptions = {}): Promise<Server> {
  ensurePackages(packagesOf.ejabberd);
  return inFolder('ejabberd', (folder) => start(folder, options));
}

/** Creates an account. */
export async function addEjabberdUser({ ports, host }: ServerFacts, user: string, password = user): Promise<void> {
  await callEjabberd(ports.api as number, 'register', { user, host, password });
}

async function start(folder: string, options: EjabberdOptions): Promise<Server> {
  const found = (await freePorts(7)) as [number, number, number, number, number, number, number];
  const [plain, tls, ws, wss, proxy, api, distribution] = found;
  const facts: ServerFacts = {
    name: 'ejabberd',
    host: 'localhost',
    mucDomain: 'conference.localhost',
    ports: { plain, tls, ws, wss, proxy, api },
    wsPath: '/xmpp-websocket',
    certificate: await makeCertificate(folder),
    folder,
    logs: [join(folder, 'ejabberd.log'), join(folder, 'error.log'), join(folder, 'ejabberd.out')],
    users: initialUsers(options),
    features: {
      mechanisms:
        options.passwordFormat === 'plain'
          ? ['PLAIN', 'SCRAM-SHA-1', 'SCRAM-SHA-256', 'DIGEST-MD5', 'legacy']
          : ['PLAIN', 'SCRAM-SHA-1'],
      sharedNick: true,
      streamManagement: true,
      carbons: true,
      mam: true,
      pep: true,
      blocking: true,
      privacyLists: true,
      occupantId: false,
      needsInitialPresence: false,
      newRoomsLocked: false,
      closingSubject: true,
      stanzaBytes: 261_000,
      proxyProtocol: true,
    },
  };
  mkdirSync(join(folder, 'spool'));
  await writeFile(join(folder, 'captcha.sh'), captchaProgram, { mode: 0o755 });
  const config = configuration(facts, options);
  options.edit?.(config);
  await writeFile(join(folder, 'ejabberd.yml'), stringify(config, { aliasDuplicateObjects: false }));

  const launch = async (): Promise<Daemon> => {
    const daemon = new Daemon(folder, 'ejabberd', 'erl', erlangArguments(folder, distribution), environment(folder));
    try {
      for (const port of [plain, tls, ws, wss, proxy, api]) await daemon.listening(port);
    } catch (error) {
      await daemon.kill();
      throw error;
    }
    return daemon;
  };
  let daemon = await launch();
  for (const name of facts.users) await addEjabberdUser(facts, name);
  const halt = (abrupt = false) => (abrupt ? daemon.kill() : daemon.stop(10_000));
  return {
    ...facts,
    get pids() {
      return [daemon.pid];
    },
    upstream: (access) => upstreamUrl(facts, access),
    addUser: (name, password) => addEjabberdUser(facts, name, password),
    halt,
    restartRooms: () => callEjabberd(api, 'restart_module', { host: facts.host, module: 'mod_muc' }),
    forgetOccupants: () => forgetOccupants(facts, distribution),
    async restart() {
      await halt();
      daemon = await launch();
    },
    async stop() {
      await daemon.kill();
      removeFolder(folder);
    },
    logTail: (lines) => facts.logs.map((file) => tail(file, lines)).join('\n'),
  };
}

/**
 * The process of each room dies, and is counted as gone. No command of ejabberd does that in silence: another Erlang node asks for it, which
 * takes about a second.
 */
async function forgetOccupants({ host, mucDomain, folder }: ServerFacts, distribution: number): Promise<void> {
  const node = `'ejabberd_${distribution}@localhost'`;
  const rooms = `rpc:call(${node}, mod_muc, get_online_rooms, [<<"${mucDomain}">>])`;
  const counted = `rpc:call(${node}, mod_muc, room_destroyed, [Host, Room, Pid, <<"${host}">>])`;
  const program = `[begin exit(Pid, kill), ok = ${counted} end || {Room, Host, Pid} <- ${rooms}], io:format("done"), halt().`;
  const own = [
    '-sname',
    `tests_${distribution}@localhost`,
    '-setcookie',
    'minimix',
    '-hidden',
    '-dist_listen',
    'false',
  ];
  const epmd = ['-start_epmd', 'false', '-erl_epmd_port', String(distribution)];
  const options = { env: { ...process.env, HOME: folder }, timeout: 20_000 };
  const { stdout, stderr } = await run('erl', [...own, ...epmd, '-noinput', '-eval', program], options);
  if (stdout !== 'done') throw new Error(`ejabberd's rooms have not forgotten anybody: ${stdout} ${stderr}`);
}

/** Its pictures say what they show to those who cannot see: behind what a PNG begins with stands the text. */
const captchaProgram = `#!/bin/sh
printf '\\211PNG\\r\\n\\032\\n%s' "$1"
`;

function configuration({ ports, certificate, folder }: ServerFacts, options: EjabberdOptions): EjabberdConfig {
  const c2s = { ip: '127.0.0.1', module: 'ejabberd_c2s', max_stanza_size: 262_144, access: 'c2s', shaper: 'none' };
  const http = { ip: '127.0.0.1', module: 'ejabberd_http' };
  const sockets = { '/xmpp-websocket': 'ejabberd_http_ws', '/ws': 'ejabberd_http_ws' };
  return {
    loglevel: process.env.TEST_SERVER_LOG ?? 'info',
    hosts: ['localhost'],
    certfiles: [certificate.both],
    auth_method: 'internal',
    auth_password_format: options.passwordFormat ?? 'scram',
    disable_sasl_mechanisms: ['X-OAUTH2'],
    captcha_cmd: join(folder, 'captcha.sh'),
    captcha_url: `http://127.0.0.1:${ports.ws}/captcha`,
    captcha_limit: 'infinity',
    s2s_access: 'none',
    listen: [
      { port: ports.plain, ...c2s, starttls: true },
      { port: ports.tls, ...c2s, tls: true },
      { port: ports.proxy, ...c2s, starttls: true, use_proxy_protocol: true },
      { port: ports.ws, ...http, request_handlers: sockets },
      { port: ports.wss, ...http, tls: true, request_handlers: sockets },
      { port: ports.api, ...http, request_handlers: { '/api': 'mod_http_api' } },
    ],
    acl: { local: { user_regexp: '' }, admin: { user: ['admin@localhost'] }, loopback: { ip: ['127.0.0.0/8'] } },
    access_rules: {
      local: { allow: 'local' },
      admin: { allow: 'admin' },
      c2s: { allow: 'all' },
      muc_create: { allow: 'local' },
    },
    shaper_rules: { max_user_sessions: 20 },
    api_permissions: { tests: { from: ['mod_http_api'], who: { access: { allow: { acl: 'loopback' } } }, what: '*' } },
    modules: {
      mod_adhoc: {},
      mod_admin_extra: {},
      mod_blocking: {},
      mod_caps: {},
      mod_carboncopy: {},
      mod_client_state: {},
      mod_disco: {},
      mod_http_api: {},
      mod_last: {},
      mod_legacy_auth: {},
      mod_mam: { default: 'always', assume_mam_usage: false },
      mod_muc: {
        host: 'conference.localhost',
        access: 'all',
        access_admin: 'admin',
        access_create: 'muc_create',
        access_mam: 'all',
        default_room_options: { mam: true },
      },
      mod_muc_admin: {},
      mod_offline: {},
      mod_ping: {},
      mod_privacy: {},
      mod_private: {},
      mod_push: {},
      mod_pubsub: { access_createnode: 'local', last_item_cache: false, plugins: ['flat', 'pep'] },
      mod_roster: {},
      mod_stream_mgmt: {},
      mod_time: {},
      mod_vcard: {},
      mod_version: {},
    },
  };
}

/** No epmd (it would outlive the server and listen on all interfaces), distribution on loopback only. */
function erlangArguments(folder: string, distribution: number): string[] {
  const node = ['-sname', `ejabberd_${distribution}@localhost`, '-setcookie', 'minimix'];
  const loopback = ['-kernel', 'inet_dist_use_interface', '{127,0,0,1}'];
  const epmd = ['-start_epmd', 'false', '-erl_epmd_port', String(distribution)];
  return [...node, ...epmd, ...loopback, '-mnesia', 'dir', `"${join(folder, 'spool')}"`, '-s', 'ejabberd', '-noinput'];
}

function environment(folder: string): NodeJS.ProcessEnv {
  return {
    HOME: folder,
    ERL_LIBS: librariesFolder(),
    ERL_MAX_PORTS: '4096',
    ERL_CRASH_DUMP_SECONDS: '0',
    EJABBERD_CONFIG_PATH: join(folder, 'ejabberd.yml'),
    EJABBERD_LOG_PATH: join(folder, 'ejabberd.log'),
    EJABBERD_PID_PATH: join(folder, 'ejabberd.pid'),
  };
}

/** The folder depends on the machine's architecture. */
function librariesFolder(): string {
  const files = spawnSync('dpkg-query', ['-L', 'ejabberd'], { encoding: 'utf8' }).stdout.split('\n');
  const library = files.find((file) => /\/ejabberd-[^/]+$/.test(file));
  if (!library) throw new Error('the package ejabberd does not hold the folder of its Erlang code');
  return dirname(library);
}

/** A command of ejabberd over its HTTP API: some milliseconds, where a control program takes a second. */
export function callEjabberd(port: number, command: string, parameters: object): Promise<void> {
  return new Promise((resolve, reject) => {
    const options = { host: '127.0.0.1', port, path: `/api/${command}`, method: 'POST', agent: false } as const;
    const sent = request(options, (response) => {
      let answer = '';
      response.setEncoding('utf8').on('data', (text) => {
        answer += text;
      });
      response.on('end', () => {
        if (response.statusCode === 200) resolve();
        else reject(new Error(`ejabberd answered ${command} with ${response.statusCode}: ${answer}`));
      });
    });
    sent.on('error', reject);
    sent.end(JSON.stringify(parameters));
  });
}
