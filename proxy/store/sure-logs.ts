/**
 * Stanza logs of which what is to be forgotten is forgotten, though the store is away just then, however long, and though its account has ended
 * meanwhile. What is written anew in its place makes up for it.
 */
import type { Log } from '../ops/log.ts';
import type { Metrics } from '../ops/metrics.ts';
import { isOfAnotherHome } from './faults.ts';
import type { LogStep, Logs } from './logs.ts';
import { longer } from './pauses.ts';
import type { Fence, Homes } from './store.ts';

/** Logs that are still to be forgotten; beyond that the oldest is left to its time in the store. */
const MOST_OWED = 10_000;

interface Owed {
  readonly account: string;
  readonly room: string;
  readonly fence: Fence | undefined;
}

export interface SureLogsDeps {
  readonly log: Log;
  readonly metrics: Pick<Metrics, 'drops'>;
  readonly homes: Pick<Homes, 'holder'>;
  /** The account's fence as it is now; undefined: it is not at home here. */
  readonly fenceOf: (account: string) => Fence | undefined;
}

export class SureLogs implements Logs {
  readonly #logs: Logs;
  readonly #deps: SureLogsDeps;
  /** Asked to be forgotten, and not known to be. */
  readonly #owed = new Map<string, Owed>();
  #pauseMs = 0;
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(logs: Logs, deps: SureLogsDeps) {
    this.#logs = logs;
    this.#deps = deps;
  }

  async write(account: string, room: string, step: LogStep, ttlMs: number, fence?: Fence): Promise<boolean> {
    const name = nameOf(account, room);
    const owed = this.#owed.get(name);
    // Nothing may be put behind what is to go.
    if (owed && step.had !== undefined) return false;
    this.#owed.delete(name);
    try {
      return await this.#logs.write(account, room, step, ttlMs, fence);
    } catch (error) {
      if (owed && !this.#owed.has(name)) this.#owe(name, owed);
      throw error;
    }
  }

  async read(account: string, room: string): Promise<readonly Buffer[]> {
    return this.#owed.has(nameOf(account, room)) ? [] : this.#logs.read(account, room);
  }

  /** Rejects where it could not be done at once; it is done later. */
  async forget(account: string, room: string, fence?: Fence): Promise<void> {
    const owed = { account, room, fence };
    const name = nameOf(account, room);
    this.#owed.delete(name);
    this.#owed.set(name, owed);
    try {
      await this.#forget(name, owed);
    } catch (error) {
      // Unless it was written anew meanwhile.
      if (this.#owed.get(name) === owed) this.#owe(name, owed);
      throw error;
    }
  }

  /** Nothing is tried again. */
  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#owed.clear();
  }

  async #forget(name: string, owed: Owed): Promise<void> {
    const { account, room } = owed;
    try {
      await this.#logs.forget(account, room, owed.fence);
    } catch (error) {
      if (!isOfAnotherHome(error)) throw error;
      await this.#forgetAnew(name, owed, error);
    }
    this.#done(name, owed);
  }

  /**
   * The claim of that time is in force no more: the store was away for longer than it believes a node alive, or another home sees to the account.
   * Rejects where it is not done, and is still owed unless it is the other's now.
   */
  async #forgetAnew(name: string, owed: Owed, error: unknown): Promise<void> {
    const { account, room } = owed;
    const fence = this.#deps.fenceOf(account);
    const holder = fence ?? (await this.#deps.homes.holder(account));
    // Written anew meanwhile.
    if (this.#owed.get(name) !== owed) return;
    // Whoever claims the account in this very moment, and has written, finds it gone and writes all once more.
    if (fence || !holder) await this.#logs.forget(account, room, fence);
    else {
      this.#done(name, owed);
      throw error;
    }
  }

  #done(name: string, owed: Owed): void {
    if (this.#owed.get(name) === owed) this.#owed.delete(name);
  }

  #owe(name: string, owed: Owed): void {
    if (this.#isClosed) return;
    this.#owed.set(name, owed);
    if (this.#owed.size > MOST_OWED) {
      const oldest = this.#owed.keys().next();
      if (!oldest.done) this.#owed.delete(oldest.value);
      this.#deps.metrics.drops.inc({ reason: 'no-store' });
    }
    this.#trySoon();
  }

  #trySoon(): void {
    if (this.#timer || this.#isClosed) return;
    this.#pauseMs = longer(this.#pauseMs);
    this.#timer = setTimeout(() => void this.#tryAll(), this.#pauseMs).unref();
  }

  /** One after the other, until one fails again. */
  async #tryAll(): Promise<void> {
    for (const [name, owed] of [...this.#owed]) {
      if (this.#owed.get(name) !== owed) continue;
      try {
        await this.#forget(name, owed);
        this.#pauseMs = 0;
      } catch (error) {
        this.#deps.log.debug({ error }, 'a stanza log was not forgotten');
        if (!isOfAnotherHome(error)) break;
      }
    }
    this.#timer = undefined;
    if (this.#owed.size > 0) this.#trySoon();
  }
}

/** A bare JID has no space in it. */
function nameOf(account: string, room: string): string {
  return `${account} ${room}`;
}
