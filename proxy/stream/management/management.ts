/**
 * Stream management between one client and one server with the proxy in between (XEP-0198; DESIGN "Stream features"): two
 * pairs of counters and the map between them. What the client sees and what the server sees differ by what the proxy
 * swallows and adds; nothing is acknowledged on one leg before it is safe on the other.
 *
 * Pure: texts to be sent are handed to the lines given; time-outs and bytes are the owner's business.
 */
import type { NS } from '../../xml/names.ts';
import type { Stanza } from '../../xml/stanza.ts';
import { Inbound, type InboundSnapshot, type Ticket, WRAP } from './inbound.ts';
import { Outbound, type OutboundSnapshot, type Sent } from './outbound.ts';

export type ManagementVersion = typeof NS.sm2 | typeof NS.sm3;

/** Ways out for `<r/>` and `<a/>`. */
export interface ManagementLines {
  toClient(xml: string): void;
  toServer(xml: string): void;
  /** The client has been asked for an acknowledgement, by `toClient`. */
  clientAsked?(): void;
  /**
   * An answer to this side would say nothing new and one that does is on its way, or the side is a server, which is in no hurry:
   * `answerNow` is to be called soon, in case nothing takes the answer along before. Absent: each answer is given at once.
   */
  postponed?(side: ManagedSide): void;
}

export type ManagedSide = 'client' | 'server';

/** Relayed stanzas after which the client is asked for an acknowledgement without the server's having asked for one. */
const ASK_AFTER = 20;

/** What is to be sent again after a resumption. */
export interface Resumed {
  /** The proxy's own stanzas that the server has not handled. */
  readonly toServer: readonly Buffer[];
  /** What the client has not handled, in order; the tickets are those of stanzas that the server sends again. */
  readonly toClient: readonly Sent[];
}

/** The counters while both streams are interrupted, with the texts that are to be sent again. */
export interface ManagementSnapshot {
  readonly fromClient: InboundSnapshot;
  readonly toServer: OutboundSnapshot;
  readonly fromServer: InboundSnapshot;
  readonly toClient: OutboundSnapshot;
  /** What the server was told in attempts to resume that are under way, by what the client said. */
  readonly told?: readonly (readonly [h: number, told: number])[];
}

/** What became of an `<a/>`: `too-high` is a stream error on that leg (XEP-0198 section 4). */
export type Acknowledged = 'ok' | 'too-high' | 'malformed';

export class Management {
  readonly version: ManagementVersion;
  /** The server has no stream management: the proxy keeps the session by itself, and all that is for its client. */
  readonly isOwn: boolean;
  fromClient = new Inbound();
  toServer = new Outbound();
  fromServer = new Inbound();
  toClient = new Outbound();
  /** What the server was told in attempts to resume, by what the client said. */
  readonly #told = new Map<number, number>();
  readonly #lines: ManagementLines;
  /** The peer has asked, and was told less than had come. */
  #isClientOwed = false;
  #isServerOwed = false;
  /** It was told nothing yet, since it would have heard what it knows. */
  #isClientPostponed = false;
  #isServerPostponed = false;
  /** The beginning of which the peer has been told that it is safe. */
  #clientTold = 0;
  #serverTold = 0;
  /** We have asked the peer, and it has not answered. */
  #isClientAsked = false;
  #isServerAsked = false;
  #sinceClientAsked = 0;
  /** Something that no server asks for has gone to the client since it was asked. */
  #isUnasked = false;
  #sinceServerAsked = 0;

  constructor(version: ManagementVersion, lines: ManagementLines, isOwn = false) {
    this.version = version;
    this.#lines = lines;
    this.isOwn = isOwn;
  }

  /** The client's stanza `ticket` is safe: taken by the account, or answered here. */
  clientSafe(ticket: Ticket): void {
    this.fromClient.safe(ticket);
    this.#payClient();
  }

  /** The server's stanza `ticket` is dealt with here, or logged and queued by the account. */
  serverSafe(ticket: Ticket): void {
    this.fromServer.safe(ticket);
    this.#payServer();
  }

  /** A stanza has been written to the server: a client's (by its ticket), or one of the proxy's own (its text). */
  sentToServer(what: Sent): void {
    if (this.isOwn) {
      // Such a server never says what it has handled: what is written to it is as safe as it can be.
      if (typeof what === 'number') this.clientSafe(what);
      return;
    }
    this.toServer.sent(what);
    this.#tellServerDue();
    this.#sinceServerAsked += 1;
    if (this.#sinceServerAsked >= ASK_AFTER) this.#askServer();
  }

  /** A stanza has been given to the client: the server's (by its ticket), or one of the proxy's own (its text). */
  sentToClient(what: Sent): void {
    this.toClient.sent(what);
    this.#sinceClientAsked += 1;
    // A server asks for what it has relayed. Nobody else does for what is ours or kept here, and a phone may have vanished long ago.
    if (typeof what !== 'number' || this.isOwn) this.#isUnasked = true;
    if (this.#isUnasked || this.#sinceClientAsked >= ASK_AFTER) this.#askClient();
  }

  /**
   * `<r/>` of the client: answered at once with what holds; what does not hold yet is asked for. Where nothing holds that the
   * client does not know the answer waits a little for the server's (XEP-0198 section 4 lets it): one in place of two.
   */
  clientRequests(): void {
    this.#isClientOwed = this.fromClient.waiting > 0;
    if (this.#isClientOwed && this.toServer.waiting > 0) this.#askServer();
    const { postponed } = this.#lines;
    if (!postponed || !this.#isServerAsked || this.fromClient.handled !== this.#clientTold) this.#tellClient();
    else if (this.#isClientOwed) {
      this.#isClientPostponed = true;
      postponed('client');
    } else this.#tellClient();
  }

  /** `<r/>` of the server, in the same way. */
  serverRequests(): void {
    this.#isServerOwed = this.fromServer.waiting > 0;
    if (this.toClient.waiting > 0) this.#askClient();
    const { postponed } = this.#lines;
    if (!postponed || !this.#isClientAsked || this.fromServer.handled !== this.#serverTold) this.#tellServer();
    else if (this.#isServerOwed) {
      this.#isServerPostponed = true;
      postponed('server');
    } else this.#tellServer();
  }

  /** An answer that was postponed waits no longer. */
  answerNow(side: ManagedSide): void {
    if (side === 'client' && this.#isClientPostponed) this.#tellClient();
    else if (side === 'server') this.#tellServerDue();
  }

  /** What is due to the server goes with what is written to it anyway. */
  #tellServerDue(): void {
    if (!this.#isServerPostponed) return;
    this.#isServerOwed = this.fromServer.waiting > 0;
    this.#tellServer();
  }

  #tellClient(): void {
    this.#isClientPostponed = false;
    this.#clientTold = this.fromClient.handled;
    this.#lines.toClient(`<a xmlns='${this.version}' h='${this.fromClient.h}'/>`);
  }

  #tellServer(): void {
    this.#isServerPostponed = false;
    this.#serverTold = this.fromServer.handled;
    this.#lines.toServer(`<a xmlns='${this.version}' h='${this.fromServer.h}'/>`);
  }

  /** The connection to the server is about to be dropped: what is safe is told unasked. */
  settleWithServer(): void {
    if (!this.isOwn && this.fromServer.handled > 0) this.#tellServer();
  }

  /** `<a/>` of the client. */
  clientAcknowledges(stanza: Stanza): Acknowledged {
    this.#isClientAsked = false;
    const h = readH(stanza);
    if (h === undefined) return 'malformed';
    const tickets = this.toClient.acknowledge(h);
    if (!tickets) return 'too-high';
    for (const ticket of tickets) this.fromServer.safe(ticket);
    this.#payServer();
    if (this.#isUnasked && this.toClient.waiting > 0) this.#askClient();
    return 'ok';
  }

  /** `<a/>` of the server. */
  serverAcknowledges(stanza: Stanza): Acknowledged {
    this.#isServerAsked = false;
    const h = readH(stanza);
    return h === undefined ? 'malformed' : this.serverHandled(h);
  }

  /** The server has handled `h` stanzas: in an `<a/>`, or in `<resumed/>`. */
  serverHandled(h: number): Acknowledged {
    const tickets = this.toServer.acknowledge(h);
    if (!tickets) return 'too-high';
    for (const ticket of tickets) this.fromClient.safe(ticket);
    this.#payClient();
    return 'ok';
  }

  /**
   * The client wants to resume and has handled `h`. Returns the `h` for the server; undefined when the client claims too much.
   * Nothing is believed yet: the server decides whether the session is the client's.
   */
  prepareResume(h: number): number | undefined {
    const tickets = this.toClient.ticketsUpTo(h);
    if (!tickets) return undefined;
    this.fromServer.freeze();
    const told = this.fromServer.handledWith(new Set(tickets));
    this.#told.set(h, told);
    return told % WRAP;
  }

  /** No resumption came of it. */
  abandonResume(): void {
    this.#told.clear();
    this.fromServer.thaw();
  }

  /**
   * The server has granted it: the client has handled `h`, the server `serverH`. Both peers send again what the other has not
   * handled, and so must the owner. Undefined when the counts do not fit.
   */
  resume(h: number, serverH: number): Resumed | undefined {
    const told = this.#told.get(h);
    const relayed = this.toClient.acknowledge(h);
    const handled = this.toServer.acknowledge(serverH);
    if (told === undefined || !relayed || !handled) return undefined;
    for (const ticket of relayed) this.fromServer.safe(ticket);
    for (const ticket of handled) this.fromClient.safe(ticket);
    const again: Resumed = {
      toServer: this.toServer.unacknowledged().filter((what) => typeof what !== 'number'),
      toClient: this.toClient.unacknowledged(),
    };
    this.#told.clear();
    this.fromServer = this.fromServer.resumedAt(told);
    this.fromClient = Inbound.resume(this.fromClient.snapshot());
    this.toServer = Outbound.resume({ acknowledged: this.toServer.acknowledged, queue: [] });
    this.toClient = Outbound.resume({ acknowledged: this.toClient.acknowledged, queue: [] });
    this.#isClientOwed = false;
    this.#isServerOwed = false;
    this.#isClientPostponed = false;
    this.#isServerPostponed = false;
    this.#isClientAsked = false;
    this.#isServerAsked = false;
    return again;
  }

  /** For whoever goes on with it; an attempt to resume that is under way may be granted there. */
  snapshot(): ManagementSnapshot {
    const { fromClient, toServer, fromServer, toClient } = this;
    return {
      ...(this.#told.size > 0 && { told: [...this.#told] }),
      fromClient: fromClient.snapshot(),
      toServer: toServer.snapshot(),
      fromServer: fromServer.snapshot(),
      toClient: toClient.snapshot(),
    };
  }

  /** Puts the counters of a snapshot in the place of these. */
  restore(snapshot: ManagementSnapshot): void {
    this.fromClient = Inbound.restore(snapshot.fromClient);
    this.toServer = Outbound.resume(snapshot.toServer);
    this.fromServer = Inbound.restore(snapshot.fromServer);
    this.toClient = Outbound.resume(snapshot.toClient);
    this.#told.clear();
    for (const [h, told] of snapshot.told ?? []) this.#told.set(h, told);
    if (this.#told.size > 0) this.fromServer.freeze();
  }

  /**
   * The proxy itself lets a client resume that has handled `h`. Returns what it has not handled, which must be sent to it again;
   * undefined when it claims too much.
   */
  resumeOwn(h: number): readonly Sent[] | undefined {
    if (!this.toClient.acknowledge(h)) return undefined;
    const again = this.toClient.unacknowledged();
    this.toClient = Outbound.resume({ acknowledged: this.toClient.acknowledged, queue: [] });
    this.#isClientOwed = false;
    this.#isClientPostponed = false;
    this.#isClientAsked = false;
    return again;
  }

  #askClient(): void {
    if (this.#isClientAsked) return;
    this.#isClientAsked = true;
    this.#sinceClientAsked = 0;
    this.#isUnasked = false;
    this.#lines.toClient(`<r xmlns='${this.version}'/>`);
    this.#lines.clientAsked?.();
  }

  #askServer(): void {
    if (this.#isServerAsked) return;
    this.#isServerAsked = true;
    this.#sinceServerAsked = 0;
    this.#tellServerDue();
    this.#lines.toServer(`<r xmlns='${this.version}'/>`);
  }

  #payClient(): void {
    if (!this.#isClientOwed || this.fromClient.handled === this.#clientTold) return;
    this.#isClientOwed = this.fromClient.waiting > 0;
    this.#tellClient();
  }

  #payServer(): void {
    const news = this.fromServer.handled - this.#serverTold;
    if (!this.#isServerOwed || news === 0) return;
    // A server does nothing but wait for it, and often the client has more to say in a moment.
    const isPostponed = this.#isServerPostponed;
    this.#isServerPostponed = true;
    if (news >= ASK_AFTER || !this.#lines.postponed) this.#tellServerDue();
    else if (!isPostponed) this.#lines.postponed('server');
  }
}

/** The `h` of `<a/>`, `<resume/>` or `<resumed/>`: an unsigned 32-bit number; undefined when it is not one. */
export function readH(stanza: Stanza): number | undefined {
  const text = stanza.root.attr('h') ?? '';
  const h = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
  return h < 2 ** 32 ? h : undefined;
}
