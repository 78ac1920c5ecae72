/**
 * A session: a bound client and its own upstream stream. What does not concern rooms is relayed byte for byte in both
 * directions (DESIGN "What passes through"); the rest goes to the account.
 */
import { type Languages, languagesOf } from '../core/language.ts';
import type { CarrierId, SessionId } from '../core/state.ts';
import type { Seat } from '../core/view.ts';
import { type Leg, type LegHandler, SILENT } from '../net/leg.ts';
import type { Log } from '../ops/log.ts';
import type { HotCounters } from '../ops/metrics.ts';
import { bareOf } from '../xml/address.ts';
import { NS } from '../xml/names.ts';
import type { Declarations, Stanza } from '../xml/stanza.ts';
import type { Account } from './account.ts';
import { Attendance } from './attendance.ts';
import { guard } from './carrier-guard.ts';
import { ClientState } from './client-state.ts';
import type { AccountDeps } from './deps.ts';
import { deviceOf } from './device.ts';
import { hasManagement, ownTerms } from './managed-stream.ts';
import type { Outlet } from './outlet.ts';
import { ParkingPlace } from './parking.ts';
import type { SessionPort } from './ports.ts';
import { Progress } from './progress.ts';
import { SessionCarrier } from './session-carrier.ts';
import { type Ending, SessionEnds } from './session-ends.ts';
import { Hibernation, type SessionEvents, type Sleeper } from './session-hibernation.ts';
import { SessionLegs } from './session-legs.ts';
import { SessionManagement } from './session-management.ts';
import { type RouteView, routeDown, routeUp } from './session-routes.ts';
import { type NewSession, type Returning, type Transfer, withPrefix } from './session-transfer.ts';

export class ClientSession implements SessionPort {
  readonly id: SessionId;
  readonly carrierId: CarrierId;
  readonly jid: string;
  readonly asked: string;
  /** See `Session`. */
  readonly device: string | undefined;
  readonly bare: string;
  /** Of one that returns its account knows them. */
  readonly languages: Languages | undefined;
  readonly #legs: SessionLegs;
  readonly #account: Account;
  readonly #deps: AccountDeps;
  readonly #hot: HotCounters;
  readonly #log: Log;
  readonly #parking: ParkingPlace;
  readonly #attendance: Attendance;
  readonly #events: SessionEvents;
  readonly #management: SessionManagement;
  readonly hibernation: Hibernation;
  /** Its part in the account, which the rules change. */
  readonly #seat: Seat;
  readonly #view: RouteView;
  readonly #clientState: ClientState;
  readonly #ends: SessionEnds;

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
    const [says, hears] = [bound.clientHeader, bound.serverHeader];
    this.languages = languagesOf(says?.attributes.get('xml:lang'), hears?.attributes.get('xml:lang'));
    const own = returning ? undefined : ownTerms(bound, deps);
    this.#parking = new ParkingPlace(deps.parking, bound.mechanism);
    const mayStay = (): boolean => this.#ends.isWorthStaying && this.#parking.mayPark;
    const staying = { mayStay, bare: this.bare, now: deps.now };
    this.#legs = new SessionLegs(bound.client, bound.server, () => this.hibernation.mindQueue(), own, staying);
    this.#account = account;
    this.#deps = deps;
    this.#hot = deps.metrics.hot;
    this.#events = events;
    const isOffered = deps.offerStreamManagement && (own !== undefined || hasManagement(bound.features));
    this.#log = deps.log.child({ session: this.id, client: bound.client.id, server: bound.server.id });
    this.#attendance = new Attendance(bound.client, deps);
    const ending = this.#ending();
    this.#ends = new SessionEnds(ending);
    const relayDownstream = (stanza: Stanza): void => this.relayDownstream(stanza);
    this.device = returning ? returning.record.device : deviceOf(bound.asked);
    if (returning) this.#legs.restore(returning.record.legs);
    const carrier = new SessionCarrier({ ...ending, ends: this.#ends, token: deps.token, relayDownstream });
    const seat = returning?.enter(this, carrier) ?? account.addSession(this, this.carrierId, carrier, this.device);
    this.#seat = seat;
    const idPrefixes = returning?.record.idPrefixes ?? [];
    this.#view = { seat, exclude: deps.config.exclude, idPrefixes };
    const relay = (stanza: Stanza): void => this.relayUpstream(stanza);
    const shown = returning?.record.shown;
    this.#clientState = new ClientState({ id: this.id, seat, account, legs: this.#legs, relay, shown });
    this.hibernation = new Hibernation(this.#sleeper());
    const progress = deps.isShared ? new Progress(this, account, this.#legs) : undefined;
    const { now } = deps;
    const managed = { isOffered, legs: this.#legs, ends: this.#ends, events, progress, now };
    this.#management = new SessionManagement({ ...managed, rooms: () => seat.session.rooms });
    this.#legs.listen(this.#clientHandler(), this.#serverHandler());
    if (returning) {
      // They are its own when it is resumed over them.
      for (const leg of [bound.client, bound.server]) leg.handler = SILENT;
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
      end: () => this.#ends.closedByClient(),
      violation: (violation) => this.#ends.violated(violation),
      closed: (error) => this.#ends.disconnected(error),
      drain: () => this.#legs.clientTakes(),
    };
  }

  #fromClient(received: Stanza): void {
    const stanza = this.#deps.faces.hide(received);
    this.#attendance.note(stanza.length);
    if (this.#management.takes(stanza)) this.#management.fromClient(stanza);
    else if (this.#legs.begin('client', stanza)) {
      this.#route(stanza);
      this.#legs.finish('client');
    }
  }

  #route(stanza: Stanza): void {
    const route = routeUp(stanza, this.#view);
    switch (route) {
      case 'relay':
        this.relayUpstream(stanza);
        return;
      case 'account':
        this.#attendance.noteRoomStanza();
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
    if (this.#ends.isServerGone) return;
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
      const { condition, text } = verdict;
      this.client.error({ condition, text });
      this.#ends.violated({ condition, text });
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
        else this.#ends.serverGone(true);
      },
      violation: () => this.#ends.serverGone(false),
      closed: () => this.hibernation.serverDropped(),
      drain: () => {
        this.outlet.drain();
        this.client.resume('server');
      },
    };
  }

  #fromServer(received: Stanza): void {
    const stanza = this.#deps.faces.show(received, this.bare);
    if (this.#management.takes(stanza)) this.#management.fromServer(stanza);
    else if (this.#legs.begin('server', stanza)) {
      this.#routeDown(stanza);
      this.#legs.finish('server');
    }
  }

  #routeDown(stanza: Stanza): void {
    if (this.#parking.isFree) {
      if (stanza.ns === NS.client && stanza.name === 'message') this.#account.input({ kind: 'late-letter', stanza });
      return;
    }
    const route = routeDown(stanza, this.#view, this.#ends.isClientGone);
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
    this.#ends.serverGone(true);
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

  #ending(): Ending {
    return {
      port: this,
      carrierId: this.carrierId,
      account: this.#account,
      legs: this.#legs,
      parking: this.#parking,
      events: this.#events,
      log: this.#log,
      seat: () => this.#seat,
      clientState: () => this.#clientState,
      hibernation: () => this.hibernation,
      attendance: this.#attendance,
    };
  }

  #sleeper(): Sleeper {
    return {
      id: this.id,
      legs: this.#legs,
      account: this.#account,
      log: this.#log,
      metrics: this.#deps.metrics,
      isOver: () => this.#ends.isClientGone || this.#ends.isServerGone,
      mayPark: () => this.#ends.mayPark('dropped'),
      asleep: () => {
        this.#clientState.passHeld();
        this.#attendance.rest();
        this.#server.resume('client');
      },
      leaves: () => this.#clientState.passWithheld(),
      awake: () => {
        if (this.#legs.isOwn) this.#clientState.wake();
        this.#clientState.resumed();
        this.#attendance.return(this.client);
      },
      gone: (reason) => this.#ends.clientGone(reason, 'dropped'),
      lost: () => this.#ends.serverGone(false),
      broken: () => {
        this.#ends.loseServer();
        this.#ends.clientGone('resumption failed');
      },
    };
  }

  replace(): void {
    this.#ends.replaced();
  }

  /** See `SessionEnds`. */
  get leftMs(): number | undefined {
    return this.#ends.leftMs;
  }

  /** The proxy shuts down. */
  shutDown(): void {
    this.#ends.shutDown();
  }

  /** The session is to go on elsewhere; undefined: nobody could resume it. The record is to be written before anything else happens. */
  transfer(): Transfer | undefined {
    const transfer = this.hibernation.transfer();
    if (!transfer) return undefined;
    const { jid, asked, device } = this;
    const { shown } = this.#clientState;
    const idPrefixes = withPrefix(this.#view.idPrefixes, this.#seat.account.idPrefix);
    const record = { ...transfer, jid, asked, device, shown, idPrefixes };
    return { record, leave: () => this.#ends.goesElsewhere(), cut: () => this.client.destroy() };
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

  // As a source for other carriers.

  rest(): void {
    this.client.pause('carrier');
  }

  resume(): void {
    this.client.resume('carrier');
  }
}
