import { NS, type StreamCondition } from './names.ts';

/** Why a stream must end: the stream error to send to whoever sent the bytes (RFC 6120 section 4.9). */
export interface Violation {
  readonly condition: StreamCondition;
  /** For the error's `<text/>`; never contains what the peer sent. */
  readonly text: string;
  /** Application-specific child of the error, as XML. */
  readonly extra?: string;
}

/** Carries a violation out of the scan. Thrown once in a stream's life, so the cost of an exception does not matter. */
export class ViolationError extends Error {
  readonly violation: Violation;

  constructor(violation: Violation) {
    super(`${violation.condition}: ${violation.text}`);
    this.name = 'ViolationError';
    this.violation = violation;
  }
}

/** The text is not well-formed XML with namespaces. */
export function malformed(text: string): ViolationError {
  return new ViolationError({ condition: 'not-well-formed', text });
}

/** The text uses what RFC 6120 section 11.1 forbids in a stream. */
export function restricted(text: string): ViolationError {
  return new ViolationError({ condition: 'restricted-xml', text });
}

/** The text exceeds a limit of this service. */
export function tooMuch(text: string): ViolationError {
  return new ViolationError({ condition: 'policy-violation', text });
}

/** A stanza, or a stream header, is longer than this service takes (XEP-0205). */
export function stanzaTooBig(): ViolationError {
  const extra = `<stanza-too-big xmlns='${NS.xmppErrors}'/>`;
  return new ViolationError({ condition: 'policy-violation', text: 'XML stanza is too big', extra });
}

/** Well-formed perhaps, but nothing that may stand there in a stream. */
export function badFormat(text: string): ViolationError {
  return new ViolationError({ condition: 'bad-format', text });
}
