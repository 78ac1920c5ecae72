/** The parent of several workers: what it tells them, and what it does when one ends. */
import { captureLog } from '../../proxy/ops/log.ts';
import { createMetrics } from '../../proxy/ops/metrics.ts';
import type { FromWorker, ToWorker } from '../../proxy/workers/messages.ts';
import { type Forked, Parent } from '../../proxy/workers/parent.ts';
import { assert, suite, type TestContext } from '../support/suite.ts';

const test = suite('workers/parent');

/** A worker that does as it is told, unless a test says otherwise. */
class FakeWorker implements Forked {
  readonly pid = 1;
  readonly heard: ToWorker[] = [];
  isObedient = true;

  constructor() {
    setImmediate(() => this.say({ is: 'up' }));
  }

  reasons: string[] = [];
  #say: (message: FromWorker) => void = () => {};
  #exit: (code: number | null, signal: string | null) => void = () => {};

  send(message: ToWorker): void {
    this.heard.push(message);
    if (!this.isObedient) return;
    if (message.do === 'start') setImmediate(() => this.say({ is: 'started' }));
    if (message.do === 'stop') setImmediate(() => this.end(0));
    if (message.do === 'report') void this.#report(message.id);
  }

  async #report(id: number): Promise<void> {
    const metrics = createMetrics();
    metrics.workers.set(1);
    const readiness = { ready: this.reasons.length === 0, reasons: this.reasons };
    this.say({ is: 'report', id, readiness, measured: await metrics.measured() });
  }

  say(message: FromWorker): void {
    this.#say(message);
  }

  end(code: number | null, signal: string | null = null): void {
    this.#exit(code, signal);
  }

  kill(): void {
    this.end(null, 'SIGKILL');
  }

  onMessage(listener: (message: FromWorker) => void): void {
    this.#say = listener;
  }

  onExit(listener: (code: number | null, signal: string | null) => void): void {
    this.#exit = listener;
  }

  get tasks(): string[] {
    return this.heard.map((message) => message.do);
  }
}

function stage(t: TestContext, workers: number, drainMs = 5000) {
  const forked: FakeWorker[] = [];
  const log = captureLog();
  let isObedient = true;
  const fork = (): FakeWorker => {
    const worker = new FakeWorker();
    worker.isObedient = isObedient;
    forked.push(worker);
    return worker;
  };
  const http = { host: '127.0.0.1', port: 0 };
  const parent = new Parent({ workers, settings: { a: 1 }, http, drainMs, log, fork });
  t.after(() => parent.stop().catch(() => {}));
  const ask = async (path: string) => {
    const response = await fetch(`http://127.0.0.1:${parent.httpAddress?.port}${path}`);
    return { status: response.status, text: await response.text() };
  };
  const disobey = (): void => {
    isObedient = false;
  };
  return { parent, forked, log, ask, disobey };
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 10));
}

test('all workers are given the settings and their number; it is ready when all serve', async (t) => {
  const { parent, forked, ask } = stage(t, 3);
  await parent.start();
  assert.equal(
    forked.map(({ heard }) => heard[0]),
    [1, 2, 3].map((worker) => ({ do: 'start', worker, settings: { a: 1 } })),
  );
  const { status, text } = await ask('/readyz');
  assert.is(status, 200);
  assert.equal(JSON.parse(text), { ready: true, reasons: [], workers: { running: 3, wanted: 3 } });
  assert.match((await ask('/metrics')).text, /^minimix_workers 3$/m);
});

test('one that cannot start is the end, with its reason; the others are stopped', async (t) => {
  const { parent, forked, disobey } = stage(t, 2);
  disobey();
  const started = parent.start().then(
    () => undefined,
    (error: Error) => error,
  );
  forked[0]?.say({ is: 'started' });
  forked[1]?.say({ is: 'failed', reason: 'cannot listen on tcp 127.0.0.1:1: EACCES' });
  forked[1]?.end(1);
  await until(() => forked[0]?.tasks.includes('stop') === true);
  forked[0]?.end(0);
  assert.is((await started)?.message, 'cannot listen on tcp 127.0.0.1:1: EACCES');
  assert.is(forked.length, 2);
});

test('one that ends by itself is counted and started again under its number', async (t) => {
  const { parent, forked, ask, log } = stage(t, 2);
  await parent.start();
  forked[1]?.end(null, 'SIGKILL');
  assert.equal(JSON.parse((await ask('/readyz')).text).workers, { running: 1, wanted: 2 });
  await until(() => forked[2]?.heard.length === 1);
  assert.equal(forked[2]?.heard[0], { do: 'start', worker: 2, settings: { a: 1 } });
  await until(() => log.lines.filter(({ message }) => message === 'worker started').length === 3);
  const { text } = await ask('/metrics');
  assert.match(text, /^minimix_workers 2$/m);
  assert.match(text, /^minimix_worker_exits_total\{reason="crash"\} 1$/m);
});

test('what one worker lacks, the whole lacks', async (t) => {
  const { parent, forked, ask } = stage(t, 2);
  await parent.start();
  (forked[1] as FakeWorker).reasons = ['The store cannot be reached.'];
  const { status, text } = await ask('/readyz');
  assert.is(status, 503);
  assert.equal(JSON.parse(text).reasons, ['The store cannot be reached.']);
});

test('a worker that stands still does not hold up a scrape, and counts as before', async (t) => {
  const { parent, forked, ask } = stage(t, 2);
  await parent.start();
  await ask('/metrics');
  (forked[1] as FakeWorker).isObedient = false;
  assert.match((await ask('/metrics')).text, /^minimix_workers 2$/m);
  (forked[1] as FakeWorker).isObedient = true;
});

test('a stop closes all doors at once, then stops one after the other; a late one holds the others up for a time only', async (t) => {
  const { parent, forked } = stage(t, 3, 100);
  await parent.start();
  (forked[1] as FakeWorker).isObedient = false;
  const stopped = parent.stop();
  assert.equal(
    forked.map(({ tasks }) => tasks.at(-1)),
    ['stop', 'close', 'close'],
  );
  await until(() => forked[2]?.tasks.includes('stop') === true);
  forked[1]?.end(0);
  await stopped;
});

test('certificates are read again by all', async (t) => {
  const { parent, forked } = stage(t, 2);
  await parent.start();
  await parent.reload();
  assert.ok(forked.every(({ tasks }) => tasks.includes('reload')));
});

test.run();
