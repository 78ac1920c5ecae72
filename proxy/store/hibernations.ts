/**
 * Sessions without connections (XEP-0198 section 5): whoever takes one carries it on, on whatever node its client comes back
 * to. Everything in store.ts that holds "everywhere" holds here. Names and texts are opaque to the store.
 */

/** A session as it was when it fell asleep. */
export interface SleeperRecord {
  /** The account and the id of the session. */
  readonly account: string;
  readonly session: string;
  /** What its next node needs to go on: opaque, and secret (it holds what was said). */
  readonly state: string;
}

export interface Hibernations {
  /** Keeps a session for `ttlMs`. One of the same name is replaced. */
  put(name: string, record: SleeperRecord, ttlMs: number): Promise<void>;
  /** The session as it is now; it stays. */
  read(name: string): Promise<SleeperRecord | undefined>;
  /** The session, for the one caller that gets it: it is gone from here. Undefined: there is no such session (any more). */
  take(name: string): Promise<SleeperRecord | undefined>;
}
