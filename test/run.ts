/**
 * The test run. Unit tests share one process; every other test file has its own, two at a time. They share a
 * Prosody and an ejabberd. The last line says how many tests passed and failed.
 *
 *   run.ts [--unit] [PART OF A PATH]...     only the unit tests; only files whose path has one of these parts
 */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { describeServers, sharedNames, startServers } from './servers/index.ts';
import { type Outcome, runChild } from './support/run-child.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
/** Below test/: files in these folders have a process of their own, the others are unit tests. */
const ownProcess = ['scenarios/', 'servers/', 'redis/', 'demo/'];
/** Run by their own commands. */
const elsewhere = ['soak/', 'bench/'];
const parallel = 2;

const parts = process.argv.slice(2).filter((argument) => !argument.startsWith('--'));
const isUnitOnly = process.argv.includes('--unit');
// Death by a signal skips the clean-up that ends servers and test processes; an exit does not.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(1));
process.exitCode = await main();

async function main(): Promise<number> {
  const all = testFiles().filter((file) => parts.length === 0 || parts.some((part) => file.includes(part)));
  const unit = all.filter((file) => !startsWithOne(file, ownProcess));
  const others = isUnitOnly ? [] : all.filter((file) => startsWithOne(file, ownProcess));
  const folder = mkdtempSync(join(tmpdir(), 'minimix-run-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  const outcomes = unit.length > 0 ? [report(await runUnit(unit, folder))] : [];
  if (others.length > 0) outcomes.push(...(await runWithServers(others, folder)));
  return summarise(outcomes);
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
  return runChild({ label: 'unit tests', args: [uvu, 'test', pattern], cwd: root, folder, files, limitMs: 300_000 });
}

async function runWithServers(files: string[], folder: string): Promise<Outcome[]> {
  const started = Date.now();
  const servers = await startServers(sharedNames);
  const names = servers.map((server) => server.name).join(', ');
  console.log(`${names} started in ${((Date.now() - started) / 1000).toFixed(1)} s`);
  const facts = join(folder, 'servers.json');
  writeFileSync(facts, describeServers(servers));
  try {
    const queue = [...files];
    const outcomes: Outcome[] = [];
    const run = async (file: string): Promise<Outcome> => {
      const args = [join('test', file)];
      const env = { TEST_SERVERS: facts };
      return report(await runChild({ label: file, args, cwd: root, folder, files: [file], limitMs: 600_000, env }));
    };
    const work = async (): Promise<void> => {
      for (let file = queue.shift(); file; file = queue.shift()) outcomes.push(await run(file));
    };
    await Promise.all(Array.from({ length: parallel }, work));
    return await again(outcomes, run);
  } finally {
    await Promise.all(servers.map((server) => server.stop()));
  }
}

/**
 * Real servers have races of their own that show under load: a file that failed is played once more, alone. What fails
 * twice has failed; what failed once is said, as somebody should look at it.
 */
async function again(outcomes: Outcome[], run: (file: string) => Promise<Outcome>): Promise<Outcome[]> {
  const final: Outcome[] = [];
  for (const outcome of outcomes) {
    if (outcome.failed.length === 0) {
      final.push(outcome);
      continue;
    }
    const second = await run(outcome.label);
    const verdict = second.failed.length === 0 ? 'UNSTEADY: failed once, passed alone' : 'failed twice';
    console.log(`${verdict}: ${outcome.label}: ${outcome.failed.join('; ')}`);
    final.push(second);
  }
  return final;
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
