/**
 * During a hand-over two streams of the account hear the same room. Each message must be passed on once (M1).
 * Counts occurrences per stream: the n-th occurrence of a text on one stream is the n-th on the other,
 * so that two equal messages without ids are two messages.
 */
import type { Stanza } from '../xml/stanza.ts';
import { messageKey, roomStanzaId } from './message-key.ts';
import type { CarrierId } from './state.ts';

/** So begin the keys of messages without any id; no other key does. */
const UNNAMED = 'u ';

/** How long messages are compared when all old streams have left: the one that has stayed may be that late (ms). */
export const LATENESS_MS = 60_000;

export class Overlap {
  readonly #passed = new Map<string, number>();
  readonly #heard = new Map<string, number>();
  /** The hand-over is over; a stream that is late may still tell what was told. What nobody has named counts as new then. */
  isOver = false;

  static restore({ passed, heard, isOver }: Overlap['state']): Overlap {
    const overlap = new Overlap();
    for (const [key, count] of passed) overlap.#passed.set(key, count);
    for (const [key, count] of heard) overlap.#heard.set(key, count);
    // One that was written before this was part of it.
    overlap.isOver = isOver ?? false;
    return overlap;
  }

  /** What has been counted, and whether the hand-over is over. */
  get state(): {
    readonly passed: ReadonlyMap<string, number>;
    readonly heard: ReadonlyMap<string, number>;
    readonly isOver?: boolean;
  } {
    return { passed: this.#passed, heard: this.#heard, isOver: this.isOver };
  }

  /** The same where a stream has another name; of others nothing is heard any more. */
  renamed(from: CarrierId, to: CarrierId): Overlap {
    const start = `${from}\n`;
    const own = [...this.#heard].filter(([key]) => key.startsWith(start));
    const heard = own.map(([key, count]): [string, number] => [`${to}\n${key.slice(start.length)}`, count]);
    return Overlap.restore({ passed: this.#passed, heard: new Map(heard), isOver: this.isOver });
  }

  /** The hand-over is over. What nobody has named is forgotten, so that the next hand-over does not take it for what it hears. */
  end(): void {
    this.isOver = true;
    for (const key of this.#passed.keys()) if (key.startsWith(UNNAMED)) this.#passed.delete(key);
    for (const key of this.#heard.keys()) if (key.startsWith(UNNAMED, key.indexOf('\n') + 1)) this.#heard.delete(key);
  }

  /** Whether this message is heard for the first time; to be called for each message of the room while two streams hear it. */
  isNew(carrier: CarrierId, stanza: Stanza): boolean {
    const isNamed = stanza.id !== undefined || roomStanzaId(stanza) !== undefined;
    if (this.isOver && !isNamed) return true;
    const key = `${isNamed ? '' : UNNAMED}${messageKey(stanza)}`;
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

/** A stream that hibernates may take hours to be compared. */
const MOST_COMPARED = 10_000;

function forgetOldest(counts: Map<string, number>): void {
  if (counts.size <= MOST_COMPARED) return;
  const oldest = counts.keys().next();
  if (!oldest.done) counts.delete(oldest.value);
}
