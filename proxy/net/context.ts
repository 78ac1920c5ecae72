/** What all legs of one app share: limits, log, counters, clock, ids, and the watch over dead peers. */
import { performance } from 'node:perf_hooks';
import type { Log } from '../ops/log.ts';
import type { Metrics } from '../ops/metrics.ts';
import type { FramerLimits } from '../xml/framer.ts';
import { KnownTags } from '../xml/known-tags.ts';
import { AddressLimit } from './addresses.ts';
import type { LegLimits, LegRole } from './leg.ts';
import { Liveness } from './liveness.ts';
import { Turn } from './turn.ts';

/** Why a connection was turned away before it became a leg. */
export type RefusalReason =
  | 'address-limit'
  | 'tls-handshake'
  | 'bad-path'
  | 'bad-subprotocol'
  | 'bad-upgrade'
  /** A PROXY header was wanted, and the peer is none whose word counts. */
  | 'proxy-untrusted'
  | 'proxy-malformed'
  /** The connection ended without any. */
  | 'proxy-missing'
  | 'proxy-timeout';

/** What the sockets count. */
export type NetMetrics = Pick<
  Metrics,
  'hot' | 'legs' | 'connectionsAccepted' | 'connectionsRefused' | 'drops' | 'streamErrors' | 'violations'
>;

export interface LegContextOptions {
  readonly limits: LegLimits;
  readonly log: Log;
  readonly metrics: NetMetrics;
  /** Monotonic clock in milliseconds; for tests. */
  readonly now?: () => number;
  /** Another context's, where the legs of both send to each other. */
  readonly turn?: Turn;
}

/** One per app; passed to listeners and to the dialer. */
export class LegContext {
  readonly limits: Required<LegLimits>;
  /** Limits of a leg's framer until `setLimits`. One object for all legs: never changed. */
  readonly framerLimits: FramerLimits;
  /** A backlog above this is congestion, and is offered to the kernel at once. */
  readonly highWaterBytes: number;
  /** A backlog at or below this is congestion no more. */
  readonly lowWaterBytes: number;
  readonly log: Log;
  readonly metrics: NetMetrics;
  readonly now: () => number;
  readonly liveness: Liveness;
  /** Connections by address, over all listeners. */
  readonly addresses: AddressLimit;
  /** What the framers of all legs have read often. */
  readonly knownTags = new KnownTags();
  readonly turn: Turn;
  #serial = 0;

  constructor(options: LegContextOptions) {
    const { limits } = options;
    this.limits = {
      preAuthStanzaBytes: limits.stanzaBytes,
      closeTimeoutMs: 5_000,
      handshakeTimeoutMs: 10_000,
      pingMs: 300_000,
      idleMs: 600_000,
      silenceMs: 60_000,
      connectionsPerAddress: 0,
      limitLoopback: false,
      ...limits,
    };
    const { preAuthStanzaBytes, depth, attributes, connectionsPerAddress, limitLoopback } = this.limits;
    const { pingMs, idleMs, silenceMs } = this.limits;
    this.framerLimits = { stanzaBytes: preAuthStanzaBytes, depth, attributes };
    this.highWaterBytes = Math.min(256 * 1024, Math.floor(this.limits.outboxBytes / 2));
    this.lowWaterBytes = Math.floor(this.highWaterBytes / 4);
    this.log = options.log;
    this.metrics = options.metrics;
    this.turn = options.turn ?? new Turn();
    this.now = options.now ?? (() => performance.now());
    this.liveness = new Liveness(this.now, Math.min(15_000, Math.max(20, Math.min(pingMs, idleMs, silenceMs) / 4)));
    this.addresses = new AddressLimit(connectionsPerAddress, limitLoopback);
  }

  /** A name for a new leg: `c…` towards clients, `s…` towards servers. */
  nextId(role: LegRole): string {
    this.#serial++;
    return `${role === 'accepted' ? 'c' : 's'}${this.#serial.toString(36)}`;
  }

  /**
   * When the kernel starts to probe a silent peer. Before our own space would be sent: unacknowledged bytes make the kernel
   * retransmit for a quarter of an hour before it gives up, probes fail after some ten seconds.
   */
  get keepAliveMs(): number {
    return Math.max(1_000, Math.floor(this.limits.pingMs / 2));
  }
}
