/** What nodes ask each other about sessions that are resumed on another node than they are on. */
import type { Log } from '../../ops/log.ts';
import type { ResumeRequest } from '../bound-session.ts';
import type { Found, Peers } from '../recall.ts';

export type RecallMessage =
  /** Who has this session? */
  | { readonly kind: 'recall'; readonly id: string; readonly request: ResumeRequest }
  /** `xml`: `<resume/>` for the server; `owner`: whose it is, where the proxy keeps it by itself; neither: not this node. */
  | {
      readonly kind: 'recalled';
      readonly id: string;
      readonly xml?: string | undefined;
      readonly owner?: string | undefined;
    }
  /** The server has granted it: the session is to be put into the store, and let go. */
  | { readonly kind: 'transfer'; readonly id: string; readonly request: ResumeRequest }
  | { readonly kind: 'transferred'; readonly id: string; readonly isThere: boolean }
  /** The server has refused it. */
  | { readonly kind: 'not-resumed'; readonly request: ResumeRequest };

/** What this node has of sessions that can be resumed. */
export interface Holder {
  prepareResume(request: ResumeRequest): string | undefined;
  /** Bare JID whose session it is, if the proxy keeps it by itself. */
  ownerOf(request: ResumeRequest): string | undefined;
  transfer(request: ResumeRequest): Promise<boolean>;
  resumeRefused(request: ResumeRequest): void;
}

export interface RecallNode {
  /** All others, those included that have come just now. @throws StoreError */
  others(): Promise<readonly string[]>;
  send(to: string, message: RecallMessage): void;
  readonly newId: () => string;
}

/** How long the others may take to answer (ms). */
const ANSWER_MS = 2000;
/** Questions that may be open at a time; beyond it none is asked. */
const MOST_OPEN = 1000;

interface Question {
  /** Those who have not answered. */
  readonly awaited: Set<string>;
  answer(from: string, message: RecallMessage): boolean;
  none(): void;
}

export class Recalls implements Peers {
  readonly #node: RecallNode;
  readonly #log: Log;
  readonly #open = new Map<string, Question>();
  #holder: Holder | undefined;

  constructor(node: RecallNode, log: Log) {
    this.#node = node;
    this.#log = log;
  }

  set holder(holder: Holder) {
    this.#holder = holder;
  }

  async find(request: ResumeRequest): Promise<Found | undefined> {
    return await this.#ask(await this.#node.others(), { kind: 'recall', request }, (node, message) => {
      if (message.kind !== 'recalled') return undefined;
      if (message.xml !== undefined) return { node, xml: message.xml };
      return message.owner === undefined ? undefined : { node, owner: message.owner };
    });
  }

  async transfer(node: string, request: ResumeRequest): Promise<boolean> {
    const isThere = await this.#ask([node], { kind: 'transfer', request }, (_, message) =>
      message.kind === 'transferred' && message.isThere ? true : undefined,
    );
    return isThere === true;
  }

  refused(node: string, request: ResumeRequest): void {
    this.#node.send(node, { kind: 'not-resumed', request });
  }

  /** The first answer that `read` makes something of; undefined when there is none, of all or in time. */
  #ask<T>(
    nodes: readonly string[],
    question: { readonly kind: 'recall' | 'transfer'; readonly request: ResumeRequest },
    read: (from: string, message: RecallMessage) => T | undefined,
  ): Promise<T | undefined> {
    if (nodes.length === 0 || this.#open.size >= MOST_OPEN) return Promise.resolve(undefined);
    const id = this.#node.newId();
    return new Promise((resolve) => {
      const end = (result: T | undefined): void => {
        clearTimeout(timer);
        this.#open.delete(id);
        resolve(result);
      };
      const timer = setTimeout(() => end(undefined), ANSWER_MS);
      const awaited = new Set(nodes);
      const answer = (from: string, message: RecallMessage): boolean => {
        const result = read(from, message);
        if (result !== undefined) end(result);
        return result !== undefined;
      };
      this.#open.set(id, { awaited, answer, none: () => end(undefined) });
      for (const node of nodes) this.#node.send(node, { ...question, id });
    });
  }

  message(from: string, message: RecallMessage): void {
    switch (message.kind) {
      case 'recall':
        this.#recalled(from, message.id, message.request);
        return;
      case 'transfer':
        this.#transfer(from, message.id, message.request);
        return;
      case 'not-resumed':
        this.#holder?.resumeRefused(message.request);
        return;
      case 'recalled':
      case 'transferred':
        this.#answered(from, message);
        return;
    }
  }

  #recalled(from: string, id: string, request: ResumeRequest): void {
    const owner = this.#holder?.ownerOf(request);
    const xml = owner === undefined ? this.#holder?.prepareResume(request) : undefined;
    this.#node.send(from, { kind: 'recalled', id, xml, owner });
  }

  #transfer(from: string, id: string, request: ResumeRequest): void {
    const answer = (isThere: boolean): void => this.#node.send(from, { kind: 'transferred', id, isThere });
    this.#holder?.transfer(request).then(answer, (error: unknown) => {
      this.#log.error({ error }, 'fault in the transfer of a session');
      answer(false);
    });
  }

  #answered(from: string, message: Extract<RecallMessage, { kind: 'recalled' | 'transferred' }>): void {
    const question = this.#open.get(message.id);
    if (!question?.awaited.delete(from) || question.answer(from, message)) return;
    if (question.awaited.size === 0) question.none();
  }

  /** Nobody is asked any more. */
  close(): void {
    for (const question of [...this.#open.values()]) question.none();
  }
}

export function isRecall(message: { readonly kind: string }): message is RecallMessage {
  return ['recall', 'recalled', 'transfer', 'transferred', 'not-resumed'].includes(message.kind);
}
