/**
 * Stanza logs of which what is to be forgotten is forgotten, though the store is away just then, and though its account has ended meanwhile. What
 * is written anew in its place makes up for it.
 */
import type { Log } from '../ops/log.ts';
import type { Metrics } from '../ops/metrics.ts';
import { isOfAnotherHome } from './faults.ts';
import type { LogStep, Logs } from './logs.ts';
import { longer } from './pauses.ts';
import type { Fence } from './store.ts';

/** Logs that are still to be forgotten; beyond that the oldest is left to its time in the store. */
const MOST_OWED = 10_000;

interface Owed {
  readonly account: string;
  readonly room: string;
  readonly fence: Fence | undefined;
}

export class SureLogs implements Logs {
  readonly #logs: Logs;
  readonly #deps: { readonly log: Log; readonly metrics: Pick<Metrics, 'drops'> };
  /** Asked to be forgotten, and not known to be. */
  readonly #owed = new Map<string, Owed>();
  #pauseMs = 0;
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(logs: Logs, deps: { readonly log: Log; readonly metrics: Pick<Metrics, 'drops'> }) {
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
      if (owed && !isOfAnotherHome(error) && !this.#owed.has(name)) this.#owe(name, owed);
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
    const done = (): void => {
      if (this.#owed.get(name) === owed) this.#owed.delete(name);
    };
    try {
      await this.#logs.forget(owed.account, owed.room, owed.fence);
      done();
    } catch (error) {
      if (isOfAnotherHome(error)) done();
      throw error;
    }
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
