/** Work of one name in the order of the calls: a script that Redis has forgotten is sent again, behind what was sent meanwhile. */
import { StoreError } from './store.ts';

/** What may wait for one name while Redis is slow; more is refused. */
const MOST_WAITING = 10_000;

interface Line {
  last: Promise<unknown>;
  waiting: number;
}

export class Turns {
  /** Only of names that something waits for. */
  readonly #lines = new Map<string, Line>();

  /** Does the work when all earlier work of that name is over, however it has ended. */
  run<T>(name: string, work: () => Promise<T>): Promise<T> {
    const line = this.#lines.get(name);
    if (!line) return this.#start(name, work);
    if (line.waiting >= MOST_WAITING) {
      return Promise.reject(new StoreError('unavailable', 'too much waits for Redis'));
    }
    line.waiting += 1;
    const done = line.last.then(work, work);
    this.#follow(name, line, done);
    return done;
  }

  /** Resolves when nothing is under way. */
  async idle(): Promise<void> {
    while (this.#lines.size > 0) await Promise.allSettled([...this.#lines.values()].map(({ last }) => last));
  }

  #start<T>(name: string, work: () => Promise<T>): Promise<T> {
    const done = work();
    const line: Line = { last: done, waiting: 1 };
    this.#lines.set(name, line);
    this.#follow(name, line, done);
    return done;
  }

  #follow(name: string, line: Line, done: Promise<unknown>): void {
    line.last = done;
    const over = (): void => {
      line.waiting -= 1;
      if (line.waiting === 0) this.#lines.delete(name);
    };
    done.then(over, over);
  }
}
