/** What can happen to a negotiation, and what it asks for in return. */
import type { Violation } from '../../xml/framer.ts';
import type { Stanza, StreamHeader } from '../../xml/stanza.ts';
import type { ServerFeatures } from '../features.ts';
import type { Credentials } from '../sasl-relay.ts';

/** The two connections of a session: `client` downstream, `server` upstream. */
export type Side = 'client' | 'server';

export type Input =
  | { readonly type: 'header'; readonly from: Side; readonly header: StreamHeader }
  | { readonly type: 'stanza'; readonly from: Side; readonly stanza: Stanza }
  /** The peer has closed its stream. */
  | { readonly type: 'end'; readonly from: Side }
  | { readonly type: 'violation'; readonly from: Side; readonly violation: Violation }
  /** The connection is gone. */
  | { readonly type: 'closed'; readonly from: Side }
  /** The TLS handshake that `start-tls` asked for is done. */
  | { readonly type: 'encrypted' }
  /** The upstream connection stands and our stream header is written on it. */
  | { readonly type: 'dialed' }
  | { readonly type: 'dial-failed'; readonly violation: Violation }
  /** The time to authenticate is over, or the time that the server has for opening its stream. */
  | { readonly type: 'timeout'; readonly of: Side }
  /**
   * What `recall` asked for: the `<resume/>` for the server, or whose session it is, where the proxy keeps it by itself; neither: nobody knows
   * such a session.
   */
  | { readonly type: 'recalled'; readonly xml: string | undefined; readonly owner?: string | undefined }
  /** What `lend` asked for: the session goes on over the client's leg, or is gone. */
  | { readonly type: 'lent'; readonly isTaken: boolean }
  /** The process wants it to end. */
  | { readonly type: 'stop'; readonly violation: Violation };

export type HeaderAttributes = Readonly<Record<string, string | undefined>>;

/** To be carried out in the order given. `release` is always the last: it may bring the next input at once. */
export type Effect =
  | { readonly do: 'header'; readonly to: Side; readonly attributes: HeaderAttributes; readonly header?: StreamHeader }
  | { readonly do: 'forward'; readonly to: Side; readonly stanza: Stanza }
  | { readonly do: 'send'; readonly to: Side; readonly xml: string }
  /** Sends this stream error and ends the stream. */
  | { readonly do: 'error'; readonly to: Side; readonly violation: Violation }
  /** Ends the stream; for `server` also a dial that is still under way. Nothing of that leg is wanted any more. */
  | { readonly do: 'end'; readonly to: Side }
  /** Drops the connection to the server and leaves its stream open: what the server has resumed there it is to keep. */
  | { readonly do: 'drop'; readonly to: 'server' }
  | { readonly do: 'hold' | 'release' | 'restart'; readonly on: Side }
  /** TLS as server on the client's leg; leaves it released and waiting for a new header. */
  | { readonly do: 'start-tls' }
  /** Opens the upstream of this host with this header. */
  | { readonly do: 'dial'; readonly host: string; readonly attributes: HeaderAttributes; readonly header: StreamHeader }
  /** The client has authenticated: the larger limits hold from now on. */
  | { readonly do: 'authenticated' }
  /** Something of the client's was refused here, and reached nobody. `reason` is one word of a bounded set. */
  | { readonly do: 'refused'; readonly reason: string }
  /** How an attempt to authenticate has ended; `refused`: here. */
  | { readonly do: 'sasl'; readonly mechanism: string; readonly result: SaslResult }
  | { readonly do: 'bound'; readonly session: BoundStream }
  /** No such session is known here: whether one is known elsewhere is to be found out, for `recalled`. */
  | { readonly do: 'recall'; readonly request: ResumeRequest }
  /** The server has granted a resumption; both legs are held. */
  | {
      readonly do: 'resumed';
      readonly request: ResumeRequest;
      readonly answer: Stanza;
      readonly stream: AuthenticatedStream;
    }
  /** The client has proved to be of the account whose session it resumes; the server's connection is at its end. */
  | { readonly do: 'resumed-here'; readonly request: ResumeRequest }
  /** As above, for a session at another node: the client's leg is to be offered to it, for `lent`. */
  | { readonly do: 'lend' }
  /** It is that session's now; the server's connection is at its end. */
  | { readonly do: 'lent' }
  /** The server has refused one. */
  | { readonly do: 'resume-refused'; readonly request: ResumeRequest }
  /** The negotiation has failed or was given up; both sides have been told. */
  | { readonly do: 'over'; readonly reason: string };

export type SaslResult = 'success' | 'failure' | 'aborted' | 'refused';

/** A stream on which somebody has authenticated. */
export interface AuthenticatedStream {
  readonly host: string;
  readonly mechanism: string;
  readonly credentials: Credentials | undefined;
  readonly features: ServerFeatures;
  readonly clientHeader: StreamHeader;
  readonly serverHeader: StreamHeader;
}

/** A session at the moment it exists. */
export interface BoundStream extends AuthenticatedStream {
  readonly jid: string;
  /** The resource that the client has asked for; undefined when it left it to the server. */
  readonly asked: string | undefined;
}

/** A client's `<resume/>` (XEP-0198 section 5). */
export interface ResumeRequest {
  /** Whose server gave the id and is asked now: another host's server proves nothing, and may have given the same. */
  readonly domain: string;
  readonly previd: string;
  readonly h: number;
  /** Namespace: NS.sm3 or NS.sm2. */
  readonly version: string;
}

export interface ResourceRequest {
  /** The user name as seen, proved by nothing. */
  readonly userHint: string | undefined;
  readonly domain: string;
  /** The resource that the client asks for; undefined when it leaves it to the server. */
  readonly asked: string | undefined;
}

/** What decides how one client is dealt with. */
export interface NegotiationRules {
  /** Domains that are served, normalised. */
  readonly hosts: ReadonlySet<string>;
  /** STARTTLS can be had on this listener. */
  readonly startTls: boolean;
  /** What is sent in clear on this listener is seen by nobody else. */
  readonly trusted: boolean;
  /** The connection is encrypted from the start. */
  readonly encrypted: boolean;
  readonly plainOnly: boolean;
  readonly streamManagement: boolean;
  readonly newStreamId: () => string;
  readonly resourceFor?: ((request: ResourceRequest) => string | undefined) | undefined;
  /** This many failed attempts end the stream. */
  readonly maxFailures: number;
  /** The `<resume/>` for the server that belongs to a client's; undefined: no such session is known here. Absent: none is. */
  readonly resume?: ((request: ResumeRequest) => string | undefined) | undefined;
  /** A session that `resume` does not know may be known elsewhere. */
  readonly mayRecall?: boolean | undefined;
  /** Bare JID whose session it is, of those that the proxy keeps by itself; undefined: none of them. Absent: there are none. */
  readonly ownerOf?: ((request: ResumeRequest) => string | undefined) | undefined;
}
