/**
 * Writes the letters that an account keeps for its next session to the store, for the home that comes after this one (core/letters.ts), and
 * reads what an earlier home has kept. The store is asked until it answers.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Input } from '../core/inputs.ts';
import type { AccountState } from '../core/state.ts';
import { FIRST_PAUSE_MS, longer } from '../store/pauses.ts';
import type { Fence } from '../store/store.ts';
import type { AccountDeps } from './deps.ts';
import { ListKeeper } from './list-keeper.ts';

/** Beside the logs of rooms: no room has a space in its name. */
const NAME = ' letters';

export class LetterKeeper {
  readonly #lists: ListKeeper;
  readonly #input: (input: Input) => void;
  #isBeingRead = false;
  #isOver = false;

  constructor(
    state: AccountState,
    deps: Pick<AccountDeps, 'logs' | 'log' | 'metrics'>,
    fence: (() => Fence) | undefined,
    input: (input: Input) => void,
  ) {
    const failed = 'letters were not kept in the store';
    this.#lists = new ListKeeper({ state, deps, fence, contents: () => state.kept, failed });
    this.#input = input;
  }

  /** Other letters are kept than before. */
  note(): void {
    this.#lists.note(NAME);
  }

  /** What is due is written now, but for what would be written over letters that have not been read. */
  flush(): void {
    this.#lists.flush();
  }

  /** The last step: what it does not achieve is not tried again. */
  stop(): void {
    this.#isOver = true;
    this.#lists.stop();
  }

  /** Resolves when the store has answered and `letters-read` was told, or the account is over. */
  async read(): Promise<void> {
    if (this.#isBeingRead) return;
    this.#isBeingRead = true;
    this.#lists.hold(NAME);
    let letters = await this.#lists.read(NAME);
    for (let pause = FIRST_PAUSE_MS; !letters && !this.#isOver; pause = longer(pause)) {
      await delay(pause, undefined, { ref: false });
      letters = await this.#lists.read(NAME);
    }
    if (!letters || this.#isOver) return;
    this.#isBeingRead = false;
    this.#input({ kind: 'letters-read', letters });
    this.#lists.release(NAME);
  }
}
