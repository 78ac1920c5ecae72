/**
 * Texts of relayed stanzas that a client has not acknowledged (XEP-0198), of a stream that may have to go on without that client: its server
 * will not see to them then.
 */
import type { Ticket } from '../stream/management/inbound.ts';
import { stamped } from '../stream/management/own.ts';
import type { Stanza } from '../xml/stanza.ts';

/** Beyond this the oldest is forgotten, and with it the possibility to go on without the client before it is acknowledged. */
const MOST = { stanzas: 1000, bytes: 512 * 1024 };

export interface Staying {
  /** The stream may have to go on without its client. */
  readonly mayStay: () => boolean;
  /** The account. */
  readonly bare: string;
  /** Epoch ms. */
  readonly now: () => number;
}

export class RelayedTexts {
  readonly #staying: Staying;
  /** By the stanza's place on the server's stream, oldest first. */
  readonly #texts = new Map<Ticket, Buffer>();
  #bytes = 0;

  constructor(staying: Staying) {
    this.#staying = staying;
  }

  /** `text` stands by itself; what lies before `handled` is acknowledged. A message is kept with the time of its coming. */
  keep(ticket: Ticket, stanza: Stanza, text: Buffer, handled: number): void {
    for (const old of this.#texts.keys()) {
      const isFull = this.#texts.size >= MOST.stanzas || this.#bytes > MOST.bytes;
      if (old >= handled && !isFull) break;
      this.#forget(old);
    }
    this.#forget(ticket);
    const kept = stamped(stanza, text, this.#staying);
    this.#texts.set(ticket, kept);
    this.#bytes += kept.length;
  }

  textOf(ticket: Ticket): Buffer | undefined {
    return this.#texts.get(ticket);
  }

  #forget(ticket: Ticket): void {
    this.#bytes -= this.#texts.get(ticket)?.length ?? 0;
    this.#texts.delete(ticket);
  }
}
