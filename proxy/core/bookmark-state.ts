/** What an account knows of its user's bookmarks, and what it has still to do about them (B1 to B4). */
import type { BareKey } from '../xml/address.ts';
import type { Bookmark, BookmarkSource, Bookmarks } from './bookmarks.ts';
import type { AccountState, CarrierId, SessionId, WaitingJoin } from './state.ts';

/** What the operator decides about bookmarks. */
export interface BookmarkSettings {
  readonly autojoin: boolean;
  /** Pause between two readings without a sign of a change (ms); 0: there is none. */
  readonly pollMs: number;
  /** Domains of services, and rooms, that are relayed only (J9). */
  readonly exclude: readonly string[];
}

export interface BookmarkState {
  /** The list as it was last read; undefined: never. */
  known: Bookmarks | undefined;
  /** Where that was. */
  source: BookmarkSource | undefined;
  /** The server has PEP, as far as is known. */
  hasPep: boolean;
  /** The list is to be read as soon as there is a stream for it. */
  isDue: boolean;
  /** It has changed, and will be due in a moment. */
  isStale: boolean;
  /** The question that is out. */
  asking: { readonly id: string; readonly carrier: CarrierId; readonly source: BookmarkSource } | undefined;
  /** When a question was last put, epoch ms. */
  askedAt: number;
  /** Rooms that are to be joined. */
  readonly due: Set<BareKey>;
  /** Whether these may be joined now, or after a moment that is running. */
  joining: 'no' | 'soon' | 'yes';
  /** Joins that failed in a row, of rooms that are tried again. */
  readonly failed: Map<BareKey, number>;
  /** When bookmarks have last renamed the account in a room, epoch ms, oldest first. */
  readonly renames: Map<BareKey, number[]>;
}

export function createBookmarkState(): BookmarkState {
  return {
    known: undefined,
    source: undefined,
    hasPep: true,
    isDue: true,
    isStale: false,
    asking: undefined,
    askedAt: 0,
    due: new Set(),
    joining: 'no',
    failed: new Map(),
    renames: new Map(),
  };
}

/** The bookmark of a room, if it is one with autojoin. */
export function autojoinMark({ bookmarks }: AccountState, room: BareKey): Bookmark | undefined {
  const mark = bookmarks.known?.get(room);
  return mark?.autojoin ? mark : undefined;
}

/** Whether the list is about to be read: what is known of it may not hold any more. */
export function isReading({ bookmarks }: AccountState): boolean {
  return bookmarks.isStale || bookmarks.asking !== undefined;
}

/** Who waits for a join that a bookmark asks for: no session has this name. */
export const BY_BOOKMARK = '(bookmark)' as SessionId;

export function isByBookmark({ session }: Pick<WaitingJoin, 'session'>): boolean {
  return session === BY_BOOKMARK;
}
