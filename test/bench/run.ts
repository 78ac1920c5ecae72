/**
 * All benchmarks: `npm run bench`, with `--quick` for a first look, or with names of parts for these alone.
 * Targets are ratios within one run, or CPU of the proxy's own process; the exit code is 1 when one is missed.
 */
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { fork } from './fork.ts';
import { join } from './join.ts';
import { management } from './management.ts';
import { isMissed, type Result, table } from './measure.ts';
import { memory } from './memory.ts';
import { nodes } from './nodes.ts';
import { relay } from './relay.ts';
import { store } from './store.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: 'boolean', default: false },
    /** Another build, to be compared. */
    proxy: { type: 'string', default: fileURLToPath(new URL('../../dist/proxy/main.js', import.meta.url)) },
    /** An option for the Node that runs the proxy, such as --cpu-prof. */
    /** Only so many messages in flight, for the relay. */
    window: { type: 'string' },
    node: { type: 'string', multiple: true, default: [] },
  },
});
const { quick } = values;
const windows = values.window === undefined ? [16, 1] : [Number(values.window)];
const proxy = [...values.node, values.proxy];

const parts: Readonly<Record<string, () => Promise<Result[]>>> = {
  relay: () => relay({ proxy, rounds: quick ? 2 : 7, messages: quick ? 60_000 : 200_000, windows }),
  fork: () =>
    fork({ proxy, devices: quick ? [1, 8] : [1, 2, 4, 8], messages: quick ? 200 : 1000, rounds: quick ? 1 : 3 }),
  management: () =>
    management({
      proxy,
      rounds: quick ? 2 : 7,
      messages: quick ? 60_000 : 200_000,
      hibernating: quick ? 1000 : 2000,
    }),
  join: () => join({ proxy, joins: quick ? 100 : 400 }),
  store: () => store({ steps: quick ? 500 : 5000 }),
  nodes: () => nodes({ proxy, rounds: quick ? 2 : 7, messages: quick ? 1000 : 4000, joins: quick ? 100 : 400 }),
  memory: () => memory({ proxy, sessions: quick ? 1000 : 5000, joined: quick ? 200 : 1000 }),
};

const results: Result[] = [];
for (const name of positionals.length > 0 ? positionals : Object.keys(parts)) {
  const part = parts[name];
  if (!part) throw new Error(`there is no part ${name}; there are ${Object.keys(parts).join(', ')}`);
  process.stderr.write(`${name} ...\n`);
  results.push(...(await part()));
}
process.stdout.write(`${table(results)}\n`);
process.exitCode = results.some(isMissed) ? 1 : 0;
