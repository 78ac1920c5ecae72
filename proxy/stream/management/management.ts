/**
 * Stream management between one client and one server with the proxy in between (XEP-0198; DESIGN "Stream features"): two
 * pairs of counters and the map between them. What the client sees and what the server sees differ by what the proxy
 * swallows and adds; nothing is acknowledged on one leg before it is safe on the other.
 *
 * Pure: texts to be sent are handed to the lines given; time-outs and bytes are the owner's business.
 */
import type { NS } from '../../xml/names.ts';
import type { Stanza } from '../../xml/stanza.ts';
import { Inbound, type InboundSnapshot, type Ticket } from './inbound.ts';
import { Outbound, type OutboundSnapshot, type Sent } from './outbound.ts';

export type ManagementVersion = typeof NS.sm2 | typeof NS.sm3;

/** Ways out for `<r/>` and `<a/>`. */
export interface ManagementLines {
  toClient(xml: string): void;
  toServer(xml: string): void;
}

/** Own stanzas after which the client is asked for an acknowledgement without the server's having asked for one. */
const ASK_AFTER = 20;

export interface ManagementSnapshot {
  readonly version: ManagementVersion;
  readonly fromClient: InboundSnapshot;
  readonly toServer: OutboundSnapshot;
  readonly fromServer: InboundSnapshot;
  readonly toClient: OutboundSnapshot;
}

/** What became of an `<a/>`: `too-high` is a stream error on that leg (XEP-0198 section 4). */
export type Acknowledged = 'ok' | 'too-high' | 'malformed';

export class Management {
  readonly version: ManagementVersion;
  readonly fromClient: Inbound;
  readonly toServer: Outbound;
  readonly fromServer: Inbound;
  readonly toClient: Outbound;
  readonly #lines: ManagementLines;
  /** The peer has asked, and was told less than had come. */
  #isClientOwed = false;
  #isServerOwed = false;
  /** We have asked the peer, and it has not answered. */
  #isClientAsked = false;
  #isServerAsked = false;
  #sinceClientAsked = 0;
  #sinceServerAsked = 0;

  constructor(version: ManagementVersion, lines: ManagementLines, snapshot?: Omit<ManagementSnapshot, 'version'>) {
    this.version = version;
    this.#lines = lines;
    this.fromClient = snapshot ? Inbound.resume(snapshot.fromClient) : new Inbound();
    this.toServer = snapshot ? Outbound.resume(snapshot.toServer) : new Outbound();
    this.fromServer = snapshot ? Inbound.resume(snapshot.fromServer) : new Inbound();
    this.toClient = snapshot ? Outbound.resume(snapshot.toClient) : new Outbound();
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
    this.toServer.sent(what);
    this.#sinceServerAsked += 1;
    if (this.#sinceServerAsked >= ASK_AFTER) this.#askServer();
  }

  /** A stanza has been given to the client: the server's (by its ticket), or one of the proxy's own (its text). */
  sentToClient(what: Sent): void {
    this.toClient.sent(what);
    this.#sinceClientAsked += 1;
    if (this.#sinceClientAsked >= ASK_AFTER) this.#askClient();
  }

  /** `<r/>` of the client: answered at once with what holds; what does not hold yet is asked for. */
  clientRequests(): void {
    this.#lines.toClient(`<a xmlns='${this.version}' h='${this.fromClient.h}'/>`);
    this.#isClientOwed = this.fromClient.waiting > 0;
    if (this.#isClientOwed && this.toServer.waiting > 0) this.#askServer();
  }

  /** `<r/>` of the server. */
  serverRequests(): void {
    this.#lines.toServer(`<a xmlns='${this.version}' h='${this.fromServer.h}'/>`);
    this.#isServerOwed = this.fromServer.waiting > 0;
    if (this.toClient.waiting > 0) this.#askClient();
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

  snapshot(): ManagementSnapshot {
    return {
      version: this.version,
      fromClient: this.fromClient.snapshot(),
      toServer: this.toServer.snapshot(),
      fromServer: this.fromServer.snapshot(),
      toClient: this.toClient.snapshot(),
    };
  }

  #askClient(): void {
    if (this.#isClientAsked) return;
    this.#isClientAsked = true;
    this.#sinceClientAsked = 0;
    this.#lines.toClient(`<r xmlns='${this.version}'/>`);
  }

  #askServer(): void {
    if (this.#isServerAsked) return;
    this.#isServerAsked = true;
    this.#sinceServerAsked = 0;
    this.#lines.toServer(`<r xmlns='${this.version}'/>`);
  }

  #payClient(): void {
    if (!this.#isClientOwed) return;
    this.#isClientOwed = this.fromClient.waiting > 0;
    this.#lines.toClient(`<a xmlns='${this.version}' h='${this.fromClient.h}'/>`);
  }

  #payServer(): void {
    if (!this.#isServerOwed) return;
    this.#isServerOwed = this.fromServer.waiting > 0;
    this.#lines.toServer(`<a xmlns='${this.version}' h='${this.fromServer.h}'/>`);
  }
}

/** The `h` of `<a/>`, `<resume/>` or `<resumed/>`: an unsigned 32-bit number; undefined when it is not one. */
export function readH(stanza: Stanza): number | undefined {
  const text = stanza.root.attr('h') ?? '';
  const h = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
  return h < 2 ** 32 ? h : undefined;
}
