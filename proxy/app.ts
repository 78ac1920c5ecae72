/**
 * Composition root: builds one proxy from a configuration. Keeps no state of its own outside the app it returns, so that
 * several can run in one process.
 */
import { randomBytes } from 'node:crypto';
import { openSealing, reloadKeys } from './app-seal.ts';
import { settingsOf } from './app-settings.ts';
import { type AppStore, givenStore, openStore } from './app-store.ts';
import type { Config, HostConfig, ListenerConfig } from './config.ts';
import { Services } from './core/services.ts';
import { Balancers } from './net/balancers.ts';
import { Certificates } from './net/certificates.ts';
import { LegContext } from './net/context.ts';
import { Dialer, type DialOptions } from './net/dial.ts';
import type { Leg } from './net/leg.ts';
import { type Listener, listenTcp } from './net/listen-tcp.ts';
import { listenWs } from './net/listen-ws.ts';
import { createOpsServer, type OpsServer, type Readiness } from './ops/http.ts';
import { createLog, type Log } from './ops/log.ts';
import { createMetrics, type Metrics } from './ops/metrics.ts';
import { Accounts } from './runtime/accounts.ts';
import type { Negotiation, NegotiationDeps } from './runtime/bound-session.ts';
import { Cluster } from './runtime/cluster/cluster.ts';
import { ClusterNode } from './runtime/cluster/node.ts';
import type { AccountDeps } from './runtime/deps.ts';
import { Faces } from './runtime/faces.ts';
import { MembershipRecorder } from './runtime/membership-recorder.ts';
import { negotiate } from './runtime/negotiation.ts';
import { ParkingLot } from './runtime/parking.ts';
import { Reachability } from './runtime/reachability.ts';
import type { Sealing } from './runtime/sealing.ts';
import type { Store } from './store/store.ts';

export interface AppAddress {
  readonly kind: ListenerConfig['kind'];
  readonly host: string;
  /** The real one, where the configuration says 0. */
  readonly port: number;
  readonly tls: ListenerConfig['tls'];
  readonly path: string;
}

export interface AppDeps {
  /** Made from the configuration unless given. */
  readonly log?: Log;
  /** One that other apps use too: accounts are shared with them. */
  readonly store?: Store | undefined;
}

export interface App {
  /** Opens the listeners. Rejects with an error that names what cannot be opened; nothing stays open then. */
  start(): Promise<void>;
  /** Closes the listeners, tells clients that the proxy shuts down, ends all streams in order; bounded in time. */
  stop(): Promise<void>;
  /** Closes the listeners; connections stay. `stop` does so too. */
  close(): Promise<void>;
  /** Whether clients should be sent here. */
  readiness(): Readiness;
  /** Reads certificates and keys for sealing again; connections stay. */
  reload(): Promise<void>;
  /** Where it listens, in the order of the configuration; empty before `start`. */
  readonly addresses: readonly AppAddress[];
  readonly httpAddress: { readonly host: string; readonly port: number } | undefined;
  readonly metrics: Metrics;
  /** What the app holds, for operators and tests: nothing of it may stay when all clients have gone. */
  census(): Census;
}

export interface Census {
  readonly sessions: number;
  readonly accounts: number;
  readonly occupancies: number;
  readonly carriers: number;
  /** Upstream streams of clients that have gone, kept for their rooms. */
  readonly parked: number;
  readonly legs: number;
  readonly negotiations: number;
}

/** How often certificate files are looked at for changes (ms). */
const CERTIFICATE_WATCH_MS = 60_000;
/** How long `stop` waits for streams to close (ms). */
const STOP_MS = 5000;
/** Creates an app that does nothing until `start`. */
export function createApp(config: Config, deps: AppDeps = {}): App {
  return new ProxyApp(config, deps.log ?? createLog(config.log), deps.store);
}

class ProxyApp implements App {
  readonly metrics = createMetrics();
  readonly #config: Config;
  readonly #log: Log;
  readonly #context: LegContext;
  readonly #upstreamContext: LegContext;
  readonly #dialer: Dialer;
  readonly #store: Store;
  readonly #storeState: AppStore;
  readonly #accounts: Accounts;
  readonly #cluster: Cluster | undefined;
  readonly #sealing: Sealing | undefined;
  readonly #negotiations = new Set<Negotiation>();
  readonly #listeners: { readonly listener: Listener; readonly config: ListenerConfig }[] = [];
  readonly #reachability: Reachability;
  #certificates: Certificates | undefined;
  #ops: OpsServer | undefined;
  #isClosed = false;
  #isStopping = false;

  constructor(config: Config, log: Log, shared: Store | undefined) {
    this.#config = config;
    this.#log = log;
    const { metrics } = this;
    const { limits } = config;
    this.#context = new LegContext({ limits, log, metrics });
    // The proxy relays what the server has let through: its own limits towards servers are far above.
    this.#upstreamContext = new LegContext({
      limits: { ...limits, ...limits.upstream, preAuthStanzaBytes: limits.upstream.stanzaBytes },
      log,
      metrics,
      turn: this.#context.turn,
    });
    this.#dialer = new Dialer(this.#upstreamContext);
    const hosts = Object.values(config.hosts);
    this.#reachability = new Reachability({ hosts, dial: (host) => this.#dial(host), log });
    const storeDeps = { log, metrics, fenceOf: (account: string) => this.#cluster?.fenceOf(account) };
    this.#storeState = shared ? givenStore(shared, storeDeps) : openStore(config.store, storeDeps);
    this.#store = this.#storeState.store;
    const isShared = shared !== undefined || config.store.kind !== 'memory';
    this.#sealing = isShared ? openSealing(config.sealing, this.#store.vault, log, metrics) : undefined;
    const sealing = this.#sealing;
    const { lifeMs } = config.cluster;
    const node = new ClusterNode({
      store: this.#store,
      log,
      metrics,
      lifeMs,
      newId: token,
      opens: sealing && (() => sealing.opens),
    });
    const accountDeps = this.#accountDeps(node, isShared, sealing);
    this.#cluster = isShared ? new Cluster(node, accountDeps, this.#store) : undefined;
    this.#accounts = new Accounts(accountDeps, this.#cluster);
    metrics.workers.set(1);
    metrics.onScrape(() => this.#updateGauges());
  }

  #accountDeps(node: ClusterNode, isShared: boolean, sealing: Sealing | undefined): AccountDeps {
    let serial = 0;
    // Names of sessions and streams must not be those of another node.
    const prefix = isShared ? `${token()}.` : '';
    return {
      config: this.#config,
      settingsFor: (host, serverHeader) => settingsOf(this.#config, host, serverHeader, isShared),
      services: new Services(),
      faces: new Faces(Date.now),
      log: this.#log,
      metrics: this.metrics,
      store: new MembershipRecorder({
        store: this.#store,
        node: () => node.id,
        log: this.#log,
        cursorMs: this.#config.history.ageMs,
        sealing,
      }),
      sealing,
      isShared,
      logs: isShared && this.#config.history.isStored ? this.#storeState.logs : undefined,
      parking: new ParkingLot(this.#config.parking, this.metrics),
      offerStreamManagement: this.#config.streamManagement,
      leaving: new Set(),
      now: Date.now,
      token,
      serial: () => {
        serial += 1;
        return `${prefix}${serial.toString(36)}`;
      },
      dial: (host, options) => this.#dial(host, options),
      openTimeoutMs: this.#config.limits.handshakeTimeoutMs,
    };
  }

  #dial(host: HostConfig, options?: DialOptions): Promise<Leg> {
    return this.#reachability.note(host, this.#dialer.dial(host.upstream, host.name, options));
  }

  async start(): Promise<void> {
    const config = this.#config;
    try {
      await this.#storeState.settle();
      await this.#cluster?.start();
      if (config.listeners.some((listener) => listener.tls !== 'none')) await this.#loadCertificates();
      for (const listener of config.listeners) {
        this.#listeners.push({ listener: await this.#listen(listener), config: listener });
      }
      if (config.http) await this.#startOps(config.http);
    } catch (error) {
      await this.stop();
      throw error;
    }
    for (const address of this.addresses) this.#log.info({ ...address }, 'listening');
    await this.#reachability.start();
  }

  async #loadCertificates(): Promise<void> {
    const { hosts, stateDirectory } = this.#config;
    this.#certificates = await Certificates.load({ hosts, stateDirectory, log: this.#log });
    this.#certificates.watch(CERTIFICATE_WATCH_MS);
  }

  async #listen(listener: ListenerConfig): Promise<Listener> {
    const { host, port, path, trusted } = listener;
    const tls = listener.tls === 'direct' ? this.#certificates : undefined;
    const balancers = new Balancers(listener.balancers);
    const accept = (leg: Leg): void => this.#accept(leg, listener);
    const { proxyProtocol } = listener;
    const shared = { host, port, context: this.#context, accept, balancers, proxyProtocol };
    try {
      return await (listener.kind === 'tcp'
        ? listenTcp({ ...shared, directTls: tls })
        : listenWs({ ...shared, path, tls, trusted }));
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw new Error(`cannot listen on ${listener.kind} ${host}:${port}: ${reason}`, { cause: error });
    }
  }

  async #startOps(http: NonNullable<Config['http']>): Promise<void> {
    const { metrics } = this;
    this.#ops = createOpsServer({ ...http, metrics, log: this.#log, readiness: () => this.readiness() });
    try {
      await this.#ops.start();
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw new Error(`cannot listen on http ${http.host}:${http.port}: ${reason}`, { cause: error });
    }
  }

  #accept(leg: Leg, listener: ListenerConfig): void {
    const deps: NegotiationDeps = {
      config: this.#config,
      log: this.#log,
      metrics: this.metrics,
      dial: (host, options) => this.#dial(host, options),
      openTimeoutMs: this.#config.limits.handshakeTimeoutMs,
      serverTls: () => this.#serverTls(),
      newStreamId: token,
      prepare: (hint) => this.#accounts.prepare(hint),
      resourceFor: (request) => this.#accounts.resourceFor(request),
      offerStreamManagement: this.#config.streamManagement,
      resume: (request) => this.#accounts.prepareResume(request),
      recall: this.#accounts.recall,
      onResumed: (resumed) => this.#accounts.resumed(resumed),
      ownerOf: (request) => this.#accounts.ownerOf(request),
      onResumedHere: (request, client) => this.#accounts.resumedHere(request, client),
      onResumeRefused: (request) => this.#accounts.resumeRefused(request),
    };
    const over = (): void => void this.#negotiations.delete(negotiation);
    const negotiation = negotiate(
      leg,
      listener,
      deps,
      (bound) => {
        over();
        void this.#accounts.bound(bound);
      },
      over,
    );
    this.#negotiations.add(negotiation);
  }

  #serverTls(): Certificates {
    if (!this.#certificates) throw new Error('TLS on a listener without TLS');
    return this.#certificates;
  }

  readiness(): Readiness {
    const reasons: string[] = [];
    if (this.#isStopping || this.#isClosed) reasons.push('The proxy is shutting down.');
    if (this.#listeners.length < this.#config.listeners.length) reasons.push('Not all listeners are open.');
    const trouble = this.#storeState.trouble();
    if (trouble !== undefined) reasons.push(trouble);
    else if (this.#cluster?.node.isReached === false) reasons.push('The store cannot be reached.');
    reasons.push(...this.#reachability.troubles);
    return { ready: reasons.length === 0, reasons };
  }

  async stop(): Promise<void> {
    if (this.#isStopping) return;
    this.#isStopping = true;
    this.#certificates?.unwatch();
    this.#reachability.stop();
    await this.close();
    for (const negotiation of [...this.#negotiations]) {
      negotiation.end({ condition: 'system-shutdown', text: 'The proxy is shutting down.' });
    }
    await this.#cluster?.drain(this.#config.drain.timeoutMs);
    if (this.#cluster) {
      await this.#accounts.transferAll();
      await this.#accounts.leaveParked();
    }
    this.#accounts.shutDown();
    await this.#cluster?.farewell();
    this.#cluster?.close();
    await this.#untilClosed();
    await this.#ops?.stop();
    await this.#cluster?.stop();
    this.#sealing?.close();
    await this.#storeState.close();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all(this.#listeners.map(({ listener }) => listener.close()));
  }

  async #untilClosed(): Promise<void> {
    const end = performance.now() + STOP_MS;
    while (this.#context.liveness.size + this.#upstreamContext.liveness.size > 0 && performance.now() < end) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  async reload(): Promise<void> {
    await this.#certificates?.reload();
    this.#dialer.reload();
    if (!this.#sealing || !this.#config.sealing) return;
    reloadKeys(this.#sealing, this.#config.sealing, this.#log, this.metrics);
    await this.#cluster?.keysChanged();
  }

  get addresses(): readonly AppAddress[] {
    return this.#listeners.map(({ listener, config }) => ({
      kind: config.kind,
      host: listener.host,
      port: listener.port,
      tls: config.tls,
      path: config.path,
    }));
  }

  get httpAddress(): { readonly host: string; readonly port: number } | undefined {
    return this.#ops?.address;
  }

  census(): Census {
    let occupancies = 0;
    let carriers = 0;
    for (const runner of this.#accounts.runners()) {
      for (const room of runner.state.rooms.values()) if (room.phase !== 'ended') occupancies += 1;
      carriers += runner.state.carriers.size;
    }
    return {
      sessions: this.#accounts.sessionCount,
      accounts: this.#accounts.size,
      occupancies,
      carriers,
      parked: this.#accounts.parkedCount,
      legs: this.#context.liveness.size + this.#upstreamContext.liveness.size,
      negotiations: this.#negotiations.size,
    };
  }

  async #updateGauges(): Promise<void> {
    const { accounts, occupancies, carriers, iqPending } = this.metrics;
    let rooms = 0;
    let pending = 0;
    const kinds = { 'account-stream': 0, borrowed: 0, parked: 0 };
    for (const runner of this.#accounts.runners()) {
      for (const room of runner.state.rooms.values()) if (room.phase !== 'ended') rooms += 1;
      pending += runner.state.requests.size;
      for (const kind of runner.carrierKinds) kinds[kind] += 1;
    }
    this.metrics.peers.set(this.#cluster?.node.peers.size ?? 0);
    this.metrics.busPending.set((await this.#cluster?.node.pending()) ?? 0);
    accounts.set(this.#accounts.size);
    occupancies.set(rooms);
    iqPending.set(pending);
    carriers.set({ kind: 'account-stream' }, kinds['account-stream']);
    carriers.set({ kind: 'borrowed' }, kinds.borrowed);
    carriers.set({ kind: 'parked' }, kinds.parked);
  }
}

function token(): string {
  return randomBytes(9).toString('hex');
}
