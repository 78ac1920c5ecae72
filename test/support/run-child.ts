/** Runs test files in a process of their own and counts what they report. */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import type { SuiteReport } from './suite.ts';

export interface ChildOptions {
  label: string;
  /** Arguments of Node. */
  args: string[];
  cwd: string;
  /** For the report. */
  folder: string;
  /** Files of which each must report a suite; paths below test/. */
  files: string[];
  /** After this long the process is killed, which is a failure. */
  limitMs: number;
  env?: NodeJS.ProcessEnv;
}

export interface Outcome {
  label: string;
  passed: number;
  /** Names of failed tests, and of what else went wrong. */
  failed: string[];
  /** Cells of the scenario matrix that ran, and that were ruled out. */
  cells: number;
  impossible: number;
  /** What each suite has reported. */
  suites: SuiteReport[];
  seconds: number;
  output: string;
}

/** A line of the report: a suite, or the number of a scenario file's cells. */
type Line = SuiteReport | { cells: number; impossible: number };

/** Arguments with which Node runs TypeScript. */
export const fromSources = ['--import', 'tsx'];

/** Never rejects: whatever goes wrong is a failure in the outcome. */
export async function runChild(options: ChildOptions): Promise<Outcome> {
  const { label, args, cwd, folder, files, limitMs, env = {} } = options;
  const report = join(mkdtempSync(join(folder, 'report-')), 'lines');
  writeFileSync(report, '');
  const started = Date.now();
  const child = spawn(process.execPath, args, {
    cwd,
    env: { ...process.env, ...env, TEST_REPORT: report, FORCE_COLOR: '0' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text) => {
      output += text;
    });
  }
  // Asked to end, a test process ends its servers; killed, it could not.
  const askAtExit = () => void child.kill('SIGTERM');
  process.once('exit', askAtExit);
  let isLate = false;
  const timers = [
    setTimeout(() => {
      isLate = true;
      child.kill('SIGTERM');
    }, limitMs),
    setTimeout(() => child.kill('SIGKILL'), limitMs + 5_000),
  ];
  const code = await new Promise<number | null>((resolve) => {
    child.once('error', () => resolve(null));
    child.once('close', resolve);
  });
  for (const timer of timers) clearTimeout(timer);
  process.removeListener('exit', askAtExit);

  const lines = readFileSync(report, 'utf8').split('\n').filter(Boolean);
  const outcome = count(
    label,
    files,
    lines.map((line) => JSON.parse(line) as Line),
  );
  if (isLate) outcome.failed.push(`killed after ${limitMs} ms`);
  else if (code !== 0 && outcome.failed.length === 0) outcome.failed.push(`ended with exit code ${code}`);
  return { ...outcome, output, seconds: (Date.now() - started) / 1000 };
}

function count(label: string, files: string[], lines: Line[]): Omit<Outcome, 'output' | 'seconds'> {
  const outcome = { label, passed: 0, failed: [] as string[], cells: 0, impossible: 0, suites: [] as SuiteReport[] };
  const reported = new Set<string>();
  for (const line of lines) {
    if ('cells' in line) {
      outcome.cells += line.cells;
      outcome.impossible += line.impossible;
      continue;
    }
    reported.add(line.file);
    outcome.suites.push(line);
    outcome.passed += line.passed;
    outcome.failed.push(...line.failed, ...line.faults.map((fault) => `suite ${line.suite}: ${fault}`));
  }
  for (const file of files) {
    if (!reported.has(file)) outcome.failed.push(`${file} has run no suite`);
  }
  return outcome;
}
