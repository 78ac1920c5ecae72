/**
 * Stanza logs of which what is to be forgotten is forgotten, though the store is away just then, however long, and though its account has ended
 * meanwhile. What is written anew in its place makes up for it.
 */
import type { Log } from '../ops/log.ts';
import type { Metrics } from '../ops/metrics.ts';
import { isOfAnotherHome } from './faults.ts';
import type { LogStep, Logs } from './logs.ts';
import { OwedSteps } from './owed-steps.ts';
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
  readonly #owed: OwedSteps<Owed>;

  constructor(logs: Logs, deps: SureLogsDeps) {
    this.#logs = logs;
    this.#deps = deps;
    this.#owed = new OwedSteps({
      most: MOST_OWED,
      take: (owed) => this.#forget(owed),
      onOverfull: () => deps.metrics.drops.inc({ reason: 'no-store' }),
      log: deps.log,
      failed: 'a stanza log was not forgotten',
    });
  }

  async write(account: string, room: string, step: LogStep, ttlMs: number, fence?: Fence): Promise<boolean> {
    const name = nameOf(account, room);
    const owed = this.#owed.get(name);
    // Nothing may be put behind what is to go.
    if (owed && step.had !== undefined) return false;
    this.#owed.drop(name);
    try {
      return await this.#logs.write(account, room, step, ttlMs, fence);
    } catch (error) {
      if (owed && !this.#owed.get(name)) this.#owed.owe(name, owed);
      throw error;
    }
  }

  async read(account: string, room: string): Promise<readonly Buffer[]> {
    return this.#owed.get(nameOf(account, room)) ? [] : this.#logs.read(account, room);
  }

  /** Rejects where it could not be done at once; it is done later, unless another home sees to the account. */
  async forget(account: string, room: string, fence?: Fence): Promise<void> {
    await this.#owed.take(nameOf(account, room), { account, room, fence });
  }

  /** Nothing is tried again. */
  close(): void {
    this.#owed.close();
  }

  async #forget(owed: Owed): Promise<void> {
    const { account, room } = owed;
    try {
      await this.#logs.forget(account, room, owed.fence);
    } catch (error) {
      if (!isOfAnotherHome(error)) throw error;
      await this.#forgetAnew(owed, error);
    }
  }

  /**
   * The claim of that time is in force no more: the store was away for longer than it believes a node alive, or another home sees to the account
   * by now, and what is there is its own.
   */
  async #forgetAnew(owed: Owed, error: unknown): Promise<void> {
    const { account, room } = owed;
    const name = nameOf(account, room);
    const fence = this.#deps.fenceOf(account);
    const holder = fence ?? (await this.#deps.homes.holder(account));
    // Written anew meanwhile.
    if (this.#owed.get(name) !== owed) return;
    if (holder && !fence) {
      this.#owed.drop(name, owed);
      throw error;
    }
    // Whoever claims the account in this very moment, and has written, finds it gone and writes all once more.
    await this.#logs.forget(account, room, fence);
  }
}

/** A bare JID has no space in it. */
function nameOf(account: string, room: string): string {
  return `${account} ${room}`;
}
