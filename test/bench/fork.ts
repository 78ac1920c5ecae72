/**
 * One room on a real Prosody, 20 accounts in it, with more and more devices each: what a room message costs the server and
 * the proxy, and what it costs the server when every device joins by itself.
 */
import { type Server, startProsody } from '../servers/index.ts';
import { type LoadClient, type Login, loginAll } from './load-client.ts';
import { cpuSeconds, type Result } from './measure.ts';
import { type ProxyCommand, type ProxyProgram, startProxy } from './programs.ts';

const ACCOUNTS = 20;
const ROOM = 'bench';
/** Messages that are on their way at once. */
const WINDOW = 8;
const WARM_UP = 400;
/** What is left to chance: one and the same round differs by a tenth and more. */
const SAME_CPU = 1.2;
const SAME_BYTES = 1.02;

export interface ForkOptions {
  readonly proxy: ProxyCommand;
  readonly devices: readonly number[];
  readonly messages: number;
  /** How often each is measured through the proxy; the middle one counts. */
  readonly rounds: number;
}

interface Measured {
  /** CPU milliseconds a room message. */
  readonly server: number;
  /** CPU microseconds a delivered copy. */
  readonly copy: number;
  /** CPU milliseconds a room message. */
  readonly proxy: number;
  /** That leave the server, a room message. */
  readonly bytes: number;
}

export async function fork(options: ForkOptions): Promise<Result[]> {
  const direct = new Map<number, Measured>();
  const forked = new Map<number, Measured>();
  for (const devices of options.devices) {
    // Without the proxy every message costs as much as many with it.
    direct.set(
      devices,
      await onServer((server) => measure(server, undefined, devices, Math.ceil(options.messages / 4))),
    );
    const rounds: Measured[] = [];
    for (let round = 0; round < options.rounds; round++)
      rounds.push(
        await onServer(async (server) => {
          const proxy = await startProxy(options.proxy, server.ports.plain);
          try {
            return await measure(server, proxy, devices, options.messages);
          } finally {
            await proxy.stop();
          }
        }),
      );
    forked.set(devices, middle(rounds));
  }
  return report(options.devices, direct, forked);
}

/** The round in the middle, by what it cost the server. */
function middle(rounds: readonly Measured[]): Measured {
  const found = [...rounds].sort((a, b) => a.server - b.server)[Math.floor(rounds.length / 2)];
  if (!found) throw new Error('no round was measured');
  return found;
}

/**
 * A server of its own for each measure: what the sessions before have left in its heap would be charged to those that come
 * after, since its garbage collector looks through all of it again and again.
 */
async function onServer(work: (server: Server) => Promise<Measured>): Promise<Measured> {
  const server = await startProsody({
    numberedUsers: ACCOUNTS,
    passwordFormat: 'plain',
    // What grows with every message would drown what is to be seen.
    extraRooms: 'modules_enabled = {}\nmuc_log_by_default = false\n',
  });
  try {
    return await work(server);
  } finally {
    await server.stop();
  }
}

function report(devices: readonly number[], direct: Map<number, Measured>, forked: Map<number, Measured>): Result[] {
  const first = devices[0] ?? 1;
  const last = devices.at(-1) ?? 1;
  const of = (map: Map<number, Measured>, count: number): Measured => {
    const found = map.get(count);
    if (!found) throw new Error(`not measured: ${count} devices`);
    return found;
  };
  const results: Result[] = [];
  const add = (name: string, reached: number, unit: string, most?: number) =>
    results.push({ part: 'fork', name, reached, unit, ...(most === undefined ? {} : { most }) });
  add(`proxy CPU a delivered copy, ${last} devices`, of(forked, last).copy, 'us', 12);
  add(
    `server CPU a room message, ${last} to ${first} devices`,
    of(forked, last).server / of(forked, first).server,
    'x',
    SAME_CPU,
  );
  add(
    `server bytes a room message, ${last} to ${first} devices`,
    of(forked, last).bytes / of(forked, first).bytes,
    'x',
    SAME_BYTES,
  );
  for (const count of devices) {
    const [without, with_] = [of(direct, count), of(forked, count)];
    const name = (what: string) => `${count} devices: ${what}`;
    add(name('proxy CPU a delivered copy'), with_.copy, 'us');
    add(name('server CPU per 1000 messages, direct'), without.server, 's');
    add(name('server CPU per 1000 messages, proxy'), with_.server, 's');
    add(name('proxy CPU per 1000 messages'), with_.proxy, 's');
    add(name('server bytes a message, direct'), Math.round(without.bytes), 'B');
    add(name('server bytes a message, proxy'), Math.round(with_.bytes), 'B');
  }
  return results;
}

async function measure(
  server: Server,
  proxy: ProxyProgram | undefined,
  devices: number,
  messages: number,
): Promise<Measured> {
  const room = `${ROOM}${devices}${proxy ? 'p' : 'd'}@${server.mucDomain}`;
  const port = proxy?.port ?? server.ports.plain;
  const logins: Login[] = [];
  for (let device = 1; device <= devices; device++) {
    for (let n = 1; n <= ACCOUNTS; n++)
      logins.push({ port, user: `user${n}`, resource: `device${device}`, isPlain: true });
  }
  const clients = await loginAll(logins);
  await join(clients, room, server);
  // What a compiler does at first is not what is asked for here.
  await say(clients, room, proxy ? WARM_UP : WINDOW);
  const bytesOf = async () =>
    proxy
      ? await proxy.metric('minimix_bytes_total', 'direction="in",leg="upstream"')
      : clients.reduce((sum, client) => sum + client.bytes, 0);
  const before = { server: cpuSeconds(server.pids), proxy: cpuSeconds(proxy?.pids ?? []), bytes: await bytesOf() };
  await say(clients, room, messages);
  const used = {
    server: cpuSeconds(server.pids) - before.server,
    proxy: cpuSeconds(proxy?.pids ?? []) - before.proxy,
    bytes: (await bytesOf()) - before.bytes,
  };
  for (const client of clients) client.close();
  return {
    server: (used.server / messages) * 1000,
    proxy: (used.proxy / messages) * 1000,
    copy: (used.proxy / (messages * clients.length)) * 1e6,
    bytes: used.bytes / messages,
  };
}

async function join(clients: readonly LoadClient[], room: string, server: Server): Promise<void> {
  const [first] = clients;
  if (!first) throw new Error('nobody to join');
  for (const client of clients) {
    const nick = client.jid.slice(0, client.jid.indexOf('@'));
    const xml = `<presence to='${room}/${nick}' id='join'><x xmlns='http://jabber.org/protocol/muc'/></presence>`;
    await client.ask(xml, "code='110'");
    if (client !== first || !server.features.newRoomsLocked) continue;
    const form = `<query xmlns='http://jabber.org/protocol/muc#owner'><x xmlns='jabber:x:data' type='submit'/></query>`;
    await client.ask(`<iq to='${room}' type='set' id='unlock'>${form}</iq>`, "id='unlock'");
  }
  // A message stands behind all that came with the joins.
  const fences = clients.map((client) => client.until('>fence<'));
  first.write(`<message to='${room}' type='groupchat' id='fence'><body>fence</body></message>`);
  await Promise.all(fences);
}

/** The first device says so many things; the next one when one has come back. Resolves when all have heard all. */
async function say(clients: readonly LoadClient[], room: string, count: number): Promise<void> {
  const [speaker, ...others] = clients;
  if (!speaker) throw new Error('nobody to speak');
  const body = 'But soft, what light through yonder window breaks? It is the east, and Juliet is the sun.';
  const one = `<message to='${room}' type='groupchat' id='7d0c1d6a-6f3e-4b07'><body>${body}</body></message>`;
  const heard = others.map((client) => client.more(count));
  let left = count;
  let received = 0;
  const spoken = new Promise<void>((resolve) => {
    speaker.onMessages = (number) => {
      received += number;
      if (received >= count) {
        resolve();
        return;
      }
      const sent = Math.min(number, left);
      left -= sent;
      if (sent > 0) speaker.write(one.repeat(sent));
    };
  });
  left -= WINDOW;
  speaker.write(one.repeat(WINDOW));
  await Promise.all([...heard, spoken]);
}
