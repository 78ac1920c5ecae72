/** What can have something to send. */
export interface Flushable {
  flush(): void;
}

/**
 * The handling of one chunk that has come. Legs that are given something to send meanwhile are flushed right behind it: one
 * write for each, as at the end of the tick, but without the cost of a tick.
 */
export class Turn {
  #legs: Flushable[] = [];
  #isOpen = false;

  /** False: a turn is under way already, and its owner ends it. */
  begin(): boolean {
    if (this.#isOpen) return false;
    this.#isOpen = true;
    return true;
  }

  end(): void {
    this.#isOpen = false;
    const legs = this.#legs;
    if (legs.length === 0) return;
    this.#legs = [];
    for (const leg of legs) leg.flush();
  }

  /** Has the leg flushed at the end of the turn; false: there is none under way. */
  add(leg: Flushable): boolean {
    if (this.#isOpen) this.#legs.push(leg);
    return this.#isOpen;
  }
}
