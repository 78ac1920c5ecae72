/** What an account has left in the store when its home was lost, or had to stop, and no device of it was there to go on. */
import type { BareKey } from '../xml/address.ts';

export interface EstateRoom {
  readonly key: BareKey;
  /** Its address as it is written. */
  readonly name: string;
  readonly nick: string;
  readonly password: string | undefined;
}

export interface Estate {
  readonly rooms: readonly EstateRoom[];
  /** For how long the account may still stay without a session (ms); may be Infinity. */
  readonly lingerMs: number;
}
