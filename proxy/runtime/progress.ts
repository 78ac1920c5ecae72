/**
 * How far a device has come in its rooms is known for certain when its session ends (core/rules/cursor.ts). Where the store
 * outlives this process it is told in between too: after a crash the device is given what it may have missed, and not what it
 * has missed since its last session ended in order.
 */
import type { RoomSet } from '../core/room-set.ts';
import type { Account } from './account.ts';
import type { ClientSession } from './session.ts';
import type { SessionLegs } from './session-legs.ts';

/**
 * Not more often (ms): what the device has acknowledged in this time it may be given twice. The pauses begin short whenever the
 * device has gone to another room, and double.
 */
const PAUSE_MS = { first: 1000, most: 30_000 };

export class Progress {
  readonly #session: Pick<ClientSession, 'id' | 'device'>;
  readonly #account: Account;
  readonly #legs: SessionLegs;
  #toldAt = Number.NEGATIVE_INFINITY;
  #pauseMs = PAUSE_MS.first;
  /** Of the set of rooms when it was told last. */
  #version = 0;

  constructor(session: Pick<ClientSession, 'id' | 'device'>, account: Account, legs: SessionLegs) {
    this.#session = session;
    this.#account = account;
    this.#legs = legs;
  }

  /** The client has acknowledged something. `now`: ms; a session in no room has nothing to tell. */
  acknowledged(now: number, rooms: RoomSet): void {
    const { id, device } = this.#session;
    if (rooms.version !== this.#version) this.#pauseMs = PAUSE_MS.first;
    this.#version = rooms.version;
    if (device === undefined || rooms.size === 0 || now - this.#toldAt < this.#pauseMs) return;
    const { unacknowledged } = this.#legs;
    if (!unacknowledged) return;
    this.#toldAt = now;
    this.#pauseMs = Math.min(2 * this.#pauseMs, PAUSE_MS.most);
    this.#account.input({ kind: 'session-progress', session: id, unseen: unacknowledged });
  }
}
