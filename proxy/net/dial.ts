/** Opens connections to servers (S3): TCP plain, with STARTTLS to come, with direct TLS, or WebSocket. */
import { readFileSync } from 'node:fs';
import { connect, isIP, type Socket } from 'node:net';
import { type SecureContext, connect as tlsConnect } from 'node:tls';
import { plainAddress } from './addresses.ts';
import type { LegContext } from './context.ts';
import type { Leg } from './leg.ts';
import { routeOf } from './proxied.ts';
import { proxyHeader, type Route } from './proxy-header.ts';
import { TcpLeg } from './tcp-leg.ts';
import { ALPN_CLIENT, type ClientTls, clientContext, clientOptions, secure } from './tls.ts';
import { LegWebSocket, SUBPROTOCOL, WEBSOCKET_OPTIONS, WsLeg } from './ws-leg.ts';

/** Where a host's server is, and how its certificate is checked. */
export interface Upstream {
  /** `xmpp+starttls` is dialed like `xmpp`; the owner negotiates and calls `startTls()`. */
  readonly scheme: 'xmpp' | 'xmpp+starttls' | 'xmpps' | 'ws' | 'wss';
  readonly host: string;
  readonly port: number;
  /** Of a WebSocket endpoint. */
  readonly path: string;
  /** False: any certificate is taken. */
  readonly verify: boolean;
  /** File with the only certificate authorities to trust, in PEM. Absent: the system's. */
  readonly ca?: string | undefined;
  /** How the server is told whom a connection is made for; `x-forwarded-for` on a WebSocket only. Absent: not at all. */
  readonly clientAddress?: 'proxy-v1' | 'proxy-v2' | 'x-forwarded-for' | undefined;
}

export type DialErrorCode =
  /** No such name, or no way to get there. */
  | 'unreachable'
  /** Not connected within `limits.handshakeTimeoutMs`, TLS and WebSocket handshakes included. */
  | 'timeout'
  /** TLS failed, or the certificate is not valid for the host. */
  | 'tls'
  /** Nobody listens there. */
  | 'refused'
  /** The server does not speak XMPP over WebSocket at that path. */
  | 'websocket'
  /** The caller's signal was aborted. */
  | 'aborted';

/** Why there is no connection; `cause` is the system's error, if there is one. */
export class DialError extends Error {
  override readonly name = 'DialError';
  readonly code: DialErrorCode;

  constructor(code: DialErrorCode, message: string, cause?: unknown) {
    super(message, { cause });
    this.code = code;
  }
}

export interface DialOptions {
  /** Gives up at once when aborted. */
  readonly signal?: AbortSignal | undefined;
  /** The connection of the client whom this one is made for; absent: a connection of the proxy's own. */
  readonly client?: Route | undefined;
}

/** One per app. Keeps one TLS context per set of certificate authorities: making one costs milliseconds. */
export class Dialer {
  readonly #context: LegContext;
  readonly #tls = new Map<string, SecureContext>();

  constructor(context: LegContext) {
    this.#context = context;
  }

  /**
   * Connects to the server of the XMPP domain `host`; nothing has been sent yet. Set the leg's handler in the continuation.
   * Rejects with a DialError only; no connection stays behind then.
   */
  async dial(upstream: Upstream, host: string, options: DialOptions = {}): Promise<Leg> {
    const attempt = new Attempt(this.#context.limits.handshakeTimeoutMs, options.signal);
    try {
      const isWebSocket = upstream.scheme === 'ws' || upstream.scheme === 'wss';
      const leg = await (isWebSocket
        ? this.#dialWebSocket(upstream, host, attempt, options.client)
        : this.#dialTcp(upstream, host, attempt, options.client));
      if (attempt.reason === undefined) return leg;
      leg.destroy();
      throw attempt.reason;
    } catch (error) {
      throw attempt.reason ?? asDialError(error, attempt.phase);
    } finally {
      attempt.finish();
    }
  }

  /** How the certificate of that server is verified: for the XMPP domain, RFC 6125. Throws a DialError 'tls'. */
  clientTls(upstream: Upstream, host: string): ClientTls {
    const { ca, verify, scheme } = upstream;
    // A WebSocket endpoint is an HTTPS resource, which has a name of its own: RFC 7395 section 3.9.
    const names = scheme === 'wss' && isIP(upstream.host) === 0 ? [upstream.host, host] : [host];
    return { side: 'client', context: this.#secureContext(ca), names, verify };
  }

  /** Reads files of certificate authorities anew for connections to come. */
  reload(): void {
    this.#tls.clear();
  }

  async #dialTcp(upstream: Upstream, host: string, attempt: Attempt, client: Route | undefined): Promise<Leg> {
    const clientTls = upstream.scheme === 'xmpp' ? undefined : this.clientTls(upstream, host);
    const plain = await this.#connect(upstream, attempt, client);
    const remoteAddress = plainAddress(plain.remoteAddress ?? '');
    let socket = plain;
    if (upstream.scheme === 'xmpps' && clientTls !== undefined) {
      attempt.phase = 'tls';
      const timeoutMs = this.#context.limits.handshakeTimeoutMs;
      socket = await secure(plain, clientTls, { timeoutMs, alpn: [ALPN_CLIENT] });
    }
    const encrypted = socket !== plain;
    const context = this.#context;
    return new TcpLeg({ socket, role: 'dialed', context, remoteAddress, encrypted, clientTls, host });
  }

  /** Connected; where the server is told by a PROXY header whom this is for, that is on its way. */
  #connect(upstream: Upstream, attempt: Attempt, client: Route | undefined): Promise<Socket> {
    return new Promise((resolve, reject) => {
      const socket = connect({
        host: upstream.host,
        port: upstream.port,
        allowHalfOpen: true,
        noDelay: true,
        keepAlive: true,
        keepAliveInitialDelay: this.#context.keepAliveMs,
      });
      attempt.onGiveUp(() => socket.destroy());
      // The listener for errors stays until the leg has its own: an error without one would end the process.
      socket.on('error', reject);
      socket.once('close', onClose);
      socket.once('connect', () => {
        socket.off('close', onClose);
        const version = proxyVersions[upstream.clientAddress ?? ''];
        if (version !== undefined) socket.write(proxyHeader(version, client ?? ownRoute(socket)));
        resolve(socket);
      });
      function onClose(): void {
        reject(new Error('connection closed'));
      }
    });
  }

  async #dialWebSocket(upstream: Upstream, host: string, attempt: Attempt, client: Route | undefined): Promise<Leg> {
    const isTls = upstream.scheme === 'wss';
    const isHeaded = proxyVersions[upstream.clientAddress ?? ''] !== undefined;
    const headed = isHeaded ? await this.#connect(upstream, attempt, client) : undefined;
    attempt.phase = isTls ? 'wss' : 'ws';
    const name = isIP(upstream.host) === 6 ? `[${upstream.host}]` : upstream.host;
    // A server behind a plain connection or an address finds its virtual host by the domain, not by how we reach it.
    const isNamed = isTls && isIP(upstream.host) === 0;
    const tls = isTls ? clientOptions(this.clientTls(upstream, host)) : {};
    const webSocket = new LegWebSocket(`${upstream.scheme}://${name}:${upstream.port}${upstream.path}`, [SUBPROTOCOL], {
      ...WEBSOCKET_OPTIONS,
      ...tls,
      ...(headed === undefined
        ? {}
        : { createConnection: () => (isTls ? tlsConnect({ socket: headed, ...tls }) : headed) }),
      headers: { ...(isNamed ? {} : { Host: host }), ...forwardedFor(upstream, client) },
      maxPayload: this.#context.limits.stanzaBytes,
      followRedirects: false,
    });
    attempt.onGiveUp(() => webSocket.terminate());
    return new Promise((resolve, reject) => {
      let socket: Socket | undefined;
      webSocket.once('upgrade', (response) => {
        socket = response.socket;
      });
      webSocket.on('error', reject);
      webSocket.once('open', () => {
        webSocket.off('error', reject);
        if (socket === undefined) return reject(new Error('no socket'));
        socket.setKeepAlive(true, this.#context.keepAliveMs);
        const remoteAddress = plainAddress(socket.remoteAddress ?? '');
        const context = this.#context;
        resolve(new WsLeg({ webSocket, socket, role: 'dialed', context, remoteAddress, encrypted: isTls, host }));
      });
    });
  }

  #secureContext(ca: string | undefined): SecureContext {
    const key = ca ?? '';
    const known = this.#tls.get(key);
    if (known !== undefined) return known;
    try {
      // Once per file and reload; everything else here would have to wait for it anyway.
      const made = clientContext(ca === undefined ? undefined : readFileSync(ca));
      this.#tls.set(key, made);
      return made;
    } catch (error) {
      throw new DialError('tls', 'the file of certificate authorities cannot be used', error);
    }
  }
}

/** By `Upstream.clientAddress`. */
const proxyVersions: Readonly<Record<string, 1 | 2>> = { 'proxy-v1': 1, 'proxy-v2': 2 };

/**
 * Of a connection of the proxy's own: what LOCAL and UNKNOWN mean, in words that everybody takes.
 * COMPAT: on ejabberd 23.01 no stream came up behind either of the two.
 */
function ownRoute(socket: Socket): Route {
  const { source, destination } = routeOf(socket);
  return { source: destination, destination: source };
}

function forwardedFor({ clientAddress }: Upstream, client: Route | undefined): Record<string, string> {
  const address = client?.source.address ?? '';
  return clientAddress === 'x-forwarded-for' && address !== '' ? { 'X-Forwarded-For': address } : {};
}

type DialPhase = 'connect' | 'tls' | 'ws' | 'wss';

/** One try to connect: its time, its cancellation, and how far it has come. */
class Attempt {
  phase: DialPhase = 'connect';
  /** Why it was given up, if it was. */
  reason: DialError | undefined;
  #giveUp: (() => void) | undefined;
  readonly #timer: NodeJS.Timeout;
  readonly #signal: AbortSignal | undefined;
  readonly #onAbort = (): void => this.#end(new DialError('aborted', 'given up by the caller'));

  constructor(timeoutMs: number, signal: AbortSignal | undefined) {
    this.#signal = signal;
    this.#timer = setTimeout(() => this.#end(new DialError('timeout', 'not connected in time')), timeoutMs);
    signal?.addEventListener('abort', this.#onAbort);
    if (signal?.aborted) this.#onAbort();
  }

  /** How to break off what is under way, so that it rejects. */
  onGiveUp(giveUp: () => void): void {
    this.#giveUp = giveUp;
    if (this.reason !== undefined) giveUp();
  }

  finish(): void {
    clearTimeout(this.#timer);
    this.#signal?.removeEventListener('abort', this.#onAbort);
  }

  #end(reason: DialError): void {
    this.reason ??= reason;
    this.#giveUp?.();
  }
}

function asDialError(error: unknown, phase: DialPhase): DialError {
  if (error instanceof DialError) return error;
  return new DialError(codeOf(error, phase), error instanceof Error && error.message ? error.message : 'failed', error);
}

function codeOf(error: unknown, phase: DialPhase): DialErrorCode {
  const { code = '', syscall } = error as { code?: string; syscall?: string };
  // Several addresses were tried: one that refuses tells more than others that cannot be reached.
  const codes = error instanceof AggregateError ? error.errors.map((one) => String(one.code)) : [code];
  const isNetwork = error instanceof AggregateError || syscall === 'connect' || syscall === 'getaddrinfo';
  if (isNetwork && codes.includes('ECONNREFUSED')) return 'refused';
  if (isNetwork && codes.includes('ETIMEDOUT')) return 'timeout';
  if (isNetwork || phase === 'connect') return 'unreachable';
  if (phase === 'tls') return 'tls';
  return phase === 'wss' && isTlsError(code) ? 'tls' : 'websocket';
}

/** OpenSSL's and Node's codes, such as ERR_SSL_WRONG_VERSION_NUMBER or CERT_HAS_EXPIRED; system errors are not of them. */
function isTlsError(code: string): boolean {
  return code === 'EPROTO' || /^ERR_(?:SSL|TLS)_|CERT|SIGNATURE|ISSUER|CRL|CHAIN/.test(code);
}
