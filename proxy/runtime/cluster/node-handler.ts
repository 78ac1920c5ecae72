/** What a process among others hears of them, and of itself. */
import type { HeirMessage } from './heirs.ts';
import type { LendingMessage } from './lent-messages.ts';
import type { Message } from './messages.ts';
import type { RecallMessage } from './recalls.ts';

export type NodeMessage = Message | RecallMessage | LendingMessage | HeirMessage;

/** What happens to a node. */
export interface NodeHandler {
  message(from: string, message: NodeMessage, payload: Buffer): void;
  /** Envelopes for this node, of whatever sender, are lost. */
  gap(): void;
  /** Another node is no more. */
  lost(node: string): void;
  /** Another node has no inbox: it is about to be found dead, or its inbox was lost. */
  unreachable(node: string): void;
  /** What this node could not be sure of lately it can be sure of again, perhaps under another id. */
  recovered(isRenamed: boolean): void;
  /** This node has looked which others live, and cleaned up behind those that do not. */
  lookedAround(): void;
}
