/** Starts a Prosody of its own, from Debian's packages. */
import { existsSync, mkdirSync } from 'node:fs';
import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import process from 'node:process';
import { ensurePackages, packagesOf } from './install.ts';
import { Daemon, freePorts, inFolder, makeCertificate, removeFolder, tail, until } from './process.ts';
import { initialUsers, type Server, type ServerFacts, type StartOptions, upstreamUrl } from './server.ts';

export interface ProsodyOptions extends StartOptions {
  /** Lua text added to the global section, where it overrides what stands before. */
  extra?: string;
  /** Lua text added to the section of the host. */
  extraHost?: string;
  /** Lua text added to the section of the rooms' component, and after it (other components, for example). */
  extraRooms?: string;
}

/** Starts Prosody on free ports, in a temporary folder. */
export function startProsody(options: ProsodyOptions = {}): Promise<Server> {
  ensurePackages(packagesOf.prosody);
  return inFolder('prosody', (folder) => start(folder, options));
}

/** Creates an account. Prosody reads the file at the user's first login, so that it may be written at any time. */
export async function addProsodyUser(facts: ServerFacts, name: string, password = name): Promise<void> {
  const content = `return { ["password"] = ${JSON.stringify(password)} };\n`;
  const encoded = name.replace(/[^A-Za-z0-9]/g, (character) => `%${character.charCodeAt(0).toString(16)}`);
  await writeFile(join(accountsFolder(facts), `${encoded}.dat`), content);
}

function accountsFolder({ folder, host }: ServerFacts): string {
  return join(folder, 'data', host, 'accounts');
}

async function start(folder: string, options: ProsodyOptions): Promise<Server> {
  const [plain, tls, ws, wss] = (await freePorts(4)) as [number, number, number, number];
  const isPlain = options.passwordFormat === 'plain';
  const facts: ServerFacts = {
    name: 'prosody',
    host: 'localhost',
    mucDomain: 'conference.localhost',
    ports: { plain, tls, ws, wss },
    wsPath: '/xmpp-websocket',
    certificate: await makeCertificate(folder),
    folder,
    logs: [join(folder, 'prosody.log'), join(folder, 'prosody.out')],
    users: initialUsers(options),
    features: {
      mechanisms: isPlain ? ['PLAIN', 'SCRAM-SHA-1', 'SCRAM-SHA-256', 'legacy'] : ['PLAIN', 'SCRAM-SHA-1', 'legacy'],
      sharedNick: true,
      streamManagement: true,
      carbons: true,
      mam: true,
      pep: true,
      blocking: true,
      privacyLists: false,
      occupantId: true,
      needsInitialPresence: false,
      newRoomsLocked: true,
      closingSubject: true,
      stanzaBytes: 262_000,
      proxyProtocol: false,
    },
  };
  mkdirSync(accountsFolder(facts), { recursive: true });
  mkdirSync(join(folder, 'plugins'));
  await writeFile(join(folder, 'plugins', 'mod_test_rooms.lua'), testModule);
  await writeFile(join(folder, 'prosody.cfg.lua'), configuration(facts, options));
  await Promise.all(facts.users.map((name) => addProsodyUser(facts, name)));

  const launch = async (): Promise<Daemon> => {
    const daemon = new Daemon(folder, 'prosody', 'prosody', ['--config', join(folder, 'prosody.cfg.lua'), '-F']);
    try {
      for (const port of [plain, tls, ws, wss]) await daemon.listening(port);
    } catch (error) {
      await daemon.stop();
      throw error;
    }
    return daemon;
  };
  let daemon = await launch();
  const halt = (abrupt = false) => (abrupt ? daemon.kill() : daemon.stop());
  return {
    ...facts,
    get pids() {
      return [daemon.pid];
    },
    upstream: (access) => upstreamUrl(facts, access),
    addUser: (name, password) => addProsodyUser(facts, name, password),
    halt,
    async restart() {
      await halt();
      daemon = await launch();
    },
    restartRooms: () => command(folder, 'forget'),
    forgetOccupants: () => command(folder, 'forget'),
    async stop() {
      await halt(true);
      removeFolder(folder);
    },
    logTail: (lines) => facts.logs.map((file) => tail(file, lines)).join('\n'),
  };
}

/** Each room throws its occupants out as over an error (status 333). */
export function expelOccupants({ folder }: ServerFacts): Promise<void> {
  return command(folder, 'expel');
}

/** What no client can ask the rooms' service for; resolves when it is done. */
async function command(folder: string, word: string): Promise<void> {
  const file = commandFile(folder);
  await writeFile(`${file}.new`, word);
  await rename(`${file}.new`, file);
  await until(`the rooms to obey ${word}`, 5_000, () => !existsSync(file));
}

const commandFile = (folder: string): string => join(folder, 'rooms.command');

/**
 * A restart of Prosody's rooms would keep their occupants, a crash would end all streams with it: neither shows a room that has
 * forgotten its occupants, as another service that is restarted has.
 */
const testModule = `
local muc = module:depends "muc";
local st = require "util.stanza";
local path = module:get_option_string "test_rooms_command";
local function each_session(room, act)
  local jids = {};
  for _, occupant in room:each_occupant() do
    for jid in occupant:each_session() do table.insert(jids, jid); end
  end
  for _, jid in ipairs(jids) do act(jid); end
end
local commands = {
  forget = function (room)
    room._occupants, room._jid_nick = {}, {};
  end;
  -- What a message that bounces makes of its receiver.
  expel = function (room)
    each_session(room, function (jid)
      local bounce = st.message({ type = "error", from = jid, to = room.jid }):tag("error", { type = "cancel" })
        :tag("service-unavailable", { xmlns = "urn:ietf:params:xml:ns:xmpp-stanzas" });
      room:handle_kickable(nil, bounce);
    end);
  end;
};
module:add_timer(0.02, function ()
  local file = io.open(path);
  if file then
    local word = file:read "*l";
    file:close();
    for room in muc.live_rooms() do commands[word](room); end
    os.remove(path);
  end
  return 0.02;
end);
`;

function configuration({ ports, folder, certificate }: ServerFacts, options: ProsodyOptions): string {
  const level = process.env.TEST_SERVER_LOG ?? 'info';
  return `
run_as_root = ${process.getuid?.() === 0}
data_path = "${folder}/data"
plugin_paths = { "${folder}/plugins" }
pidfile = "${folder}/prosody.pid"
log = { { levels = { min = "${level}" }, to = "file", filename = "${folder}/prosody.log" } }
admins = { "admin@localhost" }

interfaces = { "127.0.0.1" }
c2s_ports = { ${ports.plain} }
c2s_direct_tls_ports = { ${ports.tls} }
http_ports = { ${ports.ws} }
https_ports = { ${ports.wss} }
http_interfaces = { "127.0.0.1" }
https_interfaces = { "127.0.0.1" }
http_default_host = "localhost"
s2s_ports = {}
component_ports = {}

c2s_require_encryption = false
allow_unencrypted_plain_auth = true
authentication = "${options.passwordFormat === 'plain' ? 'internal_plain' : 'internal_hashed'}"
storage = "internal"
archive_expires_after = "never"
ssl = { key = "${certificate.key}"; certificate = "${certificate.cert}" }
https_ssl = { key = "${certificate.key}"; certificate = "${certificate.cert}" }
c2s_direct_tls_ssl = { key = "${certificate.key}"; certificate = "${certificate.cert}" }

modules_disabled = { "s2s" }
modules_enabled = {
  "roster"; "saslauth"; "tls"; "disco"; "posix"; "private"; "blocklist"; "vcard4"; "vcard_legacy"; "version"; "uptime";
  "time"; "ping"; "pep"; "bookmarks"; "carbons"; "smacks"; "csi_simple"; "websocket"; "http"; "mam"; "offline"; "legacyauth";
  "cloud_notify";
}
${options.extra ?? ''}

VirtualHost "localhost"
${options.extraHost ?? ''}

Component "conference.localhost" "muc"
  modules_enabled = { "muc_mam"; "vcard_muc"; "muc_moderation"; "test_rooms" }
  test_rooms_command = "${commandFile(folder)}"
  restrict_room_creation = false
  muc_log_by_default = true
  muc_room_default_history_length = 20
${options.extraRooms ?? ''}
`;
}
