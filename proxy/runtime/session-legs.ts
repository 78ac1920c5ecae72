/**
 * The two connections of a session, and stream management between them (XEP-0198): all that a session sends goes through
 * here, so that each stanza is counted once, and may wait where a connection is missing.
 */

import type { Owed } from '../core/inputs.ts';
import { type Leg, type LegHandler, SILENT } from '../net/leg.ts';
import { type ManagementVersion, readH } from '../stream/management/management.ts';
import type { OwnTerms } from '../stream/management/own.ts';
import { mended, USUAL_DECLARATIONS } from '../xml/declarations.ts';
import { bridge, standalone } from '../xml/edit.ts';
import { NS } from '../xml/names.ts';
import { type Declarations, parseStanza, type Stanza } from '../xml/stanza.ts';
import { AtHand, type LegSide } from './at-hand.ts';
import type { ResumedSession } from './bound-session.ts';
import { isManagement, type Managed, ManagedStream } from './managed-stream.ts';
import { Miscount } from './miscount.ts';
import { Outlet } from './outlet.ts';
import { owedMessages } from './owed.ts';
import { Postponed } from './postponed.ts';
import { RelayedTexts, type Staying } from './relayed-texts.ts';
import { ServerQueue } from './server-queue.ts';
import { ASLEEP, LIMITS, OWED, OWN_LIMITS } from './session-limits.ts';
import type { LegsSnapshot } from './session-snapshot.ts';

/** On which the server has granted a resumption. */
export type NewConnections = Pick<ResumedSession, 'request' | 'answer' | 'client' | 'server'>;

export class SessionLegs {
  client: Leg;
  server: Leg;
  readonly outlet: Outlet;
  #managed: ManagedStream | undefined;
  #handlers: { readonly client: LegHandler; readonly server: LegHandler } | undefined;
  readonly #atHand = new AtHand();
  readonly #miscount = new Miscount();
  /** There is no client, and what is for it waits. */
  isHibernating = false;
  readonly #forServer = new ServerQueue();
  /** There is no server: it keeps the session. */
  isSuspended = false;
  #postponed: Postponed | undefined;

  readonly #onOverfull: () => void;
  readonly #own: OwnTerms | undefined;
  readonly #staying: Staying | undefined;
  #relayed: RelayedTexts | undefined;

  /**
   * `onOverfull`: more waits for a connection to the server than may. `own`: the server has no stream management, the proxy has. Without
   * `staying` the stream at the server never goes on without its client.
   */
  constructor(client: Leg, server: Leg, onOverfull: () => void = () => {}, own?: OwnTerms, staying?: Staying) {
    this.client = client;
    this.#onOverfull = onOverfull;
    this.#own = own;
    this.#staying = staying;
    this.server = server;
    this.outlet = new Outlet(server, (xml) => this.#sentToServer(xml));
  }

  listen(client: LegHandler, server: LegHandler): void {
    this.#handlers = { client, server };
    this.client.handler = client;
    this.server.handler = server;
  }

  release(): void {
    this.server.release();
    this.client.release();
  }

  /** The counters, from the client's `<enable/>` on. */
  get managed(): ManagedStream | undefined {
    return this.#managed;
  }

  /** What texts for the client must declare. */
  get declared(): Declarations | 'websocket' {
    return this.isHibernating ? USUAL_DECLARATIONS : this.client.declared;
  }

  /** How long the server keeps the session for a client that has dropped (ms); undefined: not at all. */
  get resumableMs(): number | undefined {
    return this.#managed?.isEnabled ? this.#managed.resumableMs : undefined;
  }

  get managementVersion(): string | undefined {
    return this.#managed?.version;
  }

  /** The name by which the session can be resumed. */
  get previd(): string | undefined {
    return this.resumableMs === undefined ? undefined : this.#managed?.previd;
  }

  /** How long the server keeps the session when its connection drops now (ms); undefined: not at all. */
  get keptMs(): number | undefined {
    return this.isOwn || this.isSuspended ? undefined : this.resumableMs;
  }

  /** The proxy keeps the session by itself when the client drops, and its stream at the server goes on. */
  get isOwn(): boolean {
    return this.#managed?.isOwn === true;
  }

  /** The stream at the server can go on without a client: what the server waits for the client to acknowledge is known here. */
  get canStay(): boolean {
    return !this.isSuspended && (this.isOwn || !this.#managed?.isEnabled || this.#owed() !== undefined);
  }

  /**
   * The stream at the server is to go on without its client: what the client has not acknowledged, for somebody else to see to. The server
   * need not keep it any more. To be called when `canStay` has just been asked.
   */
  settle(): readonly Stanza[] {
    const texts = this.#managed?.isEnabled && !this.isOwn && !this.isSuspended ? this.#owed() : undefined;
    if (!texts) return [];
    this.#managed?.settle();
    this.#relayed = undefined;
    return texts.map((text) => parseStanza(text, mended(USUAL_DECLARATIONS)));
  }

  #owed(): readonly Buffer[] | undefined {
    return this.#managed?.owed((ticket) => this.#relayed?.textOf(ticket));
  }

  /** The client is there, and takes or acknowledges less than comes for it. */
  get isClientSlow(): boolean {
    if (this.isHibernating) return false;
    return this.client.congested || (this.isOwn && this.#managed?.exceeds(OWED) === true);
  }

  /** The client has taken or acknowledged something: its server may be read on. */
  clientTakes(): void {
    if (!this.isClientSlow) this.server.resume('client');
  }

  /** More waits for the client than may. */
  get isOverfull(): boolean {
    const limits = this.#own && !this.isHibernating ? OWN_LIMITS : LIMITS;
    return this.#forServer.isOverfull || this.#managed?.exceeds(limits) === true;
  }

  /** What the proxy gave to the client and the client has not acknowledged; undefined where it acknowledges nothing. */
  get unacknowledged(): readonly Stanza[] | undefined {
    if (!this.#managed?.isEnabled) return undefined;
    // What a client's own stream header has declared is not known any more.
    return this.#managed.unacknowledged.map((text) => parseStanza(text, mended(USUAL_DECLARATIONS)));
  }

  /** So much waits for a client that is not there that the rest is better kept once for all. */
  get isLong(): boolean {
    return this.isHibernating && this.#managed?.exceeds(ASLEEP) === true;
  }

  /** A stanza has come and is being handled. False: it had come before a resumption, and was handled then. */
  begin(side: LegSide, stanza: Stanza): boolean {
    const managed = this.#managed;
    if (!managed || stanza.ns !== NS.client) return true;
    if (side === 'server' && (!managed.isEnabled || managed.isOwn)) return true;
    const ticket = side === 'client' ? managed.takeFromClient(stanza) : managed.takeFromServer(stanza);
    if (ticket === undefined) return false;
    this.#atHand.put(side, stanza, ticket);
    return true;
  }

  /** It is handled: what was not relayed is safe here. */
  finish(side: LegSide): void {
    const ticket = this.#atHand.take(side);
    if (ticket === undefined) return;
    if (side === 'client') this.#managed?.management.clientSafe(ticket);
    else this.#managed?.management.serverSafe(ticket);
  }

  /** It is handled, and is not to be acknowledged before it comes again. */
  leaveUnsafe(side: LegSide): void {
    this.#atHand.take(side);
  }

  /** Relays a stanza to the server as it came. */
  relayUp(stanza: Stanza): void {
    const ticket = this.#atHand.take('client', stanza);
    if (this.isSuspended) {
      this.#keepForServer(standalone(stanza));
      return;
    }
    this.server.forward(stanza);
    if (!this.#managed || stanza.ns !== NS.client) return;
    if (ticket !== undefined) this.#managed.management.sentToServer(ticket);
    else if (!this.#managed.isOwn) this.#managed.ownToServer(standalone(stanza));
  }

  /** Relays a stanza to the client as it came. */
  relayDown(stanza: Stanza): void {
    const ticket = this.#atHand.take('server', stanza);
    const managed = this.#managed?.isEnabled && stanza.ns === NS.client ? this.#managed : undefined;
    if (!this.#managed?.isEnabled) this.#miscount.uncounted();
    const kept = managed && ticket === undefined ? standalone(stanza) : undefined;
    if (kept && managed?.keepsBack(kept)) return;
    if (!this.isHibernating) this.client.forward(stanza);
    if (ticket !== undefined) managed?.management.sentToClient(ticket);
    else if (kept && managed?.isOwn) managed.keptForClient(stanza, kept);
    else if (kept) managed?.ownToClient(kept);
    if (ticket !== undefined && managed && stanza.name !== 'presence' && this.#staying?.mayStay()) {
      this.#relayed ??= new RelayedTexts(this.#staying);
      this.#relayed.keep(ticket, stanza, standalone(stanza), managed.management.fromServer.handled);
    }
  }

  /** A stanza of the proxy's own to the client, its declarations right for `declared`. */
  deliver(text: Buffer): void {
    if (this.#managed?.keepsBack(text)) return;
    if (!this.#managed?.isEnabled) this.#miscount.uncounted();
    if (!this.isHibernating) this.client.write(text);
    this.#managed?.ownToClient(text);
  }

  /** A stanza of the proxy's own to the client; made from `origin`, under whose stream header it stands. */
  send(xml: string | Buffer, origin?: Stanza): void {
    const text = typeof xml === 'string' ? Buffer.from(xml) : xml;
    if (!origin || origin.outerPrefixes.length === 0) {
      if (!this.#managed?.keepsBack(text)) this.#toClient(text);
      return;
    }
    const stanza = parseStanza(text, origin.declarations);
    this.deliver(bridge(stanza, this.declared) ?? stanza.bytes);
  }

  #toClient(text: Buffer): void {
    if (!this.#managed?.isEnabled) this.#miscount.uncounted();
    if (!this.isHibernating) this.client.send(text);
    this.#managed?.ownToClient(text);
  }

  /** XEP-0198 elements of either side; what they ask for is done. */
  manage(side: LegSide, stanza: Stanza): Managed {
    if (!isManagement(stanza)) return 'not-management';
    const managed = this.#managed;
    if (side === 'client' && stanza.name === 'enable') return this.#enable(stanza);
    // Only while the client's `<enable/>` is unanswered: a connection that another has taken over refuses what still comes on it.
    if (side === 'server' && managed && !managed.isEnabled && (stanza.name === 'enabled' || stanza.name === 'failed')) {
      if (stanza.name === 'enabled') this.client.send(managed.enabled(stanza));
      else {
        this.#managed = undefined;
        this.client.forward(stanza);
      }
      return 'done';
    }
    if (!managed || stanza.ns !== managed.version) return 'unexpected';
    const result = side === 'client' ? managed.fromClient(stanza) : managed.fromServer(stanza);
    if (side === 'client' && stanza.name === 'a') {
      if (result === 'ok') {
        this.#miscount.over();
        this.clientTakes();
      } else if (result === 'too-high') {
        const { waiting } = managed.management.toClient;
        if (this.#miscount.explains(readH(stanza) ?? 0, waiting)) return 'done';
      }
    }
    return result === 'ok' ? 'done' : result === 'too-high' ? 'too-high' : 'unexpected';
  }

  #enable(stanza: Stanza): Managed {
    if (this.#managed) return 'unexpected';
    const version = stanza.ns === NS.sm2 ? NS.sm2 : NS.sm3;
    const own = this.#own;
    if (!own) this.server.forward(stanza);
    this.#managed = this.#createManaged(version);
    if (own) this.client.send(this.#managed.enabledHere(stanza, own));
    return 'done';
  }

  #createManaged(version: ManagementVersion): ManagedStream {
    const lines = {
      toClient: (xml: string) => {
        if (!this.isHibernating) this.client.send(xml);
      },
      clientAsked: () => {
        if (!this.isHibernating) this.client.expectAnswer();
      },
      toServer: (xml: string) => {
        if (!this.isSuspended) this.server.send(xml);
      },
      stanzaToClient: (text: Buffer) => this.#toClient(text),
      stanzaToServer: (text: Buffer) => this.outlet.send(undefined, text),
      postponed: (side: LegSide) => {
        this.#postponed ??= new Postponed((one) => this.#managed?.management.answerNow(one));
        this.#postponed.wait(side);
      },
    };
    return new ManagedStream(version, lines, this.#own);
  }

  #sentToServer(xml: string | Buffer): void {
    this.#managed?.ownToServer(typeof xml === 'string' ? Buffer.from(xml) : xml);
  }

  /** Drops the connection to the server as it is: the server keeps the session for as long as it said. */
  suspend(): void {
    // What the account has taken, the stanza at hand included, must not be sent again, nor be pushed for (XEP-0357).
    this.finish('server');
    if (this.#managed?.isEnabled) this.#managed.management.settleWithServer();
    this.isSuspended = true;
    this.outlet.divert((text) => this.#keepForServer(text));
    this.server.handler = SILENT;
    this.server.destroy();
  }

  /** The stream at the server is gone for good, with this of what was to go there. */
  lost(): Owed {
    const unsent = [...this.#forServer.take(), ...this.outlet.close()];
    const management = this.#managed?.isEnabled ? this.#managed.management : undefined;
    const unacknowledged = management?.toServer.unacknowledged().filter((what) => typeof what !== 'number');
    return owedMessages({ unsent, unacknowledged }, this.server.declared);
  }

  /** The session is over: no answer of its stream management waits any more. */
  end(): void {
    this.#postponed?.clear();
  }

  #keepForServer(text: Buffer): void {
    this.#forServer.add(text);
    if (this.isOverfull) this.#onOverfull();
  }

  /** `<resume/>` for the server on a new connection; undefined: there is nothing to resume. */
  prepareResume(h: number): string | undefined {
    // The old connection is about to be no stream of the session's any more.
    this.#postponed?.clear();
    return this.#managed?.prepareResume(h);
  }

  /** No resumption came of it. */
  abandonResume(): void {
    this.#managed?.management.abandonResume();
  }

  /** What whoever goes on with the session needs, while both connections are gone. */
  snapshot(): LegsSnapshot {
    if (!this.#managed || !this.isHibernating || !this.isSuspended) throw new Error('the session has connections');
    return { managed: this.#managed.snapshot(), forServer: this.#forServer.texts };
  }

  /** Goes on where the snapshot was made: without connections, until `resume` brings some. */
  restore({ managed, forServer }: LegsSnapshot): void {
    this.#managed = this.#createManaged(managed.version);
    this.#managed.restore(managed);
    this.#miscount.over();
    this.isHibernating = true;
    this.isSuspended = true;
    this.outlet.divert((text) => this.#keepForServer(text));
    for (const text of forServer) this.#keepForServer(text);
  }

  /** The session goes on over these connections. False: the counts do not fit, and it cannot. */
  resume({ request, answer, client, server }: NewConnections): boolean {
    for (const old of [this.client, this.server]) {
      // A session that was restored has none but these.
      if (old === client || old === server) continue;
      old.handler = SILENT;
      old.destroy();
    }
    this.client = client;
    this.server = server;
    this.isHibernating = false;
    // What has not left yet goes behind what is sent again.
    this.outlet.divert((text) => this.#keepForServer(text));
    this.isSuspended = false;
    this.outlet.connect(server);
    // They come again, under whatever number.
    this.#relayed = undefined;
    if (!this.#handlers || !this.#managed?.resume(request.h, answer)) return false;
    for (const text of this.#forServer.take()) this.outlet.send(undefined, text);
    this.listen(this.#handlers.client, this.#handlers.server);
    return true;
  }

  /** Whether the proxy itself could resume the session for a client that has handled `h`. */
  canResumeOwn(h: number): boolean {
    return this.isOwn && this.previd !== undefined && this.#managed?.management.toClient.ticketsUpTo(h) !== undefined;
  }

  /** The session goes on over this connection to its client; that to the server has never ended. False: the counts do not fit. */
  resumeOwn(h: number, client: Leg): boolean {
    this.client.handler = SILENT;
    this.client.destroy();
    this.client = client;
    this.isHibernating = false;
    // The old connection may have been too slow for what came; it will never say that it is not any more.
    this.server.resume('client');
    if (!this.#handlers || !this.#managed?.resumeOwn(h)) return false;
    client.handler = this.#handlers.client;
    return true;
  }
}
