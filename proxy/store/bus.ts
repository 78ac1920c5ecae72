/**
 * The way from node to node: one inbox per node, ordered, bounded. The contract is in the comments; test/store/contract-bus.ts
 * is the same in tests, and every implementation must pass it.
 *
 * Errors are StoreErrors, as everywhere in the store. What a body means is its sender's and receiver's business: it is handed
 * over as the bytes that were given.
 */

/** What a node has sent to another. */
export interface Envelope {
  /** Id of the node that sent it. */
  readonly from: string;
  readonly body: Buffer;
}

/** How a node takes what is sent to it. Neither method may throw. */
export interface InboxHandler {
  /** The next envelope. Called for one at a time, never from within a call of the bus. */
  envelope(envelope: Envelope): void;
  /**
   * Envelopes were lost here: the inbox was full, or the store has lost it. Called at the place of the loss: all that came
   * before it has been handed over, and what follows is complete again. Told once for each run of lost envelopes.
   */
  gap(): void;
}

/** The reading end of a node's inbox. */
export interface Inbox {
  /** Nothing is handed over from this call on. The inbox is gone when it resolves; sending to it fails with `no-inbox`. */
  close(): Promise<void>;
  /** Envelopes that are in it and have not been handed over. Rejects with `unavailable`. */
  pending(): Promise<number>;
}

/**
 * Most envelopes that wait in an inbox. Beyond it the oldest are dropped and a gap is told. An implementation may keep some
 * more (Redis trims by blocks), never fewer.
 */
export const MOST_WAITING_ENVELOPES = 20_000;

/**
 * - Ordered: what one node sends to another is handed over in the order of the calls of `send`, whether or not the sender
 *   has waited for one before the next. Nothing is promised about the order of several senders.
 * - Once: nothing is handed over twice. What has been handed over is no longer in the inbox.
 * - After a lost connection reading goes on behind the last envelope that was handed over.
 */
export interface Bus {
  /**
   * Makes the inbox of a node, and reads it from now on. To be called once in the life of a node id, before the node is
   * announced. While the store cannot be reached reading is tried again, by itself and without an end.
   */
  open(node: string, handler: InboxHandler): Promise<Inbox>;
  /**
   * Puts an envelope into an inbox. Resolves when it is there.
   * - Rejects with `no-inbox`: the receiver has none (never had, has closed it, or the store has given up a dead node's).
   * - Rejects with `unavailable`: it is there at its place, or never will be; which is not known. Later calls are not held
   *   up by it, and are not put before it.
   */
  send(from: string, to: string, body: Buffer): Promise<void>;
}
