/**
 * From an accepted connection to a bound session: runs the negotiation of proxy/stream on the client's leg and on the
 * upstream leg that it opens for it. Knows sockets and timers; what is said to whom is decided in proxy/stream.
 */
import type { ListenerConfig } from '../config.ts';
import { type Leg, SILENT } from '../net/leg.ts';
import type { Log } from '../ops/log.ts';
import type { BoundStream, Effect, Input, ResumeRequest, Side } from '../stream/negotiation/io.ts';
import { NegotiationMachine } from '../stream/negotiation/machine.ts';
import { readStreamError } from '../stream/stream-error.ts';
import type { Violation } from '../xml/framer.ts';
import type { BoundSession, KeptElsewhere, Negotiation, NegotiationDeps, Recalled } from './bound-session.ts';
import { Ear } from './ear.ts';
import { DEFAULT_OPEN_TIMEOUT_MS, openUpstream, UpstreamError } from './upstream.ts';

/** Servers let a dozen and more pass; beyond this many failed attempts on one stream somebody is guessing (X1). */
const MAX_FAILURES = 20;

/**
 * Negotiates on an accepted leg until the server has bound a resource; then calls `onBound` exactly once, right after the
 * bind result was written to the client, and forgets everything. A negotiation that fails, is given up or takes longer
 * than `limits.authTimeoutMs` ends both legs with the proper stream error; then `onOver` is called instead.
 */
export function negotiate(
  clientLeg: Leg,
  listener: ListenerConfig,
  deps: NegotiationDeps,
  onBound: (session: BoundSession) => void,
  onOver?: (reason: string) => void,
): Negotiation {
  return new Runner(clientLeg, listener, deps, onBound, onOver);
}

class Runner implements Negotiation {
  readonly clientLeg: Leg;
  readonly #listener: ListenerConfig;
  readonly #deps: NegotiationDeps;
  readonly #log: Log;
  readonly #machine: NegotiationMachine;
  #onBound: ((session: BoundSession) => void) | undefined;
  #onOver: ((reason: string) => void) | undefined;
  #server: Leg | undefined;
  #dialing: AbortController | undefined;
  /** What must be known before the client binds is being found out. */
  #prepared: Promise<void> | undefined;
  /** The session that is being resumed, where it is not here. */
  #recalled: Recalled | undefined;
  /** The same, where the proxy keeps it by itself. */
  #kept: KeptElsewhere | undefined;
  #authTimer: NodeJS.Timeout | undefined;
  #openTimer: NodeJS.Timeout | undefined;

  constructor(
    clientLeg: Leg,
    listener: ListenerConfig,
    deps: NegotiationDeps,
    onBound: (session: BoundSession) => void,
    onOver: ((reason: string) => void) | undefined,
  ) {
    const { config } = deps;
    this.clientLeg = clientLeg;
    this.#listener = listener;
    this.#deps = deps;
    this.#onBound = onBound;
    this.#onOver = onOver;
    this.#log = deps.log.child({ client: clientLeg.id, remoteAddress: clientLeg.remoteAddress });
    this.#machine = new NegotiationMachine({
      hosts: new Set(Object.keys(config.hosts)),
      startTls: listener.kind === 'tcp' && listener.tls === 'starttls',
      trusted: listener.trusted,
      encrypted: clientLeg.encrypted,
      plainOnly: config.sasl.mode === 'plain-only',
      streamManagement: deps.offerStreamManagement ?? false,
      newStreamId: deps.newStreamId,
      resourceFor: deps.resourceFor,
      resume: deps.resume,
      mayRecall: deps.recall !== undefined,
      ownerOf: deps.ownerOf,
      maxFailures: MAX_FAILURES,
    });
    clientLeg.handler = new Ear('client', (input) => this.take(input));
    const { authTimeoutMs } = config.limits;
    this.#authTimer = setTimeout(() => this.take({ type: 'timeout', of: 'client' }), authTimeoutMs);
    if (clientLeg.isClosed) this.take({ type: 'closed', from: 'client' });
  }

  end(violation: Violation): void {
    this.take({ type: 'stop', violation });
  }

  take(input: Input): void {
    this.#count(input);
    const effects = this.#machine.step(input);
    for (const effect of effects) this.#carryOut(effect);
    this.#watchOpening();
  }

  #carryOut(effect: Effect): void {
    switch (effect.do) {
      case 'header': {
        const say = (): void => this.#leg(effect.to)?.header(effect.attributes, effect.header?.declarations);
        const prepared = effect.to === 'server' ? this.#prepared : undefined;
        // The client is held until the server's features come: what it pipelines waits too.
        if (prepared !== undefined) void prepared.then(say);
        else say();
        break;
      }
      case 'forward':
        this.#leg(effect.to)?.forward(effect.stanza);
        break;
      case 'send':
        this.#leg(effect.to)?.send(effect.xml);
        break;
      case 'error':
        this.#leaveWith(effect.to, effect.violation);
        break;
      case 'end':
        this.#leaveWith(effect.to, undefined);
        break;
      case 'drop':
        this.#dropServer();
        break;
      case 'hold':
        this.#leg(effect.on)?.hold();
        break;
      case 'release':
        this.#leg(effect.on)?.release();
        break;
      case 'restart':
        this.#leg(effect.on)?.restart();
        break;
      case 'start-tls':
        this.#startTls();
        break;
      case 'dial':
        this.#dial(effect);
        break;
      case 'authenticated': {
        const { stanzaBytes, depth, attributes } = this.#deps.config.limits;
        this.clientLeg.setLimits({ stanzaBytes, depth, attributes });
        break;
      }
      case 'refused':
        this.#log.debug({ reason: effect.reason }, 'refused before binding');
        this.#deps.metrics.drops.inc({ reason: effect.reason });
        break;
      case 'sasl':
        this.#log.debug({ mechanism: effect.mechanism, result: effect.result }, 'authentication');
        this.#deps.metrics.sasl.inc({ mechanism: effect.mechanism, result: effect.result });
        if (effect.result === 'success') this.#prepare();
        break;
      case 'bound':
        this.#hand(effect.session);
        break;
      case 'recall':
        this.#recall(effect.request);
        break;
      case 'resume-refused':
        if (this.#recalled) this.#recalled.refused();
        else this.#deps.onResumeRefused?.(effect.request);
        this.#recalled = undefined;
        break;
      case 'resumed':
        this.#handResumed(effect);
        break;
      case 'lend':
        this.#lend();
        break;
      case 'lent':
        this.#handLent();
        break;
      case 'resumed-here':
        this.#handResumedHere(effect.request);
        break;
      case 'over':
        this.#finish(effect.reason);
        break;
    }
  }

  #prepare(): void {
    const prepared = this.#deps.prepare?.(this.#machine.hint);
    this.#prepared = prepared?.finally(() => {
      this.#prepared = undefined;
    });
  }

  #leg(side: Side): Leg | undefined {
    return side === 'client' ? this.clientLeg : this.#server;
  }

  #startTls(): void {
    this.clientLeg.startTls(this.#deps.serverTls(this.#listener)).then(
      () => this.take({ type: 'encrypted' }),
      // The leg is closing, which its handler hears too.
      (error: unknown) => this.#log.debug({ error }, 'no TLS with the client'),
    );
  }

  #dial(effect: Extract<Effect, { do: 'dial' }>): void {
    const host = this.#deps.config.hosts[effect.host];
    if (host === undefined) throw new Error('dial for a host that is not configured');
    const dialing = new AbortController();
    this.#dialing = dialing;
    const { attributes, header } = effect;
    openUpstream(
      { host, attributes, declarations: header.declarations, client: this.clientLeg.route },
      this.#deps,
      dialing.signal,
    ).then(
      (leg) => {
        if (dialing.signal.aborted) {
          leg.destroy();
          return;
        }
        this.#dialing = undefined;
        this.#server = leg;
        leg.handler = new Ear('server', (input) => this.take(input));
        this.take({ type: 'dialed' });
      },
      (error: unknown) => {
        if (dialing.signal.aborted) return;
        this.#dialing = undefined;
        this.#log.warn(
          { host: host.name, error, cause: error instanceof Error ? error.cause : undefined },
          'no upstream',
        );
        this.take({ type: 'dial-failed', violation: toViolation(error) });
      },
    );
  }

  /** Ends a leg; what it still has to say is of no interest. */
  #leaveWith(side: Side, violation: Violation | undefined): void {
    if (side === 'server') this.#dialing?.abort();
    const leg = this.#leg(side);
    if (side === 'server') this.#server = undefined;
    if (leg === undefined) return;
    leg.handler = SILENT;
    if (violation === undefined) leg.end();
    else leg.error(violation);
  }

  #dropServer(): void {
    const leg = this.#server;
    this.#server = undefined;
    if (leg === undefined) return;
    leg.handler = SILENT;
    leg.destroy();
  }

  #hand(session: BoundStream): void {
    const { jid, asked, mechanism, credentials, features, clientHeader, serverHeader } = session;
    const client = this.clientLeg;
    const server = this.#server;
    const host = this.#deps.config.hosts[session.host];
    const onBound = this.#onBound;
    this.#log.info({ server: server?.id, jid, mechanism }, 'session bound');
    this.#release();
    if (server === undefined || host === undefined) throw new Error('bound without an upstream');
    const listener = this.#listener;
    const password = credentials;
    const streams = { client, server, clientHeader, serverHeader };
    onBound?.({ jid, asked, ...streams, host, listener, mechanism, password, features });
  }

  #recall(request: ResumeRequest): void {
    const recall = this.#deps.recall?.(request) ?? Promise.resolve(undefined);
    const found = (recalled: Recalled | KeptElsewhere | undefined): void => {
      const kept = recalled && 'owner' in recalled ? recalled : undefined;
      const native = recalled && 'owner' in recalled ? undefined : recalled;
      // The client or its time has gone meanwhile.
      if (this.#machine.phase !== 'recalling') {
        native?.refused();
        return;
      }
      this.#recalled = native;
      this.#kept = kept;
      this.take({ type: 'recalled', xml: native?.xml, owner: kept?.owner });
    };
    recall.then(found, (error: unknown) => {
      this.#log.warn({ error }, 'a session could not be looked for');
      found(undefined);
    });
  }

  #lend(): void {
    this.#kept?.lend(this.clientLeg, (isTaken) => {
      const isWanted = this.#machine.phase === 'lending';
      if (isWanted) this.take({ type: 'lent', isTaken });
      return isWanted;
    });
  }

  #handLent(): void {
    const onOver = this.#onOver;
    this.#log.info({}, 'resumed at another node');
    this.#release();
    onOver?.('resumed');
  }

  #handResumed({ request, answer, stream }: Extract<Effect, { do: 'resumed' }>): void {
    const server = this.#server;
    const client = this.clientLeg;
    const { onResumed } = this.#deps;
    const onOver = this.#onOver;
    const recalled = this.#recalled;
    const host = this.#deps.config.hosts[stream.host];
    this.#release();
    if (server === undefined || host === undefined) throw new Error('resumed without an upstream');
    onResumed?.({ request, answer, client, server, stream, host, recalled });
    onOver?.('resumed');
  }

  #handResumedHere(request: ResumeRequest): void {
    const onOver = this.#onOver;
    this.#release();
    this.#deps.onResumedHere?.(request, this.clientLeg);
    onOver?.('resumed');
  }

  #finish(reason: string): void {
    const onOver = this.#onOver;
    this.#log.info({ reason }, 'no session');
    this.clientLeg.handler = SILENT;
    this.#release();
    onOver?.(reason);
  }

  /** Nothing of the negotiation is to be reached from a timer or a callback any more. */
  #release(): void {
    clearTimeout(this.#authTimer);
    clearTimeout(this.#openTimer);
    this.#authTimer = undefined;
    this.#openTimer = undefined;
    this.#server = undefined;
    this.#recalled = undefined;
    this.#kept = undefined;
    this.#onBound = undefined;
    this.#onOver = undefined;
  }

  /** A server that takes the connection and says nothing is as good as none. */
  #watchOpening(): void {
    if (this.#machine.isOpening === (this.#openTimer !== undefined)) return;
    if (this.#machine.isOpening) {
      const { openTimeoutMs = DEFAULT_OPEN_TIMEOUT_MS } = this.#deps;
      this.#openTimer = setTimeout(() => this.take({ type: 'timeout', of: 'server' }), openTimeoutMs);
    } else {
      clearTimeout(this.#openTimer);
      this.#openTimer = undefined;
    }
  }

  /** Those sent are counted where they are sent. */
  #count(input: Input): void {
    if (input.type !== 'stanza') return;
    const error = readStreamError(input.stanza);
    if (error === undefined) return;
    const leg = input.from === 'client' ? 'downstream' : 'upstream';
    this.#deps.metrics.streamErrors.inc({ condition: error.condition, leg });
  }
}

function toViolation(error: unknown): Violation {
  if (error instanceof UpstreamError) return error.violation;
  return { condition: 'remote-connection-failed', text: 'The server cannot be reached' };
}
