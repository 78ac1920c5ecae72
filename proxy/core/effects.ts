/**
 * Everything that the rules may ask for, as one union, and the list that a turn collects them in.
 * Effects are carried out in order, at once and without waiting, by the runtime.
 */
import type { BareKey } from '../xml/address.ts';
import type { Stanza } from '../xml/stanza.ts';
import type { BookmarkSource } from './bookmarks.ts';
import type { CarrierId, CarrierKind, Cursor, SessionId } from './state.ts';

/** Why a stanza was dropped: the label of the metric `minimix_drops_total` (X6). */
export type DropReason =
  | 'client-error-reply'
  | 'carbon-of-carrier'
  | 'overlap'
  | 'unmatched-error'
  | 'unmatched-iq'
  | 'left-room'
  | 'carrier-presence'
  | 'carrier-stray'
  | 'no-session'
  | 'oversize'
  | 'carrier-lost'
  | 'queue-full'
  | 'letters-full';

/** What a join came to: the label of `minimix_joins_total`. */
export type JoinResult = 'upstream' | 'local' | 'refused' | 'timeout';

export type Effect =
  /** One text to many sessions; only `to` differs. */
  | { readonly kind: 'fork'; readonly sessions: readonly SessionId[]; readonly stanza: Stanza }
  /** One text to one session; it stands under `origin`'s stream header where that is given. */
  | {
      readonly kind: 'to-session';
      readonly session: SessionId;
      readonly xml: string | Buffer;
      readonly origin: Stanza | undefined;
    }
  /** To a carrier; `source` is the session on whose share of the rate it goes, undefined for the proxy's own. */
  | {
      readonly kind: 'to-carrier';
      readonly carrier: CarrierId;
      readonly xml: string | Buffer;
      readonly source: SessionId | undefined;
      readonly origin: Stanza | undefined;
    }
  /** A stanza that turned out not to concern a room: on this session's own upstream stream. */
  | { readonly kind: 'relay-upstream'; readonly session: SessionId; readonly stanza: Stanza }
  /** A stanza that came on a borrowed carrier and is its own client's business. */
  | { readonly kind: 'relay-downstream'; readonly carrier: CarrierId; readonly stanza: Stanza }
  | { readonly kind: 'open-account-stream' }
  /** End the account stream, and forget the password when no session is left. */
  | { readonly kind: 'close-account-stream' }
  /** The session's stream must not take one-to-one traffic any more, but stay: its client has gone and it carries rooms. */
  | { readonly kind: 'hold-carrier'; readonly carrier: CarrierId }
  /** The same for one that stays until another session comes: contacts see that nobody is there. */
  | { readonly kind: 'park-carrier'; readonly carrier: CarrierId }
  /** The session hibernates: the stream's connection is to be dropped as it is, for the server to keep the rest. */
  | { readonly kind: 'suspend-carrier'; readonly carrier: CarrierId }
  /** The stream carries no room any more: what was withheld on it may be sent; without a client it may be closed. */
  | { readonly kind: 'carrier-free'; readonly carrier: CarrierId }
  /** Another connection of the same client has taken the session's place: it ends with `conflict` (RFC 6120 section 7.7.2.2). */
  | { readonly kind: 'replace-session'; readonly session: SessionId }
  /** Nothing more is to be read from the session's client for now, or again (M9a). */
  | { readonly kind: 'rest-session'; readonly session: SessionId; readonly rests: boolean }
  | { readonly kind: 'set-timer'; readonly key: string; readonly ms: number }
  | { readonly kind: 'clear-timer'; readonly key: string }
  | { readonly kind: 'drop'; readonly reason: DropReason }
  | { readonly kind: 'joined'; readonly result: JoinResult }
  | { readonly kind: 'handed-over'; readonly result: 'seamless' | 'leave-join' | 'rejoined' | 'failed' }
  | { readonly kind: 'iq-timeout' }
  /** The user's bookmarks were read, from where, or could not be. */
  | { readonly kind: 'bookmarks-read'; readonly result: BookmarkSource | 'failed' }
  /** What the account has done because a bookmark says so. */
  | { readonly kind: 'bookmark-followed'; readonly act: 'join' | 'leave' | 'rename' }
  /** Session-room membership and occupancies, as they go to the store. */
  | { readonly kind: 'store-join'; readonly room: string; readonly session: SessionId }
  | { readonly kind: 'store-leave'; readonly room: string; readonly session: SessionId }
  | {
      readonly kind: 'store-occupancy';
      readonly room: string;
      readonly name: string;
      readonly nick: string;
      readonly carrier: CarrierKind;
      /** The room is bookmarked with autojoin. */
      readonly bookmarked: boolean;
      /** Of the room. */
      readonly password: string | undefined;
    }
  | { readonly kind: 'store-end'; readonly room: string }
  /** A room's log is another than before, or what is kept for a session to come. */
  | { readonly kind: 'store-log'; readonly room: BareKey /** The store may have lost it. */; readonly isAnew?: true }
  | { readonly kind: 'store-kept'; readonly room: BareKey }
  /** Both are wanted as the store has them, which the input `log-read` brings; are to be forgotten there. */
  | { readonly kind: 'read-log' | 'forget-log'; readonly room: BareKey }
  /** The letters that are kept for a session to come are others than before; are wanted as the store has them (input `letters-read`). */
  | { readonly kind: 'store-letters' | 'read-letters' }
  /** A session that lags is owed what its rooms' logs have lost: it cannot be resumed without a loss. */
  | { readonly kind: 'session-behind'; readonly session: SessionId }
  /** How far a device that has gone had come, in all rooms of which that is known. */
  | { readonly kind: 'store-cursors'; readonly device: string; readonly cursors: ReadonlyMap<BareKey, Cursor> }
  /** Nothing is left of the account: its state may be forgotten. */
  | { readonly kind: 'idle' };

/** The effects of one turn, in order. */
export class Effects {
  readonly list: Effect[] = [];

  fork(sessions: readonly SessionId[], stanza: Stanza): void {
    if (sessions.length > 0) this.list.push({ kind: 'fork', sessions, stanza });
  }

  toSession(session: SessionId, xml: string | Buffer, origin?: Stanza): void {
    this.list.push({ kind: 'to-session', session, xml, origin });
  }

  toCarrier(carrier: CarrierId, xml: string | Buffer, source?: SessionId, origin?: Stanza): void {
    this.list.push({ kind: 'to-carrier', carrier, xml, source, origin });
  }

  drop(reason: DropReason): void {
    this.list.push({ kind: 'drop', reason });
  }

  setTimer(key: string, ms: number): void {
    this.list.push({ kind: 'set-timer', key, ms });
  }

  clearTimer(key: string): void {
    this.list.push({ kind: 'clear-timer', key });
  }

  push(effect: Effect): void {
    this.list.push(effect);
  }
}
