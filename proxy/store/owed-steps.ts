/** Steps that the store owes: each is tried again, after growing pauses, until the store has taken it; bounded in number. */
import type { Log } from '../ops/log.ts';
import { isOfAnotherHome } from './faults.ts';
import { longer } from './pauses.ts';

export interface OwedStepsOptions<T> {
  /** So many are owed at most; beyond that the oldest is given up. */
  readonly most: number;
  /** Takes the step. Rejects where it is not done. */
  readonly take: (what: T) => Promise<void>;
  /** The oldest was given up. */
  readonly onOverfull: () => void;
  readonly log: Log;
  /** What a step that has failed is, in the log. */
  readonly failed: string;
}

export class OwedSteps<T> {
  readonly #options: OwedStepsOptions<T>;
  readonly #owed = new Map<string, T>();
  #pauseMs = 0;
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(options: OwedStepsOptions<T>) {
    this.#options = options;
  }

  get(name: string): T | undefined {
    return this.#owed.get(name);
  }

  /** Takes the step now, in the place of any other of that name. Rejects where it could not be done at once; it is done later. */
  async take(name: string, what: T): Promise<void> {
    this.#owed.delete(name);
    this.#owed.set(name, what);
    try {
      await this.#take(name, what);
    } catch (error) {
      // Unless it was done with, or another took its place, meanwhile.
      if (this.#owed.get(name) === what) this.owe(name, what);
      throw error;
    }
  }

  /** It need not be done any more; with `what` only if it is that one. */
  drop(name: string, what?: T): void {
    if (what === undefined || this.#owed.get(name) === what) this.#owed.delete(name);
  }

  /** The step is done later. */
  owe(name: string, what: T): void {
    if (this.#isClosed) {
      this.#owed.delete(name);
      return;
    }
    this.#owed.set(name, what);
    if (this.#owed.size > this.#options.most) {
      const oldest = this.#owed.keys().next();
      if (!oldest.done) this.#owed.delete(oldest.value);
      this.#options.onOverfull();
    }
    this.#trySoon();
  }

  /** Nothing is tried again. */
  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#owed.clear();
  }

  async #take(name: string, what: T): Promise<void> {
    await this.#options.take(what);
    this.drop(name, what);
  }

  #trySoon(): void {
    if (this.#timer || this.#isClosed) return;
    this.#pauseMs = longer(this.#pauseMs);
    this.#timer = setTimeout(() => void this.#tryAll(), this.#pauseMs).unref();
  }

  /** One after the other, until one fails for want of the store. */
  async #tryAll(): Promise<void> {
    const { log, failed } = this.#options;
    for (const [name, what] of [...this.#owed]) {
      if (this.#owed.get(name) !== what) continue;
      try {
        await this.#take(name, what);
        this.#pauseMs = 0;
      } catch (error) {
        log.debug({ error }, failed);
        if (!isOfAnotherHome(error)) break;
      }
    }
    this.#timer = undefined;
    if (this.#owed.size > 0) this.#trySoon();
  }
}
