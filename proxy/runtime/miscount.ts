/**
 * COMPAT: xmpp.js 0.14 sets its counter to zero some time after `<enabled/>` has come: asked at once, it counts what it had
 * got before. The answer says nothing then; it is no reason to end the stream.
 */
export class Miscount {
  /** Stanzas that the client got before its stream was managed, the bind result the first of them. */
  #early = 1;
  /** The client has not acknowledged anything rightly yet. */
  #isPossible = true;

  /** The client is sent a stanza that is not counted. */
  uncounted(): void {
    this.#early += 1;
  }

  /** The client counts as it should. */
  over(): void {
    this.#isPossible = false;
  }

  /** Whether it can have come to acknowledge `h` so, with so many (`waiting`) to be acknowledged. */
  explains(h: number, waiting: number): boolean {
    return this.#isPossible && h <= waiting + this.#early;
  }
}
