/**
 * Everything that can happen to an account, as one union. Inputs are past facts; what follows from them is in effects.ts.
 */
import type { BareKey } from '../xml/address.ts';
import type { Stanza } from '../xml/stanza.ts';
import type { Arrival } from './arrival.ts';
import type { Languages } from './language.ts';
import type { LogEntry } from './log-entry.ts';
import type { CarrierId, CarrierKind, Cursor, SessionId } from './state.ts';

/** What is known of the stanzas that a lost stream was given last, each in the order of sending. */
export interface Owed {
  /** They have not reached the server. */
  readonly unsent: readonly Stanza[];
  /** The server has not acknowledged them, and may have them or not; undefined where it acknowledges nothing. */
  readonly unacknowledged: readonly Stanza[] | undefined;
}

export type Input =
  /** A client has bound a resource; `carrier` names its own upstream stream, which may carry rooms. */
  | {
      readonly kind: 'session-bound';
      readonly session: SessionId;
      readonly jid: string;
      /** See `Session`. */
      readonly asked: string;
      readonly carrier: CarrierId;
      /** See `Session`. */
      readonly device?: string | undefined;
      readonly languages?: Languages | undefined;
    }
  /** How far its device had come before; comes before anything that the client sends. */
  | { readonly kind: 'session-cursors'; readonly session: SessionId; readonly cursors: ReadonlyMap<BareKey, Cursor> }
  /** Its client has acknowledged all that it was given but this; it stays. */
  | { readonly kind: 'session-progress'; readonly session: SessionId; readonly unseen: readonly Stanza[] }
  /**
   * The client's connection has ended, or it has closed its stream, or another connection has taken its place. `unseen`: what
   * it was given and has not acknowledged; undefined where it acknowledges nothing. `mayPark`: nothing of the stream's own forbids that
   * it is kept for its rooms. `goesOnMs`: it goes on at another node, within this time or never.
   */
  | {
      readonly kind: 'session-gone';
      readonly session: SessionId;
      readonly unseen?: readonly Stanza[] | undefined;
      readonly mayPark?: boolean;
      readonly goesOnMs?: number | undefined;
    }
  /** A message of a room was on its way to sessions that go on elsewhere, or have ended, and came to the node that had them. */
  | { readonly kind: 'sessions-missed'; readonly sessions: readonly SessionId[]; readonly stanza: Stanza }
  /**
   * The client's connection has dropped, and its session may be resumed (XEP-0198). `isDeaf`: the stream's connection to the
   * server is gone too. `isStreamKept`: the proxy keeps the session by itself, and the stream goes on. `mayPark`: nothing of the stream's
   * own forbids that it is kept for its rooms when the session is not resumed.
   */
  | {
      readonly kind: 'session-hibernates';
      readonly session: SessionId;
      readonly isDeaf: boolean;
      readonly isStreamKept?: boolean;
      readonly mayPark?: boolean;
      /** Text of the last room message that its client has been sent and has not acknowledged. */
      readonly unheard?: string | undefined;
    }
  /** While it hibernates, more waits for it than is good: the rooms' logs are to keep the rest. */
  | { readonly kind: 'session-lags'; readonly session: SessionId }
  /** It was resumed. */
  | { readonly kind: 'session-awakes'; readonly session: SessionId }
  /**
   * A session that the proxy has kept by itself is about to go, and its client has not acknowledged these stanzas (oldest first).
   * `isFinal`: the process ends, and no other session will come. `mayPark`: as in `session-gone`.
   */
  | {
      readonly kind: 'session-undelivered';
      readonly session: SessionId;
      readonly stanzas: readonly Stanza[];
      readonly isFinal: boolean;
      readonly mayPark?: boolean;
    }
  /** A stream has just been parked, and the client that has gone has not acknowledged these stanzas (oldest first). */
  | { readonly kind: 'parked-undelivered'; readonly carrier: CarrierId; readonly stanzas: readonly Stanza[] }
  /** A broadcast presence (RFC 6121 section 4.2) was seen from the client. An `unavailable` one is handled before it is relayed. */
  | {
      readonly kind: 'session-presence';
      readonly session: SessionId;
      readonly available: boolean;
      readonly show: string;
      readonly priority: number;
      /** The presence, where it is `unavailable`. */
      readonly farewell?: Stanza;
    }
  /** The server has confirmed or ended message carbons for this session (XEP-0280). */
  | { readonly kind: 'session-carbons'; readonly session: SessionId; readonly enabled: boolean }
  /** The server has taken or ended the session's request for push notifications (XEP-0357). */
  | { readonly kind: 'session-push'; readonly session: SessionId; readonly enabled: boolean }
  /** Something on the session's stream tells that the user's bookmarks have changed at the server. */
  | { readonly kind: 'bookmarks-changed'; readonly session: SessionId }
  /** The server has confirmed what a session wants of its subscription to a room (MUC/Sub). */
  | { readonly kind: 'subscription-changed'; readonly room: BareKey; readonly session: SessionId }
  /** A stanza from the client that concerns a room (see rules/route.ts for which do). */
  | {
      readonly kind: 'session-stanza';
      readonly session: SessionId;
      readonly stanza: Stanza;
      /** Another home may have handled it before it was lost. */
      readonly isUnsure?: boolean;
      /** The session has sent it at another node before it came here; its join was not answered there (rules/asked-again.ts). */
      readonly isAskedAgain?: boolean;
    }
  /** A stanza from a room that this carrier occupies; on a stream without a client (account stream, held): any stanza. */
  | { readonly kind: 'carrier-stanza'; readonly carrier: CarrierId; readonly stanza: Stanza }
  /** A message that was on its way to a parked stream when that was given back. */
  | { readonly kind: 'late-letter'; readonly stanza: Stanza }
  /** What is needed to open an account stream is known, or known no longer. */
  | { readonly kind: 'credentials'; readonly known: boolean }
  /** A stream can carry rooms from now on. */
  | {
      readonly kind: 'carrier-ready';
      readonly carrier: CarrierId;
      readonly type: CarrierKind;
      readonly jid: string;
      readonly languages?: Languages | undefined;
    }
  /** A stream that carried rooms, or could, has ended without our doing. */
  | {
      readonly kind: 'carrier-lost';
      readonly carrier: CarrierId;
      /** The server ended it with `conflict`: it has sessions enough of this account. */
      readonly isConflict?: boolean;
      /** Of what it was given; absent: nothing is known. */
      readonly owed?: Owed;
    }
  /** The account stream could not be opened; `final` when a new try is pointless (password refused, service limit). */
  | { readonly kind: 'account-stream-failed'; readonly final: boolean }
  /**
   * The account is to do without these streams, whose node is about to stop. `mayOpen`: another node can open an account stream. `isStored`: what
   * is kept for the account's next session lies in the store, which can be reached.
   */
  | {
      readonly kind: 'carriers-leave';
      readonly carriers: readonly CarrierId[];
      readonly mayOpen: boolean;
      readonly isStored?: boolean;
    }
  /** Its node is about to stop, and drops the parked stream as it is: the server keeps it for a while, and its places in rooms with it. */
  | { readonly kind: 'parked-stream-dropped'; readonly carrier: CarrierId; readonly isStored: boolean }
  /** A stream on another node than the session has enough of it for now, or can take more (M9a). */
  | { readonly kind: 'session-rests'; readonly session: SessionId; readonly rests: boolean }
  /** This home is none any more: what is waited for here will not be answered. */
  | { readonly kind: 'home-lost' }
  /**
   * What the store has of a room's log, and of private messages for a session to come, oldest first; empty where it has nothing,
   * or cannot be asked. `isLate`: that was said before, and now it can.
   */
  | {
      readonly kind: 'log-read';
      readonly room: BareKey;
      readonly entries: readonly LogEntry[];
      readonly kept: readonly LogEntry[];
      readonly isLate?: true;
    }
  /** What the store has of letters for a session to come, oldest first; empty where it has nothing, or cannot be asked. */
  | { readonly kind: 'letters-read'; readonly letters: readonly LogEntry[] }
  /** The store has lost what was written about the account. */
  | { readonly kind: 'record' }
  /** Sessions that are on another node, or were, come to this home with what they know. */
  | { readonly kind: 'arrive'; readonly arrival: Arrival }
  /** A timer that an effect had set has run out. */
  | { readonly kind: 'timer'; readonly key: string };
