/** A leg over WebSocket, RFC 7395: each stanza is one text message, the stream is opened and closed by `<open/>` and `<close/>`. */
import type { Socket } from 'node:net';
import { type RawData, WebSocket } from 'ws';
import { attributesText } from '../xml/build.ts';
import { bridge } from '../xml/edit.ts';
import { NS } from '../xml/names.ts';
import type { Stanza } from '../xml/stanza.ts';
import { BaseLeg, type BaseLegOptions } from './base-leg.ts';
import { LegError } from './leg.ts';
import { routeOf } from './proxied.ts';
import type { Route } from './proxy-header.ts';
import { standalone } from './standalone.ts';

/** Subprotocol of RFC 7395 section 3.1. */
export const SUBPROTOCOL = 'xmpp';

/** Options that both roles pass to ws. Invalid UTF-8 is found by the framer, which checks every byte anyway. */
export const WEBSOCKET_OPTIONS = { perMessageDeflate: false, skipUTF8Validation: true } as const;

/** A WebSocket that knows its leg. */
export class LegWebSocket extends WebSocket {
  leg: WsLeg | undefined;

  /**
   * Also called by ws itself, with 1009, when a message exceeds `maxPayload`: the last moment at which a stream error can
   * still be sent.
   */
  override close(code?: number, reason?: string | Buffer): void {
    if (code === TOO_BIG && this.readyState === WebSocket.OPEN) this.leg?.onOversize();
    super.close(code, reason);
  }
}

export interface WsLegOptions extends BaseLegOptions {
  /** Open, with the subprotocol agreed. */
  readonly webSocket: LegWebSocket;
  /** The socket below it. */
  readonly socket: Socket;
  readonly encrypted: boolean;
}

export class WsLeg extends BaseLeg {
  readonly kind = 'websocket';
  readonly encrypted: boolean;
  readonly #webSocket: LegWebSocket;
  readonly #socket: Socket;
  #isCorked = false;
  /** The kernel did not take all at the last try. */
  #isStuck = false;
  #closeCode = NORMAL;
  #pingedAt = -1;

  constructor(options: WsLegOptions) {
    super('websocket', options);
    const { webSocket, socket } = options;
    this.encrypted = options.encrypted;
    this.#webSocket = webSocket;
    this.#socket = socket;
    webSocket.leg = this;
    webSocket.on('message', onMessage);
    webSocket.on('ping', onSign);
    webSocket.on('pong', onSign);
    webSocket.on('error', onError);
    webSocket.on('close', onClose);
    (socket as BelowLeg)[LEG] = this;
    socket.on('drain', onDrain);
    socket.on('error', onSocketError);
  }

  get route(): Route {
    return routeOf(this.#socket);
  }

  get declared(): 'websocket' {
    return 'websocket';
  }

  get backlog(): number {
    return this.#socket.writableLength;
  }

  header(attributes: Readonly<Record<string, string | undefined>>): void {
    this.isHeaderSent = true;
    this.write(Buffer.from(`<open xmlns='${NS.framing}'${attributesText(attributes)}/>`));
  }

  forward(stanza: Stanza): void {
    this.write(bridge(stanza, 'websocket') ?? stanza.bytes);
  }

  send(xml: string | Buffer): void {
    this.write(standalone(xml));
  }

  write(bytes: Buffer): void {
    if (this.phase !== 'open' || this.#webSocket.readyState !== WebSocket.OPEN) {
      this.dropLate();
      return;
    }
    if (!this.#isCorked) {
      this.#isCorked = true;
      this.#socket.cork();
      process.nextTick(uncork, this);
    }
    // What has to wait is copied: a reference to a small stanza would keep the whole chunk around it alive.
    this.#webSocket.send(this.#isStuck ? Buffer.from(bytes) : bytes, TEXT);
    this.countSent(bytes.length);
    if (this.#socket.writableLength > this.context.highWaterBytes) {
      this.uncork();
      this.checkHighWater(bytes.length);
    }
  }

  startTls(): Promise<void> {
    return Promise.reject(new LegError('TLS', 'STARTTLS does not exist on a WebSocket, RFC 7395 section 3.9'));
  }

  sweep(now: number): void {
    this.checkSilence(now);
    if (this.phase !== 'open' || this.checkStall(now, this.#socket) || this.isPaused) return;
    const { pingMs, idleMs } = this.context.limits;
    const silence = now - this.lastActivity;
    if (silence >= idleMs) this.fail('IDLE', 'no sign of life from the peer');
    else if (silence >= pingMs && this.#pingedAt < this.lastActivity) {
      this.#pingedAt = now;
      this.#webSocket.ping();
    }
  }

  protected sendClose(): void {
    this.write(CLOSE);
  }

  protected shut(): void {
    this.#webSocket.close(this.#closeCode);
  }

  protected kill(): void {
    this.uncork();
    this.#webSocket.terminate();
  }

  protected setReading(isReading: boolean): void {
    if (isReading) this.#webSocket.resume();
    else this.#webSocket.pause();
  }

  onMessage(data: RawData, isBinary: boolean): void {
    if (!isBinary) {
      this.receive(data as Buffer);
      return;
    }
    this.context.metrics.violations.inc({ condition: 'binary-frame' });
    this.failure ??= new LegError('BINARY_FRAME', 'the peer sent a binary message');
    this.#closeWithoutWords(UNSUPPORTED_DATA);
  }

  /** A message that is longer than anything we read, RFC 7395 section 3.8 leaves the limit to us. */
  onOversize(): void {
    if (this.#closeCode === TOO_BIG) return;
    this.#closeCode = TOO_BIG;
    const extra = `<stanza-too-big xmlns='${NS.xmppErrors}'/>`;
    this.receivedViolation({ condition: 'policy-violation', text: 'XML stanza is too big', extra });
  }

  onSign(): void {
    this.lastActivity = this.context.now();
  }

  onDrain(): void {
    this.#isStuck = false;
    this.checkLowWater();
  }

  /** The peer broke RFC 6455; ws has sent the close code for it. */
  onProtocolError(error: Error): void {
    if (this.phase !== 'open') return;
    this.context.metrics.violations.inc({ condition: 'websocket-protocol' });
    this.noteError(error);
    this.#closeWithoutWords(NORMAL);
  }

  onSocketError(error: Error): void {
    this.noteError(error);
  }

  onClose(): void {
    if (this.#socket.writableLength > 0) this.context.metrics.drops.inc({ reason: 'leg-closed' });
    this.#webSocket.leg = undefined;
    this.finish();
  }

  uncork(): void {
    if (!this.#isCorked) return;
    this.#isCorked = false;
    this.#socket.uncork();
    this.#isStuck = this.#socket.writableLength > 0;
  }

  #closeWithoutWords(code: number): void {
    this.turnDeaf();
    this.#closeCode = code;
    this.isHeaderSent = false;
    this.end();
  }
}

const TEXT = { binary: false };
const CLOSE = Buffer.from(`<close xmlns='${NS.framing}'/>`);

// Close codes of RFC 6455 section 7.4.1.
const NORMAL = 1000;
const UNSUPPORTED_DATA = 1003;
const TOO_BIG = 1009;

const LEG = Symbol('leg');

interface BelowLeg extends Socket {
  [LEG]?: WsLeg;
}

function uncork(leg: WsLeg): void {
  leg.uncork();
}

// One set of listeners for all WebSockets: closures would cost more than the leg.

function onMessage(this: WebSocket, data: RawData, isBinary: boolean): void {
  (this as LegWebSocket).leg?.onMessage(data, isBinary);
}

function onSign(this: WebSocket): void {
  (this as LegWebSocket).leg?.onSign();
}

function onError(this: WebSocket, error: Error): void {
  (this as LegWebSocket).leg?.onProtocolError(error);
}

function onClose(this: WebSocket): void {
  (this as LegWebSocket).leg?.onClose();
}

function onDrain(this: BelowLeg): void {
  this[LEG]?.onDrain();
}

function onSocketError(this: BelowLeg, error: Error): void {
  this[LEG]?.onSocketError(error);
}
