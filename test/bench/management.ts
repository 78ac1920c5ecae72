/**
 * What stream management (XEP-0198) costs the proxy: CPU of a relayed message and of a forked copy with it and without, in one
 * run, and the memory of sessions that hibernate. Client and server ask for an acknowledgement with everything that they send, which is the
 * most that real ones do.
 */
import { setTimeout as wait } from 'node:timers/promises';
import { type LoadClient, type Login, loginAll } from './load-client.ts';
import { median, type Result, residentKib } from './measure.ts';
import { cpuOf, type Program, type ProxyCommand, startLoadServer, startPipe, startProxy } from './programs.ts';
import { pairsAt, play } from './relay.ts';

const REQUEST = `<r xmlns='urn:xmpp:sm:3'/>`;
const ROOM = 'load@conference.localhost';
const MUC = 'http://jabber.org/protocol/muc';
/** Devices of the account to which a room message is forked. */
const DEVICES = 16;
/** Messages that are on their way at once. */
const WINDOW = 8;
/**
 * CPU with stream management in terms of that without. Of sixteen messages in two writes it makes three: one for the acknowledgement
 * to their sender. A bare pipe, which passes each side's answers, pays 1.6 times for the same conversation.
 */
const MOST_RELAY = 2.5;
const MOST_FORK = 2;
const MOST_KIB = 40;
/** Sessions that come before the count: what the first ones make the process load is not theirs. */
const WARM_UP = 100;
/** Sessions that are connected at a time, before they hibernate. */
const WAVE = 100;
const REST_MS = 12_000;

export interface ManagementOptions {
  readonly proxy: ProxyCommand;
  readonly rounds: number;
  /** Messages of one round with 16 in flight; a fifth of it with one, a twentieth of it in a room. */
  readonly messages: number;
  readonly hibernating: number;
}

export async function management(options: ManagementOptions): Promise<Result[]> {
  return [...(await relayed(options)), ...(await forked(options)), ...(await asleep(options))];
}

const result = (name: string, reached: number, unit: string, most?: number): Result => ({
  part: 'management',
  name,
  reached,
  unit,
  ...(most === undefined ? {} : { most }),
});

async function relayed({ proxy, rounds, messages }: ManagementOptions): Promise<Result[]> {
  const server = await startLoadServer();
  const pipe = await startPipe(server.port);
  const ours = await startProxy(proxy, server.port);
  const results: Result[] = [];
  try {
    for (const window of [16, 1]) {
      const count = window === 1 ? messages / 5 : messages;
      const byProxy = await compare(ours, window, count, rounds);
      const byPipe = await compare(pipe, window, count, rounds);
      const name = window === 1 ? 'one message a system call' : `${window} in flight`;
      const ratio = (one: Compared) => median(one.managed.map((cpu, round) => cpu / (one.plain[round] ?? Number.NaN)));
      const most = window === 1 ? undefined : MOST_RELAY;
      results.push(result(`relay, ${name}: proxy CPU, with to without`, ratio(byProxy), 'x', most));
      results.push(result(`relay, ${name}: pipe CPU, with to without`, ratio(byPipe), 'x'));
      results.push(result(`relay, ${name}: proxy CPU a message, without`, median(byProxy.plain), 'us'));
      results.push(result(`relay, ${name}: proxy CPU a message, with`, median(byProxy.managed), 'us'));
    }
  } finally {
    await Promise.all([ours.stop(), pipe.stop()]);
    await server.stop();
  }
  return results;
}

/** CPU microseconds of one message, for each round. */
interface Compared {
  readonly plain: number[];
  readonly managed: number[];
}

async function compare(program: Program, window: number, count: number, rounds: number): Promise<Compared> {
  const pairs = { plain: await pairsAt('p', program), managed: await pairsAt('m', program) };
  for (const client of pairs.managed.flat()) await client.manage();
  const behind = { plain: '', managed: REQUEST };
  const compared: Compared = { plain: [], managed: [] };
  const kinds = ['plain', 'managed'] as const;
  // What a compiler does at first is not what is asked for here.
  for (const kind of kinds) await play(pairs[kind], window, 20_000, behind[kind]);
  for (let round = 0; round < rounds; round++) {
    for (const kind of kinds) {
      const cpu = await cpuOf(program.pids, () => play(pairs[kind], window, count, behind[kind]));
      compared[kind].push((cpu / count) * 1e6);
    }
  }
  for (const kind of kinds) for (const client of pairs[kind].flat()) client.close();
  return compared;
}

async function forked({ proxy, rounds, messages }: ManagementOptions): Promise<Result[]> {
  const server = await startLoadServer();
  const ours = await startProxy(proxy, server.port);
  const count = Math.ceil(messages / 20);
  const copies: Compared = { plain: [], managed: [] };
  try {
    const devices = { plain: await devicesAt(ours, 'plain'), managed: await devicesAt(ours, 'managed') };
    for (const client of devices.managed) await client.manage();
    for (let round = -1; round < rounds; round++) {
      for (const kind of ['plain', 'managed'] as const) {
        const cpu = await cpuOf(ours.pids, () => say(devices[kind], count, kind === 'managed'));
        if (round >= 0) copies[kind].push((cpu / (count * DEVICES)) * 1e6);
      }
    }
    for (const client of [...devices.plain, ...devices.managed]) client.close();
  } finally {
    await ours.stop();
    await server.stop();
  }
  const ratios = copies.managed.map((cpu, round) => cpu / (copies.plain[round] ?? Number.NaN));
  return [
    result(`fork, ${DEVICES} devices: proxy CPU, with to without`, median(ratios), 'x', MOST_FORK),
    result(`fork, ${DEVICES} devices: proxy CPU a copy, without`, median(copies.plain), 'us'),
    result(`fork, ${DEVICES} devices: proxy CPU a copy, with`, median(copies.managed), 'us'),
  ];
}

/** The devices of one account, all of them in the room. */
async function devicesAt({ port }: Program, user: string): Promise<LoadClient[]> {
  const logins = Array.from({ length: DEVICES }, (_, n) => ({ port, user, resource: `device${n}` }));
  const clients = await loginAll(logins);
  for (const client of clients) await enter(client);
  return clients;
}

export async function enter(client: LoadClient, room = ROOM): Promise<void> {
  const nick = client.jid.slice(0, client.jid.indexOf('@'));
  await client.ask(`<presence to='${room}/${nick}' id='join'><x xmlns='${MUC}'/></presence>`, '</subject>');
}

/** The first device says so many things; the next one when one has come back. Resolves when all have heard all. */
export async function say(clients: readonly LoadClient[], count: number, isManaged: boolean): Promise<void> {
  const [speaker, ...others] = clients;
  if (!speaker) throw new Error('nobody to speak');
  const body = 'But soft, what light through yonder window breaks? It is the east, and Juliet is the sun.';
  const one = `<message to='${ROOM}' type='groupchat' id='7d0c1d6a-6f3e-4b07'><body>${body}</body></message>`;
  const behind = isManaged ? REQUEST : '';
  const heard = others.map((client) => client.more(count));
  let left = count - WINDOW;
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
      if (sent > 0) speaker.write(one.repeat(sent) + behind);
    };
  });
  speaker.write(one.repeat(WINDOW) + behind);
  await Promise.all([...heard, spoken]);
}

/** A process of its own for each: what has been given back is not taken from the kernel anew. */
async function asleep({ proxy, hibernating }: ManagementOptions): Promise<Result[]> {
  const alone = await sleepers(proxy, hibernating, false);
  const inRoom = await sleepers(proxy, hibernating, true);
  return [
    result(`a hibernating session, ${hibernating} of them`, alone, 'KiB', MOST_KIB),
    result(`a hibernating session in a room of 20, its stream kept, ${hibernating} of them`, inRoom, 'KiB'),
  ];
}

/** Resident KiB of a session that hibernates; its account is in a room if told. */
async function sleepers(proxy: ProxyCommand, count: number, isInRoom: boolean): Promise<number> {
  const server = await startLoadServer(20);
  const ours = await startProxy(proxy, server.port);
  try {
    await fallAsleep(logins(ours.port, 'warm', WARM_UP), isInRoom);
    await wait(REST_MS / 4);
    const before = residentKib(ours.pid);
    for (let at = 0; at < count; at += WAVE) {
      await fallAsleep(logins(ours.port, `s${at}-`, Math.min(WAVE, count - at)), isInRoom);
    }
    await wait(REST_MS);
    const held = await ours.metric('minimix_sessions');
    if (held !== count + WARM_UP) throw new Error(`${held} sessions are held in place of ${count + WARM_UP}`);
    // The stream of an account's last device in a room goes on, to be parked if it does not come back.
    const wanted = isInRoom ? held : 0;
    const connections = await ours.metric('minimix_legs');
    if (connections !== wanted) throw new Error(`${connections} connections are there in place of ${wanted}`);
    return (residentKib(ours.pid) - before) / count;
  } finally {
    await ours.stop();
    await server.stop();
  }
}

async function fallAsleep(logins: readonly Login[], isInRoom: boolean): Promise<void> {
  const clients = await loginAll(logins);
  for (const client of clients) {
    if (isInRoom) await enter(client);
    await client.manage();
  }
  for (const client of clients) client.close();
  // So that the next ones find room where these were.
  await wait(100);
}

function logins(port: number, prefix: string, count: number): Login[] {
  return Array.from({ length: count }, (_, n) => ({ port, user: `${prefix}${n}`, resource: 'phone' }));
}
