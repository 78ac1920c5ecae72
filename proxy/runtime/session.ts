/**
 * A session: a bound client and its own upstream stream. What does not concern rooms is relayed byte for byte in both
 * directions (DESIGN "What passes through"); the rest goes to the account.
 */
import type { Carrier, CarrierId, Session, SessionId } from '../core/state.ts';
import type { Leg, LegHandler, StreamErrorToSend } from '../net/leg.ts';
import type { Log } from '../ops/log.ts';
import type { HotCounters } from '../ops/metrics.ts';
import { guardBound } from '../stream/client-guard.ts';
import { type BareKey, bareKey, bareOf, resourceOf, splitJid } from '../xml/address.ts';
import { NS } from '../xml/names.ts';
import type { Declarations, Stanza } from '../xml/stanza.ts';
import type { AccountRunner, CarrierPort, SessionPort } from './account-runner.ts';
import { ACCOUNT_RESOURCE } from './account-stream.ts';
import { isCarbonOfJoined } from './carbons.ts';
import { guard } from './carrier-guard.ts';
import type { AccountDeps } from './deps.ts';
import { hasManagement, isManagement, tooHigh, unexpected } from './managed-stream.ts';
import type { BoundSession, ResumedSession } from './negotiation.ts';
import type { Outlet } from './outlet.ts';
import { SessionLegs } from './session-legs.ts';
import { SessionRate } from './session-rate.ts';
import { SILENT } from './upstream.ts';
import { Withheld } from './withheld.ts';

/** How long after the server's own time a session that was not resumed is given up (ms): the server decides first. */
const EXPIRY_MARGIN_MS = 5000;
/** How long an attempt to resume may take (ms). */
const RESUME_MS = 30_000;

/** What its owner hears of a session. */
export interface SessionEvents {
  /** Nothing is left of it. */
  over(): void;
  /** It can be resumed by this name from now on. */
  resumable(previd: string): void;
}

export class ClientSession implements SessionPort, CarrierPort {
  readonly id: SessionId;
  readonly carrierId: CarrierId;
  readonly jid: string;
  readonly bare: string;
  readonly #accountResources: string;
  readonly #legs: SessionLegs;
  readonly #account: AccountRunner;
  readonly #deps: AccountDeps;
  readonly #hot: HotCounters;
  readonly #log: Log;
  readonly #rate: SessionRate | undefined;
  readonly #events: SessionEvents;
  /** Stream management is offered to this client. */
  readonly #isManaged: boolean;
  #expiry: NodeJS.Timeout | undefined;
  /** Its part in the account's state, which the rules change. */
  readonly #session: Session;
  readonly #carrier: Carrier;
  /** Broadcast presences kept back until no room hangs on the stream. */
  readonly #withheld = new Withheld();
  /** The server has been told that the client is inactive (XEP-0352). */
  #isInactive = false;
  /** Ids of the client's requests to switch carbons, and to what. */
  readonly #carbonRequests = new Map<string, boolean>();
  #isClientGone = false;
  #isServerGone = false;
  /** The client closed its stream in order: so is the server's. */
  #isOrderly = false;
  /** What the client broke, which its stream at the server ends with too (S8). */
  #broken: StreamErrorToSend | undefined;

  constructor(bound: BoundSession, account: AccountRunner, deps: AccountDeps, events: SessionEvents) {
    this.id = `s${deps.serial()}` as SessionId;
    this.carrierId = `c${deps.serial()}` as CarrierId;
    this.jid = bound.jid;
    this.bare = bareOf(bound.jid);
    this.#accountResources = `${this.bare}/${ACCOUNT_RESOURCE}`;
    this.#legs = new SessionLegs(bound.client, bound.server);
    this.#account = account;
    this.#deps = deps;
    this.#hot = deps.metrics.hot;
    this.#events = events;
    this.#isManaged = deps.offerStreamManagement && hasManagement(bound.features);
    this.#log = deps.log.child({ session: this.id, client: bound.client.id, server: bound.server.id });
    this.#rate = SessionRate.create(deps.config.rate, this.client);
    account.addSession(this, this.carrierId, this);
    const session = account.state.sessions.get(this.id);
    const carrier = account.state.carriers.get(this.carrierId);
    if (!session || !carrier) throw new Error('the account did not take the session');
    this.#session = session;
    this.#carrier = carrier;
    deps.metrics.sessions.inc({ transport: this.client.kind });
    this.#legs.listen(this.#clientHandler(), this.#serverHandler());
    this.#log.info(
      { jid: this.jid, mechanism: bound.mechanism, transport: this.client.kind, address: this.client.remoteAddress },
      'session bound',
    );
  }

  /** To be called once, when all that follows from the binding is in place: stanzas flow from here on. */
  start(): void {
    this.#legs.release();
  }

  get client(): Leg {
    return this.#legs.client;
  }

  get outlet(): Outlet {
    return this.#legs.outlet;
  }

  get #server(): Leg {
    return this.#legs.server;
  }

  // What comes from the client.

  #clientHandler(): LegHandler {
    return {
      header: () => {},
      stanza: (stanza) => this.#fromClient(stanza),
      end: () => {
        this.#isOrderly = true;
        this.client.end();
        this.#clientGone('closed');
      },
      violation: (violation) => {
        this.#broken = violation;
        this.#clientGone(violation.condition);
      },
      closed: (error) => this.#dropped(error?.message ?? 'dropped'),
      drain: () => this.#server.resume('client'),
    };
  }

  #fromClient(stanza: Stanza): void {
    this.#rate?.note(stanza.length, this.#deps.now());
    if (this.#isManaged && isManagement(stanza)) this.#manageClient(stanza);
    else if (this.#legs.begin('client', stanza)) {
      this.#route(stanza);
      this.#legs.finish('client');
    }
  }

  /** XEP-0198 elements of the client. */
  #manageClient(stanza: Stanza): void {
    const result = this.#legs.manage('client', stanza);
    if (result === 'unexpected') this.client.send(unexpected(stanza));
    else if (result === 'too-high') {
      this.client.error(tooHigh(stanza));
      this.#clientGone('handled-count-too-high');
    }
  }

  #route(stanza: Stanza): void {
    if (stanza.ns === NS.client) {
      if (stanza.name === 'presence') {
        this.#presence(stanza);
        return;
      }
      if (this.#account.state.rooms.size > 0 && stanza.toAt >= 0) {
        const key = bareKey(stanza.to ?? '');
        if (key !== undefined && this.#concerns(key)) {
          this.#toAccount(stanza);
          return;
        }
      }
      if (stanza.name === 'iq' && stanza.type === 'set') {
        if (this.#isRefused(stanza)) return;
        if (stanza.toAt < 0) this.#watchCarbons(stanza);
      }
    } else if (stanza.ns === NS.csi) {
      this.#clientState(stanza);
      return;
    } else if (this.#isRefused(stanza)) return;
    this.relayUpstream(stanza);
  }

  #isRefused(stanza: Stanza): boolean {
    const refusal = guardBound(stanza);
    if (refusal === undefined) return false;
    this.#deps.metrics.drops.inc({ reason: refusal.reason });
    if (stanza.ns === NS.client) this.#legs.send(refusal.xml);
    else this.client.send(refusal.xml);
    return true;
  }

  /** Whether stanzas to this room are the account's to handle. */
  #concerns(key: BareKey): boolean {
    return this.#session.rooms.has(key) || this.#carrier.rooms.has(key);
  }

  #toAccount(stanza: Stanza): void {
    this.#rate?.noteRoomStanza(this.#deps.now());
    this.#account.input({ kind: 'session-stanza', session: this.id, stanza });
  }

  #presence(stanza: Stanza): void {
    if (stanza.toAt < 0) {
      this.#broadcast(stanza);
      return;
    }
    const to = stanza.to ?? '';
    const key = bareKey(to);
    const mayEnter = key !== undefined && stanza.type === undefined && resourceOf(to) !== '';
    if ((mayEnter && this.#isEntry(key, stanza)) || (key !== undefined && this.#concerns(key))) this.#toAccount(stanza);
    else this.relayUpstream(stanza);
  }

  /** A join, or a groupchat-1.0 presence to a service that is known to be one. */
  #isEntry(key: BareKey, stanza: Stanza): boolean {
    const { domain } = splitJid(key);
    const { exclude } = this.#deps.config;
    if (exclude.includes(domain) || exclude.includes(key)) return false;
    return stanza.root.child('x', NS.muc) !== undefined || this.#deps.services.isMuc(domain);
  }

  /** Broadcast presence: the account learns of it; an `unavailable` would leave all rooms that the stream carries. */
  #broadcast(stanza: Stanza): void {
    const isAvailable = stanza.type === undefined;
    if (!isAvailable && stanza.type !== 'unavailable') {
      this.relayUpstream(stanza);
      return;
    }
    const mustWait = !this.#withheld.isEmpty || !isAvailable;
    if (mustWait) this.#withheld.add(stanza);
    const priority = Number(stanza.root.child('priority')?.text() ?? '0');
    this.#account.input({
      kind: 'session-presence',
      session: this.id,
      available: isAvailable,
      show: isAvailable ? (stanza.root.child('show')?.text().trim() ?? '') : '',
      priority: Number.isInteger(priority) ? priority : 0,
    });
    if (!mustWait) this.relayUpstream(stanza);
  }

  #clientState(stanza: Stanza): void {
    const isInactive = stanza.name === 'inactive';
    // The server would hold back the siblings' room traffic too (S10).
    if (isInactive && this.#carrier.rooms.size > 0) return;
    this.#isInactive = isInactive;
    this.relayUpstream(stanza);
  }

  /** XEP-0280 section 4: what the client switches on or off is true when the server has confirmed it. */
  #watchCarbons(stanza: Stanza): void {
    if (stanza.id === undefined) return;
    const child = stanza.root.children[0];
    if (child?.ns === NS.carbons && this.#carbonRequests.size < 16) {
      this.#carbonRequests.set(stanza.id, child.name === 'enable');
    }
  }

  /** On the session's own stream, byte for byte; guarded while siblings' rooms hang on that stream (M9a). */
  relayUpstream(stanza: Stanza): void {
    if (this.#isServerGone) return;
    if (this.#carrier.rooms.size > 0) {
      const verdict = guard(stanza, this.jid, this.#account.state.settings.carrierStanzaBytes);
      if (verdict.kind !== 'pass') {
        this.#guarded(verdict);
        return;
      }
    }
    this.#hot.stanzasUp += 1;
    this.#legs.relayUp(stanza);
    if (this.#server.congested) this.client.pause('server');
  }

  #guarded(verdict: Exclude<ReturnType<typeof guard>, { kind: 'pass' }>): void {
    this.#deps.metrics.drops.inc({ reason: verdict.reason });
    if (verdict.kind === 'rewrite') this.outlet.send(this, verdict.xml);
    else if (verdict.kind === 'answer') this.#legs.send(verdict.xml);
    else if (verdict.kind === 'end') {
      this.#broken = { condition: verdict.condition, text: verdict.text };
      this.client.error(this.#broken);
      this.#clientGone(verdict.condition);
    }
  }

  // What comes from the server.

  #serverHandler(): LegHandler {
    return {
      header: () => {},
      stanza: (stanza) => this.#fromServer(stanza),
      end: () => {
        this.#server.end();
        this.#serverGone(true);
      },
      violation: () => this.#serverGone(false),
      closed: () => this.#serverDropped(),
      drain: () => {
        this.outlet.drain();
        this.client.resume('server');
      },
    };
  }

  #fromServer(stanza: Stanza): void {
    if (this.#isManaged && isManagement(stanza)) this.#manageServer(stanza);
    else if (this.#legs.begin('server', stanza)) {
      this.#routeDown(stanza);
      this.#legs.finish('server');
    }
  }

  /** XEP-0198 elements of the server. */
  #manageServer(stanza: Stanza): void {
    const before = this.#legs.previd;
    const result = this.#legs.manage('server', stanza);
    if (result === 'too-high') this.#server.destroy();
    const { previd } = this.#legs;
    if (previd !== undefined && previd !== before) this.#events.resumable(previd);
  }

  #routeDown(stanza: Stanza): void {
    if (this.#carrier.rooms.size > 0 && stanza.fromAt >= 0 && stanza.ns === NS.client) {
      const key = bareKey(stanza.from ?? '');
      if (key !== undefined && this.#carrier.rooms.has(key)) {
        this.#account.input({ kind: 'carrier-stanza', carrier: this.carrierId, stanza });
        return;
      }
    }
    if (this.#isClientGone) {
      // One-to-one traffic on a stream that is held for its rooms: the account sees to it that nothing is lost in silence.
      if (stanza.ns === NS.client) this.#account.input({ kind: 'carrier-stanza', carrier: this.carrierId, stanza });
      return;
    }
    if (
      this.#session.rooms.size > 0 &&
      stanza.name === 'message' &&
      isCarbonOfJoined(stanza, this.bare, this.#session.rooms)
    ) {
      this.#deps.metrics.drops.inc({ reason: 'carbon-of-carrier' });
      return;
    }
    if (this.#isLateAnswer(stanza)) {
      this.#account.input({ kind: 'carrier-stanza', carrier: this.carrierId, stanza });
      return;
    }
    if (stanza.name === 'presence' && this.#isOfAccountStream(stanza)) {
      this.#deps.metrics.drops.inc({ reason: 'carrier-presence' });
      return;
    }
    if (this.#carbonRequests.size > 0 && stanza.name === 'iq') this.#carbonsAnswered(stanza);
    if (stanza.ns === NS.streams && stanza.name === 'error') {
      const condition = stanza.root.children[0]?.name ?? 'undefined-condition';
      this.#deps.metrics.streamErrors.inc({ condition, leg: 'upstream' });
    }
    this.relayDownstream(stanza);
  }

  /** The answer to something that went out on this stream for the account, from a room that it is not in any more. */
  #isLateAnswer(stanza: Stanza): boolean {
    const { idPrefix, nextId, requests } = this.#account.state;
    if (stanza.name === 'iq') return nextId > 0 && stanza.id?.startsWith(idPrefix) === true;
    if (requests.size === 0 || stanza.name !== 'message') return false;
    return requests.has(stanza.root.child('result', NS.mam)?.attr('queryid') ?? '');
  }

  /** A server that needs presence from an account stream (jabberd2) shows it to the account's own sessions. */
  #isOfAccountStream(stanza: Stanza): boolean {
    return this.#account.state.accountStream !== 'off' && stanza.from?.startsWith(this.#accountResources) === true;
  }

  relayDownstream(stanza: Stanza): void {
    this.#hot.stanzasDown += 1;
    this.#legs.relayDown(stanza);
    // A carrier must go on being read for its siblings; the client's outbox is bounded.
    if (this.client.congested && this.#carrier.rooms.size === 0) this.#server.pause('client');
  }

  #carbonsAnswered(stanza: Stanza): void {
    const id = stanza.id ?? '';
    const enabled = this.#carbonRequests.get(id);
    if (enabled === undefined || stanza.type === 'get' || stanza.type === 'set') return;
    this.#carbonRequests.delete(id);
    if (stanza.type === 'result') this.#account.input({ kind: 'session-carbons', session: this.id, enabled });
  }

  // Ends.

  /** The client has gone, for whatever reason. The upstream stream stays as long as rooms hang on it. */
  #clientGone(reason: string): void {
    if (this.#isClientGone) return;
    this.#isClientGone = true;
    clearTimeout(this.#expiry);
    if (this.#legs.isSuspended && !this.#isServerGone) {
      this.#isServerGone = true;
      this.#account.loseCarrier(this.carrierId);
    }
    this.#rate?.stop();
    this.#deps.metrics.sessions.dec({ transport: this.client.kind });
    this.#log.info({ reason }, 'session over');
    this.#server.resume('client');
    this.#account.removeSession(this);
    if (this.#isServerGone) this.#events.over();
  }

  /** The connection has dropped: a session that can be resumed waits for its client, as long as the server does. */
  #dropped(reason: string): void {
    const { resumableMs } = this.#legs;
    if (resumableMs === undefined || this.#isClientGone || this.#isServerGone) {
      this.#clientGone(reason);
      return;
    }
    if (this.#legs.isHibernating) return;
    this.#legs.isHibernating = true;
    this.#rate?.stop();
    this.#log.info({ reason }, 'session hibernates');
    this.#server.resume('client');
    this.#expiry = setTimeout(() => this.#expire(), resumableMs + EXPIRY_MARGIN_MS);
    this.#expiry.unref();
    this.#account.input({ kind: 'session-hibernates', session: this.id });
  }

  /** The server's time is over, or too much waits: the client must begin anew. */
  #expire(): void {
    if (!this.#legs.isHibernating || this.#isClientGone) return;
    this.#isServerGone = true;
    this.#account.loseCarrier(this.carrierId);
    this.#clientGone('not resumed');
  }

  /** The connection to the server broke. One that can be resumed is: the client is cut off, and comes back at once. */
  #serverDropped(): void {
    if (this.#legs.resumableMs === undefined || this.#isClientGone || this.#isServerGone) {
      this.#serverGone(false);
      return;
    }
    this.client.handler = SILENT;
    this.client.destroy();
    this.#legs.suspend();
    this.#dropped('server dropped');
  }

  get managementVersion(): string | undefined {
    return this.#legs.managementVersion;
  }

  /** `<resume/>` for the server on a client's new connection (XEP-0198 section 5); undefined: it cannot be resumed. */
  prepareResume(h: number): string | undefined {
    if (this.#isClientGone) return undefined;
    // An attempt that the server refuses leaves everything as it is.
    setTimeout(() => this.#legs.abandonResume(), RESUME_MS).unref();
    return this.#legs.prepareResume(h);
  }

  /** The server has granted the resumption: the session goes on over these connections. */
  resumeOver(resumed: ResumedSession): void {
    clearTimeout(this.#expiry);
    if (this.#isClientGone || !this.#legs.resume(resumed)) {
      resumed.server.destroy();
      resumed.client.error({ condition: 'internal-server-error', text: 'The session cannot be resumed' });
      this.#isServerGone = true;
      this.#account.loseCarrier(this.carrierId);
      this.#clientGone('resumption failed');
      return;
    }
    this.#isInactive = false;
    this.#log.info({ client: this.client.id, server: this.#server.id }, 'session resumed');
    this.#account.input({ kind: 'session-awakes', session: this.id });
    this.start();
  }

  #serverGone(isOrderly: boolean): void {
    if (this.#isServerGone) return;
    this.#isServerGone = true;
    this.outlet.close();
    this.#account.loseCarrier(this.carrierId);
    if (this.#isClientGone) {
      this.#events.over();
      return;
    }
    // Without a closing tag, as the server left us: the client sees a broken connection, not a logout (S8).
    if (isOrderly) this.client.end();
    else this.client.destroy();
    this.#clientGone('server gone');
  }

  /** Another connection of the same client has taken its place (RFC 6120 section 7.7.2.2). */
  replace(): void {
    this.client.error({ condition: 'conflict', text: 'Replaced by new connection' });
    this.#clientGone('replaced');
  }

  /** The proxy shuts down. */
  shutDown(): void {
    this.client.error({ condition: 'system-shutdown', text: 'The proxy is shutting down.' });
    this.#isOrderly = true;
    this.#clientGone('shutdown');
    if (!this.#isServerGone) this.#server.end();
  }

  // As a receiver.

  get declared(): Declarations | 'websocket' {
    return this.#legs.declared;
  }

  deliver(text: Buffer): void {
    this.#legs.deliver(text);
    this.#mindQueue();
  }

  send(xml: string | Buffer, origin?: Stanza): void {
    this.#legs.send(xml, origin);
    this.#mindQueue();
  }

  /** A client that acknowledges nothing must not cost memory without end (X3). */
  #mindQueue(): void {
    if (!this.#legs.isOverfull || this.#isClientGone) return;
    this.#deps.metrics.drops.inc({ reason: 'unacknowledged' });
    if (this.#legs.isHibernating) {
      // Not in the midst of the account's turn.
      queueMicrotask(() => this.#expire());
      return;
    }
    this.client.error({ condition: 'policy-violation', text: 'Too many stanzas are not acknowledged' });
    this.#clientGone('unacknowledged');
  }

  // As a carrier.

  suspend(): void {
    this.#legs.suspend();
  }

  wake(): void {
    // Whoever carries rooms must be read, and must hear all at once.
    this.#server.resume('client');
    if (!this.#isInactive) return;
    this.#isInactive = false;
    this.#server.send(`<active xmlns='${NS.csi}'/>`);
  }

  hold(): void {
    const { available, carbons } = this.#session;
    if (available) this.outlet.send(undefined, '<presence><priority>-1</priority></presence>');
    if (carbons) {
      this.outlet.send(undefined, `<iq type='set' id='${this.#deps.token()}'><disable xmlns='${NS.carbons}'/></iq>`);
    }
  }

  free(): void {
    for (const stanza of this.#withheld.take()) this.relayUpstream(stanza);
    if (!this.#isClientGone || this.#isServerGone) return;
    if (this.#broken) this.#server.error(this.#broken);
    else if (this.#isOrderly) this.#server.end();
    else this.#server.destroy();
  }

  // As a source for other carriers.

  rest(): void {
    this.client.pause('carrier');
  }

  resume(): void {
    this.client.resume('carrier');
  }
}
