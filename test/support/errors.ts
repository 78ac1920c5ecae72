/** What the test client throws where an answer was awaited and a refusal came. */
import type { Element } from './element.ts';

/** A stanza of type `error`, thrown where a result was awaited. */
export class StanzaError extends Error {
  readonly stanza: Element;

  constructor(stanza: Element) {
    super(`answered with an error:\n${stanza.print()}`);
    this.name = 'StanzaError';
    this.stanza = stanza;
  }

  /** The defined condition, such as `conflict`. */
  get condition(): string | undefined {
    return this.stanza.condition;
  }

  /** The error's own type, such as `cancel`. */
  get errorType(): string | undefined {
    return this.stanza.child('error')?.type;
  }
}

/** SASL refused the login. */
export class LoginError extends Error {
  readonly condition: string;

  constructor(failure: Element) {
    super(`login refused:\n${failure.print()}`);
    this.name = 'LoginError';
    this.condition = failure.elements.find((one) => one.name !== 'text')?.name ?? '';
  }
}
