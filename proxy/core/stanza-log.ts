/**
 * The stanza log of an occupancy: the recent groupchat messages, for replay. Bounded by count, bytes, and the time since they
 * were heard: what a quiet room gives as history may be years old, and is history for each session.
 */
import { bareKey, bareOf, splitJid } from '../xml/address.ts';
import { readdress } from '../xml/edit.ts';
import { NS } from '../xml/names.ts';
import type { Stanza } from '../xml/stanza.ts';
import { entryContentKey, entryStanza, type LogEntry } from './log-entry.ts';
import { contentKey } from './message-key.ts';
import {
  corrects,
  isSameOccupant,
  isTarget,
  namesOf,
  RETRACTING,
  type Retraction,
  retractionOf,
  tombstone,
} from './retraction.ts';
import type { TextPool } from './text-pool.ts';

export interface LogLimits {
  readonly stanzas: number;
  readonly ageMs: number;
  readonly bytes: number;
}

/** An entry, read, and its place. */
interface Found {
  readonly entry: LogEntry;
  readonly said: Stanza;
  readonly place: number;
}

export interface AddOptions {
  /** It came with the answer to a join, where a stamp is the room's though nobody signs it. */
  readonly isAnswer?: boolean;
  /** What other accounts keep. */
  readonly texts?: TextPool;
}

/** Without the address of the account's stream, so that all accounts keep the same; whoever is given it is named then. */
function textOf(stanza: Stanza, texts: TextPool | undefined): Buffer {
  const text = readdress(stanza, { to: null });
  return texts ? texts.share(`${stanza.from} ${stanza.id} ${text.length}`, text) : text;
}

/** A rejoin asks for what was said from so long before the last message on (ms): a room may tell its streams at different times. */
export const LATE_MS = 10_000;
/** Keys of messages that are in the log no more, and that a rejoin may be told again. */
const MOST_PASSED = 1000;
/** Nicks that were given up, of which it is known when. */
const MOST_FREED = 1000;

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
  /** Nicks that somebody has given up, as the room writes them, with the place in the log behind what they had said. */
  readonly #freed = new Map<string, number>();
  /** The same for all nicks. */
  #freedAll = 0;
  /** Places of what has another text now and `takeRewritten` has not told of. */
  readonly #rewritten = new Set<number>();

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
    // Who has had a nick in the meantime is not known.
    log.#freedAll = end;
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
   * Occupants may send stamps of their own: none lies before what the room said last, nor in the future.
   */
  add(stanza: Stanza, now: number, { isAnswer = false, texts }: AddOptions = {}): LogEntry {
    const stamp = isAnswer ? delayStamp(stanza) : roomStamp(stanza);
    const last = this.#lastAt ?? Number.NEGATIVE_INFINITY;
    const entry: LogEntry = {
      text: textOf(stanza, texts),
      source: stanza.declarations,
      at: Math.min(Math.max(stamp ?? resentStamp(stanza) ?? now, last), now),
      heardAt: now,
      delayed: stamp !== undefined,
    };
    const retraction = retractionOf(stanza);
    if (retraction) this.#retract(retraction, now);
    this.append(entry, now);
    return entry;
  }

  /** An entry that another log has had, behind all that is here. What it takes back is taken back there. */
  append(entry: LogEntry, now: number): void {
    this.#lastAt = Math.max(this.#lastAt ?? entry.at, entry.at);
    this.#entries.push(entry);
    this.#added += 1;
    this.#bytes += entry.text.length;
    this.#trim(now);
  }

  /** When the last message was sent, epoch ms, though the log may not hold it; undefined: there was none. */
  get lastAt(): number | undefined {
    return this.#lastAt;
  }

  /** Whether the message was added before, as far as that is known: of the last LATE_MS it is. */
  wasAdded(stanza: Stanza, now: number): boolean {
    const key = contentKey(stanza);
    return this.#passed.has(key) || this.entries(now).some((entry) => entryContentKey(entry) === key);
  }

  /** Whether one of the entries is such a one; also while they are rewritten, when none may go. */
  some(isSuch: (entry: LogEntry) => boolean): boolean {
    for (let index = this.#head; index < this.#entries.length; index += 1) {
      const entry = this.#entries[index];
      if (entry && isSuch(entry)) return true;
    }
    return false;
  }

  /** The newest that is such a one, as for `some`. */
  findLast(isSuch: (entry: LogEntry) => boolean): LogEntry | undefined {
    for (let index = this.#entries.length - 1; index >= this.#head; index -= 1) {
      const entry = this.#entries[index];
      if (entry && isSuch(entry)) return entry;
    }
    return undefined;
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

  /** An occupant has given up the nick (`room/nick`): who takes it next has said nothing of what is here. */
  free(from: string): void {
    this.#freed.delete(from);
    this.#freed.set(from, this.#added);
    if (this.#freed.size <= MOST_FREED) return;
    const oldest = this.#freed.keys().next();
    if (!oldest.done) this.#freed.delete(oldest.value);
    this.freeAll();
  }

  /**
   * The room was not heard for some time, until all but the last `heard` messages had been said: who has a nick now need not be who has said
   * something under it before.
   */
  freeAll(heard = 0): void {
    this.#freedAll = this.#added - heard;
    for (const [from, place] of this.#freed) if (place <= this.#freedAll) this.#freed.delete(from);
  }

  /** Entries that have another text than when they were added, since this was asked last; as many as are still there. */
  takeRewritten(): { readonly place: number; readonly entry: LogEntry }[] {
    const first = this.#added - this.size;
    const places = [...this.#rewritten];
    this.#rewritten.clear();
    return places.flatMap((place) => {
      const entry = this.#entries[this.#head + place - first];
      return entry ? [{ place, entry }] : [];
    });
  }

  /**
   * What was heard before all that is here, oldest first. Of what both have it ends before the first; without that only what
   * is `isSure`. What was taken back there is so here, and what is taken back here is so there.
   */
  precede(past: readonly LogEntry[], now: number, isSure: (entry: LogEntry) => boolean): void {
    const before = new Map(past.map((entry) => [entryContentKey(entry), entry]));
    const common = new Set<string>();
    this.rewrite((entry) => {
      const key = entryContentKey(entry);
      const known = before.get(key);
      if (known) common.add(key);
      return known?.keys && !entry.keys ? { ...known, at: entry.at } : undefined;
    });
    const end = past.findIndex((entry) => common.has(entryContentKey(entry)));
    const older = end >= 0 ? past.slice(0, end) : past.filter(isSure);
    this.#entries = [...older, ...this.#entries.slice(this.#head)];
    this.#head = 0;
    this.#bytes += older.reduce((sum, { text }) => sum + text.length, 0);
    this.#lastAt ??= older.at(-1)?.at;
    if (older.length > 0) this.#retractAgain(now);
    this.#trim(now);
  }

  /** There is more now that retractions in the log may mean. */
  #retractAgain(now: number): void {
    for (const entry of this.#entries.slice(this.#head)) {
      const mayRetract = RETRACTING.some((ns) => entry.text.includes(ns));
      const retraction = mayRetract ? retractionOf(entryStanza(entry)) : undefined;
      if (retraction !== undefined) this.#retract(retraction, now);
    }
  }

  /** Puts another entry in the place of each for which there is one; the oldest first. */
  rewrite(change: (entry: LogEntry) => LogEntry | undefined): void {
    const first = this.#added - this.size;
    for (let index = this.#head; index < this.#entries.length; index += 1) {
      const entry = this.#entries[index];
      const other = entry && change(entry);
      if (other) this.#put(first + index - this.#head, other);
    }
  }

  #put(place: number, entry: LogEntry): void {
    const index = this.#head + place - (this.#added - this.size);
    this.#bytes += entry.text.length - (this.#entries[index]?.text.length ?? 0);
    this.#entries[index] = entry;
    this.#rewritten.add(place);
  }

  /** What the retraction means becomes a tombstone, and with it what has corrected it. */
  #retract(retraction: Retraction, now: number): void {
    const { stanza, target } = retraction;
    const freedAt = Math.max(this.#freedAll, this.#freed.get(stanza.from ?? '') ?? 0);
    const isMeant = ({ said, place }: Found): boolean =>
      isTarget(said, retraction, () => isSameOccupant(said, stanza, place >= freedAt));
    for (const meant of this.#having(target)) {
      if (!isMeant(meant)) continue;
      this.#bury(meant, retraction, now);
      for (const other of this.#having(meant.said.id ?? '')) {
        const isCorrection = corrects(other.said, meant.said) && isSameOccupant(other.said, meant.said, true);
        if (isCorrection) this.#bury(other, retraction, now);
      }
      return;
    }
  }

  #bury({ entry, place }: Found, retraction: Retraction, now: number): void {
    this.#put(place, tombstone(entry, retraction, now));
  }

  /** The newest first, those in which the word occurs: not each text need be read. */
  *#having(word: string): Iterable<Found> {
    if (word === '') return;
    const written = longestPlain(word);
    const first = this.#added - this.size;
    for (let index = this.#entries.length - 1; index >= this.#head; index -= 1) {
      const entry = this.#entries[index];
      // Whatever is looked for, each entry is read for that once at most.
      if (!entry?.text.includes(written)) continue;
      entry.names ??= namesOf(entryStanza(entry));
      if (entry.names.includes(word)) yield { entry, said: entryStanza(entry), place: first + index - this.#head };
    }
  }

  #trim(now: number): void {
    const { stanzas, ageMs, bytes } = this.#limits;
    for (let entry = this.#entries[this.#head]; entry !== undefined; entry = this.#entries[this.#head]) {
      if (this.size <= stanzas && this.#bytes <= bytes && entry.heardAt >= now - ageMs) break;
      this.#bytes -= entry.text.length;
      if (this.#rewritten.size > 0) this.#rewritten.delete(this.#added - this.size);
      this.#head += 1;
      this.#pass(entry);
    }
    // Nothing is left that was said before.
    for (const [from, place] of this.#freed) {
      if (place > this.#added - this.size) break;
      this.#freed.delete(from);
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
    this.#passed.set(entryContentKey(entry), entry.at);
  }
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

/** Whether the child is the room's own word on when the message was said. */
export function isDelayOfRoom(child: Stanza['root'], stanza: Stanza): boolean {
  if (child.ns === NS.legacyDelay) return true;
  const by = child.attr('from');
  return child.name === 'delay' && child.ns === NS.delay && (by === undefined || isOfService(by, stanza));
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

/** Its longest part that is written alike however it is escaped. */
function longestPlain(word: string): string {
  return word.split(/[^\w.:@/-]+/).reduce((longest, part) => (part.length > longest.length ? part : longest), '');
}

function epochMs(text: string): number | undefined {
  const at = Date.parse(text);
  return Number.isNaN(at) ? undefined : at;
}
