/**
 * The test run. Unit tests share one process; every other test file has its own, three at a time beside that. They share a
 * Prosody and an ejabberd. What is played on jabberd2, which takes its time and little of the processor's, goes on beside that too.
 * The last line says how many tests passed and failed.
 *
 *   run.ts [--unit] [--nodes] [PART OF A PATH]...     only the unit tests; only scenarios, over several nodes in each way that
 *                                                     there is (over-nodes.ts); only files whose path has one of these parts
 */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { compile } from './compiled.ts';
import { isSlow, type Play, playsOf } from './plays.ts';
import { describeServers, sharedNames, startServers } from './servers/index.ts';
import { type SharedStore, startSharedStore } from './servers/shared-store.ts';
import { fromSources, type Outcome, runChild } from './support/run-child.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
/** Below test/: files in these folders have a process of their own, the others are unit tests. */
const ownProcess = ['scenarios/', 'servers/', 'redis/', 'demo/', 'deploy/'];
/** Run by their own commands. */
const elsewhere = ['soak/', 'bench/'];
/** Processes at a time: for what is played on servers that are shared, and for what waits for a jabberd2 of its own. */
const parallel = { shared: 3, slow: 2 };

const parts = process.argv.slice(2).filter((argument) => !argument.startsWith('--'));
const isUnitOnly = process.argv.includes('--unit');
const isOverNodes = process.argv.includes('--nodes');
// Death by a signal skips the clean-up that ends servers and test processes; an exit does not.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(1));
process.exitCode = await main();

async function main(): Promise<number> {
  const all = testFiles().filter((file) => parts.length === 0 || parts.some((part) => file.includes(part)));
  const unit = isOverNodes ? [] : all.filter((file) => !startsWithOne(file, ownProcess));
  const others = isUnitOnly ? [] : all.filter((file) => startsWithOne(file, ownProcess));
  const folder = mkdtempSync(join(tmpdir(), 'minimix-run-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  // Beside the others, which wait much.
  const units = unit.length > 0 ? [runUnit(unit, folder).then(report)] : [];
  const outcomes = others.length > 0 ? await runWithServers(others, folder) : [];
  return summarise([...(await Promise.all(units)), ...outcomes]);
}

/** All test files below test/, sorted. */
function testFiles(): string[] {
  const tests = join(root, 'test');
  const found = readdirSync(tests, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.test.ts'))
    .map((entry) => relative(tests, join(entry.parentPath, entry.name)));
  return found.filter((file) => !startsWithOne(file, elsewhere)).sort();
}

function startsWithOne(file: string, folders: string[]): boolean {
  return folders.some((folder) => file.startsWith(folder));
}

function runUnit(files: string[], folder: string): Promise<Outcome> {
  const pattern = `^(${files.map((file) => file.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('|')})$`;
  const uvu = join('node_modules', 'uvu', 'bin.js');
  return runChild({
    label: 'unit tests',
    args: [...fromSources, uvu, 'test', pattern],
    cwd: root,
    folder,
    files,
    limitMs: 600_000,
  });
}

async function runWithServers(files: string[], folder: string): Promise<Outcome[]> {
  const begun = Date.now();
  const servers = await startServers(sharedNames);
  const names = servers.map((server) => server.name).join(', ');
  console.log(`${names} started in ${((Date.now() - begun) / 1000).toFixed(1)} s`);
  const stores = new Map<string, Promise<SharedStore>>();
  /** All nodes of the run share the one store of that kind. */
  const urlOf = async (kind: string): Promise<string> => {
    const store = stores.get(kind) ?? startSharedStore(kind);
    stores.set(kind, store);
    return (await store).url;
  };
  const facts = join(folder, 'servers.json');
  writeFileSync(facts, describeServers(servers));
  const compiled = await compile(root, files, join(folder, 'compiled'));
  try {
    const outcomes: Outcome[] = [];
    const run = async ({ file, label, env: special }: Play): Promise<Outcome> => {
      const told = { ...process.env, ...special };
      const kind = told.TEST_NODES === undefined ? 'memory' : (told.TEST_STORE ?? 'memory');
      const store = kind === 'memory' ? {} : { TEST_STORE: await urlOf(kind) };
      const env = { TEST_PROGRAM: compiled.program, TEST_SERVERS: facts, ...special, ...store };
      const args = [compiled.testOf(file)];
      return report(await runChild({ label, args, cwd: root, folder, files: [file], limitMs: 600_000, env }));
    };
    const plays = playsOf({ root, files, isOverNodes, isWhole: parts.length === 0 });
    const again: { play: Play; first: Outcome }[] = [];
    const work = async (queue: Play[]): Promise<void> => {
      for (let play = queue.shift(); play; play = queue.shift()) {
        const outcome = await run(play);
        if (outcome.failed.length > 0) again.push({ play, first: outcome });
        outcomes.push(outcome);
      }
    };
    const shared = plays.filter((play) => !isSlow(play));
    const waiting = plays.filter(isSlow);
    // Who has nothing left to wait for helps with the rest.
    const lanes = [
      ...Array.from({ length: parallel.shared }, () => work(shared)),
      ...Array.from({ length: parallel.slow }, () => work(waiting).then(() => work(shared))),
    ];
    await Promise.all(lanes);
    for (const { play, first } of again) {
      // Scenarios stand for themselves; other files may have tests that build on each other.
      const titles = play.file.startsWith('scenarios/') ? titlesOf(first) : {};
      const env = { ...play.env, ...titles, TEST_TOGETHER: '1' };
      replace(outcomes, first, await run({ ...play, env }));
    }
    // Of some cells only a file may have none.
    const whole = process.env.TEST_CELLS || isOverNodes ? [] : files;
    for (const file of whole)
      if (ranNothing(file, outcomes)) throw new Error(`${file} has no test in any of its parts`);
    return outcomes;
  } finally {
    const started = await Promise.allSettled(stores.values());
    const running = started.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
    await Promise.all([...servers, ...running].map((one) => one.stop()));
  }
}

function ranNothing(file: string, outcomes: readonly Outcome[]): boolean {
  return outcomes.every(({ label, passed, failed }) => !label.startsWith(file) || passed + failed.length === 0);
}

/** Names the tests that have failed, for the next play; nothing where the whole file has. */
function titlesOf({ failed, suites }: Outcome): Record<string, string> {
  const titles = new Set(suites.flatMap((suite) => suite.titles));
  return failed.every((one) => titles.has(one)) ? { TEST_TITLES: JSON.stringify(failed) } : {};
}

/**
 * Real servers have races of their own that show under load: what failed is played once more, alone, one test at a time. What fails
 * twice has failed; what failed once is said, as somebody should look at it.
 */
function replace(outcomes: Outcome[], first: Outcome, second: Outcome): void {
  const verdict = second.failed.length === 0 ? 'UNSTEADY: failed once, passed alone' : 'failed twice';
  console.log(`${verdict}: ${second.label}: ${first.failed.join('; ')}`);
  const passed = Math.max(second.passed, first.passed + first.failed.length - second.failed.length);
  outcomes[outcomes.indexOf(first)] = { ...first, passed, failed: second.failed };
}

function report(outcome: Outcome): Outcome {
  const { label, passed, failed, seconds, output } = outcome;
  if (failed.length > 0) console.log(output);
  const verdict = failed.length === 0 ? 'ok  ' : 'FAIL';
  const counts = `${passed} passed${failed.length > 0 ? `, ${failed.length} failed` : ''}`;
  console.log(`${verdict} ${label}: ${counts} (${seconds.toFixed(1)} s)`);
  return outcome;
}

function summarise(outcomes: Outcome[]): number {
  const passed = outcomes.reduce((sum, one) => sum + one.passed, 0);
  const failures = outcomes.flatMap((one) => one.failed.map((name) => `${one.label}: ${name}`));
  if (passed + failures.length === 0) failures.push('no test file was found');
  const cells = outcomes.reduce((sum, one) => sum + one.cells, 0);
  const impossible = outcomes.reduce((sum, one) => sum + one.impossible, 0);
  if (cells > 0) console.log(`scenario cells: ${cells} ran, ${impossible} are listed as impossible`);
  for (const failure of failures) console.log(`failed: ${failure}`);
  console.log(`${passed} passed, ${failures.length} failed`);
  return failures.length === 0 ? 0 : 1;
}
