/**
 * Stanzas that were sent to a peer and are not acknowledged yet (XEP-0198 section 4), each with what is to be done about it: a
 * relayed one makes its sender's stanza safe, one of the proxy's own is kept to be sent again.
 */
import { type Ticket, WRAP } from './inbound.ts';

/** A ticket of the stream that it was relayed from, or the text of a stanza of the proxy's own. */
export type Sent = Ticket | Buffer;

export interface OutboundSnapshot {
  readonly acknowledged: number;
  readonly queue: readonly Sent[];
}

export class Outbound {
  #acknowledged = 0;
  #queue: Sent[] = [];
  /** Entries before this index are acknowledged; cut off now and then. */
  #head = 0;
  /** Bytes of the proxy's own stanzas in the queue. */
  #bytes = 0;

  /** Stanzas that wait for their acknowledgement. */
  get waiting(): number {
    return this.#queue.length - this.#head;
  }

  /** Bytes kept for sending again. */
  get bytes(): number {
    return this.#bytes;
  }

  /** How many were acknowledged, before wrapping. */
  get acknowledged(): number {
    return this.#acknowledged;
  }

  /** To be called for each stanza that is sent, in their order. */
  sent(what: Sent): void {
    this.#queue.push(what);
    if (typeof what !== 'number') this.#bytes += what.length;
  }

  /**
   * The peer has handled `h` stanzas (mod 2^32). Returns the tickets of the relayed ones among those newly acknowledged;
   * undefined when it claims more than it was sent (`handled-count-too-high`). Nothing changes then.
   */
  acknowledge(h: number): readonly Ticket[] | undefined {
    const count = this.#countUpTo(h);
    if (count === undefined) return undefined;
    const tickets = this.ticketsUpTo(h) ?? [];
    for (const what of this.#queue.slice(this.#head, this.#head + count)) {
      if (typeof what !== 'number') this.#bytes -= what.length;
    }
    this.#head += count;
    this.#acknowledged += count;
    if (this.#head > 64 && this.#head * 2 > this.#queue.length) {
      this.#queue = this.#queue.slice(this.#head);
      this.#head = 0;
    }
    return tickets;
  }

  /** What `acknowledge` would return; nothing changes. */
  ticketsUpTo(h: number): readonly Ticket[] | undefined {
    const count = this.#countUpTo(h);
    if (count === undefined) return undefined;
    return this.#queue.slice(this.#head, this.#head + count).filter((what) => typeof what === 'number');
  }

  #countUpTo(h: number): number | undefined {
    if (!Number.isInteger(h) || h < 0 || h >= WRAP) return undefined;
    const count = (h - (this.#acknowledged % WRAP) + WRAP) % WRAP;
    if (count <= this.waiting) return count;
    // Less than was said before says nothing, as servers take it. COMPAT: xmpp.js 0.14 sets its counter back behind <enabled/>.
    const back = WRAP - count;
    return back <= this.#acknowledged && back < WRAP / 2 ? 0 : undefined;
  }

  /** What waits for its acknowledgement, oldest first. */
  unacknowledged(): readonly Sent[] {
    return this.#queue.slice(this.#head);
  }

  snapshot(): OutboundSnapshot {
    return { acknowledged: this.#acknowledged, queue: this.unacknowledged() };
  }

  static resume(snapshot: OutboundSnapshot): Outbound {
    const outbound = new Outbound();
    outbound.#acknowledged = snapshot.acknowledged;
    for (const what of snapshot.queue) outbound.sent(what);
    return outbound;
  }
}
