/** A client's leg that ends here, while the session that goes on over it is at another node (lending.ts). */
import type { Leg, LegHandler } from '../../net/leg.ts';
import { SILENT } from '../../net/leg.ts';
import { USUAL_DECLARATIONS } from '../../xml/declarations.ts';
import { bridge } from '../../xml/edit.ts';
import type { Violation } from '../../xml/framer.ts';
import type { Stanza } from '../../xml/stanza.ts';
import type { Reading } from './envelope.ts';
import type { FlowHead } from './lent-flow.ts';
import { LentFlow } from './lent-flow.ts';
import type { ForClient, FromClient, LegFacts } from './lent-messages.ts';

/** The client is not read while more than this of what it has sent waits for the other node (bytes). */
const HIGH_WATER = 256 * 1024;

export class LentLeg implements LegHandler {
  readonly #leg: Leg;
  readonly #flow: LentFlow<FromClient, ForClient>;
  /** The connection takes less than comes: what was taken is dealt with when it has drained. */
  #isFull = false;

  constructor(leg: Leg, send: (head: FlowHead, payload?: Buffer) => void) {
    this.#leg = leg;
    this.#flow = new LentFlow({ send, eased: () => this.#eased() });
  }

  /** The session goes on over it: what the client says goes there from now on. */
  begin(): void {
    if (this.#leg.isClosed) {
      this.closed();
      return;
    }
    this.#leg.handler = this;
    this.#leg.release();
  }

  // From the client.

  /** Streams are not opened anew behind the binding. */
  header(): void {}

  stanza(stanza: Stanza): void {
    this.#flow.put({ kind: 'stanza' }, bridge(stanza, USUAL_DECLARATIONS) ?? Buffer.from(stanza.bytes));
    if (this.#flow.backlog > HIGH_WATER) this.#leg.pause(CAUSE);
  }

  end(): void {
    this.#flow.put({ kind: 'end' });
  }

  violation(violation: Violation): void {
    this.#flow.put({ kind: 'violation', violation });
  }

  closed(error?: Error): void {
    this.#flow.put({ kind: 'closed', reason: error?.message });
  }

  drain(): void {
    if (!this.#isFull) return;
    this.#isFull = false;
    this.#flow.handled();
  }

  #eased(): void {
    if (this.#flow.backlog <= HIGH_WATER / 4) this.#leg.resume(CAUSE);
  }

  // To the client.

  /** False: something is missing. @throws SyntaxError on what no node has written */
  take(head: FlowHead, payload: Buffer): boolean {
    const reading = this.#flow.take(head, payload);
    if (!reading) return false;
    for (const item of reading.items) this.#carryOut(item, reading);
    if (this.#leg.congested) this.#isFull = true;
    else this.#flow.handled();
    return true;
  }

  #carryOut(item: ForClient, reading: Reading<ForClient>): void {
    switch (item.kind) {
      case 'write':
      case 'send':
        if (item.text === undefined) return;
        // Bytes that have to wait are copied by the leg.
        if (item.kind === 'send') this.#leg.send(reading.text(item.text));
        else this.#leg.write(reading.text(item.text));
        return;
      case 'error':
        this.#leg.error(item.error);
        return;
      case 'expect-answer':
        this.#leg.expectAnswer();
        return;
      case 'end':
        this.#leg.end();
        return;
    }
  }

  /** The client is to come back: the other node hears of the closed connection. */
  cut(): void {
    this.#leg.destroy();
  }

  /** The session has nothing to do with it any more. */
  drop(): void {
    this.#flow.close();
    this.#leg.handler = SILENT;
    this.#leg.destroy();
  }
}

const CAUSE = 'another node';

export function factsOf({ kind, remoteAddress, route, encrypted, declared }: Leg): LegFacts {
  return {
    transport: kind,
    remoteAddress,
    route,
    encrypted,
    declared: declared === 'websocket' ? declared : [...declared],
  };
}
