/** The transports of the test client: text of a stream in and out, over TCP, TLS or WebSocket. */
import { connect as connectTcp, type Socket } from 'node:net';
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from 'node:tls';
import { type RawData, WebSocket } from 'ws';

export interface WireHandler {
  /** Text that arrived: any piece of a stream on TCP, one whole message on a WebSocket. */
  text(text: string): void;
  /** The connection is gone, for whatever reason. Called once. */
  closed(reason: string): void;
}

/** A connection without any knowledge of XMPP. */
export interface Wire {
  readonly kind: 'tcp' | 'websocket';
  handler: WireHandler;
  write(data: string | Buffer): void;
  /** Ends the connection in good order (FIN, or a closing frame). */
  fin(): void;
  /** Ends it at once by RST; what was not read before is lost. */
  drop(): void;
  /** Stops and restarts reading from the kernel, to play a client that is stuck. */
  pause(): void;
  resume(): void;
  /** Turns a plain connection into TLS. TCP only. */
  startTls(options: ConnectionOptions): Promise<void>;
}

const nobody: WireHandler = { text: () => {}, closed: () => {} };
/** The servers' certificates are self-signed; tests of the proxy's own pass stricter options. */
const lenient: ConnectionOptions = { rejectUnauthorized: false, servername: 'localhost' };

/** Connects by TCP; `tls` makes it direct TLS. Rejects when refused. */
export async function dialTcp(port: number, address = '127.0.0.1', tls?: ConnectionOptions | true): Promise<Wire> {
  const raw = connectTcp({ port, host: address, noDelay: true });
  let lastError = '';
  const secured = async (more: ConnectionOptions): Promise<TLSSocket> => {
    const layer = connectTls({ ...lenient, ...more, socket: raw });
    layer.on('error', noteError);
    await opened(layer, 'secureConnect');
    return layer;
  };
  const noteError = (error: Error) => {
    lastError = error.message;
  };
  raw.on('error', noteError);
  await opened(raw, 'connect');
  const options = tls === true ? {} : tls;
  let socket: Socket | TLSSocket = options ? await secured({ ALPNProtocols: ['xmpp-client'], ...options }) : raw;
  const wire: Wire = {
    kind: 'tcp',
    handler: nobody,
    write: (data) => void socket.write(data),
    fin: () => void socket.end(),
    // Once its end is on the way, a reset connection would never be told to be closed (Node.js 20).
    drop: () => void (raw.writableEnded ? raw.destroy() : raw.resetAndDestroy()),
    pause: () => void socket.pause(),
    resume: () => void socket.resume(),
    async startTls(more) {
      detach();
      socket = await secured(more);
      attach();
    },
  };
  let detach = () => {};
  const attach = () => {
    const decoder = new TextDecoder('utf-8', { fatal: true });
    const onData = (chunk: Buffer) => wire.handler.text(decoder.decode(chunk, { stream: true }));
    socket.on('data', onData);
    detach = () => void socket.removeListener('data', onData);
  };
  raw.once('close', () => wire.handler.closed(lastError || 'closed'));
  attach();
  return wire;
}

/** Connects a WebSocket with the subprotocol `xmpp`. */
export async function dialWebSocket(url: string, tls: ConnectionOptions = {}, headers = {}): Promise<Wire> {
  const socket = new WebSocket(url, 'xmpp', { ...lenient, ...tls, headers, perMessageDeflate: false });
  let lastError = '';
  await new Promise<void>((resolve, reject) => {
    socket.once('open', resolve);
    socket.once('error', reject);
  });
  const raw = (socket as unknown as { _socket: Socket & { _parent?: Socket } })._socket;
  const wire: Wire = {
    kind: 'websocket',
    handler: nobody,
    write: (data) => socket.send(data.toString()),
    fin: () => socket.close(1000),
    drop() {
      // What a client that is stuck has not read is lost with the connection; ws would still hand it over.
      if (socket.isPaused) socket.removeListener('message', onMessage);
      // Once its end is on the way, a reset connection would never be told to be closed (Node.js 20).
      if ('encrypted' in raw || raw.writableEnded) raw.destroy();
      else raw.resetAndDestroy();
    },
    pause: () => socket.pause(),
    resume: () => socket.resume(),
    startTls: () => Promise.reject(new Error('no STARTTLS on a WebSocket')),
  };
  const onMessage = (data: RawData, isBinary: boolean): void => {
    if (isBinary) throw new Error('a binary WebSocket message arrived');
    wire.handler.text(data.toString());
  };
  socket.on('message', onMessage);
  socket.on('error', (error) => {
    lastError = error.message;
  });
  socket.on('close', (code) => wire.handler.closed(lastError || `closed with code ${code}`));
  return wire;
}

async function opened(socket: Socket, event: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const fail = (error?: Error) => reject(error ?? new Error(`closed before ${event}`));
    socket.once('error', fail);
    socket.once('close', fail);
    socket.once(event, () => {
      socket.removeListener('error', fail);
      socket.removeListener('close', fail);
      resolve();
    });
  });
}
