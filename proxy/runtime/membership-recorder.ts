/**
 * Writes to the store what the rules have decided. On one node nobody waits for it: the account's own state is what counts,
 * and a store that fails is said so in the log.
 */
import type { Log } from '../ops/log.ts';
import type { CarrierKind, Memberships } from '../store/store.ts';
import { resourceOf } from '../xml/address.ts';

export class MembershipRecorder {
  readonly #memberships: Memberships;
  readonly #node: string;
  readonly #log: Log;

  constructor(memberships: Memberships, node: string, log: Log) {
    this.#memberships = memberships;
    this.#node = node;
    this.#log = log;
  }

  /** `id` is unique in this process; the store's ids are unique over all nodes. */
  addSession(account: string, id: string, jid: string, since: number): void {
    const record = { id: this.#global(id), jid, resource: resourceOf(jid), node: this.#node, since };
    this.#done(this.#memberships.addSession(account, record));
  }

  removeSession(account: string, id: string): void {
    this.#done(this.#memberships.removeSession(account, this.#global(id)));
  }

  join(account: string, room: string, id: string): void {
    this.#done(this.#memberships.join(account, room, this.#global(id)));
  }

  leave(account: string, room: string, id: string): void {
    this.#done(this.#memberships.leave(account, room, this.#global(id)));
  }

  setOccupancy(account: string, room: string, address: string, nick: string, carrier: CarrierKind): void {
    this.#done(this.#memberships.setOccupancy(account, { room, address, nick, carrier, bookmarked: false }));
  }

  endOccupancy(account: string, room: string): void {
    this.#done(this.#memberships.endOccupancy(account, room));
  }

  #global(id: string): string {
    return `${this.#node}.${id}`;
  }

  #done(step: Promise<unknown>): void {
    step.catch((error: unknown) => this.#log.error({ error }, 'the store refused a step'));
  }
}
