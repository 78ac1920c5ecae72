/**
 * One end of a channel between an account's home and another node: numbers what is sent, keeps it until the other end has
 * seen it, and takes each envelope of the other end once and in order.
 */
import type { ChannelId } from './messages.ts';

/** What may wait for the other end: beyond it the channel is given up, and its sessions are brought up to date anew. */
const MOST_UNSEEN = 5000;
const MOST_UNSEEN_BYTES = 8 * 1024 * 1024;
/** After how many envelopes the other end is told at once that they were taken. */
const SEEN_EVERY = 64;

interface Sent {
  readonly number: number;
  readonly payload: Buffer;
}

/** A channel's end as another node can take it over. */
export interface ChannelState {
  readonly id: ChannelId;
  readonly seen: number;
  readonly last: number;
  readonly unseen: readonly Sent[];
}

export class ChannelEnd {
  readonly id: ChannelId;
  /** The last envelope taken from the other end. */
  seen = 0;
  #told = 0;
  #last = 0;
  #unseen: Sent[] = [];
  #unseenBytes = 0;

  constructor(id: ChannelId) {
    this.id = id;
  }

  static restore(state: ChannelState): ChannelEnd {
    const end = new ChannelEnd(state.id);
    end.seen = state.seen;
    end.#last = state.last;
    end.#unseen = [...state.unseen];
    end.#unseenBytes = state.unseen.reduce((sum, { payload }) => sum + payload.length, 0);
    return end;
  }

  get state(): ChannelState {
    return { id: this.id, seen: this.seen, last: this.#last, unseen: this.#unseen };
  }

  /** More waits than may. */
  get isOverfull(): boolean {
    return this.#unseen.length > MOST_UNSEEN || this.#unseenBytes > MOST_UNSEEN_BYTES;
  }

  /** Something is to be sent: its number. It is kept until the other end has seen it. */
  push(payload: Buffer): number {
    this.#last += 1;
    this.#unseen.push({ number: this.#last, payload });
    this.#unseenBytes += payload.length;
    return this.#last;
  }

  /** The number of what is pushed next. */
  get next(): number {
    return this.#last + 1;
  }

  /** What the other end has not said to have seen, oldest first. */
  get unseen(): readonly Sent[] {
    return this.#unseen;
  }

  /** The other end has seen all up to this one. */
  acknowledge(seen: number): void {
    let count = 0;
    for (const { number, payload } of this.#unseen) {
      if (number > seen) break;
      this.#unseenBytes -= payload.length;
      count += 1;
    }
    if (count > 0) this.#unseen.splice(0, count);
  }

  /** An envelope has come. `early`: one before it is missing. */
  take(number: number): 'next' | 'known' | 'early' {
    if (number <= this.seen) return 'known';
    if (number > this.seen + 1) return 'early';
    this.seen = number;
    return 'next';
  }

  /** The other end is being told what was seen. */
  tell(): number {
    this.#told = this.seen;
    return this.seen;
  }

  /** Whether the other end does not know yet what was seen; `soon`: and must not wait longer for it. */
  get untold(): 'no' | 'yes' | 'soon' {
    const count = this.seen - this.#told;
    return count === 0 ? 'no' : count >= SEEN_EVERY ? 'soon' : 'yes';
  }
}
