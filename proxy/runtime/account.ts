/** An account as its sessions see it, wherever its home is. */
import type { HostConfig } from '../config.ts';
import type { Input, Owed } from '../core/inputs.ts';
import type { Passage } from '../core/passage.ts';
import type { CarrierId, SessionId } from '../core/state.ts';
import type { Seat } from '../core/view.ts';
import type { Credentials } from '../stream/sasl-relay.ts';
import type { Stanza } from '../xml/stanza.ts';
import type { CarrierPort, SessionPort } from './ports.ts';

export interface Account {
  /** What is kept for its next session lies in a store, which can be reached: this node's end does not matter to it. */
  readonly isStored: boolean;
  /** Something has happened; what follows from it is done at once where the account's home is here, else soon. */
  input(input: Input): void;
  /**
   * A client has bound a resource. `device`: what it is known by when it comes back. Its part in the account is returned, and
   * stays its own.
   */
  addSession(session: SessionPort, carrier: CarrierId, port: CarrierPort, device?: string): Seat;
  /**
   * The client has gone. Its upstream stream is given back by `CarrierPort.free()`, unless it was lost before.
   */
  removeSession(session: SessionPort, departure?: Departure): void;
  /** A join of the session is on its way to where it is decided by which stream it goes. */
  isJoining(session: SessionId): boolean;
  /** What goes with a session that is carried on elsewhere; undefined: it cannot be, there is nowhere else. Nothing is changed by it. */
  passage(session: SessionId): Passage | undefined;
  /** The stream has ended without our doing. `owed`: what is known of what it was given last. */
  loseCarrier(carrier: CarrierId, isConflict?: boolean, owed?: Owed): void;
  /** The password of the account has been seen, and was right. The latest one counts. */
  offerCredentials(credentials: Credentials, host: HostConfig): void;
}

/** How a client has gone. */
export interface Departure {
  /** What it was given and has not acknowledged; undefined where it acknowledges nothing. */
  readonly unseen?: readonly Stanza[] | undefined;
  /** Its stream may be kept for its rooms. */
  readonly mayPark?: boolean;
  /** It goes on at another node, within this time (ms) or never. */
  readonly goesOnMs?: number | undefined;
}
