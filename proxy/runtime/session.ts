/**
 * A session: a bound client and its own upstream stream. What does not concern rooms is relayed byte for byte in both
 * directions (DESIGN "What passes through"); the rest goes to the account.
 */
import type { CarrierId, SessionId } from '../core/state.ts';
import type { Seat } from '../core/view.ts';
import { type Leg, type LegHandler, SILENT, type StreamErrorToSend } from '../net/leg.ts';
import type { Log } from '../ops/log.ts';
import type { HotCounters } from '../ops/metrics.ts';
import { bareOf } from '../xml/address.ts';
import { NS } from '../xml/names.ts';
import type { Declarations, Stanza } from '../xml/stanza.ts';
import type { Account } from './account.ts';
import { guard } from './carrier-guard.ts';
import { ClientState } from './client-state.ts';
import type { AccountDeps } from './deps.ts';
import { deviceOf } from './device.ts';
import { hasManagement, isManagement, ownTerms, tooHigh, unexpected } from './managed-stream.ts';
import type { Outlet } from './outlet.ts';
import { type Going, ParkingPlace } from './parking.ts';
import type { CarrierPort, SessionPort } from './ports.ts';
import { Progress } from './progress.ts';
import { Hibernation, type SessionEvents, type Sleeper } from './session-hibernation.ts';
import { type LegSide, type Managed, SessionLegs } from './session-legs.ts';
import { SessionRate } from './session-rate.ts';
import { type RouteView, routeDown, routeUp } from './session-routes.ts';
import { type NewSession, type Returning, type Transfer, withPrefix } from './session-transfer.ts';

export class ClientSession implements SessionPort, CarrierPort {
  readonly id: SessionId;
  readonly carrierId: CarrierId;
  readonly jid: string;
  readonly asked: string;
  /** See `Session`. */
  readonly device: string | undefined;
  readonly bare: string;
  readonly #legs: SessionLegs;
  readonly #account: Account;
  readonly #deps: AccountDeps;
  readonly #hot: HotCounters;
  readonly #log: Log;
  readonly #parking: ParkingPlace;
  #rate: SessionRate | undefined;
  readonly #events: SessionEvents;
  /** Stream management is offered to this client. */
  readonly #isManaged: boolean;
  readonly hibernation: Hibernation;
  /** Its part in the account, which the rules change. */
  readonly #seat: Seat;
  readonly #view: RouteView;
  readonly #clientState: ClientState;
  readonly #progress: Progress | undefined;
  /** As it is counted. */
  #transport: Leg['kind'];
  #isClientGone = false;
  #isServerGone = false;
  /** The client closed its stream in order: so is the server's. */
  #isOrderly = false;
  /** What the client broke, which its stream at the server ends with too (S8). */
  #broken: StreamErrorToSend | undefined;

  /** `returning`: it has been another node's. It has no connections until it is resumed over those of `bound`. */
  constructor(
    bound: NewSession,
    asked: string,
    account: Account,
    deps: AccountDeps,
    events: SessionEvents,
    returning?: Returning,
  ) {
    this.id = `s${deps.serial()}` as SessionId;
    this.carrierId = `c${deps.serial()}` as CarrierId;
    this.jid = bound.jid;
    this.asked = asked;
    this.bare = bareOf(bound.jid);
    const own = returning ? undefined : ownTerms(bound, deps);
    this.#parking = new ParkingPlace(deps.parking, bound.mechanism);
    const staying = { mayStay: () => this.#isWorthStaying && this.#parking.mayPark, bare: this.bare, now: deps.now };
    this.#legs = new SessionLegs(bound.client, bound.server, () => this.hibernation.mindQueue(), own, staying);
    this.#account = account;
    this.#transport = bound.client.kind;
    this.#deps = deps;
    this.#hot = deps.metrics.hot;
    this.#events = events;
    this.#isManaged = deps.offerStreamManagement && (own !== undefined || hasManagement(bound.features));
    this.#log = deps.log.child({ session: this.id, client: bound.client.id, server: bound.server.id });
    this.#rate = SessionRate.create(deps.config.rate, this.client);
    this.device = returning ? returning.record.device : deviceOf(bound.asked);
    if (returning) this.#legs.restore(returning.record.legs);
    const seat = returning?.enter(this) ?? account.addSession(this, this.carrierId, this, this.device);
    this.#seat = seat;
    const idPrefixes = returning?.record.idPrefixes ?? [];
    this.#view = { seat, exclude: deps.config.exclude, idPrefixes };
    const relay = (stanza: Stanza): void => this.relayUpstream(stanza);
    const shown = returning?.record.shown;
    this.#clientState = new ClientState({ id: this.id, seat, account, legs: this.#legs, relay, shown });
    this.hibernation = new Hibernation(this.#sleeper());
    this.#progress = deps.isShared ? new Progress(this, account, this.#legs) : undefined;
    deps.metrics.sessions.inc({ transport: this.#transport });
    this.#legs.listen(this.#clientHandler(), this.#serverHandler());
    if (returning) {
      // They are its own when it is resumed over them.
      bound.client.handler = SILENT;
      bound.server.handler = SILENT;
    }
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
        if (this.#isHeardOut) this.#server.end();
        else {
          this.client.end();
          this.#clientGone('closed', 'logout');
        }
      },
      violation: (violation) => {
        this.#broken = violation;
        this.#clientGone(violation.condition);
      },
      closed: (error) => {
        if (this.#isOrderly) this.#clientGone('closed', 'logout');
        else this.hibernation.clientDropped(error?.message ?? 'dropped');
      },
      drain: () => this.#legs.clientTakes(),
    };
  }

  /**
   * The client has closed its stream: what it is owed comes before the server's own end (RFC 6120 section 4.4). A stream that carries rooms
   * has to be kept for them, and one that is the proxy's to keep goes on for the account.
   */
  get #isHeardOut(): boolean {
    return !this.#isServerGone && !this.#legs.isOwn && this.#seat.carrier.rooms.size === 0;
  }

  #fromClient(received: Stanza): void {
    const stanza = this.#deps.faces.hide(received);
    this.#rate?.note(stanza.length, this.#deps.now());
    if (this.#isManaged && isManagement(stanza)) this.#manageClient(stanza);
    else if (this.#legs.begin('client', stanza)) {
      this.#route(stanza);
      this.#legs.finish('client');
    }
  }

  /** XEP-0198 elements of the client. */
  #manageClient(stanza: Stanza): void {
    const result = this.#manage('client', stanza);
    if (result === 'done' && stanza.name === 'a') {
      this.#progress?.acknowledged(this.#deps.now(), this.#seat.session.rooms);
    }
    if (result === 'unexpected') this.client.send(unexpected(stanza));
    else if (result === 'too-high') {
      this.client.error(tooHigh(stanza));
      this.#clientGone('handled-count-too-high');
    }
  }

  #route(stanza: Stanza): void {
    const route = routeUp(stanza, this.#view);
    switch (route) {
      case 'relay':
        this.relayUpstream(stanza);
        return;
      case 'account':
        this.#rate?.noteRoomStanza(this.#deps.now());
        this.#account.input({ kind: 'session-stanza', session: this.id, stanza });
        return;
      case 'broadcast':
        this.#clientState.broadcast(stanza);
        return;
      case 'client-state':
        this.#clientState.activity(stanza);
        return;
      case 'switch':
        this.#clientState.asksToSwitch(stanza);
        this.relayUpstream(stanza);
        return;
      default:
        this.#deps.metrics.drops.inc({ reason: route.reason });
        if (stanza.ns === NS.client) this.#legs.send(route.xml);
        else this.client.send(route.xml);
    }
  }

  /** On the session's own stream, byte for byte; guarded while siblings' rooms hang on that stream (M9a). */
  relayUpstream(stanza: Stanza): void {
    if (this.#isServerGone) return;
    if (this.#seat.carrier.rooms.size > 0) {
      const verdict = guard(stanza, this.jid, this.#seat.account.settings.carrierStanzaBytes);
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
        if (this.hibernation.isBeingResumed) this.hibernation.serverDropped();
        else this.#serverGone(true);
      },
      violation: () => this.#serverGone(false),
      closed: () => this.hibernation.serverDropped(),
      drain: () => {
        this.outlet.drain();
        this.client.resume('server');
      },
    };
  }

  #fromServer(received: Stanza): void {
    const stanza = this.#deps.faces.show(received, this.bare);
    if (this.#isManaged && isManagement(stanza)) {
      if (this.#manage('server', stanza) === 'too-high') this.#server.destroy();
    } else if (this.#legs.begin('server', stanza)) {
      this.#routeDown(stanza);
      this.#legs.finish('server');
    }
  }

  /** XEP-0198 elements of either side. */
  #manage(side: LegSide, stanza: Stanza): Managed {
    const before = this.#legs.previd;
    const result = this.#legs.manage(side, stanza);
    const { previd } = this.#legs;
    if (previd !== undefined && previd !== before) this.#events.resumable(previd);
    return result;
  }

  #routeDown(stanza: Stanza): void {
    if (this.#parking.isFree) {
      if (stanza.ns === NS.client && stanza.name === 'message') this.#account.input({ kind: 'late-letter', stanza });
      return;
    }
    const route = routeDown(stanza, this.#view, this.#isClientGone);
    if (route === 'account') {
      this.#account.input({ kind: 'carrier-stanza', carrier: this.carrierId, stanza });
    } else if (route === 'relay') {
      this.#clientState.told(stanza);
      if (stanza.ns === NS.streams && stanza.name === 'error') this.#serverError(stanza);
      else this.relayDownstream(stanza);
    } else if (route !== 'drop') {
      // Its stream is still open, as the server is told only now that it sleeps: what it has not acknowledged it pushes for then.
      if (route === 'nudge' && this.#legs.isHibernating) this.#legs.leaveUnsafe('server');
      this.#deps.metrics.drops.inc({ reason: route });
    }
  }

  /** A server resumes no session that it has ended by an error, and ejabberd may leave the connection to the client to end. */
  #serverError(stanza: Stanza): void {
    if (!this.hibernation.isLastWord(stanza)) this.relayDownstream(stanza);
    if (this.hibernation.isBeingResumed) return;
    this.#server.end();
    this.#serverGone(true);
  }

  relayDownstream(stanza: Stanza): void {
    this.#hot.stanzasDown += 1;
    this.#clientState.passHeld();
    this.#legs.relayDown(stanza);
    if (this.#legs.isOwn) this.hibernation.mindQueue();
    // A carrier must go on being read for its siblings; the client's outbox is bounded.
    if (this.#legs.isClientSlow && this.#seat.carrier.rooms.size === 0) this.#server.pause('client');
  }

  // Ends.

  /** The client has gone, for whatever reason. The upstream stream stays as long as rooms hang on it. */
  #clientGone(reason: string, how: Going = 'ended'): void {
    if (this.#isClientGone) return;
    this.#isClientGone = true;
    this.hibernation.end();
    this.#legs.end();
    if (this.#legs.isSuspended) this.#loseServer();
    this.#rate?.stop();
    this.#deps.metrics.sessions.dec({ transport: this.#transport });
    this.#log.info({ reason }, 'session over');
    this.#server.resume('client');
    this.#clientState.passHeld();
    const mayPark = this.#mayPark(how);
    const unseen = this.hibernation.leaveBehind(how === 'shutdown', mayPark);
    this.#account.removeSession(this, { unseen, mayPark });
    if (this.#isServerGone) this.#events.over();
  }

  /** Its stream carries rooms, and the server pushes for nothing that it would take for delivered then (XEP-0357). */
  get #isWorthStaying(): boolean {
    const { session, carrier } = this.#seat;
    return carrier.rooms.size > 0 && session.push === undefined;
  }

  #mayPark(how: Going): boolean {
    return !this.#isServerGone && this.#isWorthStaying && this.#legs.canStay && this.#parking.admits(how);
  }

  #sleeper(): Sleeper {
    return {
      id: this.id,
      legs: this.#legs,
      account: this.#account,
      log: this.#log,
      metrics: this.#deps.metrics,
      isOver: () => this.#isClientGone || this.#isServerGone,
      mayPark: () => this.#mayPark('dropped'),
      asleep: () => {
        this.#clientState.passHeld();
        this.#rate?.stop();
        this.#server.resume('client');
      },
      leaves: () => this.#clientState.passWithheld(),
      awake: () => {
        if (this.#legs.isOwn) this.#clientState.wake();
        this.#clientState.resumed();
        this.#rate?.stop();
        this.#rate = SessionRate.create(this.#deps.config.rate, this.client);
        this.#deps.metrics.sessions.dec({ transport: this.#transport });
        this.#transport = this.client.kind;
        this.#deps.metrics.sessions.inc({ transport: this.#transport });
      },
      gone: (reason) => this.#clientGone(reason, 'dropped'),
      lost: () => this.#serverGone(false),
      broken: () => {
        this.#loseServer();
        this.#clientGone('resumption failed');
      },
    };
  }

  #loseServer(): void {
    if (this.#isServerGone) return;
    this.#isServerGone = true;
    this.#parking.free();
    this.#account.loseCarrier(this.carrierId, false, this.#legs.lost());
  }

  #serverGone(isOrderly: boolean): void {
    if (this.#isServerGone) return;
    this.#loseServer();
    if (this.#isClientGone) {
      this.#events.over();
      return;
    }
    // Without a closing tag, as the server left us: the client sees a broken connection, not a logout (S8).
    if (isOrderly || this.#isOrderly) this.client.end();
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
    // What the rooms, and those who have written to its client, are owed is said first.
    if (this.#parking.isTaken)
      this.#account.input({ kind: 'carriers-leave', carriers: [this.carrierId], mayOpen: false });
    this.client.error({ condition: 'system-shutdown', text: 'The proxy is shutting down.' });
    this.#isOrderly = true;
    this.#clientGone('shutdown', 'shutdown');
    if (!this.#isServerGone) this.#server.end();
  }

  /** The session is to go on elsewhere; undefined: nobody could resume it. The record is to be written before anything else happens. */
  transfer(): Transfer | undefined {
    const transfer = this.hibernation.transfer();
    if (!transfer) return undefined;
    const { jid, asked, device } = this;
    const { shown } = this.#clientState;
    const idPrefixes = withPrefix(this.#view.idPrefixes, this.#seat.account.idPrefix);
    const record = { ...transfer, jid, asked, device, shown, idPrefixes };
    return { record, leave: () => this.#goesElsewhere(), cut: () => this.client.destroy() };
  }

  /** What its streams had and have not passed on goes with the session, and is nobody's here. */
  #goesElsewhere(): void {
    this.#isServerGone = true;
    this.#clientGone('goes on elsewhere');
    this.#account.loseCarrier(this.carrierId);
  }

  // As a receiver.

  get declared(): Declarations | 'websocket' {
    return this.#legs.declared;
  }

  get isTransferable(): boolean {
    return this.#legs.previd !== undefined && !this.#legs.isOwn && !this.#legs.isHibernating;
  }

  get mayHoldBack(): boolean {
    return this.#clientState.mayHoldBack;
  }

  holdBack(text: Buffer, occupant: string | undefined): void {
    this.#clientState.holdBack(text, occupant);
  }

  deliver(text: Buffer): void {
    this.#clientState.passHeld();
    this.#legs.deliver(text);
    this.hibernation.mindQueue();
  }

  send(xml: string | Buffer, origin?: Stanza): void {
    this.#clientState.passHeld();
    this.#legs.send(xml, origin);
    this.hibernation.mindQueue();
  }

  fallBehind(): void {
    this.hibernation.expire();
  }

  // As a carrier.

  suspend(): void {
    this.#legs.suspend();
  }

  wake(): void {
    // Whoever carries rooms must be read, and must hear all at once.
    this.#server.resume('client');
    // A room that was waiting for a stream takes this one before the session is complete.
    this.#clientState?.wake();
  }

  hold(): void {
    this.#clientState.hold(this.#deps.token());
  }

  park(): void {
    this.#clientState.park(this.#isClientGone ? this.#deps.token() : undefined);
    if (!this.#isClientGone) return;
    this.#parking.park();
    this.#log.info({}, 'stream parked');
  }

  free(): void {
    this.#parking.free();
    // What the server has not been told was handled it would give back to its senders.
    if (this.#parking.isTaken) this.#legs.settle();
    this.#clientState.passWithheld();
    if (!this.#isClientGone || this.#isServerGone) return;
    if (this.#broken) this.#server.error(this.#broken);
    // For the server one that was kept here has never dropped.
    else if (this.#isOrderly || this.#legs.isOwn || this.#parking.isTaken) this.#server.end();
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
