/** What a node has of an account, wherever the account's home is: its sessions and streams, and what it knows of the rest. */
import type { Input } from '../../core/inputs.ts';
import type { CarrierId, PendingRequest, SessionId, Settings } from '../../core/state.ts';
import type { Seat } from '../../core/view.ts';
import type { AccountStreamKeeper } from '../account-stream-keeper.ts';
import type { AccountDeps } from '../deps.ts';
import type { Ports } from '../ports.ts';
import type { Mirror } from './mirror.ts';
import type { ClusterNode } from './node.ts';
import type { Waiting } from './waiting.ts';

/** What happens to sessions and streams. */
export type Happening = Exclude<Input, { kind: 'arrive' }>;

export interface Part {
  /** The account's name in the store, and its bare JID as it was bound. */
  readonly key: string;
  readonly bare: string;
  readonly settings: Settings;
  readonly deps: AccountDeps;
  readonly node: ClusterNode;
  readonly ports: Ports;
  readonly accountStream: AccountStreamKeeper;
  readonly mirror: Mirror;
  /** Of the sessions that are here. */
  readonly seats: ReadonlyMap<SessionId, Seat>;
  /** What has happened while there was no home to tell. */
  readonly waiting: Waiting;
  readonly isOver: boolean;
  /** See `Account`. */
  readonly isStored: boolean;
  /** A stream is no carrier any more. */
  free(carrier: CarrierId): void;
  /** A room stanza that cannot be taken to the home is answered. */
  refuse(happening: Happening): void;
  /** Requests to rooms that cannot be answered any more. */
  refuseRequests(requests: ReadonlyMap<string, PendingRequest>): void;
  /** Something may have been the last that kept the account here. */
  settle(): void;
  /** Nothing is left of the account. */
  over(): void;
}
