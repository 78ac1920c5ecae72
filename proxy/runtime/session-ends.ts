/**
 * How a session ends: its client goes, its server goes, or the proxy does; in which order, what either side is told of the other's
 * end (S8), and whether the upstream stream goes on for the rooms on it.
 */
import type { CarrierId } from '../core/state.ts';
import type { Seat } from '../core/view.ts';
import type { StreamErrorToSend } from '../net/leg.ts';
import type { Log } from '../ops/log.ts';
import type { Account } from './account.ts';
import type { Attendance } from './attendance.ts';
import type { ClientState } from './client-state.ts';
import type { Going, ParkingPlace } from './parking.ts';
import type { SessionPort } from './ports.ts';
import type { Hibernation, SessionEvents } from './session-hibernation.ts';
import type { SessionLegs } from './session-legs.ts';

/** The session, as far as its ends go. */
export interface Ending {
  readonly port: SessionPort;
  readonly carrierId: CarrierId;
  readonly account: Account;
  readonly legs: SessionLegs;
  readonly parking: ParkingPlace;
  readonly attendance: Attendance;
  readonly events: SessionEvents;
  readonly log: Log;
  seat(): Seat;
  clientState(): ClientState;
  hibernation(): Hibernation;
}

export class SessionEnds {
  readonly #session: Ending;
  #isClientGone = false;
  #isServerGone = false;
  /** The client closed its stream in order: so is the server's. */
  #isOrderly = false;
  /** What the client broke, which its stream at the server ends with too. */
  #broken: StreamErrorToSend | undefined;

  constructor(session: Ending) {
    this.#session = session;
  }

  get isClientGone(): boolean {
    return this.#isClientGone;
  }

  get isServerGone(): boolean {
    return this.#isServerGone;
  }

  /** The client has closed its stream. */
  closedByClient(): void {
    const { legs } = this.#session;
    this.#isOrderly = true;
    if (this.#isHeardOut) legs.server.end();
    else {
      legs.client.end();
      this.clientGone('closed', 'logout');
    }
  }

  /**
   * What the client is owed comes before the server's own end (RFC 6120 section 4.4). A stream that carries rooms, or may be about to,
   * has to be kept for them, and one that is the proxy's to keep goes on for the account.
   */
  get #isHeardOut(): boolean {
    const { account, legs, port, seat } = this.#session;
    const isNeeded = seat().carrier.rooms.size > 0 || account.isJoining(port.id);
    return !this.#isServerGone && !legs.isOwn && !isNeeded;
  }

  /** The client's connection is closed. */
  disconnected(error: Error | undefined): void {
    if (this.#isOrderly) this.clientGone('closed', 'logout');
    else this.#session.hibernation().clientDropped(error?.message ?? 'dropped');
  }

  /** The client has been told, or has shown itself, what it broke. */
  violated(broken: StreamErrorToSend): void {
    this.#broken = broken;
    this.clientGone(broken.condition);
  }

  /** The client has gone, for whatever reason. The upstream stream stays as long as rooms hang on it. */
  clientGone(reason: string, how: Going = 'ended', goesOnMs?: number): void {
    if (this.#isClientGone) return;
    this.#isClientGone = true;
    const { legs, account, attendance, events, log, port } = this.#session;
    const hibernation = this.#session.hibernation();
    hibernation.end();
    legs.end();
    if (legs.isSuspended) this.loseServer();
    attendance.end();
    log.info({ reason }, 'session over');
    legs.server.resume('client');
    this.#session.clientState().passHeld();
    const mayPark = this.mayPark(how);
    const unseen = hibernation.leaveBehind(how === 'shutdown', mayPark);
    account.removeSession(port, { unseen, mayPark, goesOnMs });
    if (this.#isServerGone) events.over();
  }

  /** Its stream carries rooms, and the server pushes for nothing that it would take for delivered then (XEP-0357). */
  get isWorthStaying(): boolean {
    const { session, carrier } = this.#session.seat();
    return carrier.rooms.size > 0 && session.push === undefined;
  }

  mayPark(how: Going): boolean {
    const { legs, parking } = this.#session;
    return !this.#isServerGone && this.isWorthStaying && legs.canStay && parking.admits(how);
  }

  /** The server's connection is of no use any more: the rooms on it are lost. */
  loseServer(): void {
    if (this.#isServerGone) return;
    this.#isServerGone = true;
    const { account, carrierId, legs, parking } = this.#session;
    parking.free();
    account.loseCarrier(carrierId, false, legs.lost());
  }

  /** `isOrderly`: the server has closed its stream. */
  serverGone(isOrderly: boolean): void {
    if (this.#isServerGone) return;
    this.loseServer();
    if (this.#isClientGone) {
      this.#session.events.over();
      return;
    }
    const { client } = this.#session.legs;
    // Without a closing tag, as the server left us: the client sees a broken connection, not a logout.
    if (isOrderly || this.#isOrderly) client.end();
    else client.destroy();
    this.clientGone('server gone');
  }

  /** Another connection of the same client has taken its place (RFC 6120 section 7.7.2.2). */
  replaced(): void {
    this.#session.legs.client.error({ condition: 'conflict', text: 'Replaced by new connection' });
    this.clientGone('replaced');
  }

  /** How long the server keeps its parked stream when this node stops (ms); undefined: the stream is not parked, or ends. */
  get leftMs(): number | undefined {
    const { legs, parking } = this.#session;
    return parking.isTaken && !parking.isFree && !this.#isServerGone ? legs.keptMs : undefined;
  }

  /** The proxy shuts down. */
  shutDown(): void {
    const { account, carrierId, legs, parking } = this.#session;
    if (this.leftMs !== undefined) {
      this.#leaveToServer();
      return;
    }
    // What the rooms, and those who have written to its client, are owed is said first.
    if (parking.isTaken) {
      const { isStored } = account;
      account.input({ kind: 'carriers-leave', carriers: [carrierId], mayOpen: false, isStored });
    }
    legs.client.error({ condition: 'system-shutdown', text: 'The proxy is shutting down.' });
    this.#isOrderly = true;
    this.clientGone('shutdown', 'shutdown');
    if (!this.#isServerGone) legs.server.end();
  }

  /**
   * A parked stream of a client that managed it (XEP-0198): nobody can resume it, and yet the server keeps it for as long as it said, and
   * the account's place in its rooms. A session that comes until then, on whatever node, joins beside it, unseen where a nick can be shared.
   */
  #leaveToServer(): void {
    const { account, carrierId, legs, events } = this.#session;
    account.input({ kind: 'parked-stream-dropped', carrier: carrierId, isStored: account.isStored });
    legs.suspend();
    this.loseServer();
    events.over();
  }

  /** What its streams had and have not passed on goes with the session to another node, and is nobody's here. */
  goesElsewhere(): void {
    this.#isServerGone = true;
    this.clientGone('goes on elsewhere', 'ended', this.#session.legs.resumableMs);
    this.#session.account.loseCarrier(this.#session.carrierId);
  }

  /** The client has gone, and the stream is parked: the server keeps nothing of what the client has not acknowledged. */
  stays(): void {
    const { account, carrierId, legs, parking } = this.#session;
    parking.park();
    const stanzas = legs.settle();
    if (stanzas.length > 0) account.input({ kind: 'parked-undelivered', carrier: carrierId, stanzas });
  }

  /** No rooms are left on the stream: it ends with its client. */
  freed(): void {
    const { legs, parking, clientState } = this.#session;
    parking.free();
    // What the server has not been told was handled it would give back to its senders.
    if (parking.isTaken) legs.settle();
    clientState().passWithheld();
    if (!this.#isClientGone || this.#isServerGone) return;
    if (this.#broken) legs.server.error(this.#broken);
    // For the server one that was kept here has never dropped.
    else if (this.#isOrderly || legs.isOwn || parking.isTaken) legs.server.end();
    else legs.server.destroy();
  }
}
