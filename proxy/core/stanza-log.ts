/**
 * The stanza log of an occupancy: the recent groupchat messages, for replay. Bounded by count, bytes, and the time since they
 * were heard: what a quiet room gives as history may be years old, and is history for each session.
 */
import { bareKey, bareOf, splitJid } from '../xml/address.ts';
import { NS } from '../xml/names.ts';
import { parseStanza, type Stanza } from '../xml/stanza.ts';

export interface LogEntry {
  /** The message as the room sent it, copied from the wire's buffers. */
  readonly text: Buffer;
  readonly source: Stanza['declarations'];
  /** When it was sent, epoch ms: the room's delay stamp, else the time of arrival. */
  readonly at: number;
  /** When it came to the account, epoch ms. */
  readonly heardAt: number;
  /** Whether the text has the room's own `<delay/>` already. */
  readonly delayed: boolean;
}

export interface LogLimits {
  readonly stanzas: number;
  readonly ageMs: number;
  readonly bytes: number;
}

/** A rejoin asks for what was said from so long before the last message on (ms): a room may tell its streams at different times. */
export const LATE_MS = 10_000;
/** Keys of messages that are in the log no more, and that a rejoin may be told again. */
const MOST_PASSED = 1000;

export class StanzaLog {
  readonly #limits: LogLimits;
  #entries: LogEntry[] = [];
  /** Entries before this index are gone; cut off now and then, so that a full log costs O(1) a message. */
  #head = 0;
  #bytes = 0;
  /** How many were ever added. */
  #added = 0;
  /** When the last of them was sent; what is as late as that, and gone: its keys, with when each was sent. */
  #lastAt: number | undefined;
  readonly #passed = new Map<string, number>();

  constructor(limits: LogLimits) {
    this.#limits = limits;
  }

  /** One that holds these, oldest first, with `end` as the place behind them. */
  static restore(limits: LogLimits, entries: readonly LogEntry[], end: number): StanzaLog {
    const log = new StanzaLog(limits);
    log.#entries = [...entries];
    log.#added = end;
    log.#bytes = entries.reduce((sum, { text }) => sum + text.length, 0);
    log.#lastAt = entries.at(-1)?.at;
    return log;
  }

  get size(): number {
    return this.#entries.length - this.#head;
  }

  /** The place behind the last message: for `since`. */
  get end(): number {
    return this.#added;
  }

  /**
   * `isAnswer`: it came with the answer to a join, where a stamp is the room's though nobody signs it. Occupants may send stamps
   * of their own: none lies before what the room said last, nor in the future.
   */
  add(stanza: Stanza, now: number, isAnswer = false): LogEntry {
    const stamp = isAnswer ? delayStamp(stanza) : roomStamp(stanza);
    const last = this.#lastAt ?? Number.NEGATIVE_INFINITY;
    const entry: LogEntry = {
      text: Buffer.from(stanza.bytes),
      source: stanza.declarations,
      at: Math.min(Math.max(stamp ?? resentStamp(stanza) ?? now, last), now),
      heardAt: now,
      delayed: stamp !== undefined,
    };
    this.#lastAt = entry.at;
    this.#entries.push(entry);
    this.#added += 1;
    this.#bytes += entry.text.length;
    this.#trim(now);
    return entry;
  }

  /** When the last message was sent, epoch ms, though the log may not hold it; undefined: there was none. */
  get lastAt(): number | undefined {
    return this.#lastAt;
  }

  /** Whether the message was added before, as far as that is known: of the last LATE_MS it is. */
  wasAdded(stanza: Stanza, now: number): boolean {
    const key = contentKey(stanza);
    return this.#passed.has(key) || this.entries(now).some((entry) => contentKey(entryStanza(entry)) === key);
  }

  /** Oldest first; entries that were heard too long ago are gone. */
  entries(now: number): readonly LogEntry[] {
    this.#trim(now);
    return this.#entries.slice(this.#head);
  }

  /** Whether all that was added behind that place is still there. */
  has(place: number): boolean {
    return this.#added - place <= this.size;
  }

  /** What was added behind that place, oldest first; undefined when some of it is gone already. */
  since(place: number, now: number): readonly LogEntry[] | undefined {
    const entries = this.entries(now);
    const count = this.#added - place;
    return count <= entries.length ? entries.slice(entries.length - count) : undefined;
  }

  /** A log of what was added before that place. */
  upTo(place: number, now: number): StanzaLog {
    const entries = this.entries(now);
    const later = Math.min(Math.max(0, this.#added - place), entries.length);
    return StanzaLog.restore(this.#limits, entries.slice(0, entries.length - later), place);
  }

  #trim(now: number): void {
    const { stanzas, ageMs, bytes } = this.#limits;
    for (let entry = this.#entries[this.#head]; entry !== undefined; entry = this.#entries[this.#head]) {
      if (this.size <= stanzas && this.#bytes <= bytes && entry.heardAt >= now - ageMs) break;
      this.#bytes -= entry.text.length;
      this.#head += 1;
      this.#pass(entry);
    }
    if (this.#head > 64 && this.#head * 2 > this.#entries.length) {
      this.#entries = this.#entries.slice(this.#head);
      this.#head = 0;
    }
  }

  /** It goes; where a rejoin may be told it again, that it was there is remembered. */
  #pass(entry: LogEntry): void {
    const from = (this.#lastAt ?? 0) - LATE_MS;
    if (entry.at < from) return;
    for (const [key, at] of this.#passed) {
      if (at >= from && this.#passed.size < MOST_PASSED) break;
      this.#passed.delete(key);
    }
    this.#passed.set(contentKey(entryStanza(entry)), entry.at);
  }
}

/** The id that the room itself has given the message (XEP-0359 section 3.1); others, such as bridges, mark messages for themselves. */
export function roomStanzaId({ root, from = '' }: Stanza): string | undefined {
  for (const child of root.children) {
    if (child.name !== 'stanza-id' || child.ns !== NS.stanzaId) continue;
    const by = child.attr('by');
    if (by !== undefined && bareKey(by) === bareKey(from)) return child.attr('id');
  }
  return undefined;
}

/** The same message live and replayed: the room's stanza-id, else sender, id and body. */
export function contentKey(stanza: Stanza): string {
  const id = roomStanzaId(stanza);
  if (id !== undefined) return `s ${id}`;
  return `c ${stanza.from ?? ''} ${stanza.id ?? ''} ${stanza.root.child('body')?.text() ?? ''}`;
}

/** The stanza of an entry, to be forked. */
export function entryStanza(entry: LogEntry): Stanza {
  return parseStanza(entry.text, entry.source);
}

/**
 * Epoch ms of the room's delay stamp (XEP-0203, or XEP-0091 of old services), which makes a message history; undefined without
 * one. What others have delayed is no history (XEP-0045 section 7.2.13), such as what a server sends again at a resumption.
 */
export function delayStamp(stanza: Stanza): number | undefined {
  const at = stampOf(stanza, (by) => by === undefined || isOfService(by, stanza));
  return at ?? legacyStamp(stanza);
}

/** The same, of those that the room's service has signed, and of old services, which sign in another way. */
export function roomStamp(stanza: Stanza): number | undefined {
  return stampOf(stanza, (by) => by !== undefined && isOfService(by, stanza)) ?? legacyStamp(stanza);
}

/** The stamp of the room's service as it is written (XEP-0203): clients may name it, and it may be finer than a millisecond. */
export function writtenStamp(stanza: Stanza): string | undefined {
  for (const child of stanza.root.children) {
    if (child.name !== 'delay' || child.ns !== NS.delay) continue;
    const by = child.attr('from');
    if (by === undefined || isOfService(by, stanza)) return child.attr('stamp');
  }
  return undefined;
}

function legacyStamp(stanza: Stanza): number | undefined {
  const stamp = stanza.root.child('x', NS.legacyDelay)?.attr('stamp');
  const parts = stamp === undefined ? null : /^(\d{4})(\d\d)(\d\d)T(\d\d:\d\d:\d\d)$/.exec(stamp);
  return parts ? epochMs(`${parts[1]}-${parts[2]}-${parts[3]}T${parts[4]}Z`) : undefined;
}

/** When the account's own server first had what it sends again at a resumption: it says so in its name or the account's. */
function resentStamp(stanza: Stanza): number | undefined {
  const own = bareOf(stanza.to ?? '');
  return stampOf(stanza, (by) => by !== undefined && (by === own || by === splitJid(own).domain));
}

function stampOf(stanza: Stanza, isWanted: (by: string | undefined) => boolean): number | undefined {
  for (const child of stanza.root.children) {
    if (child.name !== 'delay' || child.ns !== NS.delay || !isWanted(child.attr('from'))) continue;
    const at = epochMs(child.attr('stamp') ?? '');
    if (at !== undefined) return at;
  }
  return undefined;
}

function isOfService(by: string, stanza: Stanza): boolean {
  return bareKey(splitJid(by).domain) === bareKey(splitJid(stanza.from ?? '').domain);
}

function epochMs(text: string): number | undefined {
  const at = Date.parse(text);
  return Number.isNaN(at) ? undefined : at;
}
