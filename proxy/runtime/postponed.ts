/**
 * Answers to `<r/>` that wait a little, for one that says more or for something that goes the same way (XEP-0198 section 4), so
 * that one write does in place of two.
 */
import type { ManagedSide } from '../stream/management/management.ts';

/**
 * How long they wait (ms). A client's waits for the server's only, which is near, and would say nothing that the client does not
 * know; what is news to it never waits. A server pushes for what it takes to be unacknowledged when a connection breaks (XEP-0357): it hears of it
 * as good as at once.
 */
const WAIT_MS: Readonly<Record<ManagedSide, number>> = { client: 25, server: 2 };

export class Postponed {
  readonly #answer: (side: ManagedSide) => void;
  readonly #timers: Record<ManagedSide, NodeJS.Timeout | undefined> = { client: undefined, server: undefined };

  /** `answer`: the time is over. */
  constructor(answer: (side: ManagedSide) => void) {
    this.#answer = answer;
  }

  /** One timer serves all requests of its time: the later ones are answered a little sooner. */
  wait(side: ManagedSide): void {
    this.#timers[side] ??= setTimeout(() => {
      this.#timers[side] = undefined;
      this.#answer(side);
    }, WAIT_MS[side]).unref();
  }

  /** Nobody is there any more to be answered. */
  clear(): void {
    for (const side of ['client', 'server'] as const) {
      clearTimeout(this.#timers[side]);
      this.#timers[side] = undefined;
    }
  }
}
