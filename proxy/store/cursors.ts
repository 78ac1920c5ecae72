/**
 * How far each device of an account has come in each room, for the time when it comes back and could not resume. Everything in
 * store.ts that holds "everywhere" holds here.
 */

/** The last message of a room that a device has acknowledged. */
export interface CursorRecord {
  /** What the message is known by: opaque to the store. */
  readonly key: string;
  /** When it was said, epoch milliseconds by the room's or a node's clock. */
  readonly at: number;
}

export interface Cursors {
  /**
   * Puts these in the place of all that is known of the device, for `ttlMs`. With none of them nothing is kept. A device is
   * any text; it means something only beside its account. At the store's own limit of devices those go that were noted first.
   */
  note(account: string, device: string, cursors: ReadonlyMap<string, CursorRecord>, ttlMs: number): Promise<void>;
  /** By room; empty for a device that nothing is known of. */
  read(account: string, device: string): Promise<ReadonlyMap<string, CursorRecord>>;
}
