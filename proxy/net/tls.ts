/** TLS for both directions: 1.2 or newer (X5), certificates by SNI, server certificates verified against the XMPP domain. */
import { isIP, type Socket } from 'node:net';
import {
  checkServerIdentity,
  connect,
  createSecureContext,
  type PeerCertificate,
  type SecureContext,
  TLSSocket,
} from 'node:tls';
import { domainToASCII } from 'node:url';
import { passRoute } from './proxied.ts';

/** Protocol name of direct TLS, XEP-0368 section 3. */
export const ALPN_CLIENT = 'xmpp-client';

export const MIN_VERSION = 'TLSv1.2';

/** Chooses what is shown to a client; certificates.ts has one. */
export interface ServerTls {
  readonly side: 'server';
  /** For a client that names no host, or none that is known. Asked anew for each connection. */
  defaultContext(): SecureContext;
  /** For the host of the client's SNI. */
  contextFor(servername: string): SecureContext | undefined;
}

/** How the other side of a connection that we opened is verified. */
export interface ClientTls {
  readonly side: 'client';
  readonly context: SecureContext;
  /** Names of which the certificate must have one, the first also goes into SNI (unless it is an IP address). */
  readonly names: readonly string[];
  /** False: any certificate is taken. */
  readonly verify: boolean;
}

export type TlsContext = ServerTls | ClientTls;

export interface SecureOptions {
  readonly timeoutMs: number;
  /** ALPN protocols: offered by a client; a server takes these, or a client that offers none at all. */
  readonly alpn?: readonly string[];
}

/** A context for connections to servers: the system's certificate authorities, or those of `ca` (PEM) alone. */
export function clientContext(ca?: string | Buffer): SecureContext {
  return createSecureContext({ minVersion: MIN_VERSION, ...(ca === undefined ? {} : { ca }) });
}

/** What `tls.connect` and ws need to know. */
export function clientOptions(tls: ClientTls) {
  const name = tls.names[0] ?? '';
  return {
    secureContext: tls.context,
    servername: isIP(name) ? '' : domainToASCII(name),
    rejectUnauthorized: tls.verify,
    checkServerIdentity: (_: string, certificate: PeerCertificate) => mismatch(tls.names, certificate),
  };
}

/**
 * TLS on a connected socket that nobody else reads from any more; encrypted bytes that it has read already are used.
 * Rejects when the handshake fails or takes too long; the socket is destroyed then.
 */
export function secure(socket: Socket, tls: TlsContext, options: SecureOptions): Promise<TLSSocket> {
  const secured = tls.side === 'server' ? serverSocket(socket, tls, options) : clientSocket(socket, tls, options);
  const event = tls.side === 'server' ? 'secure' : 'secureConnect';
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => settle(new Error('TLS handshake timed out')), options.timeoutMs);
    const onSecure = () => settle();
    const onError = (error: Error) => settle(error);
    const onClose = () => settle(new Error('connection closed during the TLS handshake'));
    const settle = (error?: Error) => {
      clearTimeout(timer);
      secured.off(event, onSecure);
      secured.off('error', onError);
      secured.off('close', onClose);
      if (error === undefined) {
        passRoute(socket, secured);
        return resolve(secured);
      }
      secured.on('error', ignore);
      secured.destroy();
      socket.destroy();
      reject(error);
    };
    secured.on(event, onSecure);
    secured.on('error', onError);
    secured.on('close', onClose);
  });
}

function serverSocket(socket: Socket, tls: ServerTls, options: SecureOptions): TLSSocket {
  return new TLSSocket(socket, {
    isServer: true,
    secureContext: tls.defaultContext(),
    SNICallback: (servername, done) => done(null, tls.contextFor(servername)),
    ...alpn(options),
  });
}

function clientSocket(socket: Socket, tls: ClientTls, options: SecureOptions): TLSSocket {
  return connect({ socket, ...clientOptions(tls), ...alpn(options) });
}

function alpn(options: SecureOptions): { ALPNProtocols?: string[] } {
  return options.alpn === undefined ? {} : { ALPNProtocols: [...options.alpn] };
}

/** Undefined when the certificate has one of the names; else why it has not the first (RFC 6125; DNS names only). */
function mismatch(names: readonly string[], certificate: PeerCertificate): Error | undefined {
  let first: Error | undefined;
  for (const name of names) {
    const error = checkServerIdentity(isIP(name) ? name : domainToASCII(name), certificate);
    if (error === undefined) return undefined;
    first ??= error;
  }
  return first ?? new Error('no name to verify');
}

function ignore(): void {}
