/**
 * The configuration as the program uses it: parsed, complete, frozen. Names carry their unit; what is off is `undefined`,
 * what is unlimited is `Infinity` (beware: timers take at most 2^31 - 1 ms and fire at once above that).
 */

/** A place where clients connect. */
export interface ListenerConfig {
  readonly kind: 'tcp' | 'websocket';
  /** Address or name to bind; IPv6 without brackets. */
  readonly host: string;
  /** 0: the system chooses. */
  readonly port: number;
  /** Path of the WebSocket endpoint; '' for TCP. */
  readonly path: string;
  /** `starttls` for TCP only; `direct` on a WebSocket is `wss`. */
  readonly tls: 'starttls' | 'direct' | 'none';
  /** What comes in here counts as protected: SASL PLAIN is let through without TLS (S5). */
  readonly trusted: boolean;
  /** Every connection begins with a PROXY header (version 1 or 2). */
  readonly proxyProtocol: boolean;
  /** Addresses and networks whose word about a client's address counts. */
  readonly balancers: readonly string[];
}

/** The server behind a host. */
export interface UpstreamConfig {
  readonly scheme: 'xmpp' | 'xmpp+starttls' | 'xmpps' | 'ws' | 'wss';
  /** IPv6 without brackets. */
  readonly host: string;
  readonly port: number;
  /** Path (and query) of the WebSocket endpoint; '' for the xmpp schemes. */
  readonly path: string;
  /** Whether the server's certificate is checked; only meaningful with TLS. */
  readonly verify: boolean;
  /** PEM file with the authorities to trust instead of the system's. */
  readonly ca?: string | undefined;
  /** How the server is told the client's address; undefined: not at all. */
  readonly clientAddress?: 'proxy-v1' | 'proxy-v2' | 'x-forwarded-for' | undefined;
}

/** PEM files. */
export interface CertificateConfig {
  readonly cert: string;
  readonly key: string;
}

export interface HostConfig {
  /** The XMPP domain, normalised by `hostKey`. */
  readonly name: string;
  readonly upstream: UpstreamConfig;
  readonly certificate?: CertificateConfig | undefined;
  /** Largest stanza that may go to a carrier; undefined: found out, or assumed, per server. */
  readonly carrierStanzaBytes?: number | undefined;
  /** Whether account streams are opened for users whose password is known. */
  readonly accountStreams: boolean;
}

export type StoreConfig =
  | { readonly kind: 'memory' }
  | {
      readonly kind: 'redis';
      readonly isCluster: boolean;
      readonly isTls: boolean;
      /** Of the master that `nodes`, which are sentinels then, watch. */
      readonly sentinel?: string;
      /** At least one; for a cluster any of its nodes. IPv6 without brackets. */
      readonly nodes: readonly { readonly host: string; readonly port: number }[];
      readonly username: string | undefined;
      readonly password: string | undefined;
      readonly database: number;
      /** In front of all keys. */
      readonly prefix: string;
      /** Whether the certificate is checked; only meaningful with TLS. */
      readonly verify: boolean;
      /** PEM file with the authorities to trust instead of the system's. */
      readonly ca: string | undefined;
    };

/** Where the keys are that seal what lies in the store (X4): the first seals, all of them open. */
export type SealingConfig =
  | { readonly keyFile: string; readonly keys?: undefined }
  /** As they are written, see `parseSealKeys`. */
  | { readonly keys: string };

export interface HttpConfig {
  /** IPv6 without brackets. */
  readonly host: string;
  readonly port: number;
}

export interface LeaveConfig {
  readonly graceMs: number;
  readonly when: 'auto' | 'last-session' | 'never';
}

export interface HistoryConfig {
  /** Per room. */
  readonly stanzas: number;
  /** May be Infinity. */
  readonly ageMs: number;
  /** Per room. */
  readonly bytes: number;
  /** Stanzas for a session that states no wish. */
  readonly defaultStanzas: number;
  /** In the store too, where that is shared. */
  readonly isStored: boolean;
}

/** What an XML reader takes before it ends the stream. */
export interface XmlLimits {
  readonly stanzaBytes: number;
  readonly depth: number;
  /** Per element. */
  readonly attributes: number;
}

/** The flat ones concern clients, where nothing else is said. Sizes in bytes, times in milliseconds and fit for a timer. */
export interface LimitsConfig extends XmlLimits {
  readonly preAuthStanzaBytes: number;
  /** What a server may send: the proxy relays what the server has let through, so this is far above the rest. */
  readonly upstream: XmlLimits;
  /** A backlog larger than this ends the connection to the peer that does not read, client or server. */
  readonly outboxBytes: number;
  /** From connecting to a bound resource. */
  readonly authTimeoutMs: number;
  /** For dialing, TLS and WebSocket handshakes, and for each answer of a server that opens a stream. */
  readonly handshakeTimeoutMs: number;
  /** How long a peer may take to close after us. */
  readonly closeTimeoutMs: number;
  /** After this long a silence a sign of life is sent or asked for. */
  readonly pingMs: number;
  /** A WebSocket silent for this long, or a backlog that does not shrink for this long, ends the connection. */
  readonly idleMs: number;
  /** A client that was asked for an acknowledgement (XEP-0198) and says nothing for this long has gone. */
  readonly silenceMs: number;
  /** 0: no limit. */
  readonly connectionsPerAddress: number;
}

/** A token bucket: `burst` at once, then `perSecond`. */
export interface RateLimit {
  readonly perSecond: number;
  readonly burst: number;
}

/** For each session; over the rate, reading from its client pauses and nothing is dropped. `undefined`: no limit. */
export interface RateConfig {
  readonly stanzas: RateLimit | undefined;
  readonly bytes: RateLimit | undefined;
  /** Room stanzas towards a carrier that siblings may share. */
  readonly carrier: RateLimit | undefined;
}

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent';

export interface Config {
  /** At least one. */
  readonly listeners: readonly ListenerConfig[];
  /** By normalised domain (see `hostKey`), at least one. No prototype: any name may be looked up. */
  readonly hosts: Readonly<Record<string, HostConfig>>;
  readonly store: StoreConfig;
  /** Undefined: nothing is sealed, and no password lies in the store. */
  readonly sealing: SealingConfig | undefined;
  /** Processes on this machine; more than one only with a store that they share. */
  readonly workers: number;
  /** Metrics and health; undefined: off. */
  readonly http: HttpConfig | undefined;
  readonly sasl: { readonly mode: 'relay' | 'plain-only' };
  /** How long an account stays in its rooms with no session at all; may be Infinity, or more than a timer takes. */
  readonly lingerMs: number;
  /** Whether streams of clients that have gone are kept for their rooms, by how these have gone; and how many at most. */
  readonly parking: { readonly dropped: boolean; readonly logout: boolean; readonly streams: number };
  readonly leave: LeaveConfig;
  /** The log of a room that has no archive of its own serves its sessions as one. */
  readonly archive: boolean;
  readonly nick: 'account' | 'follow';
  /** Whether rooms bookmarked with autojoin are joined; how often bookmarks are read without a sign of a change, 0: never. */
  readonly bookmarks: { readonly autojoin: boolean; readonly pollMs: number };
  /** What rooms see of an account with no session joined (`xa`, or its last presence), and how seldom they are told. */
  readonly presence: { readonly absent: 'xa' | 'last'; readonly pauseMs: number };
  /** Clients are offered XEP-0198: the server's, or the proxy's own where the server has none. */
  readonly streamManagement: boolean;
  /** How long the proxy itself keeps the session of a client that has dropped, where the server has no XEP-0198. */
  readonly hibernation: { readonly timeMs: number };
  readonly join: { readonly timeoutMs: number };
  /** Requests sent through a carrier for a session. */
  readonly iq: { readonly timeoutMs: number };
  /** How long the other nodes believe this one alive without a sign of life. */
  readonly cluster: { readonly lifeMs: number };
  /** How long a stop may take to hand rooms over to other nodes. */
  readonly drain: { readonly timeoutMs: number };
  readonly history: HistoryConfig;
  /** Domains of services, and rooms, that are relayed only (J9); lower case. */
  readonly exclude: readonly string[];
  /** Time in which a lost place in a room is taken again unseen, and how long a room may be silent before it is asked whether the account is in; 0: neither. */
  readonly rooms: { readonly healMs: number; readonly selfPingMs: number };
  readonly limits: LimitsConfig;
  readonly rate: RateConfig;
  readonly log: { readonly level: LogLevel; readonly format: 'json' | 'pretty' };
  readonly stateDirectory: string | undefined;
}

/** What is wrong with the configuration, in words for its author. Never contains a secret. */
export interface ConfigError {
  /** Path of the key, as in `listeners[0].tls`; '' where no key is at fault. */
  readonly key: string;
  /** The value as given, shortened and with secrets masked; undefined where there is none or it must not be shown. */
  readonly value: string | undefined;
  /** What would be right. */
  readonly allowed: string;
  /** Where the value came from: `FILE:LINE`, `--flag` or the name of an environment variable. */
  readonly source: string | undefined;
  /** All of the above in one line. */
  readonly message: string;
}
