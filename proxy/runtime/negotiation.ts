/**
 * From an accepted connection to a bound session: runs the negotiation of proxy/stream on the client's leg and on the
 * upstream leg that it opens for it. Knows sockets and timers; what is said to whom is decided in proxy/stream.
 */
import type { Config, HostConfig } from '../config.ts';
import type { Leg } from '../net/leg.ts';
import type { Log } from '../ops/log.ts';
import type { Metrics } from '../ops/metrics.ts';
import type { ServerFeatures } from '../stream/features.ts';
import type { Credentials } from '../stream/sasl-relay.ts';
import type { StreamHeader, Violation } from '../xml/index.ts';
import type { UpstreamDeps } from './upstream.ts';

/** One listener of the configuration. */
export type Listener = Config['listeners'][number];

/** What a negotiation needs from the rest of the process. One object serves all connections. */
export interface NegotiationDeps extends UpstreamDeps {
  readonly config: Pick<Config, 'hosts' | 'sasl' | 'limits'>;
  readonly log: Log;
  readonly metrics: Metrics;
  /** The TLS context (with SNI) for STARTTLS on an accepted leg; whatever `Leg.startTls` takes. */
  readonly serverTls: (listener: Listener) => Parameters<Leg['startTls']>[0];
  /** An unguessable id for a stream header that the proxy writes itself. */
  readonly newStreamId: () => string;
  /**
   * May choose another resource than the one asked for (DESIGN "Resources"). `userHint` is the SASL user name as seen, a
   * hint only. Undefined: the server chooses. Absent: what the client asks for is passed on untouched.
   */
  readonly resourceFor?: (request: ResourceRequest) => string | undefined;
  /** Leaves the server's XEP-0198 features in what clients are offered. Off until the sessions translate them. */
  readonly offerStreamManagement?: boolean;
}

export interface ResourceRequest {
  readonly userHint: string | undefined;
  readonly domain: string;
  /** The resource that the client asks for; undefined when it leaves it to the server. */
  readonly asked: string | undefined;
}

/**
 * A session at the moment it exists. Both legs are HELD: nothing more is emitted before the new owner calls `release()` on
 * each. The owner sets `handler` on both synchronously inside `onBound` (a `closed` may come at any time after it), and
 * may release at once or later.
 */
export interface BoundSession {
  /** The full JID as the server bound it (S7); in the legacy exchange username@domain/resource, normalised. */
  readonly jid: string;
  readonly client: Leg;
  readonly server: Leg;
  readonly host: HostConfig;
  readonly listener: Listener;
  /** SASL mechanism, or 'jabber:iq:auth'. */
  readonly mechanism: string;
  /** Only after PLAIN or plain legacy authentication that the server accepted. Keep in memory only. */
  readonly password: Credentials | undefined;
  /** What the server offered after authentication (before our rewriting); empty on a legacy stream. */
  readonly features: ServerFeatures;
  /** The headers of the last stream (after authentication) of each leg. */
  readonly clientHeader: StreamHeader;
  readonly serverHeader: StreamHeader;
}

/** A negotiation under way. */
export interface Negotiation {
  readonly clientLeg: Leg;
  /** Ends it from our side, both legs, with this stream error (for example system-shutdown). No effect once bound or over. */
  end(violation: Violation): void;
}

/**
 * Negotiates on an accepted leg until the server has bound a resource; then calls `onBound` exactly once, right after the
 * bind result was written to the client, and forgets everything. A negotiation that fails, is given up or takes longer
 * than `limits.authTimeoutMs` ends both legs with the proper stream error; then `onOver` is called instead.
 */
export declare function negotiate(
  clientLeg: Leg,
  listener: Listener,
  deps: NegotiationDeps,
  onBound: (session: BoundSession) => void,
  onOver?: (reason: string) => void,
): Negotiation;
