/**
 * During a hand-over two streams of the account hear the same room. Each message must be passed on once (M1).
 * Counts occurrences per stream: the n-th occurrence of a text on one stream is the n-th on the other,
 * so that two equal messages without ids are two messages.
 */
import type { Stanza } from '../xml/stanza.ts';
import { messageKey } from './message-key.ts';
import type { CarrierId } from './state.ts';

export class Overlap {
  readonly #passed = new Map<string, number>();
  readonly #heard = new Map<string, number>();
  /** The fence that the room owes to the stream that carries it, and how often that may still be a reason to go on; undefined: none. */
  #owed: { readonly fence: string; looks: number } | undefined;

  static restore({ passed, heard }: Overlap['state']): Overlap {
    const overlap = new Overlap();
    for (const [key, count] of passed) overlap.#passed.set(key, count);
    for (const [key, count] of heard) overlap.#heard.set(key, count);
    return overlap;
  }

  /** What has been counted. */
  get state(): { readonly passed: ReadonlyMap<string, number>; readonly heard: ReadonlyMap<string, number> } {
    return { passed: this.#passed, heard: this.#heard };
  }

  /** The same where a stream has another name; of others nothing is heard any more. */
  renamed(from: CarrierId, to: CarrierId): Overlap {
    const start = `${from}\n`;
    const own = [...this.#heard].filter(([key]) => key.startsWith(start));
    const heard = own.map(([key, count]): [string, number] => [`${to}\n${key.slice(start.length)}`, count]);
    return Overlap.restore({ passed: this.#passed, heard: new Map(heard) });
  }

  /** The room has let that stream in, and has not answered its fence: what it has still to say may have been passed on. */
  awaitFence(fence: string): void {
    this.#owed = { fence, looks: MOST_LOOKS };
  }

  /** The room has answered something: from its fence on the stream says what no other has said. */
  noteAnswer(id: string | undefined): void {
    if (this.#owed?.fence === id) this.#owed = undefined;
  }

  /** Whether the stream that carries the room may be behind what was passed on. A room that answers no fence is not waited for without end. */
  isBehind(): boolean {
    if (!this.#owed) return false;
    this.#owed.looks -= 1;
    return this.#owed.looks >= 0;
  }

  /** Whether this message is heard for the first time; to be called for each message of the room while two streams hear it. */
  isNew(carrier: CarrierId, stanza: Stanza): boolean {
    const key = messageKey(stanza);
    const here = `${carrier}\n${key}`;
    const heard = (this.#heard.get(here) ?? 0) + 1;
    this.#heard.set(here, heard);
    if (heard <= (this.#passed.get(key) ?? 0)) return false;
    this.#passed.set(key, heard);
    forgetOldest(this.#passed);
    forgetOldest(this.#heard);
    return true;
  }
}

/** How often a fence that is not answered makes the comparing go on. */
const MOST_LOOKS = 12;
/** A stream that hibernates may take hours to be compared. */
const MOST_COMPARED = 10_000;

function forgetOldest(counts: Map<string, number>): void {
  if (counts.size <= MOST_COMPARED) return;
  const oldest = counts.keys().next();
  if (!oldest.done) counts.delete(oldest.value);
}
