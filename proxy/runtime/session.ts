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
import type { Stanza } from '../xml/stanza.ts';
import type { AccountRunner, CarrierPort, SessionPort } from './account-runner.ts';
import { ACCOUNT_RESOURCE } from './account-stream.ts';
import { isCarbonOfJoined } from './carbons.ts';
import { guard } from './carrier-guard.ts';
import type { AccountDeps } from './deps.ts';
import type { BoundSession } from './negotiation.ts';
import { Outlet } from './outlet.ts';
import { SessionRate } from './session-rate.ts';
import { Withheld } from './withheld.ts';

export class ClientSession implements SessionPort, CarrierPort {
  readonly id: SessionId;
  readonly carrierId: CarrierId;
  readonly jid: string;
  readonly bare: string;
  readonly #accountResources: string;
  readonly client: Leg;
  readonly outlet: Outlet;
  readonly #server: Leg;
  readonly #account: AccountRunner;
  readonly #deps: AccountDeps;
  readonly #hot: HotCounters;
  readonly #log: Log;
  readonly #rate: SessionRate | undefined;
  readonly #onOver: () => void;
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

  constructor(bound: BoundSession, account: AccountRunner, deps: AccountDeps, onOver: () => void) {
    this.id = `s${deps.serial()}` as SessionId;
    this.carrierId = `c${deps.serial()}` as CarrierId;
    this.jid = bound.jid;
    this.bare = bareOf(bound.jid);
    this.#accountResources = `${this.bare}/${ACCOUNT_RESOURCE}`;
    this.client = bound.client;
    this.#server = bound.server;
    this.outlet = new Outlet(bound.server);
    this.#account = account;
    this.#deps = deps;
    this.#hot = deps.metrics.hot;
    this.#onOver = onOver;
    this.#log = deps.log.child({ session: this.id, client: bound.client.id, server: bound.server.id });
    this.#rate = SessionRate.create(deps.config.rate, this.client);
    account.addSession(this, this.carrierId, this);
    const session = account.state.sessions.get(this.id);
    const carrier = account.state.carriers.get(this.carrierId);
    if (!session || !carrier) throw new Error('the account did not take the session');
    this.#session = session;
    this.#carrier = carrier;
    deps.metrics.sessions.inc({ transport: this.client.kind });
    bound.client.handler = this.#clientHandler();
    bound.server.handler = this.#serverHandler();
    this.#log.info(
      { jid: this.jid, mechanism: bound.mechanism, transport: this.client.kind, address: this.client.remoteAddress },
      'session bound',
    );
  }

  /** To be called once, when all that follows from the binding is in place: stanzas flow from here on. */
  start(): void {
    this.#server.release();
    this.client.release();
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
      closed: (error) => this.#clientGone(error?.message ?? 'dropped'),
      drain: () => this.#server.resume('client'),
    };
  }

  #fromClient(stanza: Stanza): void {
    this.#rate?.note(stanza.length, this.#deps.now());
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
    this.client.send(refusal.xml);
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
    this.#server.forward(stanza);
    if (this.#server.congested) this.client.pause('server');
  }

  #guarded(verdict: Exclude<ReturnType<typeof guard>, { kind: 'pass' }>): void {
    this.#deps.metrics.drops.inc({ reason: verdict.reason });
    if (verdict.kind === 'rewrite') this.outlet.send(this, verdict.xml);
    else if (verdict.kind === 'answer') this.client.send(verdict.xml);
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
      closed: () => this.#serverGone(false),
      drain: () => {
        this.outlet.drain();
        this.client.resume('server');
      },
    };
  }

  #fromServer(stanza: Stanza): void {
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
    this.client.forward(stanza);
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
    this.#rate?.stop();
    this.#deps.metrics.sessions.dec({ transport: this.client.kind });
    this.#log.info({ reason }, 'session over');
    this.#server.resume('client');
    this.#account.removeSession(this);
    if (this.#isServerGone) this.#onOver();
  }

  #serverGone(isOrderly: boolean): void {
    if (this.#isServerGone) return;
    this.#isServerGone = true;
    this.outlet.close();
    this.#account.loseCarrier(this.carrierId);
    if (this.#isClientGone) {
      this.#onOver();
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

  // As a carrier.

  wake(): void {
    // Whoever carries rooms must be read, and must hear all at once.
    this.#server.resume('client');
    if (!this.#isInactive) return;
    this.#isInactive = false;
    this.#server.send(`<active xmlns='${NS.csi}'/>`);
  }

  hold(): void {
    const { available, carbons } = this.#session;
    if (available) this.#server.send('<presence><priority>-1</priority></presence>');
    if (carbons) {
      this.#server.send(`<iq type='set' id='${this.#deps.token()}'><disable xmlns='${NS.carbons}'/></iq>`);
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
