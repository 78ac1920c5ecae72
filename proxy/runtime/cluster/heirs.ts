/**
 * Before an account is given to another node (bequests.ts) that node is asked: one that is about to stop declines, which those who have looked
 * before cannot know. What a node has agreed to take is waited for when it stops, to be given on.
 */
import type { ClusterNode } from './node.ts';
import { sleep } from './seek.ts';

export type HeirMessage =
  /** To a node that has the key: would it take the account? */
  | { readonly kind: 'heir-asked'; readonly id: string; readonly account: string }
  | { readonly kind: 'heir-says'; readonly id: string; readonly isWilling: boolean };

/** How long another node may take to answer (ms); who says nothing declines. */
const ANSWER_MS = 1000;
/** How long an account may take to come that this node has agreed to take (ms), and how many may be on their way. */
const COMING_MS = 5000;
const MOST_COMING = 1000;
const STEP_MS = 5;

export class Heirs {
  readonly #node: Pick<ClusterNode, 'newId' | 'send'>;
  /** Questions without an answer, by their name. */
  readonly #open = new Map<string, { readonly node: string; answer(isWilling: boolean): void }>();
  /** Accounts that this node has agreed to take: until when they are waited for (monotonic). */
  readonly #coming = new Map<string, number>();
  #isDeclining = false;

  constructor(node: Pick<ClusterNode, 'newId' | 'send'>) {
    this.#node = node;
  }

  /** Whether the other node would take the account (its key); bounded, by that time (monotonic) at the latest. */
  ask(node: string, account: string, end: number): Promise<boolean> {
    const id = this.#node.newId();
    return new Promise((resolve) => {
      const answer = (isWilling: boolean): void => {
        clearTimeout(timer);
        this.#open.delete(id);
        resolve(isWilling);
      };
      const mostMs = Math.max(0, Math.min(ANSWER_MS, end - performance.now()));
      const timer = setTimeout(() => answer(false), mostMs);
      this.#open.set(id, { node, answer });
      this.#node.send(node, { kind: 'heir-asked', id, account });
    });
  }

  message(from: string, message: HeirMessage): void {
    if (message.kind === 'heir-says') {
      const question = this.#open.get(message.id);
      if (question?.node === from) question.answer(message.isWilling);
      return;
    }
    const { id, account } = message;
    const isWilling = !this.#isDeclining && this.#hasPlace();
    if (isWilling) this.#coming.set(account, performance.now() + COMING_MS);
    this.#node.send(from, { kind: 'heir-says', id, isWilling });
  }

  #hasPlace(): boolean {
    const now = performance.now();
    for (const [account, until] of this.#coming) if (until <= now) this.#coming.delete(account);
    return this.#coming.size < MOST_COMING;
  }

  /** A node takes nothing: it declines. */
  unreachable(node: string): void {
    for (const question of [...this.#open.values()]) if (question.node === node) question.answer(false);
  }

  /** An account has come, of whatever node. */
  arrived(account: string): void {
    this.#coming.delete(account);
  }

  /** This node is about to stop: it agrees to nothing any more. */
  decline(): void {
    this.#isDeclining = true;
  }

  /**
   * Resolves when what this node has agreed to take has come, or does not any more; at that time (monotonic) at the latest. True: something was
   * waited for.
   */
  async settled(end: number): Promise<boolean> {
    const isComing = (): boolean =>
      [...this.#coming.values()].some((until) => performance.now() < Math.min(until, end));
    const isAwaited = isComing();
    while (isComing()) await sleep(STEP_MS);
    return isAwaited;
  }

  /** Nobody is asked any more. */
  close(): void {
    for (const question of [...this.#open.values()]) question.answer(false);
  }
}

export function isOfHeirs(message: { readonly kind: string }): message is HeirMessage {
  return message.kind === 'heir-asked' || message.kind === 'heir-says';
}
