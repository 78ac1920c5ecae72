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

/** A session with what has become due to it since. */
export interface Sleeper extends SleeperRecord {
  /** In the order of `append`. */
  readonly due: readonly string[];
}

export interface Hibernations {
  /** Keeps a session for `ttlMs`, with nothing due to it. One of the same name is replaced. */
  put(name: string, record: SleeperRecord, ttlMs: number): Promise<void>;
  /** Adds to what is due to it, in the order of the calls. False: there is no such session (any more), and nothing is kept. */
  append(name: string, due: readonly string[]): Promise<boolean>;
  /** The session as it is now; it stays. */
  read(name: string): Promise<Sleeper | undefined>;
  /** The session, for the one caller that gets it: it is gone from here. Undefined: there is no such session (any more). */
  take(name: string): Promise<Sleeper | undefined>;
}
