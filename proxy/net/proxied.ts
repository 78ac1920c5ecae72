/** Listeners behind a balancer that says by the PROXY protocol for whom it speaks (S4). */
import type { Server, Socket } from 'node:net';
import { addressOf, plainAddress } from './addresses.ts';
import type { Balancers } from './balancers.ts';
import type { LegContext, RefusalReason } from './context.ts';
import { parseProxyHeader, type Route } from './proxy-header.ts';

/** Whom to believe, and how. Absent fields: nobody. */
export interface BehindBalancers {
  /** Whose word counts: for the PROXY protocol, and on a WebSocket without it for `X-Forwarded-For`. */
  readonly balancers?: Balancers | undefined;
  /** Every connection must begin with a PROXY header. */
  readonly proxyProtocol?: boolean | undefined;
}

const ROUTE = Symbol('route');

interface RoutedSocket extends Socket {
  [ROUTE]?: Route;
}

/** From here on the socket's client is who a balancer says. */
export function stateRoute(socket: RoutedSocket, route: Route): void {
  socket[ROUTE] = route;
}

/** Gives a socket that lies above another (TLS) what was said about that. */
export function passRoute(from: RoutedSocket, to: RoutedSocket): void {
  const route = from[ROUTE];
  if (route !== undefined) to[ROUTE] = route;
}

/** Both ends of the connection of a socket's client: as a balancer has stated them, else as the socket knows its own. */
export function routeOf(socket: RoutedSocket): Route {
  const stated = socket[ROUTE];
  if (stated !== undefined) return stated;
  return {
    source: { address: plainAddress(socket.remoteAddress ?? ''), port: socket.remotePort ?? 0 },
    destination: { address: plainAddress(socket.localAddress ?? ''), port: socket.localPort ?? 0 },
  };
}

/** The client's address: as a balancer has stated it, else the peer's. */
export function clientAddressOf(socket: RoutedSocket): string {
  return socket[ROUTE]?.source.address ?? addressOf(socket);
}

/** From here on the listeners that the server has for `connection` hear only of sockets that are handed to `admitted`. */
export function takeOver(
  server: Server,
  decide: (socket: Socket, admitted: (socket: Socket) => void) => void | Promise<void>,
): void {
  const listeners = server.listeners('connection');
  server.removeAllListeners('connection');
  const admitted = (socket: Socket): void => {
    for (const listener of listeners) listener.call(server, socket);
  };
  server.on('connection', (socket: Socket) => void decide(socket, admitted));
}

/**
 * From here on the server's connections begin behind a PROXY header that has been read and believed. Others are closed
 * without a word, and `refuse` is told why.
 */
export function expectHeaders(
  server: Server,
  { limits }: Pick<LegContext, 'limits'>,
  balancers: Balancers,
  refuse: (reason: RefusalReason, remoteAddress: string) => void,
): void {
  takeOver(server, (socket, admitted) => {
    const remoteAddress = addressOf(socket);
    if (!balancers.has(remoteAddress)) {
      // Without an address: gone already, as balancers do that only look whether somebody is there.
      refuse(remoteAddress === '' ? 'proxy-missing' : 'proxy-untrusted', remoteAddress);
      socket.on('error', () => {}).destroy();
      return;
    }
    readHeader(socket, limits.handshakeTimeoutMs, (route) => {
      if (typeof route === 'string') {
        refuse(route, remoteAddress);
        socket.destroy();
        return;
      }
      if (route !== undefined) stateRoute(socket, route);
      admitted(socket);
    });
  });
}

type Refused = Extract<RefusalReason, `proxy-${string}`>;

/** Calls back once, within the time. Who takes the socket then, and at once, gets what comes behind the header. */
function readHeader(socket: Socket, timeoutMs: number, done: (route: Route | undefined | Refused) => void): void {
  let seen: Buffer = Buffer.alloc(0);
  const onTime = (): void => finish('proxy-timeout');
  const timer = setTimeout(onTime, timeoutMs);
  // The listener for errors stays: one without any would end the process.
  socket.on('error', ignore).on('data', onData).on('end', onEnd).on('close', onEnd);

  function onData(chunk: Buffer): void {
    seen = seen.length === 0 ? chunk : Buffer.concat([seen, chunk]);
    const header = parseProxyHeader(seen);
    if (header === 'incomplete') return;
    if (header === 'malformed') {
      finish('proxy-malformed');
      return;
    }
    stop();
    done(header.route);
    // Not before somebody has taken the socket: it flows, and what nobody takes is lost.
    if (seen.length > header.length && !socket.destroyed) socket.unshift(seen.subarray(header.length));
  }

  function onEnd(): void {
    finish(seen.length === 0 ? 'proxy-missing' : 'proxy-malformed');
  }

  function finish(reason: Refused): void {
    stop();
    done(reason);
  }

  function stop(): void {
    clearTimeout(timer);
    socket.off('data', onData).off('end', onEnd).off('close', onEnd);
  }
}

function ignore(): void {}
