/** What tests know about a real XMPP server, whichever it is. */
import type { Certificate } from './process.ts';

export type ServerName = 'prosody' | 'ejabberd' | 'jabberd2';

/** How a server is reached: plain TCP, STARTTLS, direct TLS, WebSocket, WebSocket over TLS. */
export type Access = 'tcp' | 'starttls' | 'tls' | 'ws' | 'wss';

/** Mechanism names as in RFC 6120, and `legacy` for XEP-0078. */
export type Mechanism = 'PLAIN' | 'SCRAM-SHA-1' | 'SCRAM-SHA-256' | 'DIGEST-MD5' | 'legacy';

/** What a server can do and how it behaves, where tests must know. */
export interface Features {
  /** Offered without TLS, with the way of storing passwords that the server was started with. */
  mechanisms: readonly Mechanism[];
  /** Two sessions of one account may hold one nick. */
  sharedNick: boolean;
  /** XEP-0198 with resumption. */
  streamManagement: boolean;
  carbons: boolean;
  /** XEP-0313 for accounts, and for rooms. */
  mam: boolean;
  pep: boolean;
  blocking: boolean;
  privacyLists: boolean;
  /** XEP-0421. */
  occupantId: boolean;
  /** A session hears nothing of a room before it has sent presence to everybody. */
  needsInitialPresence: boolean;
  /** A new room lets nobody in before its owner has configured it. */
  newRoomsLocked: boolean;
  /** A room's join answer ends with a subject, an empty one where there is none. */
  closingSubject: boolean;
  /** Largest stanza, in bytes, that may be sent at all. */
  stanzaBytes: number;
  /** A listener that wants the PROXY protocol. */
  proxyProtocol: boolean;
}

/** The part of a server that can be handed to another process. */
export interface ServerFacts {
  readonly name: ServerName;
  /** The one virtual host, `localhost`. */
  readonly host: string;
  readonly mucDomain: string;
  /** All on 127.0.0.1. `proxy` is plain TCP behind a PROXY protocol header. */
  readonly ports: { plain: number; tls: number; ws: number; wss: number; api?: number; proxy?: number };
  readonly wsPath: string;
  readonly certificate: Certificate;
  readonly folder: string;
  /** Log files, the most telling one first. */
  readonly logs: readonly string[];
  /** Accounts that exist from the start; the password is the name. `admin` administers server and rooms. */
  readonly users: readonly string[];
  readonly features: Features;
}

/** A server that runs. */
export interface Server extends ServerFacts {
  /** Process ids; several for jabberd2. Empty where another process has started it. */
  readonly pids: readonly number[];
  /** URL by which the proxy's configuration names it as upstream. */
  upstream(access?: Access): string;
  /** Creates an account while the server runs; the password is the name unless told. */
  addUser(name: string, password?: string): Promise<void>;
  /** Ends the processes and starts them again with the same ports and data. */
  restart(): Promise<void>;
  /**
   * The rooms' service alone is ended and started again: it has the rooms that are persistent, and knows none of their occupants.
   * ejabberd says so to them, the others do not.
   */
  restartRooms(): Promise<void>;
  /** Each persistent room forgets who is in it, and nobody is told. */
  forgetOccupants(): Promise<void>;
  /** Ends the processes and keeps ports and data, for `restart`. `abrupt`: by SIGKILL. */
  halt(abrupt?: boolean): Promise<void>;
  /** Ends it for good and removes its folder. */
  stop(): Promise<void>;
  logTail(lines?: number): string;
}

/** Options that all servers understand. */
export interface StartOptions {
  /** How passwords are stored, which decides what mechanisms are offered; `scram` unless told. jabberd2: always plain. */
  passwordFormat?: 'plain' | 'scram';
  /** How many numbered accounts, `user1` and on, exist beside the named ones. */
  numberedUsers?: number;
}

export const namedUsers = ['alice', 'bob', 'carol', 'dave', 'erin', 'frank', 'admin'] as const;

/** All accounts that exist from the start. */
export function initialUsers(options: StartOptions): string[] {
  return [...namedUsers, ...Array.from({ length: options.numberedUsers ?? 0 }, (_, index) => `user${index + 1}`)];
}

/** URL of a server for the proxy's configuration. */
export function upstreamUrl(facts: Pick<ServerFacts, 'ports' | 'wsPath'>, access: Access = 'tcp'): string {
  const { ports, wsPath } = facts;
  const urls: Record<Access, string> = {
    tcp: `xmpp://127.0.0.1:${ports.plain}`,
    starttls: `xmpp+starttls://127.0.0.1:${ports.plain}`,
    tls: `xmpps://127.0.0.1:${ports.tls}`,
    ws: `ws://127.0.0.1:${ports.ws}${wsPath}`,
    wss: `wss://127.0.0.1:${ports.wss}${wsPath}`,
  };
  return urls[access];
}
