/**
 * Writes to the store what the rules have decided. On one node nobody waits for it: the account's own state is what counts,
 * and a store that fails is said so in the log.
 */
import type { Log } from '../ops/log.ts';
import type { CursorRecord, Cursors } from '../store/cursors.ts';
import type { CarrierKind, Memberships, Store } from '../store/store.ts';
import { type BareKey, resourceOf } from '../xml/address.ts';

export interface RecorderOptions {
  readonly store: Pick<Store, 'memberships' | 'cursors'>;
  /** This node's id. */
  readonly node: string;
  readonly log: Log;
  /** How long a device's cursors are kept (ms): a room that keeps messages no longer has none that it could have missed. */
  readonly cursorMs: number;
}

export class MembershipRecorder {
  readonly #memberships: Memberships;
  readonly #cursors: Cursors;
  readonly #node: string;
  readonly #log: Log;
  readonly #cursorMs: number;

  constructor({ store, node, log, cursorMs }: RecorderOptions) {
    this.#memberships = store.memberships;
    this.#cursors = store.cursors;
    this.#node = node;
    this.#log = log;
    this.#cursorMs = cursorMs;
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

  /** How far a device that has gone had come. */
  noteCursors(account: string, device: string, cursors: ReadonlyMap<string, CursorRecord>): void {
    this.#done(this.#cursors.note(account, device, cursors, this.#cursorMs));
  }

  /** How far a device had come; empty where that is not known, or not to be had. */
  async readCursors(account: string, device: string): Promise<ReadonlyMap<BareKey, CursorRecord>> {
    try {
      // The keys are those that `noteCursors` was given.
      return (await this.#cursors.read(account, device)) as ReadonlyMap<BareKey, CursorRecord>;
    } catch (error) {
      this.#log.warn({ error }, 'the store does not say how far a device has come');
      return new Map();
    }
  }

  #global(id: string): string {
    return `${this.#node}.${id}`;
  }

  #done(step: Promise<unknown>): void {
    step.catch((error: unknown) => this.#log.error({ error }, 'the store refused a step'));
  }
}
