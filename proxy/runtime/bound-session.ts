/** What a negotiation is given, and what it hands over: a bound session, or one whose connections have been replaced. */
import type { Config, HostConfig, ListenerConfig } from '../config.ts';
import type { Leg } from '../net/leg.ts';
import type { TlsContext } from '../net/tls.ts';
import type { Log } from '../ops/log.ts';
import type { Metrics } from '../ops/metrics.ts';
import type { SleeperRecord } from '../store/hibernations.ts';
import type { ServerFeatures } from '../stream/features.ts';
import type { AuthenticatedStream, ResourceRequest, ResumeRequest } from '../stream/negotiation/io.ts';
import type { Hint } from '../stream/negotiation/machine.ts';
import type { Credentials } from '../stream/sasl-relay.ts';
import type { Violation } from '../xml/framer.ts';
import type { Stanza, StreamHeader } from '../xml/stanza.ts';
import type { UpstreamDeps } from './upstream.ts';

export type { ServerFeatures } from '../stream/features.ts';
export type { ResourceRequest, ResumeRequest } from '../stream/negotiation/io.ts';
export type { Hint } from '../stream/negotiation/machine.ts';
export type { Credentials } from '../stream/sasl-relay.ts';

/** What a negotiation needs from the rest of the process. One object serves all connections. */
export interface NegotiationDeps extends UpstreamDeps {
  readonly config: Pick<Config, 'hosts' | 'sasl' | 'limits'>;
  readonly log: Log;
  readonly metrics: Pick<Metrics, 'sasl' | 'drops' | 'streamErrors'>;
  /** For STARTTLS on an accepted leg. */
  readonly serverTls: (listener: ListenerConfig) => TlsContext;
  /** An unguessable id for a stream header that the proxy writes itself. */
  readonly newStreamId: () => string;
  /**
   * May choose another resource than the one asked for (DESIGN "Resources"). `userHint` is the SASL user name as seen, a
   * hint only. Undefined: the server chooses. Absent: what the client asks for is passed on untouched.
   */
  readonly resourceFor?: (request: ResourceRequest) => string | undefined;
  /** Somebody has authenticated as this user: what `resourceFor` must know is to be found out. Until then the client waits. */
  readonly prepare?: (hint: Hint) => Promise<void> | undefined;
  /** The `<resume/>` for the server that belongs to a client's; undefined: the session is not known here. */
  readonly resume?: (request: ResumeRequest) => string | undefined;
  /** A session that `resume` does not know, from wherever it is; undefined: nobody knows it. Absent: none is elsewhere. */
  readonly recall?: ((request: ResumeRequest) => Promise<Recalled | KeptElsewhere | undefined>) | undefined;
  /** The server has granted what `resume` or `recall` asked for. Both legs are held, as in `onBound`. */
  readonly onResumed?: (session: ResumedSession) => void;
  /** The server has refused it. */
  readonly onResumeRefused?: (request: ResumeRequest) => void;
  /** Bare JID whose session a `<resume/>` names, of those that the proxy keeps by itself; undefined: none of them. */
  readonly ownerOf?: (request: ResumeRequest) => string | undefined;
  /** The client has proved to be of that account; `ownerOf` has just been asked again. The leg is held, as in `onBound`. */
  readonly onResumedHere?: (request: ResumeRequest, client: Leg) => void;
  /** Clients are offered XEP-0198: the server's features are left in, or added where it has none. */
  readonly offerStreamManagement?: boolean;
}

/**
 * A session at the moment it exists. Both legs are HELD: nothing more is emitted before the new owner calls `release()` on
 * each. The owner sets `handler` on both synchronously inside `onBound` (a `closed` may come at any time after it), and
 * may release at once or later.
 */
export interface BoundSession {
  /** The full JID as the server bound it (S7); in the legacy exchange username@domain/resource, normalised. */
  readonly jid: string;
  /** The resource that the client has asked for; undefined when it left it to the server. */
  readonly asked: string | undefined;
  readonly client: Leg;
  readonly server: Leg;
  readonly host: HostConfig;
  readonly listener: ListenerConfig;
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

/** A session whose connections have been replaced (XEP-0198 section 5). */
export interface ResumedSession {
  readonly request: ResumeRequest;
  /** The server's `<resumed/>`, which the client has not seen. */
  readonly answer: Stanza;
  readonly client: Leg;
  readonly server: Leg;
  readonly stream: AuthenticatedStream;
  readonly host: HostConfig;
  /** It is another node's; undefined: it is here. */
  readonly recalled: Recalled | undefined;
}

/** A session that is not here, and may be resumed here. */
export interface Recalled {
  /** `<resume/>` for the server. */
  readonly xml: string;
  /** The server has granted it: the session as it is now, for the one who asks first. Undefined: it is not to be had. */
  claim(): Promise<SleeperRecord | undefined>;
  /** The server has refused it: it stays where it is. */
  refused(): void;
}

/** A session that the proxy keeps by itself, at another node: its client can prove whose it is, and have its leg lent to it. */
export interface KeptElsewhere {
  /** Bare JID. */
  readonly owner: string;
  /**
   * `answered` is called once. True: the session goes on over this leg, whose handler is set then; it returns whether that is still wanted.
   * False: it is not to be had.
   */
  lend(leg: Leg, answered: (isTaken: boolean) => boolean): void;
}

/** A negotiation under way. */
export interface Negotiation {
  readonly clientLeg: Leg;
  /** Ends it from our side, both legs, with this stream error (for example system-shutdown). No effect once bound or over. */
  end(violation: Violation): void;
}
