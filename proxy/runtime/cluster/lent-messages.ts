/** What two nodes say to each other about a lent leg: see lending.ts. */
import type { LegKind, StreamErrorToSend } from '../../net/leg.ts';
import type { Route } from '../../net/proxy-header.ts';
import type { Violation } from '../../xml/framer.ts';
import type { ResumeRequest } from '../bound-session.ts';
import type { TextRef } from './envelope.ts';
import type { FlowHead } from './lent-flow.ts';

/** Made by the node that lends it, unguessable, never used twice. */
export type LentId = string;

/** What is to be known of the connection where it does not end. */
export interface LegFacts {
  readonly transport: LegKind;
  readonly remoteAddress: string;
  readonly route: Route;
  readonly encrypted: boolean;
  readonly declared: 'websocket' | readonly (readonly [string, string])[];
}

export type LendingMessage =
  /** To the node that has the session: its client is here, and has proved whose it is. */
  | { readonly kind: 'lend'; readonly leg: LentId; readonly request: ResumeRequest; readonly facts: LegFacts }
  /** The session goes on over it; or it cannot any more, and the leg stays where it is. */
  | { readonly kind: 'lent'; readonly leg: LentId; readonly isTaken: boolean }
  /** A payload follows, unless `number` is 0. */
  | ({ readonly kind: 'leg'; readonly leg: LentId } & FlowHead)
  /** The session has nothing to do with it any more, or nobody here knows it. */
  | { readonly kind: 'leg-gone'; readonly leg: LentId };

/** To the session. */
export type FromClient =
  | { readonly kind: 'stanza'; readonly text?: TextRef }
  | { readonly kind: 'end' }
  | { readonly kind: 'violation'; readonly violation: Violation }
  | { readonly kind: 'closed'; readonly reason: string | undefined };

/** To the client. `write`: its declarations are right for the leg. */
export type ForClient =
  | { readonly kind: 'write' | 'send'; readonly text?: TextRef }
  | { readonly kind: 'error'; readonly error: StreamErrorToSend }
  | { readonly kind: 'expect-answer' }
  | { readonly kind: 'end' };

export function isLending(message: { readonly kind: string }): message is LendingMessage {
  return ['lend', 'lent', 'leg', 'leg-gone'].includes(message.kind);
}
