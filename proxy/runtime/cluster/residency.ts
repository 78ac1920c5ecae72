/**
 * Where an account's home is, as one node has it: here (`home`), elsewhere (`visit`), or not known yet. The home is found by a
 * claim in the store; it is lost with its node, given up when another node is the better one, and looked up anew when this node
 * cannot be sure.
 */
import { NOBODY } from '../../core/arrival.ts';
import type { Estate } from '../../core/estate.ts';
import type { Passage } from '../../core/passage.ts';
import { type AccountState, type CarrierId, createAccountState } from '../../core/state.ts';
import type { AccountView } from '../../core/view.ts';
import type { Fence } from '../../store/store.ts';
import { carryOut } from './carry-out.ts';
import { ChannelEnd } from './channel.ts';
import { canBeTakenOver, isCarrying, streamsToFree } from './draining.ts';
import { Home } from './home.ts';
import { writeArrival, writeKnowledge } from './knowledge.ts';
import { keepLeftovers } from './leftovers.ts';
import { unpackHouse } from './moving-house.ts';
import type { Part } from './part.ts';
import { isBetterElsewhere, restoreGuests, sendHouse } from './relocation.ts';
import { findHome, sleep } from './seek.ts';
import { Visit } from './visit.ts';

/** How long an account must be better off on another node before it moves (ms). */
const MOVE_MS = 50;
/** How long a home may take to answer a node that attaches (ms). */
const ATTACH_MS = 5000;

export class Residency {
  readonly #part: Part;
  /** What the store has of the account, for a home that begins here. */
  #estate: Estate | undefined;
  /** At most one of the two. */
  #home: Home | undefined;
  #visit: Visit | undefined;
  #isSeeking = false;
  /** Whether this is the home still is being looked up; nothing is done meanwhile. */
  #isInDoubt = false;
  /** The account is being given to another node. */
  #isMoving = false;
  #moveTimer: NodeJS.Timeout | undefined;
  #isDraining = false;
  /** Where rooms stay with streams of this node, and go on with their sessions: those that are to be freed of theirs before the end. */
  #leaving: readonly CarrierId[] | undefined;

  constructor(part: Part) {
    this.#part = part;
  }

  get home(): Home | undefined {
    return this.#home;
  }

  get visit(): Visit | undefined {
    return this.#visit;
  }

  get isUnknown(): boolean {
    return !this.#part.isOver && !this.#home && !this.#visit;
  }

  /** The home is here, and does nothing for now. */
  get isPaused(): boolean {
    return this.#isInDoubt || this.#isMoving;
  }

  /** Looks for the home, unless it is known. */
  seek(delayMs = 0): void {
    if (this.#isSeeking || !this.isUnknown) return;
    this.#isSeeking = true;
    void this.#seek(delayMs).finally(() => {
      this.#isSeeking = false;
    });
  }

  async #seek(delayMs: number): Promise<void> {
    const { key, node, deps } = this.#part;
    if (delayMs > 0) await sleep(delayMs);
    const fence = await findHome(node, key, () => this.isUnknown, deps.log);
    if (!fence) return;
    if (fence.node === node.id) this.#becomeHome(fence);
    else this.#becomeGuest(fence, new ChannelEnd(deps.token()));
  }

  #build(fence: Fence, state: AccountState): Home {
    const { node, key } = this.#part;
    const home: Home = new Home(fence, this.#part, state, {
      onIdle: () => {
        home.guests.farewell();
        node.release(key, home.fence);
        this.#part.over();
      },
      mustWait: () => this.mustWait(),
      onTurn: () => this.#considerMove(),
    });
    return home;
  }

  /** Nobody else is home: this node goes on with what it knows. */
  #becomeHome(fence: Fence): void {
    const { bare, settings, deps, mirror, waiting } = this.#part;
    // What was sent under the last home's ids may still come back.
    const idPrefix = mirror.isTold ? mirror.idPrefix : `m${deps.token()}-`;
    const state = createAccountState(bare, idPrefix, settings, deps.services);
    if (mirror.isTold) state.nextId = deps.now();
    const home = this.#build(fence, state);
    this.#home = home;
    if (this.#isDraining) home.runner.drain();
    const carriers = [...mirror.own].map((id) => mirror.carriers.get(id)).filter((one) => one !== undefined);
    const watched = mirror.takeWatched();
    const sessions = [...mirror.sessions.values()];
    const known = mirror.newcomers.takeRooms();
    const requests = mirror.newcomers.takeRequests();
    home.input({ kind: 'arrive', arrival: { sessions, carriers, watched, known, requests, estate: this.#estate } });
    this.#estate = undefined;
    this.#offerCredentials(home);
    this.reseat();
    for (const happening of waiting.take()) home.input(happening);
    deps.metrics.homes.inc({ event: watched.length > 0 ? 'taken-over' : 'claimed' });
    deps.log.debug({ account: bare, epoch: fence.epoch }, 'the account is at home here');
  }

  /** What the store has of the account goes to the home that is here, or will be. */
  inherit(estate: Estate | undefined): void {
    if (estate && this.#home) this.#home.input({ kind: 'arrive', arrival: { ...NOBODY, estate } });
    else this.#estate = this.#visit ? undefined : estate;
  }

  /** A session has come, with its stream, that another node has had. It is in the mirror already. */
  arrive(passage: Passage): void {
    const { session, carrier, rooms } = passage;
    const { mirror, accountStream } = this.#part;
    const home = this.#home;
    if (home) home.input({ kind: 'arrive', arrival: mirror.arrivalAt(home.state, passage) });
    else if (this.#visit) {
      const known = rooms.filter(({ members }) => members.size > 0).map((room) => mirror.shown(passage, room));
      this.#visit.arrive(writeArrival(session, carrier, known, accountStream.hasCredentials), passage);
      this.#part.refuseRequests(mirror.newcomers.takeRequests());
    }
    this.reseat();
    this.seek();
  }

  #offerCredentials(home: Home): void {
    const { accountStream } = this.#part;
    if (accountStream.hasCredentials && !accountStream.isInUse) home.input({ kind: 'credentials', known: true });
  }

  /** `isKnown`: the home knows the channel, and its sessions. */
  #becomeGuest(fence: Fence, channel: ChannelEnd, isKnown = false): void {
    const part = this.#part;
    const { key, node, mirror, accountStream, deps, waiting } = part;
    const visit: Visit = new Visit(
      {
        account: key,
        send: (to, message, payload) => node.send(to, message, payload),
        effect: (item, reading) => carryOut(part, visit, item, reading),
        overfull: () => this.lostHome(),
      },
      fence,
      channel,
    );
    this.#visit = visit;
    // The home that is elsewhere knows better.
    this.#estate = undefined;
    this.reseat();
    visit.attach(isKnown ? undefined : writeKnowledge(mirror, accountStream.hasCredentials, deps.now()));
    part.refuseRequests(mirror.newcomers.takeRequests());
    for (const happening of waiting.take()) visit.input(happening);
    setTimeout(() => {
      if (this.#visit === visit && !visit.isAttached) this.lostHome();
    }, ATTACH_MS).unref();
  }

  /** Its sessions look at what counts now. */
  reseat(): void {
    const { seats, mirror } = this.#part;
    const state = this.#home?.state;
    const account: AccountView = state ?? mirror;
    for (const [id, seat] of seats) {
      seat.account = account;
      seat.session = state?.sessions.get(id) ?? mirror.sessions.get(id) ?? seat.session;
      seat.carrier = state?.carriers.get(seat.carrier.id) ?? mirror.carriers.get(seat.carrier.id) ?? seat.carrier;
    }
  }

  /** The home is no more, or nothing is known there of these sessions. */
  lostHome(delayMs = 0): void {
    const visit = this.#visit;
    if (!visit) return;
    this.#visit = undefined;
    visit.close();
    // Who was to rest for a stream elsewhere would not be told to go on.
    for (const session of this.#part.ports.sessions.values()) session.resume();
    keepLeftovers(this.#part, visit);
    this.seek(delayMs);
  }

  /** The home has moved to another node: the channel goes on there. */
  follow(epoch: number, to: string): void {
    const visit = this.#visit;
    if (!visit || epoch <= visit.home.epoch) return;
    visit.home = { node: to, epoch };
    visit.isFollowing = true;
    visit.attach();
  }

  /** Another node is home: this one keeps its sessions and streams, and gives up the rest. */
  #giveWay(home: Home, fence: Fence): void {
    const { bare, deps, mirror, ports, accountStream, waiting } = this.#part;
    const late = home.runner.takeQueue();
    this.#isInDoubt = false;
    home.runner.thaw();
    home.input({ kind: 'home-lost' });
    this.#leave(home);
    accountStream.end();
    mirror.adopt(home.state, ports);
    for (const one of late) {
      if (one.kind === 'arrive') continue;
      mirror.note(one);
      waiting.add(one);
    }
    this.#becomeGuest(fence, new ChannelEnd(deps.token()));
    deps.metrics.homes.inc({ event: 'gave-way' });
    deps.log.info({ account: bare, home: fence.node }, 'another node is home of an account');
  }

  #leave(home: Home): void {
    home.stop();
    clearTimeout(this.#moveTimer);
    this.#moveTimer = undefined;
    this.#home = undefined;
    this.#isInDoubt = false;
    this.#isMoving = false;
  }

  // Doubt: this process has stood still, or the store was away.

  /** Whether nothing may be done before it is known whether this is the home still. */
  mustWait(): boolean {
    if (this.isPaused) return true;
    if (this.#part.node.isSure) return false;
    this.#doubt();
    return true;
  }

  #doubt(): void {
    if (!this.#home) return;
    this.#isInDoubt = true;
    this.#home.runner.freeze();
    void this.#part.node.beat();
  }

  /** The store has answered after this node could not be sure: is this the home still? Is all that was sent there? */
  recovered(): void {
    this.#visit?.attach();
    if (this.#home) void this.#verify(this.#home);
  }

  /** Begins the claim's time anew. @throws StoreError */
  async renew(): Promise<void> {
    const home = this.#home;
    if (!home || (await this.#part.node.renew(this.#part.key, home.fence))) return;
    await this.#verify(home);
  }

  async #verify(home: Home): Promise<void> {
    const { node, key, deps } = this.#part;
    const fence = await findHome(node, key, () => this.#home === home && !this.#isMoving, deps.log);
    if (!fence) return;
    if (fence.node === node.id) this.#confirm(home, fence);
    else this.#giveWay(home, fence);
  }

  #confirm(home: Home, fence: Fence): void {
    const isAnew = fence.epoch !== home.fence.epoch;
    home.fence = fence;
    this.#isInDoubt = false;
    home.runner.thaw();
    this.reseat();
    home.guests.resume();
    for (const happening of this.#part.waiting.take()) home.input(happening);
    if (isAnew) home.input({ kind: 'record' });
  }

  // The home follows the carrier.

  #considerMove(): void {
    if (this.#moveTimer || this.isPaused || !this.#wantsMove()) return;
    this.#moveTimer = setTimeout(() => {
      this.#moveTimer = undefined;
      void this.#move();
    }, MOVE_MS).unref();
  }

  #wantsMove(): boolean {
    return this.#home !== undefined && isBetterElsewhere(this.#part, this.#home, this.#isDraining);
  }

  /** `heir`: a node that has nothing of the account yet. */
  async #move(heir?: string): Promise<void> {
    const { node, key, deps } = this.#part;
    const home = this.#home;
    const to = heir ?? home?.guests.best()?.node;
    if (!home || to === undefined || this.isPaused || (heir === undefined && !this.#wantsMove())) return;
    this.#isMoving = true;
    home.runner.freeze();
    home.guests.flush();
    let fence: Fence | undefined;
    try {
      fence = await node.move(key, home.fence, to);
    } catch (error) {
      deps.log.debug({ error }, 'a home could not be moved');
    }
    if (this.#home !== home) return;
    this.#isMoving = false;
    this.#isInDoubt = fence === undefined;
    if (fence) this.#moveOut(home, fence);
    else await this.#verify(home);
  }

  #moveOut(home: Home, fence: Fence): void {
    const { bare, ports, mirror, deps } = this.#part;
    const channel = new ChannelEnd(deps.token());
    const late = sendHouse(this.#part, home, fence, channel);
    this.#leave(home);
    mirror.adopt(home.state, ports);
    this.#becomeGuest(fence, channel, true);
    const visit = this.#visit;
    for (const one of late) {
      if (!visit || one.kind === 'arrive') continue;
      mirror.note(one);
      visit.input(one);
    }
    deps.metrics.homes.inc({ event: 'moved' });
    deps.log.debug({ account: bare, to: fence.node, epoch: fence.epoch }, 'the home has moved');
    this.#part.settle();
  }

  /** The account comes to be at home here, as another home has left it. */
  moveIn(from: string, epoch: number, payload: Buffer): void {
    const { bare, node, deps, waiting } = this.#part;
    if (this.#home && this.#home.fence.epoch >= epoch) return;
    const visit = this.#visit;
    const { state, timers, guests } = unpackHouse(payload, bare, deps.services, deps.now());
    this.#visit = undefined;
    visit?.close();
    const home = this.#build({ node: node.id, epoch }, state);
    this.#home = home;
    home.runner.freeze();
    const seen = restoreGuests(this.#part, home, guests, { visit, from });
    home.runner.restore(timers);
    home.sweep(this.#part.ports);
    this.reseat();
    home.runner.thaw();
    for (const passage of visit?.untakenArrivals(seen) ?? []) this.arrive(passage);
    for (const happening of [...(visit?.untaken(seen) ?? []), ...waiting.take()]) home.input(happening);
    this.#offerCredentials(home);
    home.guests.resume();
    home.input({ kind: 'record' });
  }

  /** This node is about to stop: what it carries goes to nodes that stay, and the home with it. */
  drain(): void {
    const { accountStream, ports, isStored } = this.#part;
    this.#isDraining = true;
    accountStream.forget();
    const carriers = [...ports.carriers.keys()];
    const home = this.#home;
    home?.runner.drain();
    if (this.#visit) this.#visit.input({ kind: 'carriers-leave', carriers, mayOpen: true, isStored });
    else if (home && canBeTakenOver(home.state, home.guests, ports)) {
      home.input({ kind: 'carriers-leave', carriers, mayOpen: home.guests.hasCredentials, isStored });
      this.#considerMove();
    } else if (home) {
      this.#leaving = streamsToFree(home.state, ports);
      home.input({ kind: 'carriers-leave', carriers: this.#leaving, mayOpen: false, isStored });
    }
  }

  /** The home goes to that node, which opens the account's stream anew, and takes over what this one has carried. */
  async bequeath(heir: string): Promise<void> {
    await this.#move(heir);
    this.#visit?.input({ kind: 'carriers-leave', carriers: [...this.#part.ports.carriers.keys()], mayOpen: true });
  }

  /** Nothing that others need hangs on this node. */
  get isDrained(): boolean {
    const home = this.#home;
    if (home && this.#leaving) return this.#leaving.every((id) => !isCarrying(home.state, id));
    if (home) return home.guests.sessionCount === 0;
    return !this.#part.mirror.isCarrying && (this.#visit?.isIdle ?? true);
  }

  close(): void {
    clearTimeout(this.#moveTimer);
    this.#visit?.close();
    this.#home?.stop();
  }
}
