/**
 * The state of one account: its sessions, carriers and occupancies. Only the rules change it, one input at a time.
 */

import type { BareKey } from '../xml/address.ts';
import type { Stanza } from '../xml/stanza.ts';
import type { OwnArchive } from './archive.ts';
import type { KnownRoom } from './arrival.ts';
import { type BookmarkSettings, type BookmarkState, createBookmarkState } from './bookmark-state.ts';
import type { Effects } from './effects.ts';
import type { Languages } from './language.ts';
import type { LogEntry } from './log-entry.ts';
import type { Push } from './nudge.ts';
import type { Overlap } from './overlap.ts';
import type { KeptPrivate, Traveller } from './private.ts';
import type { RoomSet } from './room-set.ts';
import type { Services } from './services.ts';
import type { StanzaLog } from './stanza-log.ts';
import type { Stated } from './stated.ts';
import type {
  Ahead,
  Departing,
  EntryAttempt,
  HeldStanza,
  InboundRequest,
  Meanwhile,
  Move,
  Occupant,
  PendingRequest,
  QueuedStanza,
  SelfPing,
  SentMessage,
  SentPresence,
  SubscriptionQuestion,
  WaitingJoin,
} from './underway.ts';

export type * from './underway.ts';

/** Names a session within this process; not its JID, since two connections may claim one JID for a moment. */
export type SessionId = string & { readonly __session: true };

/** Names an upstream stream within this process. */
export type CarrierId = string & { readonly __carrier: true };

export type CarrierKind = 'account-stream' | 'borrowed';

/** A nick, normalised for comparing (XEP-0045 section 17.5: resourceprep). */
export type NickKey = string;

/** What the operator decides; see the sample configuration for each. Durations in ms. */
export interface Settings {
  readonly graceMs: number;
  readonly leaveWhen: 'auto' | 'last-session' | 'never';
  readonly nickPolicy: 'account' | 'follow';
  /** What the room sees of an account with no session joined: `xa`, or its last presence. */
  readonly presenceAbsent: 'xa' | 'last';
  /** Least pause between two presences of the account in a room, unless it becomes more available. */
  readonly presencePauseMs: number;
  readonly lingerMs: number;
  /** A client that says to all that it is unavailable leaves its stream behind for the rooms; absent: it does not. */
  readonly parksLogout?: boolean;
  /** Within this time a place that was lost without anybody's will is taken again unseen; 0: sessions are told at once. */
  readonly healMs: number;
  /** A room that has been silent for about this long is asked whether the account is still in; 0: never. */
  readonly selfPingMs: number;
  readonly joinTimeoutMs: number;
  readonly iqTimeoutMs: number;
  readonly historyStanzas: number;
  readonly historyAgeMs: number;
  readonly historyBytes: number;
  readonly historyDefault: number;
  /** The log of a room that has no archive serves its sessions as one. */
  readonly archive?: boolean;
  /** What is heard in rooms goes to the store, and is read from there by a home that begins. */
  readonly keepsLogs?: boolean;
  /** Largest stanza that may go to a carrier, in bytes: below what ends or deadens the server's stream. */
  readonly carrierStanzaBytes: number;
  /** Undefined: bookmarks are not read. */
  readonly bookmarks?: BookmarkSettings | undefined;
}

/** How a session presents itself in a room; decides who is the most active (L6). */
export interface Presentation extends Stated {
  /** When it was stated, epoch ms. */
  readonly at: number;
  /** The presence stanza as the client sent it. */
  readonly stanza: Stanza;
}

/** How far a device has acknowledged the messages of a room (XEP-0198): its name for the last one, and when that was said (epoch ms). */
export interface Cursor {
  readonly key: string;
  readonly at: number;
}

export interface Session {
  readonly id: SessionId;
  readonly jid: string;
  /** The resource that its client asked for and knows itself by, or that the server chose. */
  readonly asked: string;
  /** What its client is known by when it comes back: the resource that it asks for. Undefined: it asks for none. */
  readonly device: string | undefined;
  /** How far the device had come in rooms that it has not joined again yet. */
  readonly cursors: Map<BareKey, Cursor>;
  /** Its own upstream stream. */
  readonly carrier: CarrierId;
  /** Of that stream; absent: its headers say nothing. */
  readonly languages?: Languages | undefined;
  available: boolean;
  show: string;
  priority: number;
  carbons: boolean;
  /** Its connection has dropped and may be resumed (XEP-0198). */
  isHibernating: boolean;
  /** While it hibernates: so much waits for it that rooms are told from their logs when it is resumed. */
  isLagging: boolean;
  /** While it hibernates its stream goes on: the server has no XEP-0198, or nobody else carries its rooms and it is to be parked. */
  isStreamKept: boolean;
  /** The latter: its stream is given to the server to keep as soon as somebody else carries the rooms (rules/parking.ts); absent: no. */
  isBeforeParking?: boolean;
  /** The server pushes for it while it hibernates (XEP-0357); undefined: it does not. */
  push: Push | undefined;
  /** Services that it has asked to be told of what happens in rooms in which it is not (XEP-0437); absent: none. */
  hides?: Set<BareKey> | undefined;
  /** A join that waits for the end of an earlier session of the device, and what was sent behind it (ghost.ts); absent: nothing does. */
  held?: HeldStanza[] | undefined;
  /** Its name on the node that it has come from, if it has gone on here (rules/travellers.ts); absent: it has begun here. */
  readonly former?: SessionId;
  /** This home has had the session under that name to the end, and sees to what it has said (rules/asked-again.ts); absent: it has not. */
  isTakenOver?: boolean;
  /** Of what it had said behind its joins there, that to these rooms went nowhere; absent: to none. */
  unsaid?: Set<BareKey> | undefined;
  /** Rooms that it has joined or is waiting to join: its stanzas to these come to the account. */
  readonly rooms: RoomSet;
}

export interface Carrier {
  readonly id: CarrierId;
  readonly kind: CarrierKind;
  readonly jid: string;
  /** The session whose stream it is; undefined for account streams. */
  readonly session: SessionId | undefined;
  /** Absent: its headers say nothing. */
  readonly languages?: Languages | undefined;
  /**
   * `retiring`: it takes no new rooms and is to be freed of those it has (client gone, or broadcast unavailable withheld).
   * `hibernating`: it has no connection; the server keeps its places until it is resumed.
   */
  status: 'ready' | 'retiring' | 'hibernating';
  /** Its node is about to stop: it takes no rooms any more, though its client is still there. */
  isLeaving?: boolean;
  /** Its client has gone, and it is kept for its rooms until a session takes these over (rules/parking.ts); absent: no. */
  isParked?: boolean;
  /** Rooms in which this stream is an occupant, or may be: joins sent and leaves not yet confirmed included. */
  readonly rooms: RoomSet;
  /** Of these, the ones that it has left, and that have not confirmed it in time; absent: none. */
  overdue?: Set<BareKey> | undefined;
  /** When something of a room last came from it, epoch ms. */
  heardAt: number;
  /** The `unavailable` with which its client has left all rooms: where nobody else can carry a room, it is left with this. */
  farewell?: Stanza | undefined;
}

export interface Member {
  /** The nick that it last asked for. */
  asked: string;
  /** The password that its own join gave, whether the account needed it or not; absent: none. */
  readonly password?: string;
  presentation: Presentation;
  /** Undefined: it hears the room. */
  lag: Lag | undefined;
  /** What it was shown by another home: it is to be brought up to date before it is shown anything else. */
  lacks?: KnownRoom | undefined;
}

/** What a session that hears a room no more was last told of it. */
export interface Lag {
  /** The place in the log behind the last message that it was given. */
  readonly from: number;
  readonly roster: ReadonlyMap<NickKey, Occupant>;
  readonly self: Stanza | undefined;
  readonly subject: Stanza | undefined;
}

/** The presence that the room was last sent. */
export interface Shown {
  /** What it held of the client's. */
  readonly content: string;
  /** The client's presence that it came from. */
  readonly presence: Stanza;
  /** How available it says that the account is. */
  readonly rank: number;
  /** Epoch ms. */
  readonly at: number;
}

export interface Occupancy {
  readonly key: BareKey;
  /** The room's address as first written by a client or the room. */
  name: string;
  nick: string;
  phase: 'joining' | 'joined' | 'leaving' | 'ended';
  /** The carrier through which the account occupies the room; undefined while there is none. */
  carrier: CarrierId | undefined;
  attempt: EntryAttempt | undefined;
  move: Move | undefined;
  readonly members: Map<SessionId, Member>;
  shown: Shown | undefined;
  waiting: WaitingJoin[];
  /** Other occupants; the account's own presence is `self`. */
  readonly roster: Map<NickKey, Occupant>;
  self: Stanza | undefined;
  /** Status codes of the room that a joining session must see (100, 170), as they stand now. */
  readonly codes: Set<string>;
  /** Whether the service marks self-presence with 110 (old ones do not: J12). */
  marksSelf: boolean;
  subject: Stanza | undefined;
  /** When the subject was heard live, epoch ms; undefined when the room replayed it with the join. */
  subjectAt: number | undefined;
  /** When the account's join was sent, epoch ms: what was said since is heard. */
  joinedAt: number;
  /** Presence of the room itself (avatar hash, capabilities). */
  roomPresence: Stanza | undefined;
  /** The room's own `unavailable`, until it is known what it is part of. */
  roomFarewell: Stanza | undefined;
  /** The room sends that behind the subject (Prosody), not before all else (ejabberd). */
  isRoomPresenceLast: boolean;
  log: StanzaLog;
  /** The room has no archive, and the log serves as one; undefined: it has, or none is wanted, or it has not said yet. */
  archive: OwnArchive | undefined;
  /** What was heard before the join that is under way: to be read, or read. */
  past: 'awaited' | readonly LogEntry[] | undefined;
  /** Password of the room, as the join that succeeded gave it (J8). */
  password: string | undefined;
  /** Room stanzas of members while no carrier is in the room. */
  queue: QueuedStanza[];
  /** Messages on their way, oldest first: whom an error concerns. */
  sent: SentMessage[];
  /** Presences on their way (nick and status changes), oldest first. */
  presences: SentPresence[];
  /** Absent: nothing is on its way, or nothing was shown since. */
  meanwhile?: Meanwhile | undefined;
  /** Lists of roles that the proxy has asked for, through that stream (rules/moderator.ts); absent: none. */
  lists?: { readonly carrier: CarrierId; readonly ids: Set<string> } | undefined;
  /** Whether the account has subscribed to the room (rules/subscribed.ts), and the question that is unanswered; absent: it cannot, or that is not known. */
  subscription?: { isHeld: boolean; asked?: SubscriptionQuestion | undefined } | undefined;
  /** Presence probes that the room has not answered, oldest first. */
  readonly probes: { readonly nick: NickKey; readonly session: SessionId }[];
  /** Carriers that are still to leave the room, or have not been confirmed to have left. */
  readonly departing: Map<CarrierId, Departing>;
  overlap: Overlap | undefined;
  /** What the new stream of a hand-over has heard, while the old one, which may be slower, is still heard to its end. */
  ahead: Ahead | undefined;
  /** Carriers that the room refused for a hand-over; not tried again for this occupancy. */
  readonly refused: Set<CarrierId>;
  /** When the room last said something that only its occupants are told, or the account was let in (epoch ms). */
  heardAt: number;
  ping: SelfPing | undefined;
  /** Pings that have told nothing, one after the other: since when (epoch ms), and how many. */
  unsure: { readonly since: number; tries: number } | undefined;
  /** When the account has lost its place, the first time of several in a row, and when it last came back (epoch ms). */
  lostAt: number | undefined;
  backAt: number | undefined;
  /** Tries to come back in a row, and the earliest time of the next (epoch ms). */
  tries: number;
  retryAt: number | undefined;
  /** The last try to come back was forbidden. */
  isForbidden?: boolean | undefined;
  /** The account has left on purpose to come back through another carrier (services that share no nick). */
  isReplaced: boolean;
  /** The room has refused the account's nick to a second stream of it: until when that is believed (epoch ms); absent: it has not. */
  nickRefusedUntil?: number | undefined;
  /** Private messages that came while no session was joined. */
  readonly kept: KeptPrivate[];
  /** Who was in the room to the end of the account's stay; absent: it is not over, or nobody was. */
  dismissed?: Set<SessionId> | undefined;
  /** The `unavailable` with which the last joined session has left: what it says goes with the account's own leave. */
  farewell: Stanza | undefined;
  /** While the account stays because the last session may come back: what this had asked for. */
  parting?: Parting | undefined;
  /** The room ends with its last occupant; undefined: it has not said. */
  isTemporary?: boolean | undefined;
  /** The session that was the last to leave, of its own will. */
  leftBy: SessionId | undefined;
  /** Sessions that have left to hide the room, and are to be told when something is said; absent: none. */
  hiddenFrom?: Set<SessionId> | undefined;
  /** Whether a message of the room (captcha, XEP-0158) was passed to the session that joins. */
  challenged: boolean;
}

/** The wish by which the last joined session had come in. */
export type Parting = Readonly<Pick<Member, 'asked' | 'password'>>;

export interface AccountState {
  /** Bare JID. */
  readonly bare: string;
  readonly settings: Settings;
  readonly services: Services;
  readonly sessions: Map<SessionId, Session>;
  /** By the name that each had where it comes from. */
  readonly travellers: Map<SessionId, Traveller>;
  readonly carriers: Map<CarrierId, Carrier>;
  readonly rooms: Map<BareKey, Occupancy>;
  readonly requests: Map<string, PendingRequest>;
  readonly inbound: Map<string, InboundRequest>;
  /** `off`: no password known, or refused for good. */
  accountStream: 'off' | 'possible' | 'opening' | 'ready' | 'waiting';
  /** Messages to streams without a client, until a session can take them (letters.ts). */
  readonly kept: { readonly stanza: Stanza; readonly at: number }[];
  /** Private messages that other nodes have given back, and that no room keeps (kept.ts); absent: none. `at`: epoch ms. */
  givenBack?: readonly { readonly key: string; readonly at: number; missedBy: readonly string[] }[];
  /** Whether what an earlier home has kept of these has been asked for, and has come. */
  letters: 'unasked' | 'asked' | 'read';
  /** Unguessable start of the ids that the proxy makes on carriers. */
  readonly idPrefix: string;
  nextId: number;
  /** Tries to reopen a lost account stream, for its back-off. */
  retries: number;
  /** When the account stream was opened, epoch ms. */
  openedAt: number;
  /** When it was asked for, epoch ms. */
  openingSince: number;
  /** No session is left: the time that the account stays for is running, or over. */
  lingering: 'no' | 'running' | 'over';
  /** Silent rooms are looked for. */
  isWatching: boolean;
  /** A session has had the server push for it. */
  hasPush: boolean;
  /**
   * Its node is about to stop, and says so here: rooms that end now end for want of streams, and the next home goes on from what the store
   * has of them.
   */
  isStopping: boolean;
  /** What is known of the user's bookmarks. */
  readonly bookmarks: BookmarkState;
}

/** One input's turn: state, effects, and the time at which it happened (epoch ms). */
export interface Turn {
  readonly state: AccountState;
  readonly out: Effects;
  readonly now: number;
}

export function createAccountState(
  bare: string,
  idPrefix: string,
  settings: Settings,
  services: Services,
): AccountState {
  return {
    bare,
    settings,
    services,
    sessions: new Map(),
    travellers: new Map(),
    carriers: new Map(),
    rooms: new Map(),
    requests: new Map(),
    inbound: new Map(),
    accountStream: 'off',
    kept: [],
    letters: 'unasked',
    idPrefix,
    nextId: 0,
    retries: 0,
    openedAt: 0,
    openingSince: Number.NEGATIVE_INFINITY,
    lingering: 'no',
    isWatching: false,
    hasPush: false,
    isStopping: false,
    bookmarks: createBookmarkState(),
  };
}

/** An id for a stanza of the proxy's own on a carrier; unique for the account and unguessable to occupants. */
export function freshId(state: AccountState): string {
  state.nextId += 1;
  return `${state.idPrefix}${state.nextId.toString(36)}`;
}

/** Whether the proxy has made this id, by `freshId`. */
export function isOwnId(state: AccountState, id: string | undefined): boolean {
  return id?.startsWith(state.idPrefix) === true;
}
