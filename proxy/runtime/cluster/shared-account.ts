/**
 * An account of which other nodes may have sessions too. Where its home is here, its rules are run here as they are on a single
 * node; else what happens to its sessions goes to the home, and what follows comes from there. Its sessions do not notice
 * when that changes.
 */
import type { HostConfig } from '../../config.ts';
import { entered } from '../../core/entry.ts';
import type { Estate } from '../../core/estate.ts';
import type { Input, Owed } from '../../core/inputs.ts';
import { type Passage, passageOf, unfinishedOf } from '../../core/passage.ts';
import type { AccountState, CarrierId, PendingRequest, SessionId, Settings } from '../../core/state.ts';
import type { AccountView, Seat } from '../../core/view.ts';
import type { Fence } from '../../store/store.ts';
import type { Credentials } from '../../stream/sasl-relay.ts';
import type { BareKey } from '../../xml/address.ts';
import type { Account, Departure } from '../account.ts';
import type { AccountRunner } from '../account-runner.ts';
import { AccountStreamKeeper } from '../account-stream-keeper.ts';
import type { AccountDeps } from '../deps.ts';
import { type CarrierPort, Ports, type SessionPort } from '../ports.ts';
import { DistantSources } from './distant-sources.ts';
import { Incoming } from './incoming.ts';
import type { Message } from './messages.ts';
import { Mirror } from './mirror.ts';
import type { ClusterNode } from './node.ts';
import type { Happening, Part } from './part.ts';
import { refusal } from './refusal.ts';
import { Residency } from './residency.ts';
import { sleep } from './seek.ts';
import { Waiting } from './waiting.ts';

/** How long a node that carries nothing lets others be first to take a lost home's place (ms). */
const YIELD_MS = 150;
/** Pause before a home whose node takes nothing is looked for again (ms). */
const UNREACHABLE_MS = 500;
/** How long an account is kept for a session that is about to be bound (ms). */
const WARM_MS = 10_000;
/** How long a client that is about to bind may be kept waiting (ms), and the steps of it. */
const WARM_WAIT_MS = 500;
const WARM_STEP_MS = 2;
/** How long a session that comes from another node waits for its account (ms). */
const STEADY_MS = 5000;

export class SharedAccount implements Account, Part {
  readonly key: string;
  readonly bare: string;
  readonly settings: Settings;
  readonly deps: AccountDeps;
  readonly node: ClusterNode;
  readonly ports: Ports;
  readonly accountStream: AccountStreamKeeper;
  readonly mirror: Mirror;
  readonly seats = new Map<SessionId, Seat>();
  readonly waiting: Waiting;
  isOver = false;
  readonly #onOver: () => void;
  readonly #residency: Residency;
  readonly #incoming: Incoming;
  /** Monotonic time until which a session may come for which the account is kept here. */
  #warmUntil = Number.NEGATIVE_INFINITY;

  constructor(key: string, bare: string, settings: Settings, deps: AccountDeps, node: ClusterNode, onOver: () => void) {
    this.key = key;
    this.bare = bare;
    this.settings = settings;
    this.deps = deps;
    this.node = node;
    this.#onOver = onOver;
    this.mirror = new Mirror(bare, settings, deps.services, deps.now);
    this.ports = new Ports(deps.metrics, (room) => (this.state?.rooms ?? this.mirror.watched).get(room)?.nick);
    const sources = new DistantSources((session, rests) => this.input({ kind: 'session-rests', session, rests }));
    this.ports.sourceElsewhere = (id) => sources.of(id);
    this.accountStream = new AccountStreamKeeper(bare, deps, this.ports, this);
    this.waiting = new Waiting(settings.joinTimeoutMs, this.mirror, (happening) => this.refuse(happening));
    this.#residency = new Residency(this);
    this.#incoming = new Incoming(this, this.#residency);
  }

  /** The runner of its rules, where its home is here. */
  get runner(): AccountRunner | undefined {
    return this.#residency.home?.runner;
  }

  /** Its state, where its home is here. */
  get state(): AccountState | undefined {
    return this.runner?.state;
  }

  /** The proof of being home, where its home is here. */
  get fence(): Fence | undefined {
    return this.#residency.home?.fence;
  }

  get view(): AccountView {
    return this.state ?? this.mirror;
  }

  get isStored(): boolean {
    return this.settings.keepsLogs === true && this.node.isReached;
  }

  // From its sessions and streams.

  input(input: Input): void {
    if (this.isOver || input.kind === 'arrive') return;
    const { home, visit, isPaused } = this.#residency;
    if (home && !isPaused) home.input(input);
    else if (home) this.#inputWhilePaused(home, input);
    else {
      this.mirror.note(input);
      if (visit) visit.input(input);
      else this.waiting.add(input);
    }
  }

  /** What is small waits in the rules' own queue, stanzas wait bounded. */
  #inputWhilePaused(home: { input(input: Input): void }, happening: Happening): void {
    if (!('stanza' in happening)) {
      if (!this.waiting.add(happening)) home.input(happening);
      return;
    }
    const room = happening.kind === 'session-stanza' ? entered(happening.stanza) : undefined;
    // What the client sends behind its join is for the room.
    if (room !== undefined && 'session' in happening) this.seats.get(happening.session)?.session.rooms.add(room);
    this.waiting.add(happening);
  }

  addSession(session: SessionPort, carrier: CarrierId, port: CarrierPort, device?: string): Seat {
    const { id, jid, asked, languages } = session;
    this.ports.sessions.set(id, session);
    this.ports.carriers.set(carrier, port);
    this.deps.store.addSession(this.bare, id, jid, this.deps.now());
    const seat: Seat = { account: this.mirror, ...this.mirror.addSession(session, carrier, device) };
    this.seats.set(id, seat);
    this.input({ kind: 'session-bound', session: id, jid, asked, carrier, device, languages });
    this.#residency.reseat();
    this.#residency.seek();
    return seat;
  }

  /** What goes with a session that is carried on elsewhere; undefined: it is not here. Nothing is changed by it. */
  passage(id: SessionId): Passage | undefined {
    const { state, mirror } = this;
    if (state) return passageOf(state, id, unfinishedOf(state, id));
    const { sessions, carriers, watched: rooms } = mirror;
    const before = (room: BareKey): string | undefined => mirror.before(room);
    return passageOf({ sessions, carriers, rooms, before }, id, mirror.unanswered.of(id));
  }

  /**
   * A session comes, with its stream, that another node has had. To be called when `steady` has been waited for; the account hears
   * of it by `arrived`.
   */
  restoreSession(session: SessionPort, passage: Passage, port: CarrierPort): Seat {
    const { id, jid } = session;
    this.ports.sessions.set(id, session);
    this.ports.carriers.set(passage.carrier.id, port);
    this.deps.store.addSession(this.bare, id, jid, this.deps.now());
    this.mirror.restore(passage, this.state !== undefined);
    const seat: Seat = { account: this.mirror, session: passage.session, carrier: passage.carrier };
    this.seats.set(id, seat);
    return seat;
  }

  /** The session takes what is due to it from here on. */
  arrived(passage: Passage): void {
    this.#residency.arrive(passage);
  }

  /** Resolves when the account is not about to move and, `isFound`, its home is known; or when that takes too long. */
  async steady(isFound = false): Promise<void> {
    const residency = this.#residency;
    const end = performance.now() + STEADY_MS;
    const isSteady = (): boolean => !residency.isPaused && !(isFound && residency.isUnknown);
    while (!this.isOver && !isSteady() && performance.now() < end) await sleep(WARM_STEP_MS);
  }

  refuseRequests(requests: ReadonlyMap<string, PendingRequest>): void {
    for (const { session, stanza } of requests.values()) this.refuse({ kind: 'session-stanza', session, stanza });
  }

  removeSession(session: SessionPort, { unseen, mayPark, goesOnMs }: Departure = {}): void {
    const { id } = session;
    // What it has said comes first, and may need its stream.
    const isLate = this.waiting.has(id);
    this.ports.sessions.delete(id);
    const carrier = this.seats.get(id)?.carrier;
    this.seats.delete(id);
    if (!isLate) this.mirror.dropSession(id);
    this.deps.store.removeSession(this.bare, id);
    this.input({ kind: 'session-gone', session: id, unseen, ...(mayPark && { mayPark }), goesOnMs });
    // Nobody knows of it yet, and no room hangs on it.
    if (this.#residency.isUnknown && !isLate && carrier?.rooms.size === 0) this.free(carrier.id);
    this.settle();
  }

  loseCarrier(carrier: CarrierId, isConflict = false, owed?: Owed): void {
    if (!this.ports.carriers.delete(carrier)) return;
    this.mirror.dropCarrier(carrier);
    this.input({ kind: 'carrier-lost', carrier, isConflict, ...(owed && { owed }) });
    this.settle();
  }

  offerCredentials(credentials: Credentials, host: HostConfig): void {
    this.accountStream.offerCredentials(credentials, host);
  }

  free(carrier: CarrierId): void {
    const port = this.ports.carriers.get(carrier);
    this.ports.carriers.delete(carrier);
    this.mirror.dropCarrier(carrier);
    port?.free();
  }

  /** The home could not be asked for long: what has waited for it is refused, never passed over in silence (C3). */
  refuse(happening: Happening): void {
    if (happening.kind !== 'session-stanza') {
      if (happening.kind === 'session-gone') this.#goneAtLast(happening);
      else this.deps.metrics.drops.inc({ reason: 'no-home' });
      return;
    }
    const { session, stanza } = happening;
    const room = entered(stanza);
    if (room !== undefined) this.seats.get(session)?.session.rooms.delete(room);
    const answer = refusal(stanza, room !== undefined);
    if (answer !== undefined) this.ports.sessions.get(session)?.send(answer, stanza);
    else this.deps.metrics.drops.inc({ reason: 'no-home' });
  }

  /** It has gone, and what it had said was refused. */
  #goneAtLast(gone: Extract<Happening, { kind: 'session-gone' }>): void {
    const id = this.mirror.sessions.get(gone.session)?.carrier;
    const carrier = id === undefined ? undefined : this.mirror.carriers.get(id);
    this.mirror.dropSession(gone.session);
    if (this.state) this.input(gone);
    // One that carries rooms is for the next home to decide on.
    else if (carrier?.rooms.size === 0) this.free(carrier.id);
    this.settle();
  }

  /** A join of the session is on its way to the home: whether it will go by the session's stream is not known yet. */
  isJoining(session: SessionId): boolean {
    return this.waiting.has(session) || (!this.state && this.mirror.unanswered.isJoining(session));
  }

  // From other nodes.

  message(from: string, message: Message, payload: Buffer): void {
    this.#incoming.message(from, message, payload);
  }

  /** A node is no more. */
  lost(node: string): void {
    const { home, visit } = this.#residency;
    // Who has a stream in the rooms is the best to go on: it is given some time.
    if (visit?.home.node === node) this.#residency.lostHome(this.mirror.isCarrying ? 0 : YIELD_MS);
    home?.guests.lost(node);
  }

  /** A node that should be alive takes nothing. */
  unreachable(node: string): void {
    if (this.#residency.visit?.home.node === node) this.#residency.lostHome(UNREACHABLE_MS);
  }

  /** The store can be relied on again, perhaps under another node id. */
  recovered(isRenamed: boolean): void {
    if (isRenamed) {
      for (const { id, jid } of this.ports.sessions.values()) {
        this.deps.store.addSession(this.bare, id, jid, this.deps.now());
      }
    }
    this.accountStream.recordCredentials();
    this.#residency.recovered();
  }

  /** The keys for sealing are others than before: what the store has of the account is sealed with them. */
  sealAnew(): void {
    this.accountStream.sealAnew();
    const rooms = [...(this.state?.rooms.values() ?? [])];
    if (rooms.some(({ password }) => password !== undefined)) this.input({ kind: 'record' });
  }

  /** @throws StoreError */
  renew(): Promise<void> {
    return this.#residency.renew();
  }

  // Beginning and end.

  /**
   * Nobody has been home: this node is to go on with what the store has, and as much of it as is not known here. False: another node is home
   * now, or none can be found.
   */
  async takeUp(estate: Estate, credentials: Credentials, host: HostConfig, sealed: string): Promise<boolean> {
    const residency = this.#residency;
    await this.steady();
    residency.inherit(estate);
    if (!this.accountStream.hasCredentials) this.accountStream.restoreCredentials(credentials, host, sealed);
    residency.seek();
    await this.steady(true);
    if (this.state) return true;
    residency.inherit(undefined);
    this.settle();
    return false;
  }

  /** What a node that has stopped has left of the account's rooms, for the session that has come. Another home knows better. */
  inherit(estate: Estate): void {
    this.#residency.inherit(estate);
  }

  /** Its rooms end with the streams of this node, and somebody with the key could take them again, if its password is sealed. */
  get isLeftBehind(): boolean {
    const { state } = this;
    return state !== undefined && state.rooms.size > 0 && this.deps.sealing !== undefined;
  }

  /** This node is about to stop: the account goes to another one, which has been sent what it needs to open the account's stream. */
  async bequeath(heir: string): Promise<void> {
    // With what the store has a stream may have been opened here since, or be about to be, which would be nobody's: the heir opens one.
    this.accountStream.forget();
    const isOpening = this.state?.accountStream === 'opening' && this.#residency.home?.guests.hasCredentials === false;
    if (isOpening) {
      this.accountStream.end();
      this.input({ kind: 'account-stream-failed', final: false });
    }
    await this.#residency.bequeath(heir);
  }

  /** A session is about to come. Resolves when this node knows of the account what its home knows, or when that takes too long. */
  async warm(): Promise<void> {
    this.#warmUntil = performance.now() + WARM_MS;
    setTimeout(() => this.settle(), WARM_MS + 1).unref();
    this.#residency.seek();
    const end = performance.now() + WARM_WAIT_MS;
    while (!this.isOver && !this.state && !this.mirror.isTold && performance.now() < end) await sleep(WARM_STEP_MS);
  }

  /** This node is about to stop. */
  drain(): void {
    this.#residency.drain();
  }

  get isDrained(): boolean {
    return this.#residency.isDrained;
  }

  /** The home, if it is elsewhere, has taken all that has happened here. */
  get isHeard(): boolean {
    return this.#residency.visit?.isIdle ?? true;
  }

  /** Nothing of the account is here, and nothing is owed to its home: it may be forgotten. */
  settle(): void {
    const { home, visit } = this.#residency;
    if (this.isOver || home || this.ports.sessions.size + this.ports.carriers.size > 0) return;
    if (performance.now() < this.#warmUntil || (visit && !visit.isIdle)) return;
    if (visit) this.node.send(visit.home.node, { kind: 'detach', account: this.key, channel: visit.channel.id });
    this.over();
  }

  over(): void {
    if (this.isOver) return;
    this.close();
    this.#onOver();
  }

  /** Ends the account stream and all timers, at the end of the process. */
  close(): void {
    this.isOver = true;
    this.waiting.close();
    this.#residency.close();
    this.accountStream.close();
  }
}
