/** Hears one leg for a negotiation: what happens on it is what the negotiation steps on. */
import type { LegHandler } from '../net/leg.ts';
import type { Input, Side } from '../stream/negotiation/io.ts';
import type { Violation } from '../xml/framer.ts';
import type { Stanza, StreamHeader } from '../xml/stanza.ts';

export class Ear implements LegHandler {
  readonly #side: Side;
  readonly #take: (input: Input) => void;

  constructor(side: Side, take: (input: Input) => void) {
    this.#side = side;
    this.#take = take;
  }

  header(header: StreamHeader): void {
    this.#take({ type: 'header', from: this.#side, header });
  }

  stanza(stanza: Stanza): void {
    this.#take({ type: 'stanza', from: this.#side, stanza });
  }

  end(): void {
    this.#take({ type: 'end', from: this.#side });
  }

  violation(violation: Violation): void {
    this.#take({ type: 'violation', from: this.#side, violation });
  }

  closed(): void {
    this.#take({ type: 'closed', from: this.#side });
  }

  drain(): void {}
}
