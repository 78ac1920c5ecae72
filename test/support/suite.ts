/**
 * The one place that imports uvu. A green run of bare uvu does not prove that the tests ran (a failing `before` skips the
 * suite with exit code 0, so does a forgotten `.run()`), and a promise that never settles hangs it for ever. What is
 * wrapped here keeps these promises:
 *
 * - every test, hook and clean-up runs under a time limit;
 * - a `before` that fails, fails every test of its suite; `after` work is a last test of its own;
 * - at process exit as many tests must have run as were registered, and at least one in each suite, else the exit code is 1;
 * - a promise that is rejected while nobody awaits it fails the tests that run, and not all behind them too;
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
  /** For each test (its `each` hooks included), were it alone; 20 s unless told. */
  limitMs?: number;
  /** For all `before` steps together, and for all `after` steps together; 60 s unless told. */
  hookLimitMs?: number;
  /** How long the process may stay alive after its last test; 10 s unless told. */
  idleMs?: number;
  /** Tests that run at a time, begun in order; 1 unless told, `TEST_TOGETHER` where that is set. For tests that mostly wait, and have nothing in common. */
  together?: number;
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
/** Fail the tests that run. */
const failRunning = new Set<(reason: unknown) => void>();

/** Creates a suite. Nothing of it runs before its `run` is called. */
export function suite(name: string, options: SuiteOptions = {}): Suite {
  const { limitMs: each = 20_000, hookLimitMs = 60_000, idleMs = 10_000 } = options;
  const together = Number(process.env.TEST_TOGETHER ?? options.together ?? 1);
  // Those that run at a time share the time.
  const limitMs = each * together;
  const inner = uvu.suite(name);
  const tally: Tally = { name, file: callingFile(), titles: [], passed: 0, failed: [], isRunCalled: false };
  const isListOnly = process.env.TEST_LIST === '1';
  const hooks = { before: [] as Step[], after: [] as Step[], beforeEach: [] as Body[], afterEach: [] as Body[] };
  const lanes = new Lanes(together);
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
    const outcome = lanes.add(() => runTest(title, body, hooks.beforeEach, hooks.afterEach, limitMs));
    register(title, async () => {
      await prepare();
      lanes.open();
      await outcome;
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

/** Work that is begun in order, so much at a time. */
class Lanes {
  readonly #waiting: (() => void)[] = [];
  #free: number;
  #isOpen = false;

  constructor(count: number) {
    this.#free = count;
  }

  /** To be done when its turn has come. Settles as the work does. */
  add(work: () => Promise<void>): Promise<void> {
    const outcome = new Promise<void>((resolve, reject) => {
      this.#waiting.push(() => {
        void work()
          .then(resolve, reject)
          .finally(() => {
            this.#free += 1;
            this.#next();
          });
      });
    });
    // It may fail long before anybody asks.
    outcome.catch(() => {});
    return outcome;
  }

  open(): void {
    this.#isOpen = true;
    this.#next();
  }

  #next(): void {
    while (this.#isOpen && this.#free > 0) {
      const begin = this.#waiting.shift();
      if (!begin) return;
      this.#free -= 1;
      begin();
    }
  }
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
  let reject: (reason: unknown) => void = () => {};
  const stray = new Promise<never>((_, rejectStray) => {
    reject = rejectStray;
  });
  stray.catch(() => {});
  const fail = (reason: unknown): void => {
    if (isBodyOver) errors.push(reason);
    else reject(reason);
  };
  failRunning.add(fail);
  await attempt('test', async () => {
    for (const step of before) await step(context);
    await Promise.race([body(context), stray]);
  });
  isBodyOver = true;
  abort.abort();
  for (const step of after) await attempt('after.each', () => step(context));
  for (let cleanUp = cleanUps.pop(); cleanUp; cleanUp = cleanUps.pop()) await attempt('clean-up', cleanUp);
  failRunning.delete(fail);
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
    if (failRunning.size === 0) throw asError(reason);
    for (const fail of failRunning) fail(reason);
  });
  // Left to itself, Node.js waits for its handles' ends once more, and was seen to wait for ever.
  process.once('beforeExit', () => process.exit());
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

/** The test file that a suite is created for, compiled or not, by the stack: what stands between it and here does not count. */
function callingFile(): string {
  const paths = [...(new Error().stack ?? '').matchAll(/\/test\/([^():]+\.test)\.[jt]s/g)];
  return paths[0] ? `${paths[0][1]}.ts` : '';
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
