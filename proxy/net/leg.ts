/**
 * One end of the proxy: a connection to a client (accepted) or to a server (dialed), over TCP or WebSocket, seen as a
 * stream of stanzas. What the transports differ in stays below this interface.
 */

import type { FramerLimits, Violation } from '../xml/framer.ts';
import type { Declarations, Stanza, StreamHeader } from '../xml/stanza.ts';
import type { Route } from './proxy-header.ts';
import type { TlsContext } from './tls.ts';

export type LegKind = 'tcp' | 'websocket';

export type LegRole = 'accepted' | 'dialed';

/** What a leg tells its owner. Called synchronously from socket events, one leg's calls in the order of the wire. */
export interface LegHandler {
  /** The peer has opened a stream, the first one or one after `restart()`. */
  header(header: StreamHeader): void;
  stanza(stanza: Stanza): void;
  /** The peer has closed its stream (`</stream:stream>`, `<close/>`). The owner answers with `end()`. */
  end(): void;
  /**
   * The peer has broken a rule of XML or a limit; nothing more is read from it. When this returns, the leg sends the
   * stream error and ends, unless the owner has done so in here with words of its own.
   */
  violation(violation: Violation): void;
  /**
   * The connection is gone; all that came before has been handed over. Exactly once, the last call, and never from within
   * a call of the owner's. `error` is absent after a close on both sides, after the peer closed its connection without a
   * word, and after `destroy()`; otherwise it is a system error (such as ECONNRESET) or a LegError.
   */
  closed(error?: Error): void;
  /** The backlog has fallen below low water, after `congested` had become true. */
  drain(): void;
}

/** Why a leg ended itself. */
export type LegErrorCode =
  /** More than `limits.outboxBytes` waited for a peer that does not read, the one stanza that went over the limit aside. */
  | 'OUTBOX_OVERFLOW'
  /** A WebSocket peer gave no sign of life for `limits.idleMs`. */
  | 'IDLE'
  /** The peer was asked for an answer and gave no sign of life for `limits.silenceMs`. */
  | 'SILENT'
  /** The peer took nothing of what waited for it for `limits.idleMs`. */
  | 'STALLED'
  /** The peer did not close its side within `limits.closeTimeoutMs` after our `end()`. */
  | 'CLOSE_TIMEOUT'
  /** The peer sent a binary WebSocket message. */
  | 'BINARY_FRAME'
  /** The TLS handshake of `startTls` failed or took too long. */
  | 'TLS';

/** Passed to `closed()` when the leg ended for a reason of its own. */
export class LegError extends Error {
  override readonly name = 'LegError';
  readonly code: LegErrorCode;

  constructor(code: LegErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

/** A stream error to be sent: `text` and `extra` (XML of an application-specific child) are optional. */
export type StreamErrorToSend = Pick<Violation, 'condition'> & Partial<Pick<Violation, 'text' | 'extra'>>;

export interface Leg {
  readonly kind: LegKind;
  /** Short, unique within the process; for logs. */
  readonly id: string;
  readonly role: LegRole;
  /**
   * The peer's address, without port; '' when the connection was gone before it could be read. Behind a balancer that is
   * believed: the client's.
   */
  readonly remoteAddress: string;
  /** Both ends of the peer's connection, as far as they are known; behind a balancer: of the client's to the balancer. */
  readonly route: Route;
  /** TLS on this connection (`wss` too, where the proxy itself terminates it). */
  readonly encrypted: boolean;
  /** Replaceable at any time. A new leg has one that does nothing: set it before the next turn of the event loop. */
  handler: LegHandler;
  /** What our outgoing stream header declares (before it is sent: what each of them declares). */
  readonly declared: Declarations | 'websocket';
  /** When something last came from the peer (WebSocket pongs included): milliseconds of a monotonic clock. */
  readonly lastActivity: number;
  /** The connection is gone: `closed()` has been called. */
  readonly isClosed: boolean;

  /**
   * Opens our stream. On TCP `declarations` are added to the header, except such as would rebind the default namespace,
   * `stream`, `xml` or `xmlns`; on a WebSocket there is nothing to declare. Attributes whose value is undefined are left out.
   */
  header(attributes: Readonly<Record<string, string | undefined>>, declarations?: Declarations): void;
  /** Relays a stanza as it came; declarations that this leg's stream lacks are added to it. */
  forward(stanza: Stanza): void;
  /**
   * Sends one complete element, whose text assumes the default namespace `jabber:client` and the prefix `stream`; on a
   * WebSocket the declarations are added where the root lacks them.
   */
  send(xml: string | Buffer): void;
  /** Sends one complete element whose declarations are right for this leg already. The bytes must not be changed later. */
  write(bytes: Buffer): void;
  /** Sends a stream error (behind a header, if none was sent yet), then ends the stream. Nothing more is read. */
  error(error: StreamErrorToSend): void;
  /**
   * Closes our stream (`</stream:stream>`, `<close/>`), flushes, waits a bounded time for the peer's close, closes the
   * connection. The peer's stanzas go on arriving until then. What is sent afterwards is dropped and counted.
   */
  end(): void;
  /** Closes the connection at once, without closing tag; what the kernel takes without waiting is still sent. */
  destroy(): void;
  /** Stops reading for a cause; a set of causes, not a counter. */
  pause(cause: string): void;
  /** The peer has been asked for an answer: if it says nothing at all for `limits.silenceMs`, the leg ends with `SILENT`. */
  expectAnswer(): void;
  /** Takes a cause away; reading goes on when none is left. */
  resume(cause: string): void;
  /** Nothing more is handed to the handler, not even from bytes read already, until `release()`. Pauses reading. */
  hold(): void;
  release(): void;
  /** The peer's next bytes open a new stream, RFC 6120 section 4.3.3. Our own header must be sent anew too. */
  restart(): void;
  /** Replaces the limits of the framer, as after authentication. */
  setLimits(limits: FramerLimits): void;
  /**
   * TLS on this TCP connection, RFC 6120 section 5; implies `restart()` and `release()` when done. On an accepted leg:
   * call `hold()` in `stanza()`, send `<proceed/>`, then this. Plain text that came behind `<starttls/>` ends the stream
   * with `policy-violation`. On a dialed leg `context` may be left out: the certificate is then checked as the host's
   * configuration says. Rejects with a LegError 'TLS' (the leg is closing then); never on a WebSocket.
   */
  startTls(context?: TlsContext): Promise<void>;
  /** Bytes queued here and not yet taken by the kernel. */
  readonly backlog: number;
  /** The backlog has risen above high water and not fallen below low water since. */
  readonly congested: boolean;
}

/** What limits a leg. Sizes in bytes, times in milliseconds. */
export interface LegLimits {
  /** Largest stanza of an authenticated peer; on a WebSocket also the largest message that is read at all. */
  readonly stanzaBytes: number;
  /** Largest stanza before `setLimits` is called; `stanzaBytes` unless given. */
  readonly preAuthStanzaBytes?: number;
  readonly depth: number;
  readonly attributes: number;
  /** A backlog larger than this ends the leg. */
  readonly outboxBytes: number;
  /** How long the peer may take to close after us. Default 5 s. */
  readonly closeTimeoutMs?: number;
  /** For TLS and WebSocket handshakes, and for dialing. Default 10 s. */
  readonly handshakeTimeoutMs?: number;
  /** After this long a silence a WebSocket is pinged, and a space is sent on TCP. Default 5 min. */
  readonly pingMs?: number;
  /** A WebSocket silent for this long, or a backlog that does not shrink for this long, ends the leg. Default 10 min. */
  readonly idleMs?: number;
  /** A peer that was asked for an answer and says nothing for this long has gone. Default 1 min. */
  readonly silenceMs?: number;
  /** Connections from one address (IPv6: one /64) over all listeners, loopback excepted; 0 or absent: no limit. */
  readonly connectionsPerAddress?: number;
  /** Counts loopback addresses like others. Off by default: a balancer or tunnel on this machine stands for many clients. */
  readonly limitLoopback?: boolean;
}

/** Takes everything and does nothing. */
export const SILENT: LegHandler = Object.freeze({
  header() {},
  stanza() {},
  end() {},
  violation() {},
  closed() {},
  drain() {},
});
