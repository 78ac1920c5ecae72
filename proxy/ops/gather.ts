/** The metrics of several processes as those of one: what Prometheus is shown where a parent speaks for its workers. */
import { AggregatorRegistry, Counter, type MetricObjectWithValues, type MetricValue, Registry } from 'prom-client';

/** What a process has measured, as plain data. */
export type Measured = MetricObjectWithValues<MetricValue<string>>[];

/** What the parent itself counts. */
export interface WorkerMetrics {
  readonly exits: { inc(labels: { reason: WorkerExit }): void };
}

/** A worker was told to stop, or it has ended by itself. */
export type WorkerExit = 'stop' | 'crash';

export const WORKER_EXITS = {
  name: 'minimix_worker_exits_total',
  help: 'Worker processes that have ended, by whether they were told to.',
  labelNames: ['reason'],
} as const;

/**
 * Adds up what each worker has measured last. Counters never fall: what a worker that is gone had counted stays (as far as
 * it was last heard), and one that does not answer counts as before.
 */
export class Gathered implements WorkerMetrics {
  readonly exits: WorkerMetrics['exits'];
  readonly #own = new Registry();
  readonly #workers = new Map<number, Measured>();
  /** What those that are gone had counted. One after the other: two may go at once. */
  #gone: Promise<Measured> = Promise.resolve([]);

  constructor() {
    const exits = new Counter({ ...WORKER_EXITS, registers: [this.#own] });
    for (const reason of ['stop', 'crash'] as const) exits.inc({ reason }, 0);
    this.exits = { inc: (labels) => exits.inc(labels) };
  }

  /** What the worker with that number has measured up to now. */
  put(worker: number, measured: Measured): void {
    this.#workers.set(worker, measured);
  }

  /** That worker is no more: what it counted stays, its levels go. */
  drop(worker: number): void {
    const last = this.#workers.get(worker);
    this.#workers.delete(worker);
    if (last === undefined) return;
    const counted = last.filter(({ type }) => isCounted(String(type)));
    this.#gone = this.#gone.then((gone) => added([gone, counted]).getMetricsAsJSON());
  }

  /** The text for Prometheus. */
  async render(): Promise<string> {
    const own = await this.#own.getMetricsAsJSON();
    const workers = [...this.#workers.values()].map((one) => one.filter(({ name }) => name !== WORKER_EXITS.name));
    return await added([...workers, await this.#gone, own]).metrics();
  }

  get contentType(): string {
    return this.#own.contentType;
  }
}

/** By what each metric says of itself: sums, unless it is a level that does not add up. */
function added(parts: readonly Measured[]): Registry {
  return AggregatorRegistry.aggregate(parts.filter(({ length }) => length > 0));
}

function isCounted(type: string): boolean {
  return type === 'counter' || type === 'histogram';
}
