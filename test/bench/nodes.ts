/**
 * What a second node costs (C1): the devices of an account spread over two nodes on one Redis, against the same devices on one
 * node with its store in memory, in one run. How many messages a second, on how much of the processor; and what goes through Redis for a
 * message of a room and for a join.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { type RedisServer, startRedis } from '../servers/index.ts';
import { type LoadClient, loginAll } from './load-client.ts';
import { enter, say } from './management.ts';
import { median, type Result } from './measure.ts';
import { cpuOf, type Program, type ProxyCommand, type ProxyProgram, startLoadServer, startProxy } from './programs.ts';
import { counters, type RedisCounters } from './store.ts';

export interface NodesOptions {
  readonly proxy: ProxyCommand;
  readonly rounds: number;
  /** Of a room, in each round. */
  readonly messages: number;
  /** Of each kind. */
  readonly joins: number;
}

/** Of the one account, half of them on each node. */
const DEVICES = 16;
const WARM_UP = 500;
/** One envelope to each other node and stanza of a room; heartbeats and leases are none. */
const MOST_ENVELOPES = 1;
/** What is written to Redis behind the answers has been written after this long. */
const SETTLED_MS = 300;
const ROOM = 'load@conference.localhost';

export async function nodes({ proxy, rounds, messages, joins }: NodesOptions): Promise<Result[]> {
  const [server, redis] = await Promise.all([startLoadServer(), startRedis()]);
  const running: Program[] = [];
  const start = async (more: object): Promise<ProxyProgram> => {
    const one = await startProxy(proxy, server.port, more);
    running.push(one);
    return one;
  };
  try {
    const alone = await start({});
    const pair = [await start({ store: redis.url }), await start({ store: redis.url })] as const;
    const results = await talk({ alone, pair, redis }, rounds, messages);
    results.push(...(await join(pair, redis, joins)));
    return results;
  } finally {
    for (const one of running) await one.stop();
    await Promise.all([server.stop(), redis.stop()]);
  }
}

interface Place {
  readonly alone: ProxyProgram;
  readonly pair: readonly [ProxyProgram, ProxyProgram];
  readonly redis: RedisServer;
}

async function talk({ alone, pair, redis }: Place, rounds: number, messages: number): Promise<Result[]> {
  // The first device to come makes its node the home, and its stream the carrier.
  const one = await devicesOn([alone], 'one');
  const two = await devicesOn(pair, 'two');
  const guest = [two[1] as LoadClient, ...two.filter((_, index) => index !== 1)];
  const pids = [...pair.flatMap((node) => node.pids), redis.pid];
  const kinds = {
    memory: { clients: one, pids: alone.pids },
    home: { clients: two, pids },
    guest: { clients: guest, pids },
  };
  const measured = { memory: [] as Spoken[], home: [] as Spoken[], guest: [] as Spoken[] };
  const names = ['memory', 'home', 'guest'] as const;
  // What a compiler does at first is not what is asked for here.
  for (const name of names) await say(kinds[name].clients, WARM_UP, false);
  for (let round = 0; round < rounds; round += 1) {
    for (const name of names) measured[name].push(await spoken(kinds[name], redis, messages));
  }
  for (const client of [...one, ...two]) client.close();
  const times = (name: (typeof names)[number], of: 'seconds' | 'cpu'): number =>
    median(measured[name].map((other, round) => other[of] / (measured.memory[round]?.[of] ?? Number.NaN)));
  const of = (name: (typeof names)[number], pick: (one: Spoken) => number): number => median(measured[name].map(pick));
  const rate = (name: (typeof names)[number]): number => Math.round(of(name, ({ seconds }) => messages / seconds));
  const results = [result(`${DEVICES} devices: messages a second, one node in memory`, rate('memory'), '')];
  for (const [name, what] of [
    ['home', 'two nodes, sender at home'],
    ['guest', 'two nodes, sender elsewhere'],
  ] as const) {
    results.push(
      result(`${DEVICES} devices: messages a second, ${what}`, rate(name), ''),
      result(`time of a message, ${what}, to one node`, times(name, 'seconds'), 'x'),
      result(`CPU of a message (Redis too), ${what}, to one node`, times(name, 'cpu'), 'x'),
      result(
        `commands a message, ${what}`,
        of(name, ({ sent }) => sent / messages),
        '',
      ),
      result(
        `bytes to and from Redis a message, ${what}`,
        of(name, ({ bytes }) => bytes / messages),
        'B',
      ),
    );
  }
  const envelopes = (name: 'home' | 'guest'): number => of(name, (one) => one.envelopes / messages);
  results.push(result('envelopes a message to the one other node', envelopes('home'), '', MOST_ENVELOPES));
  // One goes the way to the home besides.
  results.push(result('envelopes a message, sender elsewhere', envelopes('guest'), '', MOST_ENVELOPES + 1));
  return results;
}

interface Spoken extends RedisCounters {
  readonly seconds: number;
  readonly cpu: number;
}

async function spoken(
  { clients, pids }: { clients: readonly LoadClient[]; pids: readonly number[] },
  redis: RedisServer,
  messages: number,
): Promise<Spoken> {
  const before = await counters(redis);
  const started = performance.now();
  const cpu = await cpuOf(pids, () => say(clients, messages, false));
  const seconds = (performance.now() - started) / 1000;
  return { seconds, cpu, ...since(before, await counters(redis)) };
}

function since(before: RedisCounters, after: RedisCounters): RedisCounters {
  return {
    sent: after.sent - before.sent,
    usec: after.usec - before.usec,
    bytes: after.bytes - before.bytes,
    envelopes: after.envelopes - before.envelopes,
  };
}

/** All of them in the room. They take the nodes in turn, and come one after the other. */
async function devicesOn(programs: readonly ProxyProgram[], user: string): Promise<LoadClient[]> {
  const clients: LoadClient[] = [];
  for (let n = 0; n < DEVICES; n += 1) {
    const { port } = programs[n % programs.length] as ProxyProgram;
    const [client] = await loginAll([{ port, user, resource: `device${n}` }]);
    await enter(client as LoadClient, ROOM);
    clients.push(client as LoadClient);
  }
  return clients;
}

async function join(pair: Place['pair'], redis: RedisServer, joins: number): Promise<Result[]> {
  const login = (node: 0 | 1, resource: string) => ({ port: pair[node].port, user: 'joiner', resource });
  const [first, second, remote] = (await loginAll([login(0, 'first')])).concat(
    await loginAll([login(0, 'second'), login(1, 'remote')]),
  ) as [LoadClient, LoadClient, LoadClient];
  await enter(first, ROOM);
  const results: Result[] = [];
  const measure = async (name: string, client: LoadClient, roomOf: (turn: number) => string): Promise<void> => {
    for (let turn = 0; turn < 10; turn += 1) await enterAndLeave(client, roomOf(turn));
    const before = await counters(redis);
    for (let turn = 10; turn < joins + 10; turn += 1) await enterAndLeave(client, roomOf(turn));
    // What is written behind the answers is part of it.
    await delay(SETTLED_MS);
    const { sent, bytes, usec } = since(before, await counters(redis));
    results.push(
      result(`join and leave, ${name}: commands`, sent / joins, ''),
      result(`join and leave, ${name}: bytes to and from Redis`, bytes / joins, 'B'),
      result(`join and leave, ${name}: time of Redis`, usec / joins / 1000, 'ms'),
    );
  };
  await measure('account inside, at home', second, () => ROOM);
  await measure('account inside, elsewhere', remote, () => ROOM);
  await measure('a room of its own, at home', second, (turn) => `a${turn}@conference.localhost`);
  await measure('a room of its own, elsewhere', remote, (turn) => `b${turn}@conference.localhost`);
  for (const client of [first, second, remote]) client.close();
  return results;
}

async function enterAndLeave(client: LoadClient, room: string): Promise<void> {
  await enter(client, room);
  await client.ask(`<presence to='${room}/joiner' type='unavailable'/>`, "code='110'");
}

function result(name: string, reached: number, unit: string, most?: number): Result {
  const rounded = Math.round(reached * 1000) / 1000;
  return { part: 'nodes', name, reached: rounded, unit, ...(most === undefined ? {} : { most }) };
}
