/** Reads a leg step by step: for conversations that we lead ourselves. */
import type { Leg, LegHandler } from '../net/leg.ts';
import type { Violation } from '../xml/framer.ts';
import type { Stanza, StreamHeader } from '../xml/stanza.ts';

export type LegEvent =
  | { readonly type: 'header'; readonly header: StreamHeader }
  | { readonly type: 'stanza'; readonly stanza: Stanza }
  /** Nothing more comes: the peer closed its stream or broke it, or the connection is gone. */
  | { readonly type: 'over'; readonly violation?: Violation; readonly error?: Error };

/**
 * One event at a time: the leg is held behind each, so that whoever has got the last one can hand the leg on with nothing
 * lost. One reader at a time, and one `next()` at a time.
 */
export class LegReader implements LegHandler {
  readonly #leg: Leg;
  #waiting: ((event: LegEvent) => void) | undefined;
  #over: LegEvent | undefined;
  #isHeld = false;

  /** Takes the leg over; it must not have emitted anything that matters yet. */
  constructor(leg: Leg) {
    this.#leg = leg;
    leg.handler = this;
    if (leg.isClosed) this.#over = { type: 'over' };
    else this.#hold();
  }

  /** Lets the leg go on to its next header or stanza. */
  next(): Promise<LegEvent> {
    return new Promise((resolve) => {
      if (this.#over !== undefined) {
        resolve(this.#over);
        return;
      }
      this.#waiting = resolve;
      this.#isHeld = false;
      this.#leg.release();
    });
  }

  header(header: StreamHeader): void {
    this.#emit({ type: 'header', header });
  }

  stanza(stanza: Stanza): void {
    this.#emit({ type: 'stanza', stanza });
  }

  end(): void {
    this.#emit({ type: 'over' });
  }

  violation(violation: Violation): void {
    this.#emit({ type: 'over', violation });
  }

  closed(error?: Error): void {
    this.#emit({ type: 'over', ...(error === undefined ? {} : { error }) });
  }

  drain(): void {}

  #emit(event: LegEvent): void {
    if (event.type === 'over') this.#over ??= event;
    else this.#hold();
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.(event);
  }

  #hold(): void {
    if (this.#isHeld) return;
    this.#isHeld = true;
    this.#leg.hold();
  }
}
