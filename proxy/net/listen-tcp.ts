/** Listens for clients on TCP: plain with STARTTLS to come (RFC 6120), direct TLS (XEP-0368), or plain for good. */
import { createServer, type Server, type Socket } from 'node:net';
import { streamError } from '../xml/build.ts';
import { NS } from '../xml/names.ts';
import type { LegContext, RefusalReason } from './context.ts';
import type { Leg, LegKind } from './leg.ts';
import { type BehindBalancers, clientAddressOf, expectHeaders } from './proxied.ts';
import { TcpLeg } from './tcp-leg.ts';
import { ALPN_CLIENT, type ServerTls, secure } from './tls.ts';

export interface ListenOptions extends BehindBalancers {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  readonly context: LegContext;
  /** Called for each new connection; must set the leg's handler before it returns. */
  readonly accept: (leg: Leg) => void;
}

export interface ListenTcpOptions extends ListenOptions {
  /** Direct TLS with these certificates. Absent: plain; whether STARTTLS is offered is the owner's business. */
  readonly directTls?: ServerTls | undefined;
}

/** A port that is open. */
export interface Listener {
  readonly kind: LegKind;
  readonly host: string;
  /** The real one, where 0 was asked for. */
  readonly port: number;
  /** Takes no new connections; legs that exist stay. Resolves when the port is free again. */
  close(): Promise<void>;
}

/** Resolves when the port is open; rejects with the system's error otherwise. */
export async function listenTcp(options: ListenTcpOptions): Promise<Listener> {
  const { context } = options;
  const settings = {
    allowHalfOpen: true,
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: context.keepAliveMs,
  };
  const server = createServer(settings, (socket) => onConnection(socket, options));
  believeHeaders(server, 'tcp', options);
  const { host, port } = await open(server, options);
  return { kind: 'tcp', host, port, close: () => closed(server) };
}

/** Where a listener wants PROXY headers, its connections begin behind them. */
export function believeHeaders(server: Server, kind: LegKind, options: ListenOptions): void {
  const { balancers, proxyProtocol, context } = options;
  if (proxyProtocol !== true || balancers === undefined) return;
  expectHeaders(server, context, balancers, (reason, address) => refused(context, kind, reason, address));
}

/** Opens the port, and logs what goes wrong with it later. */
export async function open(server: Server, options: ListenOptions): Promise<{ host: string; port: number }> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host: options.host, port: options.port }, () => {
      server.off('error', reject);
      resolve();
    });
  });
  server.on('error', (error) => options.context.log.error({ error, port: options.port }, 'listener'));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('listening on no port');
  return { host: address.address, port: address.port };
}

/** Not the end of the connections, which Node's own `close` waits for: the port is free at once. */
export function closed(server: Server): Promise<void> {
  server.close();
  return new Promise((resolve) => setImmediate(resolve));
}

function onConnection(socket: Socket, options: ListenTcpOptions): void {
  const { context, directTls } = options;
  const remoteAddress = clientAddressOf(socket);
  // A balancer's own connections (health checks) are not a client's.
  const isClient = options.balancers?.has(remoteAddress) !== true;
  if (isClient && !context.addresses.admit(socket, remoteAddress)) {
    refused(context, 'tcp', 'address-limit', remoteAddress);
    sayNo(socket, directTls === undefined ? TOO_MANY : '');
  } else if (directTls === undefined) accept(socket, remoteAddress, options);
  else void acceptTls(socket, remoteAddress, directTls, options);
}

function accept(socket: Socket, remoteAddress: string, options: ListenTcpOptions): void {
  const { context, directTls } = options;
  context.metrics.connectionsAccepted.inc({ kind: 'tcp' });
  const encrypted = directTls !== undefined;
  const leg = new TcpLeg({ socket, role: 'accepted', context, remoteAddress, encrypted });
  options.accept(leg);
}

async function acceptTls(socket: Socket, address: string, tls: ServerTls, options: ListenTcpOptions): Promise<void> {
  const { context } = options;
  try {
    const secured = await secure(socket, tls, { timeoutMs: context.limits.handshakeTimeoutMs, alpn: [ALPN_CLIENT] });
    accept(secured, address, options);
  } catch (error) {
    refused(context, 'tcp', 'tls-handshake', address, error);
  }
}

/** Counts a connection that was turned away (X6). */
export function refused(
  context: LegContext,
  kind: LegKind,
  reason: RefusalReason,
  remoteAddress: string,
  error?: unknown,
): void {
  context.metrics.connectionsRefused.inc({ kind, reason });
  const fields = { kind, reason, remoteAddress, ...(error === undefined ? {} : { error }) };
  // Balancers connect every second or so, only to see that somebody is there.
  context.log[reason === 'proxy-missing' ? 'debug' : 'info'](fields, 'connection refused');
}

/** Reads on for a moment, so that the peer gets to see the reason and no reset. */
function sayNo(socket: Socket, text: string): void {
  socket.on('error', () => {});
  socket.on('end', () => socket.destroy());
  // Not the socket's own time-out: a byte now and then would hold it off for ever.
  const timer = setTimeout(() => socket.destroy(), REFUSAL_MS).unref();
  socket.once('close', () => clearTimeout(timer));
  socket.resume();
  socket.end(text);
}

const REFUSAL_MS = 2_000;

const TOO_MANY =
  `<?xml version='1.0'?><stream:stream xmlns='${NS.client}' xmlns:stream='${NS.streams}' version='1.0'>` +
  `${streamError('policy-violation', 'Too many connections from this address')}</stream:stream>`;
