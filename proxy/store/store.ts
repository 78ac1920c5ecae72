/**
 * What crosses nodes or outlives a socket. These interfaces are the contract; test/store/contract.ts is the same in tests,
 * and every implementation must pass it.
 *
 * Everywhere:
 * - Each method is one atomic step, also against callers on other nodes, unless its comment says otherwise.
 * - A method that resolves has been done; one that rejects with a StoreError has changed nothing. An implementation that
 *   loses its connection rejects with code `unavailable`; whether the step was done is then not known.
 * - Accounts and rooms are given as keys, normalised by the caller; the store compares them as they are.
 * - What is returned is a copy: it does not change later, and changing it changes nothing here.
 * - Lists of names are sorted by code unit, without duplicates.
 * - Time is the store's own clock, the same for all nodes; callers give durations.
 */
import type { Bus } from './bus.ts';
import type { Cursors } from './cursors.ts';
import type { Hibernations } from './hibernations.ts';
import type { Logs } from './logs.ts';
import type { Vault } from './vault.ts';

export type StoreErrorCode =
  /** The fence given is not the account's home (any more): stop writing for this account. */
  | 'stale-home'
  /** This node id has expired; the process must go on under a fresh one. */
  | 'node-expired'
  /** The node that something is sent to has no inbox. */
  | 'no-inbox'
  /** The store cannot be reached. */
  | 'unavailable';

export class StoreError extends Error {
  override readonly name = 'StoreError';
  readonly code: StoreErrorCode;

  constructor(code: StoreErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** One authenticated client, on whatever node it is connected to. */
export interface SessionRecord {
  /** Unique over all nodes and for ever; a resumed or reconnected client is a new session. */
  readonly id: string;
  /** Full JID, normalised. */
  readonly jid: string;
  readonly resource: string;
  /** The node that has its connection. */
  readonly node: string;
  /** Epoch milliseconds, by the node's clock; for people, never for decisions. */
  readonly since: number;
}

export type CarrierKind = 'account-stream' | 'borrowed' | 'parked';

/** The account's place in one room. */
export interface OccupancyRecord {
  /** Key of the room. */
  readonly room: string;
  /** The room's address as it was written. */
  readonly address: string;
  readonly nick: string;
  readonly carrier: CarrierKind;
  /** Bookmarked with autojoin. */
  readonly bookmarked: boolean;
  /** The room's password, sealed; absent: there is none, or it is not to be kept. */
  readonly sealed?: string | undefined;
}

/** An occupancy and the ids of the sessions that have joined it. */
export interface OccupancySnapshot extends OccupancyRecord {
  readonly joined: readonly string[];
}

/** An account at one instant. */
export interface AccountSnapshot {
  readonly account: string;
  /** Sorted by id. */
  readonly sessions: readonly SessionRecord[];
  /** Sorted by room. */
  readonly occupancies: readonly OccupancySnapshot[];
}

/** Proof of being the account's home; writes with an outdated one are refused with `stale-home`. */
export interface Fence {
  readonly node: string;
  readonly epoch: number;
}

/** A session that is gone, and the rooms in which it was joined. */
export interface RemovedSession {
  readonly session: SessionRecord;
  readonly rooms: readonly string[];
}

export interface Joined {
  /**
   * - `joined`: it is now, and was not before.
   * - `already`: it was; nothing has changed.
   * - `no-session`: there is no such session (any more); nothing has changed.
   * - `no-occupancy`: the account is not in that room; nothing has changed.
   */
  readonly result: 'joined' | 'already' | 'no-session' | 'no-occupancy';
  /** Sessions joined in the room now. */
  readonly count: number;
}

export interface Left {
  /** Whether it was joined. */
  readonly left: boolean;
  /** Sessions joined in the room now; 0 also where there is no occupancy. */
  readonly remaining: number;
}

/**
 * Who is where. Invariants: a joined session is one of the account's sessions, and is joined only in rooms that the account
 * occupies; no two sessions of an account have one JID. Of an account without sessions and occupancies nothing is kept.
 *
 * Sessions are written by the node that has their connection; joins and occupancies by the account's home, which passes
 * its fence.
 */
export interface Memberships {
  /**
   * Adds or, by its id, overwrites a session. A session with the same JID and another id is replaced (the server has ended
   * it): it is removed as by `removeSession` in the same step, and returned.
   */
  addSession(account: string, session: SessionRecord): Promise<RemovedSession | undefined>;
  /** Removes it from the account and from all rooms. Undefined: there is no such session. */
  removeSession(account: string, id: string): Promise<RemovedSession | undefined>;
  /** The session is to receive what the room sends. */
  join(account: string, room: string, id: string, fence?: Fence): Promise<Joined>;
  /** The session has left the room. The occupancy stays, also with nobody in it. */
  leave(account: string, room: string, id: string, fence?: Fence): Promise<Left>;
  /** Adds or overwrites an occupancy, found by its room. Joined sessions stay joined. */
  setOccupancy(account: string, occupancy: OccupancyRecord, fence?: Fence): Promise<void>;
  /** The account is not in the room any more. Returns the ids of the sessions that were joined. */
  endOccupancy(account: string, room: string, fence?: Fence): Promise<readonly string[]>;
  snapshot(account: string): Promise<AccountSnapshot>;
  /**
   * Accounts that have a session on the node: all of them, and possibly some that had one lately (the index may lie in
   * another place than the account). To be confirmed by `snapshot`.
   */
  accounts(node: string): Promise<readonly string[]>;
}

export type Claim =
  | { readonly granted: true; readonly epoch: number }
  | { readonly granted: false; readonly heldBy: string; readonly epoch: number };

/**
 * One home per account. A claim is in force from being granted until it is released, its lease has passed without being
 * renewed, or its node has expired; whichever comes first, and for good: no renewal brings it back. The epochs granted
 * for one account strictly increase, whatever happens in between; gaps mean nothing.
 */
export interface Homes {
  /**
   * Makes the node the account's home for `leaseMs`, unless another one is. The node that is home already keeps its epoch,
   * its lease begins anew. Rejects with `node-expired` when the claiming node is not alive.
   */
  claim(account: string, node: string, leaseMs: number): Promise<Claim>;
  /** Begins the lease anew. False: this claim is not in force; nothing has changed. */
  renew(account: string, fence: Fence, leaseMs: number): Promise<boolean>;
  /** Gives the account up. False: this claim is not in force; nothing has changed. */
  release(account: string, fence: Fence): Promise<boolean>;
  /**
   * Makes another node the account's home, for `leaseMs`, in one step: nobody can claim it in between. Returns the epoch of its
   * claim; undefined: this claim is not in force, or the other node is not alive; nothing has changed.
   */
  move(account: string, fence: Fence, to: string, leaseMs: number): Promise<number | undefined>;
  /** The claim in force. */
  holder(account: string): Promise<Fence | undefined>;
  /** Accounts whose last claim was the node's and was not released, in force or not; possibly some more, as `accounts`. */
  held(node: string): Promise<readonly string[]>;
}

export interface NodeRecord {
  /** Fresh for each start of a process: an id has one life only and is never announced after it was removed. */
  readonly id: string;
  /** Epoch milliseconds, by the node's clock; for people. */
  readonly since: number;
  /** Names of the keys with which it opens what is sealed; absent: it has none. */
  readonly opens?: readonly string[];
}

/**
 * Which nodes live. A node is alive from `announce` until `ttlMs` have passed without a heartbeat; then it has expired,
 * which is final, and stays listed as such until somebody has cleaned up behind it and calls `remove`.
 */
export interface Nodes {
  /** Makes it alive. A node that is alive is announced anew; rejects with `node-expired` for one that has expired. */
  announce(node: NodeRecord, ttlMs: number): Promise<void>;
  /** Another `ttlMs`, counted from now. False: it is not alive; it must stop all work for others and take a fresh id. */
  heartbeat(id: string, ttlMs: number): Promise<boolean>;
  /** Sorted by id. */
  alive(): Promise<readonly NodeRecord[]>;
  /** Ids of those that have expired and were not removed. */
  expired(): Promise<readonly string[]>;
  /** For how long such a node has been dead (ms); 0: it is none of these. */
  deadMs(id: string): Promise<number>;
  /** Forgets a node, alive or expired: its own clean stop, or the end of a clean-up. Its claims are void, and listed no more. */
  remove(id: string): Promise<void>;
}

export interface Store {
  readonly memberships: Memberships;
  readonly homes: Homes;
  readonly nodes: Nodes;
  readonly cursors: Cursors;
  readonly logs: Logs;
  readonly hibernations: Hibernations;
  readonly vault: Vault;
  readonly bus: Bus;
  /** Ends connections. What is stored stays, where the store outlives the process. */
  close(): Promise<void>;
}
