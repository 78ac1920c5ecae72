import type { Stanza, StreamHeader } from './stanza.ts';
import type { Violation } from './violation.ts';

export type { Violation } from './violation.ts';

export interface FramerLimits {
  stanzaBytes: number;
  depth: number;
  attributes: number;
}

export interface FramerHandler {
  header(header: StreamHeader): void;
  stanza(stanza: Stanza): void;
  end(): void;
  violation(violation: Violation): void;
  whitespace?(): void;
}

export class Framer {
  limits: FramerLimits;
  constructor(_kind: 'tcp' | 'websocket', limits: FramerLimits, _handler: FramerHandler) {
    this.limits = limits;
  }
  push(_chunk: Buffer): void {}
  hold(): void {}
  release(): void {}
  restart(): void {}
  stop(): void {}
  get held(): boolean {
    return false;
  }
  get buffered(): number {
    return 0;
  }
}
