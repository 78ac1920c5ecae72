/** The stanza of each side that is being handled, with its place in the counters of stream management, until it is relayed or dealt with. */
import type { Ticket } from '../stream/management/inbound.ts';
import type { Stanza } from '../xml/stanza.ts';

export type LegSide = 'client' | 'server';

export class AtHand {
  readonly #current: Record<LegSide, { readonly stanza: Stanza; readonly ticket: Ticket } | undefined> = {
    client: undefined,
    server: undefined,
  };

  put(side: LegSide, stanza: Stanza, ticket: Ticket): void {
    this.#current[side] = { stanza, ticket };
  }

  /** Its place, with `stanza` only if it is that one: it is at hand no more. */
  take(side: LegSide, stanza?: Stanza): Ticket | undefined {
    const current = this.#current[side];
    if (stanza && current?.stanza !== stanza) return undefined;
    this.#current[side] = undefined;
    return current?.ticket;
  }
}
