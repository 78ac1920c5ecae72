/**
 * Stanzas that a peer has sent and wants acknowledged (XEP-0198 section 4), in the order of their arrival. What is
 * acknowledged is the longest beginning of which everything is safe: a stanza behind one that is not safe has to wait.
 */

/** Counters on the wire are unsigned 32-bit numbers that wrap around (XEP-0198 section 4). */
export const WRAP = 2 ** 32;

/** Names a stanza by its place in the order of arrival. */
export type Ticket = number;

/** An entry that is safe, or not yet, behind the acknowledged beginning. */
interface Entry {
  isSafe: boolean;
  /** Tells the same stanza when it is sent again after a resumption. */
  readonly mark: string;
}

/** What is kept of it while its stream is interrupted. */
export interface InboundSnapshot {
  readonly handled: number;
  /** What has not come again yet after the last resumption begins here; undefined: all has. */
  readonly next?: Ticket | undefined;
  readonly entries: readonly { readonly isSafe: boolean; readonly mark: string }[];
}

export class Inbound {
  /** Stanzas of the acknowledged beginning. */
  #handled = 0;
  /** Entries behind it. */
  #entries: Entry[] = [];
  /** The ticket of the next stanza that is expected again after a resumption; undefined when none is. */
  #next: Ticket | undefined;
  #isFrozen = false;

  /** How many stanzas are safe from the first on; what `h` says, before wrapping. */
  get handled(): number {
    return this.#handled;
  }

  /** The value of `h`. */
  get h(): number {
    return this.#handled % WRAP;
  }

  /** Stanzas that have come and are not covered by `h`. */
  get waiting(): number {
    return this.#entries.length;
  }

  /**
   * A stanza has come. `mark` is what it can be known by if it comes again. Undefined: it had come before the resumption and
   * was safe already; it must not be acted on once more.
   */
  take(mark: string): Ticket | undefined {
    const ticket = this.#next === undefined ? undefined : this.#expected(this.#next, mark);
    const known = ticket === undefined ? undefined : this.#entries[ticket - this.#handled];
    if (ticket === undefined || !known) {
      // A peer that does not send again what it sent before begins a new order in its place.
      if (this.#next !== undefined) this.#entries.length = this.#next - this.#handled;
      this.#next = undefined;
      this.#entries.push({ isSafe: false, mark });
      return this.#handled + this.#entries.length - 1;
    }
    this.#next = ticket + 1 < this.#handled + this.#entries.length ? ticket + 1 : undefined;
    this.#advance();
    return known.isSafe ? undefined : ticket;
  }

  /**
   * The ticket of a stanza that comes again. A peer may leave out what is of no use any more, such as an old presence: that has
   * never been sent as far as its counter goes.
   */
  #expected(next: Ticket, mark: string): Ticket | undefined {
    const index = next - this.#handled;
    if (this.#entries[index]?.mark === mark) return next;
    const rest = this.#entries.slice(index).map((entry) => entry.mark);
    const skipped = rest.indexOf(mark);
    if (skipped < 0 || rest.lastIndexOf(mark) !== skipped) return undefined;
    this.#entries.splice(index, skipped);
    return next;
  }

  /** The stanza is safe: acknowledged by whoever it was for, or dealt with here. */
  safe(ticket: Ticket): void {
    const entry = this.#entries[ticket - this.#handled];
    if (!entry) return;
    entry.isSafe = true;
    this.#advance();
  }

  /** `h` never covers what has not come again: the peer counts anew from what it was told at the resumption. */
  #advance(): void {
    if (this.#isFrozen) return;
    const most = this.#next === undefined ? this.#entries.length : this.#next - this.#handled;
    let cut = 0;
    while (cut < most && this.#entries[cut]?.isSafe) cut += 1;
    if (cut === 0) return;
    this.#entries.splice(0, cut);
    this.#handled += cut;
  }

  /** What the stanza can be known by, while it is not covered by `h`. */
  markOf(ticket: Ticket): string | undefined {
    return this.#entries[ticket - this.#handled]?.mark;
  }

  /** `h` stays as it is: somebody has been told one, and what comes again must be known by its entry. */
  freeze(): void {
    this.#isFrozen = true;
  }

  thaw(): void {
    this.#isFrozen = false;
    this.#advance();
  }

  /** How many would be safe from the first on if these were safe too. */
  handledWith(tickets: ReadonlySet<Ticket>): number {
    let count = 0;
    while (this.#entries[count]?.isSafe || tickets.has(this.#handled + count)) count += 1;
    return this.#handled + count;
  }

  /** The peer has been told `handled` and sends again what lies behind; to be called on a frozen one. */
  resumedAt(handled: number): Inbound {
    return Inbound.resume({ handled, entries: this.#entries.slice(handled - this.#handled) });
  }

  snapshot(): InboundSnapshot {
    const entries = this.#entries.map(({ isSafe, mark }) => ({ isSafe, mark }));
    return { handled: this.#handled, entries, ...(this.#next === undefined ? {} : { next: this.#next }) };
  }

  /** As it was when the snapshot was made. */
  static restore(snapshot: InboundSnapshot): Inbound {
    const inbound = Inbound.resume(snapshot);
    inbound.#next = snapshot.next;
    return inbound;
  }

  /** Goes on where the snapshot ended: the peer sends again what `h` does not cover. */
  static resume(snapshot: InboundSnapshot): Inbound {
    const inbound = new Inbound();
    inbound.#handled = snapshot.handled;
    inbound.#entries = snapshot.entries.map((entry) => ({ ...entry }));
    inbound.#next = snapshot.entries.length > 0 ? snapshot.handled : undefined;
    return inbound;
  }
}
