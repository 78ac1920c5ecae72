/**
 * The parent of several worker processes on one machine (C7): starts them, starts again what has ended, stops them in order,
 * and answers for all of them to operators. Serves no client itself.
 */
import type { HttpConfig } from '../config.ts';
import { Gathered } from '../ops/gather.ts';
import { createOpsServer, type OpsServer, type Readiness } from '../ops/http.ts';
import type { Log } from '../ops/log.ts';
import type { FromWorker, ToWorker } from './messages.ts';
import { Pauses } from './pauses.ts';

/** A process that was started. */
export interface Forked {
  readonly pid: number | undefined;
  send(message: ToWorker): void;
  kill(signal: 'SIGKILL'): void;
  onMessage(listener: (message: FromWorker) => void): void;
  /** Once. */
  onExit(listener: (code: number | null, signal: string | null) => void): void;
}

export interface ParentOptions {
  readonly workers: number;
  /** The configuration in the file's form, as each worker is given it, also one that starts later. */
  readonly settings: unknown;
  readonly http: HttpConfig | undefined;
  /** How long workers may take to hand over (ms). */
  readonly drainMs: number;
  readonly log: Log;
  readonly fork: () => Forked;
}

/** How long a worker may take to start, beyond what waiting for its servers takes (ms). */
const START_MS = 120_000;
/** What a stop may take besides handing over (ms). */
const STOP_MS = 20_000;
/** How long a worker may take to tell how it does (ms); one that takes longer counts as it did last. */
const REPORT_MS = 1000;

interface Worker {
  readonly number: number;
  readonly process: Forked;
  readonly since: number;
  isStarted: boolean;
  isTold: boolean;
  readiness: Readiness | undefined;
  readonly ended: Promise<number | null>;
}

/** Why there is no service: what a worker has said, fit for an operator. */
export class WorkerFailure extends Error {
  override readonly name = 'WorkerFailure';
}

export class Parent {
  readonly #options: ParentOptions;
  readonly #gathered = new Gathered();
  readonly #workers = new Map<number, Worker>();
  readonly #pauses = new Map<number, Pauses>();
  readonly #restarts = new Set<NodeJS.Timeout>();
  /** What goes on when a report has come, by its id. */
  readonly #asked = new Map<number, () => void>();
  #ops: OpsServer | undefined;
  #serial = 0;
  /** All workers have started once: from now on one that ends is started again. */
  #isUp = false;
  #isStopping = false;

  constructor(options: ParentOptions) {
    this.#options = options;
  }

  /** Resolves when all workers serve clients. Rejects with the reason of the first that cannot; none is left then. */
  async start(): Promise<void> {
    const { workers, http, log } = this.#options;
    const numbers = Array.from({ length: workers }, (_, index) => index + 1);
    try {
      await Promise.all(numbers.map((number) => this.#begin(number)));
      this.#isUp = true;
      if (http === undefined) return;
      const metrics = {
        render: () => this.#render(),
        contentType: this.#gathered.contentType,
        watchProcess: () => {},
      };
      this.#ops = createOpsServer({ ...http, log, metrics, readiness: () => this.#readiness() });
      await this.#ops.start();
    } catch (error) {
      await this.stop().catch(() => {});
      throw error;
    }
  }

  /** One after the other, so that what hangs on one can go to the next; after `drainMs` all that are left at once. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    for (const timer of this.#restarts) clearTimeout(timer);
    const { drainMs, log } = this.#options;
    const left = [...this.#workers.values()];
    for (const worker of left) worker.process.send({ do: 'close' });
    const patience = setTimeout(() => left.forEach(tellToStop), drainMs);
    const limit = setTimeout(() => {
      log.error({}, 'workers do not end: they are killed');
      for (const { process } of left) process.kill('SIGKILL');
    }, drainMs + STOP_MS);
    let isGood = true;
    for (const worker of left) {
      tellToStop(worker);
      if ((await worker.ended) !== 0) isGood = false;
    }
    clearTimeout(patience);
    clearTimeout(limit);
    await this.#ops?.stop();
    if (!isGood) throw new Error('a worker has not ended in good order');
  }

  /** Has all workers read certificates again. */
  async reload(): Promise<void> {
    for (const { process } of this.#workers.values()) process.send({ do: 'reload' });
  }

  get httpAddress(): { readonly host: string; readonly port: number } | undefined {
    return this.#ops?.address;
  }

  /** Resolves when the worker serves clients, rejects when it ends before. */
  #begin(number: number): Promise<void> {
    const { fork, log } = this.#options;
    const process = fork();
    const since = performance.now();
    let reason: string | undefined;
    return new Promise((resolve, reject) => {
      const tooLong = setTimeout(() => process.kill('SIGKILL'), START_MS);
      const ended = new Promise<number | null>((over) => {
        process.onExit((code, signal) => {
          clearTimeout(tooLong);
          over(code);
          this.#ended(worker, signal ?? `exit code ${code}`);
          reject(new WorkerFailure(reason ?? `worker ${number} has ended: ${signal ?? `exit code ${code}`}`));
        });
      });
      const worker: Worker = { number, process, since, ended, isStarted: false, isTold: false, readiness: undefined };
      this.#workers.set(number, worker);
      process.onMessage((message) => {
        if (message.is === 'up') this.#welcome(worker);
        else if (message.is === 'failed') reason = message.reason;
        else if (message.is === 'report') this.#reported(worker, message);
        else {
          clearTimeout(tooLong);
          worker.isStarted = true;
          log.info({ worker: number, pid: process.pid }, 'worker started');
          resolve();
        }
      });
    });
  }

  #welcome({ process, number, isTold }: Worker): void {
    if (isTold) process.send({ do: 'stop' });
    else process.send({ do: 'start', worker: number, settings: this.#options.settings });
  }

  #ended(worker: Worker, how: string): void {
    const { number, since, isTold } = worker;
    const { log } = this.#options;
    this.#workers.delete(number);
    this.#gathered.exits.inc({ reason: isTold ? 'stop' : 'crash' });
    this.#gathered.drop(number);
    if (isTold) return;
    log.error({ worker: number, how }, 'a worker has ended');
    if (this.#isStopping || !this.#isUp) return;
    const pauses = this.#pauses.get(number) ?? new Pauses();
    this.#pauses.set(number, pauses);
    const timer = setTimeout(
      () => {
        this.#restarts.delete(timer);
        // Logged when it ends, and tried again.
        this.#begin(number).catch(() => {});
      },
      pauses.next(performance.now() - since),
    );
    this.#restarts.add(timer);
  }

  #reported(worker: Worker, { id, readiness, measured }: Extract<FromWorker, { is: 'report' }>): void {
    if (this.#workers.get(worker.number) !== worker) return;
    worker.readiness = readiness;
    this.#gathered.put(worker.number, measured);
    this.#asked.get(id)?.();
  }

  /** Has all workers tell how they do. */
  async #ask(): Promise<void> {
    const started = [...this.#workers.values()].filter(({ isStarted }) => isStarted);
    await Promise.all(
      started.map(
        ({ process, ended }) =>
          new Promise<void>((resolve) => {
            this.#serial += 1;
            const id = this.#serial;
            const done = (): void => {
              clearTimeout(timer);
              this.#asked.delete(id);
              resolve();
            };
            const timer = setTimeout(done, REPORT_MS);
            this.#asked.set(id, done);
            void ended.then(done);
            process.send({ do: 'report', id });
          }),
      ),
    );
  }

  async #render(): Promise<string> {
    await this.#ask();
    return await this.#gathered.render();
  }

  /** Clients come to any worker that runs: one that has ended and is to be started again keeps nobody away. */
  async #readiness(): Promise<Readiness> {
    await this.#ask();
    const running = [...this.#workers.values()].filter(({ isStarted }) => isStarted);
    const reasons = new Set(running.flatMap(({ readiness }) => readiness?.reasons ?? []));
    if (this.#isStopping) reasons.add('The proxy is shutting down.');
    if (running.length === 0) reasons.add('No worker runs.');
    const details = { workers: { running: running.length, wanted: this.#options.workers } };
    return { ready: reasons.size === 0, reasons: [...reasons], details };
  }
}

function tellToStop(worker: Worker): void {
  if (worker.isTold) return;
  worker.isTold = true;
  worker.process.send({ do: 'stop' });
}
