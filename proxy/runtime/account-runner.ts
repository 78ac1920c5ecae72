/**
 * One queue per account: inputs are handled one after the other by the rules of proxy/core, and their effects carried out
 * at once. Owns the account's timers.
 */

import type { HostConfig } from '../config.ts';
import { step } from '../core/account.ts';
import type { Effect } from '../core/effects.ts';
import type { Input, Owed } from '../core/inputs.ts';
import { type AccountState, type CarrierId, createAccountState, type SessionId, type Settings } from '../core/state.ts';
import type { Seat } from '../core/view.ts';
import type { Fence } from '../store/store.ts';
import type { Credentials } from '../stream/sasl-relay.ts';
import type { Stanza } from '../xml/stanza.ts';
import type { Account, Departure } from './account.ts';
import { AccountStreamKeeper } from './account-stream-keeper.ts';
import type { AccountDeps } from './deps.ts';
import { LetterKeeper } from './letter-keeper.ts';
import { LogKeeper } from './log-keeper.ts';
import { type CarrierPort, Ports, type SessionPort } from './ports.ts';

/** Where effects go that concern sessions and streams on other nodes. */
export interface Elsewhere {
  /** To sessions that are not here. */
  fork(sessions: readonly SessionId[], stanza: Stanza): void;
  /** What concerns a session or a stream that is not here, and what other nodes must know. */
  effect(effect: Effect): void;
  /** No password is known here. False: nor on another node. */
  openAccountStream(): boolean;
  /** The inputs at hand have been handled. */
  turnsOver(): void;
  /** Nothing may be done before it is known whether this is the account's home still: what happens waits. */
  mustWait(): boolean;
}

/** What an account is given that has sessions on several nodes. */
export interface Shared {
  readonly elsewhere: Elsewhere;
  readonly ports: Ports;
  readonly accountStream: AccountStreamKeeper;
  readonly state: AccountState;
  /** The proof of being home, for the store. */
  readonly fence: () => Fence;
}

/** Node's timers take no more; longer ones are set again. */
const MOST_MS = 2 ** 31 - 1;

export class AccountRunner implements Account {
  readonly state: AccountState;
  readonly ports: Ports;
  /** Of one that no other node shares. */
  readonly isStored = false;
  readonly #deps: AccountDeps;
  readonly #onIdle: () => void;
  readonly #elsewhere: Elsewhere | undefined;
  readonly #fence: (() => Fence) | undefined;
  readonly #timers = new Map<string, { readonly timeout: NodeJS.Timeout; readonly dueAt: number }>();
  readonly #queue: Input[] = [];
  #isRunning = false;
  #isFrozen = false;
  #isOver = false;
  readonly #accountStream: AccountStreamKeeper;
  readonly #logs: LogKeeper;
  readonly #letters: LetterKeeper;

  /** `shared`: other nodes may have sessions of the account too. */
  constructor(bare: string, settings: Settings, deps: AccountDeps, onIdle: () => void, shared?: Shared) {
    this.#deps = deps;
    this.#onIdle = onIdle;
    this.#elsewhere = shared?.elsewhere;
    this.#fence = shared?.fence;
    this.state = shared?.state ?? createAccountState(bare, `m${deps.token()}-`, settings, deps.services);
    this.ports = shared?.ports ?? new Ports(deps.metrics, (room) => this.state.rooms.get(room)?.nick);
    this.#logs = new LogKeeper(this.state, deps, this.#fence, (input) => this.input(input));
    this.#letters = new LetterKeeper(this.state, deps, this.#fence, (input) => this.input(input));
    this.#accountStream = shared?.accountStream ?? new AccountStreamKeeper(bare, deps, this.ports, this);
  }

  /** Handles one input now, or behind those that are being handled. */
  input(input: Input): void {
    if (this.#isOver) return;
    this.#queue.push(input);
    if (this.#isRunning || this.#isFrozen || this.#elsewhere?.mustWait()) return;
    this.#isRunning = true;
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) this.#turn(next);
    this.#isRunning = false;
    this.#elsewhere?.turnsOver();
  }

  /** A fault costs one input: neither the stream that it came on, which siblings may share, nor the process. */
  #turn(input: Input): void {
    try {
      const effects = step(this.state, input, this.#deps.now());
      for (const effect of effects) this.#apply(effect);
    } catch (error) {
      this.#deps.metrics.drops.inc({ reason: 'fault' });
      this.#deps.log.error({ account: this.state.bare, input: input.kind, error }, 'fault in the rules of an account');
    }
  }

  addSession(session: SessionPort, carrier: CarrierId, port: CarrierPort, device?: string): Seat {
    this.ports.sessions.set(session.id, session);
    this.ports.carriers.set(carrier, port);
    const { id, jid, asked, languages } = session;
    this.input({ kind: 'session-bound', session: id, jid, asked, carrier, device, languages });
    this.#deps.store.addSession(this.state.bare, session.id, session.jid, this.#deps.now());
    return this.seat(session.id, carrier);
  }

  /** A session's part in the state. */
  seat(session: SessionId, carrier: CarrierId): Seat {
    const own = { session: this.state.sessions.get(session), carrier: this.state.carriers.get(carrier) };
    if (!own.session || !own.carrier) throw new Error('the account did not take the session');
    return { account: this.state, session: own.session, carrier: own.carrier };
  }

  removeSession(session: SessionPort, { unseen, mayPark, goesOnMs }: Departure = {}): void {
    this.ports.sessions.delete(session.id);
    this.#deps.store.removeSession(this.state.bare, session.id);
    this.input({ kind: 'session-gone', session: session.id, unseen, ...(mayPark && { mayPark }), goesOnMs });
  }

  /** What is decided here is decided at once. */
  isJoining(): boolean {
    return false;
  }

  /** Who shares no accounts has nowhere to give a session to. */
  passage(): undefined {
    return undefined;
  }

  loseCarrier(carrier: CarrierId, isConflict = false, owed?: Owed): void {
    if (!this.ports.carriers.delete(carrier)) return;
    this.input({ kind: 'carrier-lost', carrier, isConflict, ...(owed && { owed }) });
  }

  offerCredentials(credentials: Credentials, host: HostConfig): void {
    this.#accountStream.offerCredentials(credentials, host);
  }

  /** Which carriers the account has, for metrics. */
  get carrierKinds(): readonly ('account-stream' | 'borrowed' | 'parked')[] {
    const carrying = [...this.state.carriers.values()].filter(({ rooms }) => rooms.size > 0);
    return carrying.map(({ kind, isParked }) => (isParked ? 'parked' : kind));
  }

  /** Handles nothing for now: what happens waits. */
  freeze(): void {
    this.#isFrozen = true;
  }

  /** Goes on with what has waited. */
  thaw(): void {
    this.#isFrozen = false;
    const [first] = this.#queue.splice(0, 1);
    if (!first) return;
    const rest = this.#queue.splice(0);
    this.input(first);
    for (const one of rest) this.input(one);
  }

  /** What has waited, taken away. */
  takeQueue(): Input[] {
    return this.#queue.splice(0);
  }

  /** What is to happen, and in how many ms. */
  get timers(): { readonly key: string; readonly ms: number }[] {
    const now = this.#deps.now();
    return [...this.#timers].map(([key, { dueAt }]) => ({ key, ms: Math.max(0, dueAt - now) }));
  }

  /** Sets timers as another home has had them. */
  restore(timers: readonly { readonly key: string; readonly ms: number }[]): void {
    for (const { key, ms } of timers) this.#setTimer(key, ms);
  }

  /** The node is about to stop. */
  drain(): void {
    this.#logs.drain();
    this.state.isStopping = true;
  }

  /** Ends the account stream and all timers, at the end of the process. */
  close(): void {
    this.#accountStream.close();
    this.stop();
  }

  /** Handles nothing any more; streams stay as they are. */
  stop(): void {
    this.#logs.stop();
    this.#letters.stop();
    this.#isOver = true;
    for (const { timeout } of this.#timers.values()) clearTimeout(timeout);
    this.#timers.clear();
  }

  #apply(effect: Effect): void {
    const { metrics } = this.#deps;
    switch (effect.kind) {
      case 'fork': {
        const missing = this.ports.fork(effect.sessions, effect.stanza);
        if (missing) this.#elsewhere?.fork(missing, effect.stanza);
        return;
      }
      case 'to-session': {
        const session = this.ports.sessions.get(effect.session);
        if (session) session.send(effect.xml, effect.origin);
        else this.#elsewhere?.effect(effect);
        return;
      }
      case 'to-carrier': {
        const isHere = this.ports.toCarrier(effect.carrier, effect.xml, effect.source, effect.origin);
        if (!isHere) this.#elsewhere?.effect(effect);
        return;
      }
      case 'relay-upstream': {
        const session = this.ports.sessions.get(effect.session);
        if (session) session.relayUpstream(effect.stanza);
        else this.#elsewhere?.effect(effect);
        return;
      }
      case 'relay-downstream': {
        const port = this.ports.carriers.get(effect.carrier);
        if (port) port.relayDownstream(effect.stanza);
        else this.#elsewhere?.effect(effect);
        return;
      }
      case 'open-account-stream':
        if (this.#accountStream.open() || this.#elsewhere?.openAccountStream()) return;
        if (this.#deps.sealing) void this.#accountStream.openSealed();
        else this.input({ kind: 'account-stream-failed', final: true });
        return;
      case 'close-account-stream':
        this.#accountStream.close();
        this.#elsewhere?.effect(effect);
        return;
      case 'hold-carrier': {
        const port = this.ports.carriers.get(effect.carrier);
        if (port) port.hold();
        else this.#elsewhere?.effect(effect);
        return;
      }
      case 'park-carrier': {
        const port = this.ports.carriers.get(effect.carrier);
        if (port) port.park();
        else this.#elsewhere?.effect(effect);
        return;
      }
      case 'suspend-carrier': {
        const port = this.ports.carriers.get(effect.carrier);
        if (port) port.suspend();
        else this.#elsewhere?.effect(effect);
        return;
      }
      case 'carrier-free': {
        const port = this.ports.carriers.get(effect.carrier);
        if (!port) this.#elsewhere?.effect(effect);
        // A stream whose client stays can carry again.
        else if (!this.state.carriers.has(effect.carrier)) this.ports.carriers.delete(effect.carrier);
        port?.free();
        return;
      }
      case 'replace-session': {
        const session = this.ports.sessions.get(effect.session);
        if (session) session.replace();
        else this.#elsewhere?.effect(effect);
        return;
      }
      case 'rest-session': {
        const session = this.ports.sessions.get(effect.session);
        if (!session) this.#elsewhere?.effect(effect);
        else if (effect.rests) session.rest();
        else session.resume();
        return;
      }
      case 'set-timer':
        this.#setTimer(effect.key, effect.ms);
        return;
      case 'clear-timer':
        clearTimeout(this.#timers.get(effect.key)?.timeout);
        this.#timers.delete(effect.key);
        return;
      case 'drop':
        metrics.drops.inc({ reason: effect.reason });
        return;
      case 'joined':
        metrics.joins.inc({ result: effect.result });
        if (effect.result === 'local') metrics.joinsSaved.inc();
        return;
      case 'handed-over':
        metrics.handovers.inc({ result: effect.result });
        return;
      case 'iq-timeout':
        metrics.iqTimeouts.inc();
        return;
      case 'bookmarks-read':
        metrics.bookmarkReadings.inc({ result: effect.result });
        return;
      case 'bookmark-followed':
        metrics.bookmarksFollowed.inc({ act: effect.act });
        return;
      case 'store-join':
        this.#deps.store.join(this.state.bare, effect.room, effect.session, this.#fence?.());
        this.#elsewhere?.effect(effect);
        return;
      case 'store-leave':
        this.#deps.store.leave(this.state.bare, effect.room, effect.session, this.#fence?.());
        this.#elsewhere?.effect(effect);
        return;
      case 'store-occupancy':
        this.#deps.store.setOccupancy(this.state.bare, effect, this.#fence?.());
        this.#elsewhere?.effect(effect);
        return;
      case 'store-end':
        this.#deps.store.endOccupancy(this.state.bare, effect.room, this.#fence?.());
        this.#elsewhere?.effect(effect);
        return;
      case 'store-log':
        this.#logs.note(effect.room, effect.isAnew);
        return;
      case 'store-kept':
        this.#logs.noteKept(effect.room);
        return;
      case 'read-log':
        void this.#logs.read(effect.room);
        return;
      case 'forget-log':
        this.#logs.forget(effect.room);
        return;
      case 'store-letters':
        this.#letters.note();
        return;
      case 'read-letters':
        void this.#letters.read();
        return;
      case 'session-behind':
        if (this.ports.sessions.has(effect.session)) this.ports.sessions.get(effect.session)?.fallBehind();
        else this.#elsewhere?.effect(effect);
        return;
      case 'store-cursors':
        this.#deps.store.noteCursors(this.state.bare, effect.device, effect.cursors);
        return;
      case 'idle':
        this.close();
        this.#onIdle();
        return;
    }
  }

  #setTimer(key: string, ms: number): void {
    clearTimeout(this.#timers.get(key)?.timeout);
    const timeout = setTimeout(
      () => {
        if (ms > MOST_MS) {
          this.#setTimer(key, ms - MOST_MS);
          return;
        }
        this.#timers.delete(key);
        this.input({ kind: 'timer', key });
      },
      Math.min(ms, MOST_MS),
    );
    timeout.unref();
    this.#timers.set(key, { timeout, dueAt: this.#deps.now() + ms });
  }
}
