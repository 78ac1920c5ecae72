/**
 * Sessions that the proxy keeps by itself, and whose clients come back to another node (S9). Such a session cannot leave its node: its
 * stream at the server has its connection there. So the node that the client has come to *lends* it the leg: what the client says goes
 * over the bus to the session, and what the session says to the client comes back the same way. The one sees a `DistantLeg`, which is a
 * leg like others, the other has a `LentLeg`. When a node ends, or the bus has lost something, the leg is at its end as a connection is
 * that has broken: the session hibernates, or the client finds it gone.
 */
import type { Leg, LegLimits } from '../../net/leg.ts';
import type { Log } from '../../ops/log.ts';
import type { Metrics } from '../../ops/metrics.ts';
import type { ResumeRequest } from '../bound-session.ts';
import { DistantLeg } from './distant-leg.ts';
import { factsOf, LentLeg } from './lent-leg.ts';
import type { LendingMessage, LentId } from './lent-messages.ts';

/** How long the other node may take to answer (ms). */
const ANSWER_MS = 2000;

export interface LendingNode {
  send(to: string, message: LendingMessage, payload?: Buffer): void;
  readonly newId: () => string;
}

/** Whoever has sessions that the proxy keeps by itself. */
export interface Borrower {
  /** The session goes on over this leg, whose client has proved whose it is. False: it cannot. */
  takeLeg(request: ResumeRequest, leg: Leg): boolean;
}

export interface LendingOptions {
  readonly log: Log;
  readonly metrics: Pick<Metrics, 'drops'>;
  readonly config: { readonly limits: Pick<LegLimits, 'outboxBytes'> };
}

/** A leg that has been offered, and is not lent yet. */
interface Offer {
  readonly node: string;
  readonly leg: Leg;
  readonly timer: NodeJS.Timeout;
  readonly answered: (isTaken: boolean) => boolean;
}

export class Lending {
  readonly #node: LendingNode;
  readonly #options: LendingOptions;
  readonly #offers = new Map<LentId, Offer>();
  readonly #lent = new Map<LentId, { readonly node: string; readonly leg: LentLeg }>();
  readonly #distant = new Map<LentId, { readonly node: string; readonly leg: DistantLeg }>();
  #borrower: Borrower | undefined;

  constructor(node: LendingNode, options: LendingOptions) {
    this.#node = node;
    this.#options = options;
  }

  set borrower(borrower: Borrower) {
    this.#borrower = borrower;
  }

  /** Legs of this node's that are lent, and sessions of this node's that go on over legs of others. */
  get counts(): { readonly lent: number; readonly distant: number } {
    return { lent: this.#lent.size, distant: this.#distant.size };
  }

  /**
   * Offers a held leg to the session that `request` names, at that node. `answered` is called once: true, the leg is lent, and nobody
   * else is to use it any more; it returns whether that is still wanted. False: nothing has changed.
   */
  offer(node: string, request: ResumeRequest, leg: Leg, answered: (isTaken: boolean) => boolean): void {
    const id = this.#node.newId();
    const timer = setTimeout(() => this.#refused(id), ANSWER_MS);
    this.#offers.set(id, { node, leg, timer, answered });
    this.#node.send(node, { kind: 'lend', leg: id, request, facts: factsOf(leg) });
  }

  #takeOffer(id: LentId): Offer | undefined {
    const offer = this.#offers.get(id);
    this.#offers.delete(id);
    clearTimeout(offer?.timer);
    return offer;
  }

  #refused(id: LentId): void {
    this.#takeOffer(id)?.answered(false);
  }

  message(from: string, message: LendingMessage, payload: Buffer): void {
    switch (message.kind) {
      case 'lend':
        this.#borrow(from, message);
        return;
      case 'lent':
        this.#answered(from, message);
        return;
      case 'leg':
        this.#data(from, message, payload);
        return;
      case 'leg-gone':
        this.#gone(from, message.leg);
        return;
    }
  }

  #borrow(from: string, { leg: id, request, facts }: Extract<LendingMessage, { kind: 'lend' }>): void {
    const { log, metrics, config } = this.#options;
    const { outboxBytes } = config.limits;
    const leg: DistantLeg = new DistantLeg({
      id: `d${id}`,
      facts,
      outboxBytes,
      log,
      metrics,
      send: (head, payload) => this.#node.send(from, { kind: 'leg', leg: id, ...head }, payload),
      gone: () => {
        if (this.#distant.delete(id)) this.#node.send(from, { kind: 'leg-gone', leg: id });
      },
    });
    this.#distant.set(id, { node: from, leg });
    // What the session says at once follows behind the answer.
    let isTaken = false;
    try {
      isTaken = this.#borrower?.takeLeg(request, leg) ?? false;
    } finally {
      if (!isTaken) this.#distant.delete(id);
      this.#node.send(from, { kind: 'lent', leg: id, isTaken });
    }
  }

  #answered(from: string, { leg: id, isTaken }: Extract<LendingMessage, { kind: 'lent' }>): void {
    const offer = this.#offers.get(id);
    if (offer?.node !== from) {
      if (isTaken) this.#node.send(from, { kind: 'leg-gone', leg: id });
      return;
    }
    this.#takeOffer(id);
    const isWanted = offer.answered(isTaken);
    if (!isTaken) return;
    if (!isWanted) {
      this.#node.send(from, { kind: 'leg-gone', leg: id });
      return;
    }
    const leg = new LentLeg(offer.leg, (head, payload) =>
      this.#node.send(from, { kind: 'leg', leg: id, ...head }, payload),
    );
    this.#lent.set(id, { node: from, leg });
    leg.begin();
  }

  #data(from: string, message: Extract<LendingMessage, { kind: 'leg' }>, payload: Buffer): void {
    const { leg: id } = message;
    const distant = this.#distant.get(id);
    const lent = this.#lent.get(id);
    if (distant?.node === from) distant.leg.take(message, payload);
    else if (lent?.node !== from || !lent.leg.take(message, payload)) {
      this.#gone(from, id);
      this.#node.send(from, { kind: 'leg-gone', leg: id });
    }
  }

  #gone(from: string, id: LentId): void {
    const lent = this.#lent.get(id);
    if (lent?.node === from) {
      this.#lent.delete(id);
      lent.leg.drop();
    }
    const distant = this.#distant.get(id);
    if (distant?.node !== from) return;
    this.#distant.delete(id);
    distant.leg.lost();
  }

  /** The other node is no more, or nothing reaches it. */
  lost(node: string): void {
    for (const [id, offer] of [...this.#offers]) if (offer.node === node) this.#refused(id);
    for (const [id, one] of [...this.#lent]) if (one.node === node) this.#gone(node, id);
    for (const [id, one] of [...this.#distant]) if (one.node === node) this.#gone(node, id);
  }

  /** What was on its way may be lost: clients come back, to begin with what is known for sure. */
  doubt(): void {
    // The other ends of legs have noticed nothing.
    for (const [id, { node }] of [...this.#lent, ...this.#distant])
      this.#node.send(node, { kind: 'leg-gone', leg: id });
    for (const { node } of [...this.#offers.values(), ...this.#lent.values(), ...this.#distant.values()])
      this.lost(node);
  }

  /** This node is about to stop: its clients are cut off, and resume elsewhere. */
  cutOff(): void {
    for (const { leg } of [...this.#lent.values()]) leg.cut();
  }

  /** At the end of the process. */
  close(): void {
    this.doubt();
  }
}
