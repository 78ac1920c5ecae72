/**
 * Writes an account's stanza logs to the store, for the home that comes after this one. What happens within a moment goes in one step for each
 * room; a step that may have failed is made up for by writing the whole log with the next one.
 */
import type { Input } from '../core/inputs.ts';
import type { LogEntry } from '../core/log-entry.ts';
import type { StanzaLog } from '../core/stanza-log.ts';
import type { AccountState } from '../core/state.ts';
import { readEntry, writeEntry } from '../core/stored-log.ts';
import type { LogStep } from '../store/logs.ts';
import { type Fence, StoreError } from '../store/store.ts';
import type { BareKey } from '../xml/address.ts';
import type { AccountDeps } from './deps.ts';

/** How long what was heard may wait to be written (ms): so much is lost with a process that is killed, where the room does not tell it again. */
const DELAY_MS = 250;

interface Written {
  /** Undefined: what is there is not known. */
  readonly log: StanzaLog | undefined;
  /** The place behind the last entry that was written, and how many there were. */
  readonly end: number;
  readonly size: number;
}

const LOST: Written = { log: undefined, end: 0, size: 0 };

export class LogKeeper {
  readonly #state: AccountState;
  readonly #deps: Pick<AccountDeps, 'logs' | 'log' | 'metrics' | 'now'>;
  readonly #fence: (() => Fence) | undefined;
  readonly #input: (input: Input) => void;
  readonly #written = new Map<BareKey, Written>();
  readonly #due = new Set<BareKey>();
  /** Rooms of which other private messages are kept than were written. */
  readonly #keptDue = new Set<BareKey>();
  /** Other letters are kept for a session to come than were written. */
  #areLettersDue = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(
    state: AccountState,
    deps: Pick<AccountDeps, 'logs' | 'log' | 'metrics' | 'now'>,
    fence: (() => Fence) | undefined,
    input: (input: Input) => void,
  ) {
    this.#state = state;
    this.#deps = deps;
    this.#fence = fence;
    this.#input = input;
  }

  /** The room's log is another than before. `isAnew`: what this home has written may be lost. */
  note(room: BareKey, isAnew = false): void {
    // What it has not written, such as the log that came with the account, an earlier home has.
    if (isAnew && !this.#written.has(room)) return;
    if (isAnew) this.#written.set(room, LOST);
    this.#due.add(room);
    this.#flushSoon();
  }

  /** Other private messages of the room are kept than before. */
  noteKept(room: BareKey): void {
    this.#keptDue.add(room);
    this.#flushSoon();
  }

  /** Other letters are kept for a session to come than before. */
  noteLetters(): void {
    this.#areLettersDue = true;
    this.#flushSoon();
  }

  #flushSoon(): void {
    this.#timer ??= setTimeout(() => this.flush(), DELAY_MS).unref();
  }

  /** All that is due is written now. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const room of this.#due) this.#write(room);
    this.#due.clear();
    for (const room of this.#keptDue) this.#writeAll(keptName(room), this.#state.rooms.get(room)?.kept ?? []);
    this.#keptDue.clear();
    if (this.#areLettersDue) this.#writeAll(LETTERS, this.#state.kept);
    this.#areLettersDue = false;
  }

  /** Nothing of the room is kept any more. */
  forget(room: BareKey): void {
    this.#due.delete(room);
    this.#written.delete(room);
    this.#keptDue.delete(room);
    for (const name of [room, keptName(room)]) {
      const done = this.#deps.logs?.forget(this.#state.bare, name, this.#fence?.());
      done?.catch((error: unknown) => this.#failed(error));
    }
  }

  /** Whatever becomes of it, `log-read` follows. */
  async read(room: BareKey): Promise<void> {
    const [entries, kept] = await Promise.all([this.#entries(room), this.#entries(keptName(room))]);
    this.#input({ kind: 'log-read', room, entries, kept });
  }

  /** Whatever becomes of it, `letters-read` follows. */
  async readLetters(): Promise<void> {
    this.#input({ kind: 'letters-read', letters: await this.#entries(LETTERS) });
  }

  async #entries(name: string): Promise<readonly LogEntry[]> {
    try {
      return (await this.#deps.logs?.read(this.#state.bare, name))?.map(readEntry) ?? [];
    } catch (error) {
      this.#failed(error);
      return [];
    }
  }

  #write(key: BareKey): void {
    const room = this.#state.rooms.get(key);
    const { logs } = this.#deps;
    if (!logs || room?.phase !== 'joined') return;
    const { log } = room;
    const step = stepOf(log, this.#written.get(key), this.#deps.now());
    const written: Written = { log, end: log.end, size: log.size };
    this.#written.set(key, written);
    if (!step) return;
    const fail = (): void => {
      // What was written since is no better.
      if (this.#written.get(key)?.log === log) this.#written.set(key, LOST);
    };
    logs.write(this.#state.bare, key, step, this.#state.settings.historyAgeMs, this.#fence?.()).then(
      (isTaken) => {
        if (isTaken) return;
        fail();
        this.note(key);
      },
      (error: unknown) => {
        fail();
        this.#failed(error);
      },
    );
  }

  /** They are few: all of them each time. */
  #writeAll(name: string, kept: AccountState['kept']): void {
    const added = kept.map(({ stanza, at }) => {
      return writeEntry({ text: stanza.bytes, source: stanza.declarations, at, heardAt: at, delayed: false });
    });
    const step = { had: undefined, added, changed: [], keep: added.length };
    const { bare, settings } = this.#state;
    const done = this.#deps.logs?.write(bare, name, step, settings.historyAgeMs, this.#fence?.());
    done?.catch((error: unknown) => this.#failed(error));
  }

  #failed(error: unknown): void {
    const code = error instanceof StoreError ? error.code : undefined;
    this.#deps.metrics.drops.inc({ reason: 'no-store' });
    // Another home writes instead; or the store is away, and all is written anew when it is back.
    const isExpected = code === 'stale-home' || code === 'unavailable';
    this.#deps.log[isExpected ? 'debug' : 'error']({ error }, 'a stanza log was not kept');
  }
}

/** Of what is written to the account's devices, and to no room: no room has a space in its name. */
const LETTERS = ' letters';

/** Beside the room's log; no room has a space in its name. */
function keptName(room: BareKey): string {
  return `${room} kept`;
}

/** Undefined: nothing has changed. */
function stepOf(log: StanzaLog, written: Written | undefined, now: number): LogStep | undefined {
  const rewritten = log.takeRewritten();
  const added = written?.log === log ? log.since(written.end, now) : undefined;
  const keep = log.size;
  if (!written || !added) return { had: undefined, added: log.entries(now).map(writeEntry), changed: [], keep };
  const changed = rewritten
    .filter(({ place }) => place < written.end)
    .map(({ place, entry }) => ({ fromEnd: log.end - 1 - place, entry: writeEntry(entry) }));
  if (added.length + changed.length === 0 && keep === written.size) return undefined;
  return { had: written.size, added: added.map(writeEntry), changed, keep };
}
