/** One slow timer that looks after all legs of an app, in place of timers for each of them. */

export interface Watched {
  /** Looks at the leg at this time of the monotonic clock: pings it, ends it, or does nothing. */
  sweep(now: number): void;
}

export class Liveness {
  readonly #watched = new Set<Watched>();
  readonly #now: () => number;
  readonly #everyMs: number;
  #timer: NodeJS.Timeout | undefined;

  constructor(now: () => number, everyMs: number) {
    this.#now = now;
    this.#everyMs = everyMs;
  }

  /** How many legs there are. */
  get size(): number {
    return this.#watched.size;
  }

  /** The timer runs while there is anything to watch, and never keeps the process alive. */
  add(leg: Watched): void {
    this.#watched.add(leg);
    this.#timer ??= setInterval(() => this.sweep(), this.#everyMs).unref();
  }

  delete(leg: Watched): void {
    this.#watched.delete(leg);
    if (this.#watched.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** Looks at every leg now; a leg may leave meanwhile. */
  sweep(): void {
    const now = this.#now();
    for (const leg of this.#watched) leg.sweep(now);
  }
}
