/**
 * The one place that imports uvu. A green run of bare uvu does not prove that the tests ran (a failing `before` skips the
 * suite with exit code 0, so does a forgotten `.run()`), and a promise that never settles hangs it for ever. What is
 * wrapped here keeps these promises:
 *
 * - every test, hook and clean-up runs under a time limit;
 * - a `before` that fails, fails every test of its suite; `after` work is a last test of its own;
 * - at process exit as many tests must have run as were registered, and at least one in each suite, else the exit code is 1;
 * - a promise that is rejected while nobody awaits it fails the test that runs, and not all behind it too;
 * - a suite whose `.run()` was forgotten, and a process that something keeps alive after the last test, fail the run.
 *
 * `TEST_TITLES`, a JSON list, registers only tests whose titles begin with one of its texts; `TEST_PART=X` only those with X
 * in their titles, `TEST_PART=-X` the others; `TEST_LIST=1` runs none, and reports what there is.
 */
import { appendFileSync } from 'node:fs';
import process from 'node:process';
import * as uvu from 'uvu';

export * as assert from 'uvu/assert';

/** What the body of a test is given. */
export interface TestContext {
  /** Name of the test. */
  readonly name: string;
  /** Aborted when the test's time is over. */
  readonly signal: AbortSignal;
  /** Registers clean-up, to be called where a thing is created. Run last-in first-out, also after a failure or a time-out. */
  after(cleanUp: Step): void;
}

/** Work without a result, at once or later. */
export type Step = () => unknown;

/** The body of a test. */
export type Body = (context: TestContext) => unknown;

/** A function that registers work, and one that registers it for every test. */
export interface Hook {
  (step: Step): void;
  each(step: Body): void;
}

/** Registers tests of one suite; `run` comes last and only once. */
export interface Suite {
  (name: string, body: Body): void;
  before: Hook;
  after: Hook;
  run(): void;
}

/** Time limits of a suite, in milliseconds. */
export interface SuiteOptions {
  /** For each test (its `each` hooks included); 20 s unless told. */
  limitMs?: number;
  /** For all `before` steps together, and for all `after` steps together; 60 s unless told. */
  hookLimitMs?: number;
  /** How long the process may stay alive after its last test; 10 s unless told. */
  idleMs?: number;
}

/** What a process reports about one suite, a line of JSON in the file that `TEST_REPORT` names. */
export interface SuiteReport {
  suite: string;
  /** Path below test/ of the file that is the suite's; empty where that cannot be told. */
  file: string;
  registered: number;
  /** Titles of all tests registered. */
  titles: string[];
  passed: number;
  failed: string[];
  /** Broken promises of the suite as a whole, such as a forgotten `.run()`. */
  faults: string[];
}

interface Tally {
  name: string;
  file: string;
  titles: string[];
  passed: number;
  failed: string[];
  isRunCalled: boolean;
}

const tallies: Tally[] = [];
/** Fails the test that runs. */
let failRunning: ((reason: unknown) => void) | undefined;

/** Creates a suite. Nothing of it runs before its `run` is called. */
export function suite(name: string, options: SuiteOptions = {}): Suite {
  const { limitMs = 20_000, hookLimitMs = 60_000, idleMs = 10_000 } = options;
  const inner = uvu.suite(name);
  const tally: Tally = { name, file: callingFile(), titles: [], passed: 0, failed: [], isRunCalled: false };
  const isListOnly = process.env.TEST_LIST === '1';
  const hooks = { before: [] as Step[], after: [] as Step[], beforeEach: [] as Body[], afterEach: [] as Body[] };
  let prepared: Promise<void> | undefined;
  watchExit();
  tallies.push(tally);

  const prepare = (): Promise<void> => {
    prepared ??= within(hookLimitMs, 'before', async () => {
      for (const step of hooks.before) await step();
    });
    return prepared;
  };

  const register = (title: string, work: () => Promise<void>): void => {
    if (tally.isRunCalled) throw new Error(`suite "${name}": "${title}" was registered after run()`);
    tally.titles.push(title);
    inner(title, async () => {
      try {
        await work();
        tally.passed++;
      } catch (error) {
        tally.failed.push(title);
        throw asError(error);
      } finally {
        if (isDone(tally)) watchIdle(idleMs);
      }
    });
  };

  const test = (title: string, body: Body): void => {
    if (!isWanted(title)) return;
    register(title, async () => {
      await prepare();
      await runTest(title, body, hooks.beforeEach, hooks.afterEach, limitMs);
    });
  };

  return Object.assign(test, {
    before: hookInto(hooks.before, hooks.beforeEach),
    after: hookInto(hooks.after, hooks.afterEach),
    run() {
      if (isListOnly) {
        tally.isRunCalled = true;
        return;
      }
      if (hooks.after.length > 0 && tally.titles.length > 0) {
        register('(after)', () => within(hookLimitMs, 'after', () => inTurn(hooks.after.reverse())));
      }
      tally.isRunCalled = true;
      inner.run();
    },
  });
}

/** Whether this run is to have the test of that title. */
export function isWanted(title: string): boolean {
  const { TEST_TITLES: titles, TEST_PART: part } = process.env;
  if (titles && !(JSON.parse(titles) as string[]).some((beginning) => title.startsWith(beginning))) return false;
  if (!part) return true;
  return part.startsWith('-') ? !title.includes(part.slice(1)) : title.includes(part);
}

function hookInto(once: Step[], each: Body[]): Hook {
  return Object.assign((step: Step): void => void once.push(step), {
    each: (step: Body): void => void each.push(step),
  });
}

async function runTest(name: string, body: Body, before: Body[], after: Body[], limitMs: number): Promise<void> {
  const cleanUps: Step[] = [];
  const abort = new AbortController();
  const context: TestContext = { name, signal: abort.signal, after: (cleanUp) => void cleanUps.push(cleanUp) };
  const errors: unknown[] = [];
  const attempt = async (what: string, step: Step): Promise<void> => {
    try {
      await within(limitMs, what, step);
    } catch (error) {
      errors.push(error);
    }
  };
  let isBodyOver = false;
  const stray = new Promise<never>((_, reject) => {
    failRunning = (reason) => {
      if (isBodyOver) errors.push(reason);
      else reject(reason);
    };
  });
  stray.catch(() => {});
  await attempt('test', async () => {
    for (const step of before) await step(context);
    await Promise.race([body(context), stray]);
  });
  isBodyOver = true;
  abort.abort();
  for (const step of after) await attempt('after.each', () => step(context));
  for (let cleanUp = cleanUps.pop(); cleanUp; cleanUp = cleanUps.pop()) await attempt('clean-up', cleanUp);
  failRunning = undefined;
  const [first, ...more] = errors.map(asError);
  if (!first) return;
  for (const error of more) first.stack += `\n  and then: ${error.stack}`;
  throw first;
}

/** All steps are tried; the first failure is thrown in the end. */
async function inTurn(steps: Step[]): Promise<void> {
  const errors: unknown[] = [];
  for (const step of steps) {
    try {
      await step();
    } catch (error) {
      errors.push(error);
    }
  }
  if (errors.length > 0) throw errors[0];
}

async function within(limitMs: number, what: string, step: Step): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: not finished after ${limitMs} ms`)), limitMs);
  });
  try {
    await Promise.race([(async () => step())(), late]);
  } finally {
    clearTimeout(timer);
  }
}

/** uvu prints `name`, `message` and `stack` of what is thrown and chokes on anything else. */
function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(`thrown: ${String(thrown)}`);
}

function isDone(tally: Tally): boolean {
  return tally.passed + tally.failed.length === tally.titles.length;
}

function faultsOf(tally: Tally): string[] {
  const faults: string[] = [];
  const ran = tally.passed + tally.failed.length;
  if (!tally.isRunCalled) faults.push('run() was never called');
  // Of a part of the tests there may be none in this file: who plays the parts counts them.
  if (tally.titles.length === 0 && !process.env.TEST_PART) faults.push('no test was registered');
  if (ran !== tally.titles.length && process.env.TEST_LIST !== '1') {
    faults.push(`${ran} of ${tally.titles.length} tests ran`);
  }
  return faults;
}

function watchExit(): void {
  if (tallies.length > 0) return;
  // Death by a signal would skip what is registered for the exit, such as the end of servers.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(1));
  process.on('unhandledRejection', (reason) => {
    if (!failRunning) throw asError(reason);
    failRunning(reason);
  });
  process.on('exit', () => {
    for (const tally of tallies) {
      const faults = faultsOf(tally);
      for (const fault of faults) console.error(`suite "${tally.name}": ${fault}`);
      if (faults.length > 0 || tally.failed.length > 0) process.exitCode = 1;
      const { name, file, titles, passed, failed } = tally;
      const report: SuiteReport = { suite: name, file, registered: titles.length, titles, passed, failed, faults };
      const reportFile = process.env.TEST_REPORT;
      if (reportFile) appendFileSync(reportFile, `${JSON.stringify(report)}\n`);
    }
  });
}

/** The test file that a suite is created for, by the stack: what stands between it and here does not count. */
function callingFile(): string {
  const paths = [...(new Error().stack ?? '').matchAll(/\/test\/([^():]+\.test\.ts)/g)];
  return paths[0]?.[1] ?? '';
}

/** The timer holds nothing open: it only ever fires where something else does. */
function watchIdle(idleMs: number): void {
  if (!tallies.every((tally) => isDone(tally))) return;
  const timer = setTimeout(() => {
    console.error(`all tests are done, but something keeps the process alive: ${process.getActiveResourcesInfo()}`);
    process.exit(1);
  }, idleMs);
  timer.unref();
}
