/** How long to wait before a worker that has ended is started again. */

const FIRST_MS = 500;
const LONGEST_MS = 30_000;
/** One that has lived for so long was well: what follows begins anew. */
const WELL_MS = 60_000;

/** The pauses of one worker: they double while it ends soon. */
export class Pauses {
  #next = FIRST_MS;

  /** After a life of that length (ms). */
  next(livedMs: number): number {
    if (livedMs >= WELL_MS) this.#next = FIRST_MS;
    const pause = this.#next;
    this.#next = Math.min(LONGEST_MS, pause * 2);
    return pause;
  }
}
