/** Private messages of rooms that wait for somebody who takes them. */
import type { BareKey } from '../xml/address.ts';
import type { Stanza } from '../xml/stanza.ts';

/** A private message that no session has been given yet. */
export interface KeptPrivate {
  readonly stanza: Stanza;
  /** When it came, epoch ms. */
  readonly at: number;
  /** The nick under which it was said may be another occupant's now; absent: it is not. */
  isNickFreed?: true;
  /** An earlier home has kept it, and the store has it until the account is in the room; absent: it came here. */
  isStored?: true;
  /** Sessions that it was on its way to, and that had gone (rules/travellers.ts); absent: it came while nobody was in the room. */
  missedBy?: readonly string[];
}

/** A session that goes on at another node, and has not come there yet (rules/travellers.ts). */
export interface Traveller {
  readonly jid: string;
  readonly carbons: boolean;
  readonly rooms: readonly BareKey[];
  /** What it has said behind joins that were not answered is given up here: it says it again where it comes. */
  readonly saysAgain: boolean;
  /** Rooms to which what it had said behind its join went nowhere; absent: none. */
  unsaid?: Set<BareKey>;
  /** What was written to it in private meanwhile. `isOwn`: by a device of the account, as a carbon. */
  readonly letters: (KeptPrivate & { readonly room: BareKey; readonly isOwn: boolean })[];
}
