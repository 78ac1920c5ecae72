/** What a framer finds, on its way to the leg that it works for. */
import type { FramerHandler, Violation } from '../xml/framer.ts';
import type { Stanza, StreamHeader } from '../xml/stanza.ts';
import type { LegHandler } from './leg.ts';

/** A leg, as its framer sees it. Stanzas go to the handler that the leg has at that moment. */
export interface Listener {
  readonly handler: LegHandler;
  receivedHeader(header: StreamHeader): void;
  receivedEnd(): void;
  receivedViolation(violation: Violation): void;
}

/** Leg and framer use the same words for what comes and what goes; this keeps them apart. */
export class Inbound implements FramerHandler {
  readonly #leg: Listener;

  constructor(leg: Listener) {
    this.#leg = leg;
  }

  header(header: StreamHeader): void {
    this.#leg.receivedHeader(header);
  }

  stanza(stanza: Stanza): void {
    this.#leg.handler.stanza(stanza);
  }

  end(): void {
    this.#leg.receivedEnd();
  }

  violation(violation: Violation): void {
    this.#leg.receivedViolation(violation);
  }
}
