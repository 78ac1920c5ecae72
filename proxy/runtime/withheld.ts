/** Broadcast presence that is kept back while rooms hang on a session's stream: it would leave all of them. */
import { parseStanza, type Stanza } from '../xml/stanza.ts';

/**
 * What others will see in the end counts: that the client has gone, and how it is now if it has come back. One that blinks
 * on and on must not fill the memory while a room is slow to confirm (X3).
 */
export class Withheld {
  #gone: Stanza | undefined;
  #back: Stanza | undefined;

  get isEmpty(): boolean {
    return this.#gone === undefined;
  }

  /** The first is an `unavailable`. */
  add(stanza: Stanza): void {
    // A copy: a reference would keep the whole chunk around it alive.
    const copy = parseStanza(Buffer.from(stanza.bytes), stanza.declarations);
    if (stanza.type === 'unavailable') this.#gone = copy;
    this.#back = stanza.type === 'unavailable' ? undefined : copy;
  }

  /** What is due, in order; nothing is kept any more. */
  take(): readonly Stanza[] {
    const due = [this.#gone, this.#back].filter((stanza) => stanza !== undefined);
    this.#gone = undefined;
    this.#back = undefined;
    return due;
  }
}
