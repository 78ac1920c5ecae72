/**
 * What the store in Redis costs, step by step: commands (those that scripts call included), bytes on the wire, time. One Redis
 * on this machine; an account with five sessions, joined in twenty rooms.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { silentLog } from '../../proxy/ops/log.ts';
import { createMetrics } from '../../proxy/ops/metrics.ts';
import { createRedisStore } from '../../proxy/store/redis.ts';
import { type RedisServer, startRedis } from '../servers/index.ts';
import { account, occupancyOf, sessionOf } from '../store/fixture.ts';
import type { Result } from './measure.ts';

export interface StoreOptions {
  /** Of each step. */
  readonly steps: number;
}

export async function store({ steps }: StoreOptions): Promise<Result[]> {
  const redis = await startRedis();
  const nodes = [{ host: '127.0.0.1', port: redis.port }];
  const target = { nodes, isCluster: false, tls: undefined, username: undefined, password: undefined, database: 0 };
  const opened = createRedisStore({ target, prefix: 'minimix:', log: silentLog, metrics: createMetrics() });
  try {
    await opened.connected();
    const { memberships, homes, nodes: lives, bus } = opened;
    for (const id of ['n1', 'n2']) await lives.announce({ id, since: 0 }, 600_000);
    const { epoch } = await homes.claim(account, 'n1', 600_000);
    const fence = { node: 'n1', epoch };
    const rooms = Array.from({ length: 20 }, (_, index) => `room${index}@chat.example.org`);
    for (const room of rooms) await memberships.setOccupancy(account, occupancyOf(room), fence);
    for (let index = 0; index < 5; index++) {
      await memberships.addSession(account, sessionOf(`s${index}`));
      for (const room of rooms) await memberships.join(account, room, `s${index}`, fence);
    }
    const room = rooms[0] ?? '';
    let heard = 0;
    const body = Buffer.alloc(500, 'x');
    await bus.open('n2', { envelope: () => void heard++, gap: () => {} });
    const entry = Buffer.from(body);
    let kept = 0;
    // As a full log: with each message the oldest goes.
    const keep = async (_: number, count: number): Promise<void> => {
      const step = { had: kept, added: Array.from({ length: count }, () => entry), changed: [], keep: 500 };
      const { logs } = opened;
      if (!(await logs.write(account, room, step, 600_000, fence))) throw new Error('the log is another than expected');
      kept = Math.min(500, kept + count);
    };
    const all: [name: string, step: (turn: number) => Promise<unknown>][] = [
      [
        'log in and out',
        async (turn) => {
          await memberships.addSession(account, sessionOf(`new${turn}`));
          await memberships.removeSession(account, `new${turn}`);
        },
      ],
      [
        'join and leave',
        async (turn) => {
          await memberships.join(account, rooms[turn % 20] ?? '', 's0', fence);
          await memberships.leave(account, rooms[turn % 20] ?? '', 's0', fence);
        },
      ],
      ['write an occupancy', () => memberships.setOccupancy(account, occupancyOf(room), fence)],
      ['snapshot', () => memberships.snapshot(account)],
      ['renew a lease', () => homes.renew(account, fence, 600_000)],
      ['ask for the home', () => homes.holder(account)],
      ['heartbeat', () => lives.heartbeat('n1', 600_000)],
      ['room message of 500 B kept', (turn) => keep(turn, 1)],
      ['10 room messages of 500 B kept', (turn) => keep(turn, 10)],
      ['envelope of 500 B, alone', () => bus.send('n1', 'n2', body)],
    ];
    const results: Result[] = [];
    for (const [name, step] of all) results.push(...(await measure(redis, name, steps, step)));
    const burst = async (): Promise<void> => {
      await Promise.all(Array.from({ length: 100 }, () => bus.send('n1', 'n2', body)));
    };
    results.push(...(await measure(redis, '100 envelopes of 500 B', steps / 100, burst)));
    const sent = steps + Math.ceil(steps / 100) * 100;
    while (heard < sent) await delay(5);
    return results;
  } finally {
    await opened.close();
    await redis.stop();
  }
}

async function measure(redis: RedisServer, name: string, steps: number, step: (turn: number) => Promise<unknown>) {
  await step(0);
  const before = await counters(redis);
  const started = performance.now();
  for (let turn = 0; turn < steps; turn++) await step(turn);
  const ms = (performance.now() - started) / steps;
  const after = await counters(redis);
  const of = (key: keyof typeof before) => (after[key] - before[key]) / steps;
  const result = (what: string, reached: number, unit: string): Result => {
    return { part: 'store', name: `${name}: ${what}`, reached: Math.round(reached * 1000) / 1000, unit };
  };
  return [
    result('scripts and commands sent', of('sent'), ''),
    result('bytes to and from Redis', of('bytes'), 'B'),
    result('time of Redis', of('usec') / 1000, 'ms'),
    result('time', ms, 'ms'),
  ];
}

/** What Redis has done so far: scripts and commands sent to it, their time (us), bytes of both ways, envelopes put into inboxes. */
export interface RedisCounters {
  readonly sent: number;
  readonly usec: number;
  readonly bytes: number;
  readonly envelopes: number;
}

/** By INFO. What asking for it costs is in it, and the same each time. */
export async function counters(redis: RedisServer): Promise<RedisCounters> {
  const [stats, commands] = await Promise.all([redis.cli('info', 'stats'), redis.cli('info', 'commandstats')]);
  const number = (name: string) => Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(stats)?.[1] ?? 0);
  let sent = 0;
  let usec = 0;
  let envelopes = 0;
  for (const [, name = '', calls, time] of commands.matchAll(/^cmdstat_([^:]+):calls=(\d+),usec=(\d+)/gm)) {
    if (name === 'xadd') envelopes = Number(calls);
    // Commands inside a script are part of its time.
    const isSent = ['evalsha', 'eval', 'xread'].includes(name);
    if (isSent) [sent, usec] = [sent + Number(calls), usec + Number(time)];
  }
  return { sent, usec, bytes: number('total_net_input_bytes') + number('total_net_output_bytes'), envelopes };
}
