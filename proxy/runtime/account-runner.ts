/**
 * One queue per account: inputs are handled one after the other by the rules of proxy/core, and their effects carried out
 * at once. Owns the account's timers, its account stream and the password that opens it.
 */

import type { HostConfig } from '../config.ts';
import { step } from '../core/account.ts';
import type { Effect } from '../core/effects.ts';
import type { Input } from '../core/inputs.ts';
import { hasFallenBehind } from '../core/rules/lag.ts';
import { type AccountState, type CarrierId, createAccountState, type SessionId, type Settings } from '../core/state.ts';
import type { Credentials } from '../stream/sasl-relay.ts';
import { bareKey } from '../xml/address.ts';
import { bridge, Fork } from '../xml/edit.ts';
import { type Declarations, parseStanza, type Stanza } from '../xml/stanza.ts';
import { AccountStream } from './account-stream.ts';
import type { AccountDeps } from './deps.ts';
import { urgencyOf } from './hold-back.ts';
import type { Outlet, OutletSource } from './outlet.ts';

/** What the runner needs of a session. */
export interface SessionPort extends OutletSource {
  readonly id: SessionId;
  readonly jid: string;
  /** What texts for it must declare. */
  readonly declared: Declarations | 'websocket';
  /** A stanza whose declarations are right for `declared`. */
  deliver(text: Buffer): void;
  /** Its client is inactive (XEP-0352): what is not urgent may be given to `holdBack` in place of `deliver`. */
  readonly mayHoldBack: boolean;
  /** `occupant`: whose presence it is, of which only the last state matters. */
  holdBack(text: Buffer, occupant: string | undefined): void;
  /** A stanza that was made from `origin` and stands under its stream's declarations. */
  send(xml: string | Buffer, origin?: Stanza): void;
  /** A stanza that does not concern rooms, on the session's own upstream stream. */
  relayUpstream(stanza: Stanza): void;
}

/** What the runner needs of an upstream stream that can carry rooms. */
export interface CarrierPort {
  readonly outlet: Outlet;
  /** Something is about to be sent for rooms: the server must not hold back what it has for this stream. */
  wake(): void;
  relayDownstream(stanza: Stanza): void;
  /** The client has gone: no one-to-one traffic any more. */
  hold(): void;
  /** No rooms are left on it. */
  free(): void;
  /** Its session hibernates: the connection to the server is to be dropped as it is. */
  suspend(): void;
}

/** Node's timers take no more; longer ones are set again. */
const MOST_MS = 2 ** 31 - 1;

export class AccountRunner {
  readonly state: AccountState;
  readonly #deps: AccountDeps;
  readonly #onIdle: () => void;
  readonly #sessions = new Map<SessionId, SessionPort>();
  readonly #carriers = new Map<CarrierId, CarrierPort>();
  readonly #timers = new Map<string, NodeJS.Timeout>();
  readonly #queue: Input[] = [];
  #isRunning = false;
  #isOver = false;
  #credentials: (Credentials & { readonly host: HostConfig }) | undefined;
  #accountStream: AccountStream | undefined;

  constructor(bare: string, settings: Settings, deps: AccountDeps, onIdle: () => void) {
    this.#deps = deps;
    this.#onIdle = onIdle;
    this.state = createAccountState(bare, `m${deps.token()}-`, settings, deps.services);
  }

  /** Handles one input now, or behind those that are being handled. */
  input(input: Input): void {
    if (this.#isOver) return;
    this.#queue.push(input);
    if (this.#isRunning) return;
    this.#isRunning = true;
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) this.#turn(next);
    this.#isRunning = false;
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

  /** `device`: what its client is known by when it comes back. */
  addSession(session: SessionPort, carrier: CarrierId, port: CarrierPort, device?: string): void {
    this.#sessions.set(session.id, session);
    this.#carriers.set(carrier, port);
    this.input({ kind: 'session-bound', session: session.id, jid: session.jid, carrier, device });
    this.#deps.store.addSession(this.state.bare, session.id, session.jid, this.#deps.now());
  }

  /**
   * The client has gone. Its upstream stream is given back by `CarrierPort.free()`, unless it was lost before. `unseen`: what
   * it was given and has not acknowledged; undefined where it acknowledges nothing.
   */
  removeSession(session: SessionPort, unseen?: readonly Stanza[]): void {
    this.#sessions.delete(session.id);
    this.#deps.store.removeSession(this.state.bare, session.id);
    this.input({ kind: 'session-gone', session: session.id, unseen });
  }

  /** Whether what the session is owed is not to be had any more: it cannot be resumed without a loss. */
  hasFallenBehind(id: SessionId): boolean {
    const session = this.state.sessions.get(id);
    return session !== undefined && hasFallenBehind(this.state, session, this.#deps.now());
  }

  /** The stream has ended without our doing. */
  loseCarrier(carrier: CarrierId, isConflict = false): void {
    if (!this.#carriers.delete(carrier)) return;
    this.input({ kind: 'carrier-lost', carrier, isConflict });
  }

  /** The password of the account has been seen, and was right. The latest one counts. */
  offerCredentials(credentials: Credentials, host: HostConfig): void {
    if (!host.accountStreams) return;
    this.#credentials = { ...credentials, host };
    this.input({ kind: 'credentials', known: true });
  }

  /** Which carriers the account has, for metrics. */
  get carrierKinds(): readonly ('account-stream' | 'borrowed')[] {
    return [...this.state.carriers.values()].filter(({ rooms }) => rooms.size > 0).map(({ kind }) => kind);
  }

  /** Ends the account stream and all timers, at the end of the process. */
  close(): void {
    this.#isOver = true;
    this.#credentials = undefined;
    this.#accountStream?.close();
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
  }

  #apply(effect: Effect): void {
    const { metrics } = this.#deps;
    switch (effect.kind) {
      case 'fork':
        this.#fork(effect.sessions, effect.stanza);
        return;
      case 'to-session':
        this.#toSession(effect.session, effect.xml, effect.origin);
        return;
      case 'to-carrier':
        this.#toCarrier(effect.carrier, effect.xml, effect.source, effect.origin);
        return;
      case 'relay-upstream':
        this.#sessions.get(effect.session)?.relayUpstream(effect.stanza);
        return;
      case 'relay-downstream':
        this.#carriers.get(effect.carrier)?.relayDownstream(effect.stanza);
        return;
      case 'open-account-stream':
        this.#openAccountStream();
        return;
      case 'close-account-stream':
        this.#credentials = undefined;
        this.#accountStream?.close();
        this.#accountStream = undefined;
        return;
      case 'hold-carrier':
        this.#carriers.get(effect.carrier)?.hold();
        return;
      case 'suspend-carrier':
        this.#carriers.get(effect.carrier)?.suspend();
        return;
      case 'carrier-free':
        this.#freeCarrier(effect.carrier);
        return;
      case 'set-timer':
        this.#setTimer(effect.key, effect.ms);
        return;
      case 'clear-timer':
        clearTimeout(this.#timers.get(effect.key));
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
      case 'store-join':
        this.#deps.store.join(this.state.bare, effect.room, effect.session);
        return;
      case 'store-leave':
        this.#deps.store.leave(this.state.bare, effect.room, effect.session);
        return;
      case 'store-occupancy':
        this.#deps.store.setOccupancy(this.state.bare, effect.room, effect.name, effect.nick, effect.carrier);
        return;
      case 'store-end':
        this.#deps.store.endOccupancy(this.state.bare, effect.room);
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

  #fork(sessions: readonly SessionId[], stanza: Stanza): void {
    const { hot } = this.#deps.metrics;
    const fork = new Fork(stanza);
    let copies = 0;
    for (const id of sessions) {
      const session = this.#sessions.get(id);
      if (!session) continue;
      const text = fork.for(session.jid, session.declared);
      if (session.mayHoldBack) this.#deliverLater(session, text, stanza);
      else session.deliver(text);
      copies += 1;
    }
    hot.stanzasForked += copies;
    if (copies > 1) {
      hot.stanzasSaved += copies - 1;
      hot.bytesSaved += (copies - 1) * stanza.length;
    }
  }

  #deliverLater(session: SessionPort, text: Buffer, stanza: Stanza): void {
    const key = bareKey(stanza.from ?? '');
    const room = key === undefined ? undefined : this.state.rooms.get(key);
    const urgency = room ? urgencyOf(stanza, room.nick) : 'now';
    if (urgency === 'now') session.deliver(text);
    else session.holdBack(text, urgency === 'presence' ? stanza.from : undefined);
  }

  #toSession(id: SessionId, xml: string | Buffer, origin: Stanza | undefined): void {
    const session = this.#sessions.get(id);
    session?.send(xml, origin);
  }

  #toCarrier(id: CarrierId, xml: string | Buffer, source: SessionId | undefined, origin: Stanza | undefined): void {
    const port = this.#carriers.get(id);
    if (!port) return;
    port.wake();
    const from = source === undefined ? undefined : this.#sessions.get(source);
    const { outlet } = port;
    if (origin && origin.outerPrefixes.length > 0) {
      const stanza = parseStanza(asBuffer(xml), origin.declarations);
      outlet.send(from, bridge(stanza, outlet.leg.declared) ?? stanza.bytes);
    } else outlet.send(from, xml);
  }

  #freeCarrier(id: CarrierId): void {
    const port = this.#carriers.get(id);
    // A stream whose client stays can carry again.
    if (!this.state.carriers.has(id)) this.#carriers.delete(id);
    port?.free();
  }

  #setTimer(key: string, ms: number): void {
    clearTimeout(this.#timers.get(key));
    const timer = setTimeout(
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
    timer.unref();
    this.#timers.set(key, timer);
  }

  #openAccountStream(): void {
    const credentials = this.#credentials;
    if (!credentials) {
      this.input({ kind: 'account-stream-failed', final: true });
      return;
    }
    const stream = new AccountStream(this.state.bare, credentials, this.#deps, {
      ready: (carrier, jid) => {
        this.#carriers.set(carrier, stream);
        this.input({ kind: 'carrier-ready', carrier, type: 'account-stream', jid });
      },
      failed: (final) => {
        this.#accountStream = undefined;
        // A password that has been seen since may be the right one.
        const isLatest = this.#credentials === credentials;
        if (final && isLatest) this.#credentials = undefined;
        this.input({ kind: 'account-stream-failed', final: final && isLatest });
      },
      stanza: (carrier, stanza) => this.input({ kind: 'carrier-stanza', carrier, stanza }),
      lost: (carrier, isConflict) => {
        this.#accountStream = undefined;
        this.loseCarrier(carrier, isConflict);
      },
    });
    this.#accountStream = stream;
    stream.open();
  }
}

function asBuffer(xml: string | Buffer): Buffer {
  return typeof xml === 'string' ? Buffer.from(xml) : xml;
}
