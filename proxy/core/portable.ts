/**
 * The state of an account as plain data, for another node to go on with. What is not the account's own (settings, what its node does, facts of
 * services) is not part of it. Whatever is reached by two ways is one thing again on the other side.
 */
import { USUAL_DECLARATIONS } from '../xml/declarations.ts';
import { bridge } from '../xml/edit.ts';
import { parseStanza, Stanza } from '../xml/stanza.ts';
import { entryStanza, type LogEntry } from './log-entry.ts';
import { Overlap } from './overlap.ts';
import { RoomSet } from './room-set.ts';
import type { Services } from './services.ts';
import { StanzaLog } from './stanza-log.ts';
import type { AccountState, Settings } from './state.ts';

/** Texts are kept beside the data. */
export interface TextStore {
  put(text: Buffer): number;
}

export interface TextSource {
  get(ref: number): Buffer;
}

/** JSON. */
export type Portable = unknown;

type Own = Omit<AccountState, 'bare' | 'settings' | 'services' | 'isStopping'>;

/** One thing: its kind and what it holds. Values are primitives, `{ r: n }` (the thing of that number), `{ v: word }`. */
type Thing = readonly [kind: string, ...content: unknown[]];

export function toPortable(state: AccountState, texts: TextStore, now: number): Portable {
  const { bare: _, settings: __, services: ___, isStopping: ____, ...own } = state;
  return writePortable(own satisfies Own, texts, now);
}

/** Any part of an account. */
export function writePortable(part: object, texts: TextStore, now: number): Portable {
  const writer = new Writer(texts, now);
  const root = writer.value(part);
  return { root, things: writer.things };
}

/** @throws TypeError on what `toPortable` has not written */
export function fromPortable(
  portable: Portable,
  texts: TextSource,
  { bare, settings, services }: { readonly bare: string; readonly settings: Settings; readonly services: Services },
): AccountState {
  const own = readPortable(portable, texts, settings) as Own;
  return { ...own, bare, settings, services, isStopping: false };
}

/** What `writePortable` was given. @throws TypeError on what it has not written */
export function readPortable(portable: Portable, texts: TextSource, settings: Settings): unknown {
  const { root, things } = portable as { root: unknown; things: Thing[] };
  return new Reader(things, texts, settings).value(root);
}

type WrittenEntry = [
  text: number,
  at: number,
  heardAt: number,
  delayed: boolean,
  keys?: LogEntry['keys'] | null,
  isUnlabelled?: true | null,
];

class Writer {
  readonly things: Thing[] = [];
  readonly #numbers = new Map<object, number>();
  readonly #texts: TextStore;
  readonly #now: number;

  constructor(texts: TextStore, now: number) {
    this.#texts = texts;
    this.#now = now;
  }

  value(value: unknown): unknown {
    if (value === undefined) return { v: 'undefined' };
    if (typeof value === 'number' && !Number.isFinite(value)) return { v: String(value) };
    if (typeof value !== 'object' || value === null) return value;
    let number = this.#numbers.get(value);
    if (number === undefined) {
      number = this.things.length;
      this.#numbers.set(value, number);
      this.things.push(['']);
      this.things[number] = this.#thing(value);
    }
    return { r: number };
  }

  #thing(value: object): Thing {
    if (value instanceof Stanza) return ['stanza', this.#stanza(value)];
    if (value instanceof StanzaLog) {
      const entries = value.entries(this.#now).map((entry) => {
        return [
          this.#stanza(entryStanza(entry)),
          entry.at,
          entry.heardAt,
          entry.delayed,
          entry.keys,
          entry.isUnlabelled,
        ];
      });
      return ['log', entries, value.end];
    }
    if (value instanceof Overlap) return ['overlap', this.value(value.state)];
    if (value instanceof RoomSet) return ['rooms', [...value]];
    if (value instanceof Set) return ['set', [...value].map((one) => this.value(one))];
    if (value instanceof Map) return ['map', [...value].map(([key, one]) => [key, this.value(one)])];
    if (Array.isArray(value)) return ['list', value.map((one) => this.value(one))];
    return ['object', Object.entries(value).map(([key, one]) => [key, this.value(one)])];
  }

  #stanza(stanza: Stanza): number {
    return this.#texts.put(bridge(stanza, USUAL_DECLARATIONS) ?? stanza.bytes);
  }
}

class Reader {
  readonly #things: readonly Thing[];
  readonly #texts: TextSource;
  readonly #settings: Settings;
  readonly #made = new Map<number, unknown>();

  constructor(things: readonly Thing[], texts: TextSource, settings: Settings) {
    this.#things = things;
    this.#texts = texts;
    this.#settings = settings;
  }

  value(value: unknown): unknown {
    if (typeof value !== 'object' || value === null) return value;
    const { r, v } = value as { r?: number; v?: string };
    if (v === 'undefined') return undefined;
    if (v !== undefined) return Number(v);
    const number = r as number;
    if (!this.#made.has(number)) this.#make(number);
    return this.#made.get(number);
  }

  #make(number: number): void {
    const [kind, content, more] = this.#things[number] ?? [''];
    // Known before what it holds is made, as that may hold it.
    const keep = <T>(made: T): T => {
      this.#made.set(number, made);
      return made;
    };
    switch (kind) {
      case 'stanza':
        keep(this.#stanza(content as number));
        return;
      case 'log':
        keep(this.#log(content as WrittenEntry[], more as number));
        return;
      case 'overlap':
        keep(Overlap.restore(this.value(content) as Overlap['state']));
        return;
      case 'rooms':
        keep(new RoomSet(content as []));
        return;
      case 'set': {
        const made = keep(new Set());
        for (const one of content as unknown[]) made.add(this.value(one));
        return;
      }
      case 'map': {
        const made = keep(new Map());
        for (const [key, one] of content as [unknown, unknown][]) made.set(key, this.value(one));
        return;
      }
      case 'list': {
        const made = keep([] as unknown[]);
        for (const one of content as unknown[]) made.push(this.value(one));
        return;
      }
      case 'object': {
        const made = keep({} as Record<string, unknown>);
        for (const [key, one] of content as [string, unknown][]) made[key] = this.value(one);
        return;
      }
      default:
        throw new TypeError(`not a part of an account: ${kind}`);
    }
  }

  #stanza(ref: number): Stanza {
    return parseStanza(Buffer.from(this.#texts.get(ref)));
  }

  #log(entries: WrittenEntry[], end: number): StanzaLog {
    const { historyStanzas, historyAgeMs, historyBytes } = this.#settings;
    const texts = entries.map(([ref, at, heardAt, delayed, keys, isUnlabelled]) => ({
      text: Buffer.from(this.#texts.get(ref)),
      source: USUAL_DECLARATIONS,
      at,
      heardAt,
      delayed,
      ...(keys && { keys }),
      ...(isUnlabelled && { isUnlabelled }),
    }));
    return StanzaLog.restore({ stanzas: historyStanzas, ageMs: historyAgeMs, bytes: historyBytes }, texts, end);
  }
}
