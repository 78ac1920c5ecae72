/**
 * What an account needs in order to go on without any of its devices: its credentials, sealed (seal.ts), and which accounts wait for
 * a node that takes them up. Everything in store.ts that holds "everywhere" holds here. Texts are opaque to the store.
 *
 * Invariant: a text is kept only of an account that has a session or an occupancy; with the last of these it is gone.
 */

/** What is kept of an account. */
export interface Deposit {
  readonly text: string;
  /** For how long the account has had no session (ms); undefined: it has one. */
  readonly aloneMs: number | undefined;
}

/** Accounts that wait, one page of them. */
export interface OrphanPage {
  readonly accounts: readonly string[];
  /** Where the next page begins; 0: with the first. */
  readonly next: number;
}

export interface Vault {
  /** Keeps the text in the place of any other. False: the account has neither session nor occupancy; nothing is kept. */
  put(account: string, text: string): Promise<boolean>;
  read(account: string): Promise<Deposit | undefined>;
  /** Forgets the text, whatever it is; with `text` only if it is that one. */
  forget(account: string, text?: string): Promise<void>;
  /**
   * The account has no home any more: where it has a text and an occupancy it waits for a node from now on. `agoMs`: for how long it has
   * had no session, where nothing else is known. False: it does not.
   */
  orphan(account: string, agoMs: number): Promise<boolean>;
  /**
   * Accounts that wait, `most` from the place `from` on; possibly some that need not (the list may lie in another place than the account).
   * All are seen by who turns the pages for long enough.
   */
  orphans(from: number, most: number): Promise<OrphanPage>;
  /** Some of those that have waited for so long (ms) at least, `most` of them. */
  waiting(leastMs: number, most: number): Promise<readonly string[]>;
  /** It need not wait any more. */
  adopt(account: string): Promise<void>;
}
