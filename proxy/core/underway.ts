/** What is under way between an account and a room: joins and hand-overs, and what is on its way to the room or back. */
import type { BareKey } from '../xml/address.ts';
import type { Stanza } from '../xml/stanza.ts';
import type { CarrierId, NickKey, Presentation, SessionId } from './state.ts';

/** A stanza behind a join. */
export interface BehindJoin {
  readonly stanza: Stanza;
  /** Another home may have sent it before it was lost. */
  readonly isUnsure?: boolean;
}

/**
 * How a stanza has come to this home.
 * - `isUnsure`: another home may have sent it on before it was lost, or this one before it lost the way to the session's node.
 * - `isAskedAgain`: see the input `session-stanza`.
 */
export interface Circumstances {
  readonly isUnsure?: boolean | undefined;
  readonly isAskedAgain?: boolean | undefined;
}

/** A stanza that waits for the end of an earlier session (rules/ghost.ts). */
export interface HeldStanza extends Circumstances {
  readonly stanza: Stanza;
}

/** A session's wish to join, until it is answered. */
export interface WaitingJoin {
  readonly session: SessionId;
  /** The join presence as the client sent it. */
  readonly stanza: Stanza;
  readonly nick: string;
  /** The password by which the account was in the room when it came: used where the join gives none (J8). Absent: none is known. */
  readonly password?: string;
  /** When it came, epoch ms. */
  readonly at: number;
  /** Stanzas to the room that came behind the join, in order. */
  readonly behind: BehindJoin[];
  /** The session wants in no more, and is told nothing; what it sent behind the join is still to be said. */
  isForsaken: boolean;
  /** Of a session that has come from another node: its former self waited here, and what that had said behind the join is here; absent: no. */
  readonly isTakenOver?: boolean;
}

export interface Occupant {
  readonly nick: string;
  /** The latest presence of this occupant, detached from the wire's buffers. */
  readonly presence: Stanza;
}

/** The join that is under way on a carrier: the account's first, or one of a hand-over. */
export interface Attempt {
  readonly carrier: CarrierId;
  readonly joinId: string;
  /** Id of the IQ sent right behind; its answer comes after the whole join answer. */
  fenceId: string;
  /** The fence was answered before the room admitted the account: it proves nothing, another is sent then. */
  isFenceSpent: boolean;
  /** Since the room owes the stream the end of an earlier stay, what bears another id is of that one (rules/overdue.ts); absent: it owes none. */
  isBehind?: boolean;
  /** The last of that, as far as it may be the answer to this join of a service that takes ids away; absent: nothing. */
  doubtful?: Stanza | undefined;
  self: Stanza | undefined;
  created: boolean;
  readonly roster: Map<NickKey, Occupant>;
  /** What the room has said to the one who joins, beside history and subject. */
  readonly notices: Stanza[];
}

/** The account's own join, of which a session's was made. */
export interface EntryAttempt extends Attempt {
  /** The session's wish; that session may have left, or asked anew, meanwhile. */
  readonly wish: WaitingJoin;
  /** The room has answered in full; only what was heard before is waited for. */
  isDue?: boolean;
  /** What was said behind the account's admission, and is told behind the answer. */
  readonly early: Stanza[];
}

/** A hand-over (`from` set) or a rejoin after a carrier was lost (`from` undefined). */
export interface Move extends Attempt {
  readonly from: CarrierId | undefined;
  /** The old stream does not hear the room meanwhile: there is none, or it hibernates. */
  readonly isBlind: boolean;
  /** The old stream was lost when the join had been sent: what it had taken last may be shown behind the join. */
  readonly isOvertaken: boolean;
  /** The nick that it asks for: the account's when it began. */
  readonly nick: string;
  /** When that was, epoch ms. */
  readonly at: number;
  /** The room had let the stream in by another presence before it (rules/anew.ts); absent: it had not. */
  isAnew?: boolean;
  /** A status was on its way then, which its join does not hold. */
  readonly isOutdated: boolean;
  /** Messages that came before it was complete. */
  readonly heard: Stanza[];
  /** Texts of subjects that others have followed since it began, see `noteSubject`. */
  readonly outdated: string[];
}

/** What the new stream of a hand-over has heard while the old one is heard to its end. */
export interface Ahead {
  readonly carrier: CarrierId;
  /** Before it was complete, what the room repeats of its history included. */
  readonly told: readonly Stanza[];
  /** Texts of subjects that others have followed since the hand-over began, see `noteSubject`. */
  readonly outdated: string[];
  /** Since then, each with the nick that the account had: it may have another when that is told. */
  readonly stanzas: { readonly stanza: Stanza; readonly nick: string }[];
}

/** A message of a session on its way to the room. */
export interface SentMessage {
  readonly id: string | undefined;
  readonly session: SessionId;
  /** The stream that it went through. */
  readonly carrier: CarrierId;
  /** As the client addressed it. */
  readonly to: string;
  readonly isGroupchat: boolean;
  /** Epoch ms. */
  readonly at: number;
  /** Its stream was lost before the room had shown it. */
  isStranded: boolean;
  /** The message itself, of short ones to all: should the room refuse it for not knowing the account, it is sent again. */
  readonly text?: Stanza | undefined;
}

/** What a room has shown of others while a status or a nick change of the account is on its way (rules/anew.ts). */
export interface Meanwhile {
  /** Who has come or changed since. */
  readonly shown: Set<NickKey>;
  /** What was repeated, and is kept back until the room has answered: part of the answer to a join, or to be passed on. */
  readonly held: Map<NickKey, Stanza>;
}

/** A ping of the account's to its own nick (XEP-0410), until it is answered. */
export interface SelfPing {
  readonly id: string;
  readonly carrier: CarrierId;
  /** Epoch ms. */
  readonly at: number;
  /** Sessions' own pings that its answer will answer. */
  readonly waiting: { readonly session: SessionId; readonly stanza: Stanza }[];
  readonly refused: Refused[];
  /** The last nick change of the proxy's own that the room has refused. */
  change?: SentPresence;
}

/** A message or presence that the room has refused, perhaps for not knowing the account, and how it did. */
export interface Refused {
  readonly session: SessionId;
  /** As the session sent it. */
  readonly stanza: Stanza;
  readonly error: Stanza;
  /** It is a join under another nick. */
  readonly isJoin?: true;
  /** Its sender has said otherwise of its availability since. */
  isOutdated?: boolean;
}

/** A stream that is leaving a room. */
export interface Departing {
  /** The leave is on its way; else answers are waited for first. */
  readonly sent: boolean;
  /** The room had not answered the stream's join when it was sent; absent: it had. */
  readonly isEntering?: boolean;
  /** It was in before that (rules/anew.ts), or a presence that may be taken for a join is on its way: a removal may not be the end; absent: no. */
  readonly isAnew?: boolean;
  /** While no other stream hears the room: when the room last said something on this one (epoch ms); absent: not yet. */
  heardAt?: number;
  /** How often its leave was given more time for that; absent: never. */
  prolonged?: number;
  /**
   * It is out, and may have been let in again without wanting to be: what the room tells it says nothing of what was missed. So many of its presences
   * the room may still take for that, or refuse. Absent: it is in.
   */
  readonly unasked?: number;
  /** The room owes it the end of an earlier stay, too: what ends one says nothing of the other, and the fence's answer is waited for; absent: no. */
  readonly isBehind?: boolean;
  /** Id of the IQ behind its leave, whose answer shows that the room has dealt with all that; absent: the leave itself is answered. */
  readonly fenceId?: string;
  /** Its answer was waited for long enough, and the next stream comes in; what is heard on it still is passed on; absent: not so. */
  isGivenUp?: boolean;
}

export interface SentJoin {
  readonly stanza: Stanza;
  readonly at: number;
}

/** A presence on its way to the room: a nick change or a status. */
export interface SentPresence {
  readonly id: string | undefined;
  /** The nick that the room will show with it. */
  readonly nick: string;
  /** Who has sent it; undefined: the proxy, of its own. */
  readonly session: SessionId | undefined;
  carrier: CarrierId;
  /** When it was sent, or sent again, epoch ms. */
  at: number;
  readonly stanza: Stanza;
  /** The join that it stands for, and when that came (epoch ms); see rules/other-nick.ts. */
  readonly join?: SentJoin;
  /** What a nick change says of its sender's availability (rules/rename.ts); absent: the sender has said otherwise since. */
  says?: Presentation | undefined;
}

/** A stanza of a member that waits for a carrier. */
export interface QueuedStanza {
  readonly session: SessionId;
  readonly stanza: Stanza;
  /** It was given to a stream that did not bring it to the server; the siblings have been shown it. */
  readonly isAgain?: boolean;
  /** Of a nick change: its sender has said otherwise of its availability since. */
  readonly isOutdated?: boolean;
  /** Another home may have sent it before it was lost. */
  readonly isUnsure?: boolean;
}

/** A question about subscriptions (subscription.ts). `at`: when it was sent, epoch ms. */
export interface SubscriptionQuestion {
  readonly id: string;
  readonly carrier: CarrierId;
  readonly at: number;
}

/** A request of a session to a room, until it is answered. */
export interface PendingRequest {
  readonly session: SessionId;
  readonly carrier: CarrierId;
  readonly room: BareKey;
  /** The address asked, as the client wrote it, and the id that the client gave. */
  readonly to: string;
  readonly originalId: string | undefined;
  /** The `queryid` that the client gave to a MAM query; null: it gave none; undefined: no MAM query. */
  readonly queryId: string | null | undefined;
  /** It asks for what the room is and can do. */
  readonly isInfo?: true;
  /** It may change what the account has subscribed to. */
  readonly isSubscription?: true;
  /** The client's IQ, for an error answer. */
  readonly stanza: Stanza;
}

/** A request from the room's side that a session has been asked to answer. */
export interface InboundRequest {
  readonly session: SessionId;
  readonly carrier: CarrierId;
  readonly room: BareKey;
  readonly stanza: Stanza;
}
