/** Redis' clock as it can be told from here: entries of streams carry its time. */

/** A better look at it is forgotten after this long (ms): clocks drift. */
const FORGET_MS = 60_000;

export class RedisClock {
  #offset: number | undefined;
  #error = Number.POSITIVE_INFINITY;
  #seenAt = Number.NEGATIVE_INFINITY;

  /** Redis has said that it is `redisMs`, when asked at `askedAt` and heard at `heardAt` of the monotonic clock here (ms). */
  note(redisMs: number, askedAt: number, heardAt: number): void {
    const error = (heardAt - askedAt) / 2;
    if (error > this.#error && heardAt - this.#seenAt < FORGET_MS) return;
    this.#error = error;
    this.#seenAt = heardAt;
    this.#offset = redisMs - (askedAt + heardAt) / 2;
  }

  /** How long ago it was that time there, in milliseconds, not below 0; undefined: it has never said. */
  since(redisMs: number, now: number): number | undefined {
    return this.#offset === undefined ? undefined : Math.max(0, now + this.#offset - redisMs);
  }
}
