/**
 * Listens for clients that come by WebSocket (RFC 7395), and tells web clients where to come (XEP-0156). Every other HTTP
 * request is turned away.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { WebSocketServer } from 'ws';
import { addressOf } from './addresses.ts';
import { forwardedClient } from './balancers.ts';
import type { Certificates } from './certificates.ts';
import type { LegContext, RefusalReason } from './context.ts';
import { answerHostMeta } from './host-meta.ts';
import { believeHeaders, closed, type Listener, type ListenOptions, open, refused } from './listen-tcp.ts';
import { clientAddressOf, routeOf, stateRoute, takeOver } from './proxied.ts';
import { secure } from './tls.ts';
import { LegWebSocket, SUBPROTOCOL, WEBSOCKET_OPTIONS, WsLeg } from './ws-leg.ts';

export interface ListenWsOptions extends ListenOptions {
  /** Path of the endpoint, such as `/xmpp-websocket`. */
  readonly path: string;
  /** `wss` and `https` with these certificates. */
  readonly tls?: Certificates | undefined;
  /**
   * The endpoint as clients reach it, for host-meta: `wss://...`. Absent: made from the request's Host header, with `wss` on
   * TLS and behind a trusted balancer that says so.
   */
  readonly url?: string | undefined;
  /** Believes `X-Forwarded-Proto`: only a balancer can reach this listener. */
  readonly trusted?: boolean | undefined;
}

/** Resolves when the port is open; rejects with the system's error otherwise. */
export async function listenWs(options: ListenWsOptions): Promise<Listener> {
  const { tls, context } = options;
  const server = createServer(serverOptions(context));
  const webSockets = new WebSocketServer({
    ...WEBSOCKET_OPTIONS,
    noServer: true,
    clientTracking: false,
    maxPayload: context.limits.stanzaBytes,
    handleProtocols: () => SUBPROTOCOL,
    WebSocket: LegWebSocket,
  });
  server.on('connection', (socket: Socket) => admit(socket, options));
  server.on('request', (request: IncomingMessage, response: ServerResponse) => onRequest(request, response, options));
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) =>
    onUpgrade(request, socket as Socket, head, webSockets, options),
  );
  if (tls !== undefined) expectTls(server, tls, context);
  believeHeaders(server, 'websocket', options);
  const { host, port } = await open(server, options);
  const close = async (): Promise<void> => {
    await closed(server);
    server.closeIdleConnections();
  };
  return { kind: 'websocket', host, port, close };
}

type Upgrader = InstanceType<typeof WebSocketServer<typeof LegWebSocket>>;

/** From here on the server's connections are encrypted ones, with the certificates as they are at that time. */
function expectTls(server: Server, tls: Certificates, context: LegContext): void {
  takeOver(server, async (socket, admitted) => {
    const timeoutMs = context.limits.handshakeTimeoutMs;
    let secured: Socket;
    try {
      secured = await secure(socket, tls, { timeoutMs, alpn: ['http/1.1'] });
    } catch (error) {
      refused(context, 'websocket', 'tls-handshake', clientAddressOf(socket), error);
      return;
    }
    admitted(secured);
  });
}

function serverOptions(context: LegContext) {
  const { handshakeTimeoutMs } = context.limits;
  return {
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: context.keepAliveMs,
    headersTimeout: handshakeTimeoutMs,
    requestTimeout: handshakeTimeoutMs,
    connectionsCheckingInterval: Math.min(5_000, handshakeTimeoutMs),
    maxHeaderSize: 16 * 1024,
  };
}

/** Connections beyond their address's share; they are told so when they ask for something. */
const REFUSED = Symbol('refused');

interface CountedSocket extends Socket {
  [REFUSED]?: boolean;
}

function admit(socket: CountedSocket, { context, balancers }: ListenOptions): void {
  const address = clientAddressOf(socket);
  // A balancer speaks for many; whom it names is counted when that is known.
  if (balancers?.has(address) !== true && !context.addresses.admit(socket, address)) socket[REFUSED] = true;
}

/** Whom a balancer's request is made for, by its own word; with a PROXY header in front that has said it already. */
function noteForwarded(request: IncomingMessage, socket: CountedSocket, options: ListenWsOptions): void {
  const { balancers, proxyProtocol, context } = options;
  const peer = addressOf(socket);
  if (balancers === undefined || proxyProtocol === true || !balancers.has(peer)) return;
  // Node joins several headers of this name into one list.
  const address = forwardedClient(String(request.headers['x-forwarded-for'] ?? ''), peer, balancers);
  if (address === peer) return;
  stateRoute(socket, { ...routeOf(socket), source: { address, port: 0 } });
  if (!context.addresses.admit(socket, address)) socket[REFUSED] = true;
}

function onRequest(request: IncomingMessage, response: ServerResponse, options: ListenWsOptions): void {
  const { context } = options;
  if ((request.socket as CountedSocket)[REFUSED]) {
    refused(context, 'websocket', 'address-limit', clientAddressOf(request.socket));
    response.writeHead(429, { Connection: 'close', 'Retry-After': '60' }).end('Too many connections\n');
  } else if (answerHostMeta(request, response, endpointOf(request, options))) {
    context.log.debug({ remoteAddress: clientAddressOf(request.socket), path: request.url }, 'host-meta');
  } else if (pathOf(request) === options.path) {
    const headers = { Connection: 'Upgrade', Upgrade: 'websocket', 'Content-Type': 'text/plain' };
    response.writeHead(426, headers).end('This is an XMPP endpoint for WebSocket clients (RFC 7395)\n');
  } else response.writeHead(404, { 'Content-Type': 'text/plain' }).end('Nothing here\n');
}

function onUpgrade(
  request: IncomingMessage,
  socket: CountedSocket,
  head: Buffer,
  webSockets: Upgrader,
  options: ListenWsOptions,
): void {
  const { context } = options;
  noteForwarded(request, socket, options);
  const remoteAddress = clientAddressOf(socket);
  const refusal = refusalOf(request, socket, options);
  if (refusal !== undefined) {
    refused(context, 'websocket', refusal, remoteAddress);
    socket.on('error', () => {});
    socket.once('finish', () => socket.destroy());
    socket.end(`HTTP/1.1 ${STATUS[refusal]}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
    return;
  }
  webSockets.handleUpgrade(request, socket, head, (webSocket) => {
    context.metrics.connectionsAccepted.inc({ kind: 'websocket' });
    const encrypted = options.tls !== undefined;
    options.accept(new WsLeg({ webSocket, socket, role: 'accepted', context, remoteAddress, encrypted }));
  });
}

type UpgradeRefusal = Exclude<RefusalReason, 'tls-handshake' | `proxy-${string}`>;

const STATUS: Record<UpgradeRefusal, string> = {
  'address-limit': '429 Too Many Requests',
  'bad-path': '404 Not Found',
  'bad-upgrade': '400 Bad Request',
  'bad-subprotocol': '400 Bad Request',
};

/** Why a request to upgrade is turned away. Both sides MUST name the subprotocol, RFC 7395 section 3.1. */
function refusalOf(
  request: IncomingMessage,
  socket: CountedSocket,
  options: ListenWsOptions,
): UpgradeRefusal | undefined {
  if (socket[REFUSED]) return 'address-limit';
  if (pathOf(request) !== options.path) return 'bad-path';
  if (request.headers.upgrade?.toLowerCase() !== 'websocket') return 'bad-upgrade';
  return offersXmpp(request) ? undefined : 'bad-subprotocol';
}

function offersXmpp(request: IncomingMessage): boolean {
  const offered = request.headers['sec-websocket-protocol'] ?? '';
  return offered.split(',').some((name) => name.trim() === SUBPROTOCOL);
}

function pathOf(request: IncomingMessage): string {
  return (request.url ?? '').split('?')[0] ?? '';
}

function endpointOf(request: IncomingMessage, options: ListenWsOptions): string {
  if (options.url !== undefined) return options.url;
  const isForwardedTls = options.trusted === true && request.headers['x-forwarded-proto'] === 'https';
  const scheme = options.tls !== undefined || isForwardedTls ? 'wss' : 'ws';
  const host = request.headers.host ?? '';
  return `${scheme}://${HOST.test(host) ? host : 'localhost'}${options.path}`;
}

/** Goes into a document: nothing but a name or an address, with a port. */
const HOST = /^(?:[a-z0-9.-]+|\[[0-9a-f:.]+\])(?::\d{1,5})?$/i;
