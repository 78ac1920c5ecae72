/**
 * Writes to the store what the rules have decided. On one node nobody waits for it: the account's own state is what counts,
 * and a store that fails is said so in the log.
 */
import type { Log } from '../ops/log.ts';
import type { CursorRecord, Cursors } from '../store/cursors.ts';
import { logFault } from '../store/faults.ts';
import type { CarrierKind, Fence, Memberships, Store } from '../store/store.ts';
import { type BareKey, resourceOf } from '../xml/address.ts';
import type { Sealing } from './sealing.ts';

export interface RecorderOptions {
  readonly store: Pick<Store, 'memberships' | 'cursors'>;
  /** This node's id, which may change. */
  readonly node: () => string;
  readonly log: Log;
  /** How long a device's cursors are kept (ms): a room that keeps messages no longer has none that it could have missed. */
  readonly cursorMs: number;
  /** Undefined: passwords of rooms are not kept. */
  readonly sealing?: Pick<Sealing, 'sealRoom'> | undefined;
}

/** The account is in a room. */
export interface Occupied {
  readonly room: string;
  /** As it is written. */
  readonly name: string;
  readonly nick: string;
  readonly carrier: CarrierKind;
  /** With autojoin. */
  readonly bookmarked: boolean;
  /** Of the room; kept sealed or not at all. */
  readonly password: string | undefined;
}

export class MembershipRecorder {
  readonly #memberships: Memberships;
  readonly #cursors: Cursors;
  readonly #node: () => string;
  readonly #log: Log;
  readonly #cursorMs: number;
  readonly #sealing: Pick<Sealing, 'sealRoom'> | undefined;

  constructor({ store, node, log, cursorMs, sealing }: RecorderOptions) {
    this.#memberships = store.memberships;
    this.#cursors = store.cursors;
    this.#node = node;
    this.#log = log;
    this.#cursorMs = cursorMs;
    this.#sealing = sealing;
  }

  /** `id`: unique over all nodes that share the store. */
  addSession(account: string, id: string, jid: string, since: number): void {
    const record = { id, jid, resource: resourceOf(jid), node: this.#node(), since };
    this.#done(this.#memberships.addSession(account, record));
  }

  removeSession(account: string, id: string): void {
    this.#done(this.#memberships.removeSession(account, id));
  }

  join(account: string, room: string, id: string, fence?: Fence): void {
    this.#done(this.#memberships.join(account, room, id, fence));
  }

  leave(account: string, room: string, id: string, fence?: Fence): void {
    this.#done(this.#memberships.leave(account, room, id, fence));
  }

  setOccupancy(account: string, occupancy: Occupied, fence?: Fence): void {
    const { room, name, nick, carrier, bookmarked, password } = occupancy;
    const sealed = password === undefined ? undefined : this.#sealing?.sealRoom(account, room, password);
    const record = { room, address: name, nick, carrier, bookmarked, ...(sealed !== undefined && { sealed }) };
    this.#done(this.#memberships.setOccupancy(account, record, fence));
  }

  endOccupancy(account: string, room: string, fence?: Fence): void {
    this.#done(this.#memberships.endOccupancy(account, room, fence));
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

  #done(step: Promise<unknown>): void {
    step.catch((error: unknown) => logFault(this.#log, error, 'the store refused a step'));
  }
}
