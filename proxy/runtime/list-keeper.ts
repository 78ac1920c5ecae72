/**
 * Writes small lists of messages that an account keeps to the store, for the home that comes after this one: private messages of its rooms, and
 * letters. A list that has changed is written anew as a whole, again and again until the store takes it, and never over what has not been read.
 */
import type { LogEntry } from '../core/log-entry.ts';
import type { KeptPrivate } from '../core/private.ts';
import type { AccountState } from '../core/state.ts';
import { readEntry, writeEntry } from '../core/stored-log.ts';
import { isOfAnotherHome, logFault } from '../store/faults.ts';
import type { LogStep } from '../store/logs.ts';
import { longer } from '../store/pauses.ts';
import { type Fence, StoreError } from '../store/store.ts';
import type { AccountDeps } from './deps.ts';

/** How long a change may wait to be written (ms). */
const DELAY_MS = 250;

export interface ListKeeperOptions {
  readonly state: AccountState;
  readonly deps: Pick<AccountDeps, 'logs' | 'log' | 'metrics'>;
  readonly fence: (() => Fence) | undefined;
  /** What is on the list of that name; undefined: there is no such list any more, and nothing is written. */
  readonly contents: (name: string) => List | undefined;
  /** The language of what is on the list of that name and does not say its own; undefined: it is not known. */
  readonly language?: (name: string) => string | undefined;
  /** What a step that has failed is, in the log. */
  readonly failed: string;
}

/** Oldest first. */
type List = readonly Pick<KeptPrivate, 'stanza' | 'at' | 'isStored'>[];

export class ListKeeper {
  readonly #options: ListKeeperOptions;
  /** Lists that are others than was written. */
  readonly #due = new Set<string>();
  /** Of which it is not known what the store has. */
  readonly #unread = new Set<string>();
  /** How long the next try waits; 0: the last step was done. */
  #pauseMs = 0;
  #timer: NodeJS.Timeout | undefined;
  #isOver = false;

  constructor(options: ListKeeperOptions) {
    this.#options = options;
  }

  /** Something else is on the list than before. */
  note(name: string): void {
    this.#due.add(name);
    this.#flushSoon();
  }

  /** The list is about to be read: nothing is written over it before `release`. */
  hold(name: string): void {
    this.#unread.add(name);
  }

  release(name: string): void {
    this.#unread.delete(name);
    if (this.#due.has(name)) this.#flushSoon();
  }

  /** Nothing of the list is to be written any more. */
  drop(name: string): void {
    this.#due.delete(name);
    this.#unread.delete(name);
  }

  #flushSoon(): void {
    if (this.#isOver) return;
    this.#timer ??= setTimeout(() => this.flush(), this.#pauseMs || DELAY_MS).unref();
  }

  /** What is due is written now, but for what would be written over what has not been read. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const name of [...this.#due]) {
      if (this.#unread.has(name)) continue;
      this.#due.delete(name);
      this.#write(name);
    }
  }

  /** The last step: what it does not achieve is not tried again. */
  stop(): void {
    this.#isOver = true;
    this.flush();
  }

  /** What the store has of the list, as it is; undefined: the store does not say. */
  async read(name: string): Promise<readonly LogEntry[] | undefined> {
    const { state, deps } = this.#options;
    try {
      return (await deps.logs?.read(state.bare, name))?.map(readEntry) ?? [];
    } catch (error) {
      this.#failed(error);
      // What cannot be understood will not be understood later.
      return error instanceof StoreError ? undefined : [];
    }
  }

  #write(name: string): void {
    const { state, deps, fence, contents, language } = this.#options;
    const list = contents(name);
    if (!list || !deps.logs) return;
    deps.logs.write(state.bare, name, whole(list, language?.(name)), state.settings.historyAgeMs, fence?.()).then(
      () => {
        this.#pauseMs = 0;
      },
      (error: unknown) => {
        this.#failed(error);
        if (isOfAnotherHome(error) || this.#isOver) return;
        this.#due.add(name);
        // Several that fail together wait together.
        if (this.#timer) return;
        this.#pauseMs = longer(this.#pauseMs);
        this.#flushSoon();
      },
    );
  }

  #failed(error: unknown): void {
    const { deps, failed } = this.#options;
    deps.metrics.drops.inc({ reason: 'no-store' });
    logFault(deps.log, error, failed);
  }
}

/** All of these, in place of what was there. */
function whole(kept: List, language: string | undefined): LogStep {
  const added = kept.map(({ stanza, at, isStored }) => {
    const entry = { text: stanza.bytes, source: stanza.declarations, at, heardAt: at, delayed: false };
    // What has been read from there is as it was.
    return writeEntry(entry, isStored ? undefined : language);
  });
  return { had: undefined, added, changed: [], keep: added.length };
}
