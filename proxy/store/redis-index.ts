/**
 * Lists of accounts by node. They lie in other slots than the accounts, so that a change is not one step with what it
 * follows: first the account is changed, then the list. Each entry carries the time of the step in the account's own slot
 * (us), which decides between a step that puts an account on a list and one that takes it off at the same time. So every
 * account that must be on a list is on it, and one that need not be is there at most until the next such step, or its end.
 */
import type { RedisLink } from './redis-link.ts';
import type { Scripts } from './redis-scripts.ts';

export class NodeIndex {
  readonly #link: RedisLink;
  readonly #scripts: Scripts;
  readonly #keepMs: number;

  constructor(link: RedisLink, scripts: Scripts, keepMs: number) {
    this.#link = link;
    this.#scripts = scripts;
    this.#keepMs = keepMs;
  }

  /** Puts an account on a list; `time` of the step in the account. */
  async add(list: string, account: string, time: string): Promise<void> {
    await this.#link.run(this.#scripts.index, [list], [account, time, String(this.#keepMs)]);
  }

  /** Takes it off, unless it was put there by a later step. */
  async remove(list: string, account: string, time: string): Promise<void> {
    await this.#link.run(this.#scripts.unindex, [list], [account, time]);
  }

  /** All accounts on a list, sorted. */
  async all(list: string): Promise<string[]> {
    return ((await this.#link.send(list, ['ZRANGE', list, '0', '-1'])) as string[]).sort();
  }

  /** Keeps lists from being forgotten while their node lives. */
  async keep(...lists: string[]): Promise<void> {
    await Promise.all(lists.map((list) => this.#link.send(list, ['PEXPIRE', list, String(this.#keepMs)])));
  }

  async forget(list: string): Promise<void> {
    await this.#link.send(list, ['DEL', list]);
  }
}
