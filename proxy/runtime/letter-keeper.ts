/**
 * Writes the letters that an account keeps for its next session to the store, for the home that comes after this one (core/letters.ts), and
 * reads what an earlier home has kept. Nothing is written over what has not been read, and the store is asked until it answers.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Input } from '../core/inputs.ts';
import type { LogEntry } from '../core/log-entry.ts';
import type { AccountState } from '../core/state.ts';
import { readEntry, writeEntry } from '../core/stored-log.ts';
import { isOfAnotherHome, logFault } from '../store/faults.ts';
import type { LogStep } from '../store/logs.ts';
import { FIRST_PAUSE_MS, longer } from '../store/pauses.ts';
import { type Fence, StoreError } from '../store/store.ts';
import type { AccountDeps } from './deps.ts';

/** How long a change may wait to be written (ms). */
const DELAY_MS = 250;
/** Beside the logs of rooms: no room has a space in its name. */
const NAME = ' letters';

export class LetterKeeper {
  readonly #state: AccountState;
  readonly #deps: Pick<AccountDeps, 'logs' | 'log' | 'metrics'>;
  readonly #fence: (() => Fence) | undefined;
  readonly #input: (input: Input) => void;
  #isDue = false;
  #isBeingRead = false;
  #pauseMs = 0;
  #timer: NodeJS.Timeout | undefined;
  #isOver = false;

  constructor(
    state: AccountState,
    deps: Pick<AccountDeps, 'logs' | 'log' | 'metrics'>,
    fence: (() => Fence) | undefined,
    input: (input: Input) => void,
  ) {
    this.#state = state;
    this.#deps = deps;
    this.#fence = fence;
    this.#input = input;
  }

  /** Other letters are kept than before. */
  note(): void {
    this.#isDue = true;
    this.#flushSoon();
  }

  #flushSoon(): void {
    if (this.#isOver || this.#isBeingRead) return;
    this.#timer ??= setTimeout(() => this.flush(), this.#pauseMs || DELAY_MS).unref();
  }

  /** What is due is written now, but for what would be written over letters that have not been read. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const { logs } = this.#deps;
    if (!this.#isDue || this.#isBeingRead || !logs) return;
    this.#isDue = false;
    const { bare, kept, settings } = this.#state;
    logs.write(bare, NAME, whole(kept), settings.historyAgeMs, this.#fence?.()).then(
      () => {
        this.#pauseMs = 0;
      },
      (error: unknown) => {
        this.#failed(error);
        if (isOfAnotherHome(error)) return;
        this.#pauseMs = longer(this.#pauseMs);
        this.note();
      },
    );
  }

  /** The last step: what it does not achieve is not tried again. */
  stop(): void {
    this.#isOver = true;
    this.flush();
  }

  /** Resolves when the store has answered and `letters-read` was told, or the account is over. */
  async read(): Promise<void> {
    if (this.#isBeingRead) return;
    this.#isBeingRead = true;
    let letters = await this.#ask();
    for (let pause = FIRST_PAUSE_MS; !letters && !this.#isOver; pause = longer(pause)) {
      await delay(pause, undefined, { ref: false });
      letters = await this.#ask();
    }
    if (!letters || this.#isOver) return;
    this.#isBeingRead = false;
    this.#input({ kind: 'letters-read', letters });
    if (this.#isDue) this.#flushSoon();
  }

  /** Undefined: the store does not say. */
  async #ask(): Promise<readonly LogEntry[] | undefined> {
    try {
      return (await this.#deps.logs?.read(this.#state.bare, NAME))?.map(readEntry) ?? [];
    } catch (error) {
      this.#failed(error);
      // What cannot be understood will not be understood later.
      return error instanceof StoreError ? undefined : [];
    }
  }

  #failed(error: unknown): void {
    this.#deps.metrics.drops.inc({ reason: 'no-store' });
    logFault(this.#deps.log, error, 'letters were not kept in the store');
  }
}

/** All of these, in place of what was there: they are few. */
export function whole(kept: AccountState['kept']): LogStep {
  const added = kept.map(({ stanza, at }) => {
    return writeEntry({ text: stanza.bytes, source: stanza.declarations, at, heardAt: at, delayed: false });
  });
  return { had: undefined, added, changed: [], keep: added.length };
}
