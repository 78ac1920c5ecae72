/**
 * A leg over TCP, with TLS or without. Reads by the socket's own 'data' events; what is sent in one turn of the event loop
 * leaves in one system call.
 */
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { attributesText } from '../xml/build.ts';
import { USUAL_DECLARATIONS } from '../xml/declarations.ts';
import { bridge } from '../xml/edit.ts';
import { NS } from '../xml/names.ts';
import type { Declarations, Stanza } from '../xml/stanza.ts';
import { BaseLeg, type BaseLegOptions } from './base-leg.ts';
import { LegError } from './leg.ts';
import { Outbox } from './outbox.ts';
import { PlainTextTrap } from './plain-text-trap.ts';
import { routeOf } from './proxied.ts';
import type { Route } from './proxy-header.ts';
import { type ClientTls, secure, type TlsContext } from './tls.ts';

export interface TcpLegOptions extends BaseLegOptions {
  /** Connected, `allowHalfOpen`, nothing read from it yet. */
  readonly socket: Socket;
  /** `socket` is a TLSSocket. */
  readonly encrypted: boolean;
  /** For `startTls` without a context. */
  readonly clientTls?: ClientTls | undefined;
}

export class TcpLeg extends BaseLeg {
  readonly kind = 'tcp';
  #socket: Socket;
  readonly #outbox = new Outbox();
  #declared: Declarations = USUAL_DECLARATIONS;
  #clientTls: ClientTls | undefined;
  #encrypted: boolean;
  #isFlushDue = false;
  /** The kernel did not take all at the last try. */
  #isStuck = false;
  #isShutting = false;
  /** A TLS handshake is under way: nothing may be written. */
  #isSecuring = false;
  #lastSent: number;

  constructor(options: TcpLegOptions) {
    super('tcp', options);
    this.#socket = options.socket;
    this.#encrypted = options.encrypted;
    this.#clientTls = options.clientTls;
    this.#lastSent = this.lastActivity;
    attach(options.socket, this);
  }

  get route(): Route {
    return routeOf(this.#socket);
  }

  get encrypted(): boolean {
    return this.#encrypted;
  }

  get declared(): Declarations {
    return this.#declared;
  }

  get backlog(): number {
    return this.#outbox.bytes + this.#socket.writableLength;
  }

  header(attributes: Readonly<Record<string, string | undefined>>, declarations?: Declarations): void {
    this.isHeaderSent = true;
    this.#declared = withOurs(declarations);
    let prefixes = '';
    for (const [prefix, namespace] of this.#declared) {
      if (prefix !== '' && prefix !== 'stream') prefixes += attributesText({ [`xmlns:${prefix}`]: namespace });
    }
    this.send(
      `<?xml version='1.0'?><stream:stream xmlns='${NS.client}' xmlns:stream='${NS.streams}'` +
        `${prefixes}${attributesText(attributes)}>`,
    );
  }

  forward(stanza: Stanza): void {
    const bridged = bridge(stanza, this.#declared);
    if (bridged === undefined) this.#queue(stanza.source, stanza.start, stanza.end);
    else this.#queue(bridged, 0, bridged.length);
  }

  send(xml: string | Buffer): void {
    this.write(typeof xml === 'string' ? Buffer.from(xml) : xml);
  }

  write(bytes: Buffer): void {
    this.#queue(bytes, 0, bytes.length);
  }

  async startTls(context: TlsContext | undefined = this.#clientTls): Promise<void> {
    if (context === undefined) throw new LegError('TLS', 'no certificate for this connection');
    if (this.phase !== 'open') throw new LegError('TLS', 'the connection is closing');
    this.hold();
    // This may have been called by the framer, which must have returned before its rest can be looked at.
    await undefined;
    if (this.#hasPlainTextLeft()) {
      this.context.metrics.violations.inc({ condition: 'policy-violation' });
      this.error({ condition: 'policy-violation', text: 'Plain text behind <starttls/>' });
      throw new LegError('TLS', 'plain text behind <starttls/>');
    }
    this.flush();
    if (this.#socket.writableLength > 0) await written(this.#socket);
    if (this.phase !== 'open') throw new LegError('TLS', 'the connection is closing');
    // From here on the stream in plain text is void for both sides, whatever comes of the handshake.
    this.restart();
    await this.#handshake(context);
    this.release();
  }

  sweep(now: number): void {
    if (this.#isSecuring) return;
    this.checkSilence(now);
    if (this.checkStall(now, this.#socket)) return;
    const { pingMs } = this.context.limits;
    const isSilent = now - this.lastActivity >= pingMs && now - this.#lastSent >= pingMs;
    // White space is allowed between stanzas, RFC 6120 section 4.6.1; all that is queued here are whole elements.
    if (isSilent && this.isHeaderSent && this.phase === 'open') this.write(SPACE);
  }

  protected sendClose(): void {
    this.write(CLOSING_TAG);
  }

  protected shut(): void {
    this.#isShutting = true;
    // Nothing can be said before the handshake is over, and nobody waits for it any more.
    if (this.#isSecuring) this.kill();
    else this.flush();
  }

  protected kill(): void {
    if (!this.#isSecuring && this.failure === undefined) this.flush();
    this.#socket.destroy();
  }

  protected setReading(isReading: boolean): void {
    if (this.#isSecuring) return;
    if (isReading) this.#socket.resume();
    else this.#socket.pause();
  }

  // Socket events.

  onData(chunk: Buffer): void {
    this.receive(chunk);
  }

  /** The peer has closed its side. What it had sent has been handled; so there is nothing left to wait for. */
  onEnd(): void {
    if (this.isDeferred(() => this.onEnd())) return;
    this.isPeerOpen = false;
    if (this.phase !== 'open') this.shut();
    else {
      this.isHeaderSent = false; // a closing tag would only be for somebody who listens
      this.end();
    }
  }

  onDrain(): void {
    this.flush();
    this.checkLowWater();
  }

  onError(error: Error): void {
    if (!this.#isSecuring) this.noteError(error);
  }

  onClose(): void {
    if (this.#outbox.bytes > 0) {
      this.#outbox.clear();
      this.context.metrics.drops.inc({ reason: 'leg-closed' });
    }
    this.finish();
  }

  /** Hands to the socket what it takes without queueing it itself. */
  flush(): void {
    this.#isFlushDue = false;
    if (this.#isSecuring || this.phase === 'closed') return;
    const socket = this.#socket;
    const outbox = this.#outbox;
    const before = outbox.bytes;
    if (before > 0) {
      while (outbox.bytes > 0 && (socket.writableLength === 0 || !socket.writableNeedDrain)) {
        socket.write(outbox.next() as Buffer);
      }
      this.countSent(before - outbox.bytes);
      this.#lastSent = this.context.now();
      const wasStuck = this.#isStuck;
      this.#isStuck = socket.writableLength > 0;
      if (this.#isStuck && !wasStuck && outbox.bytes > 0) outbox.settle();
    }
    if (this.#isShutting && outbox.bytes === 0) socket.end();
  }

  #queue(source: Buffer, start: number, end: number): void {
    if (this.phase !== 'open') {
      this.dropLate();
      return;
    }
    const outbox = this.#outbox;
    if (this.#isStuck) outbox.appendCopy(source, start, end);
    else outbox.append(source, start, end);
    if (outbox.bytes > this.context.highWaterBytes) {
      this.flush();
      this.checkHighWater(end - start);
    } else if (!this.#isFlushDue) {
      this.#isFlushDue = true;
      if (!this.context.turn.add(this)) process.nextTick(flush, this);
    }
  }

  #hasPlainTextLeft(): boolean {
    const owner = this.handler;
    const trap = new PlainTextTrap();
    this.handler = trap;
    this.framer.release();
    this.handler = owner;
    this.framer.hold();
    return trap.isSprung || this.framer.buffered > 0;
  }

  async #handshake(context: TlsContext): Promise<void> {
    const plain = this.#socket;
    detach(plain);
    this.#isSecuring = true;
    let socket: TLSSocket;
    try {
      socket = await secure(plain, context, { timeoutMs: this.context.limits.handshakeTimeoutMs });
    } catch (error) {
      const message = error instanceof Error ? error.message : 'TLS failed';
      this.failure ??= new LegError('TLS', message);
      this.phase = 'ending';
      this.#outbox.clear();
      this.finish();
      throw new LegError('TLS', message);
    }
    this.#isSecuring = false;
    this.#encrypted = true;
    this.#socket = socket;
    this.#isStuck = false;
    attach(socket, this);
    if (this.isPaused) this.setReading(false);
    this.flush();
  }
}

const CLOSING_TAG = Buffer.from('</stream:stream>');
const SPACE = Buffer.from(' ');

/** What our header declares when these are wanted: ours come first, and nobody binds them to something else. */
function withOurs(wanted: Declarations | undefined): Declarations {
  let declared: Map<string, string> | undefined;
  for (const [prefix, namespace] of wanted ?? []) {
    if (prefix === '' || prefix === 'stream' || prefix === 'xml' || prefix === 'xmlns' || namespace === '') continue;
    declared ??= new Map(USUAL_DECLARATIONS);
    declared.set(prefix, namespace);
  }
  return declared ?? USUAL_DECLARATIONS;
}

function flush(leg: TcpLeg): void {
  leg.flush();
}

function written(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    socket.write('', () => resolve());
  });
}

// One set of listeners for all sockets, which find their leg by this property: closures would cost more than the leg.
const LEG = Symbol('leg');

interface LegSocket extends Socket {
  [LEG]?: TcpLeg;
}

function attach(socket: LegSocket, leg: TcpLeg): void {
  socket[LEG] = leg;
  socket.on('data', onData);
  socket.on('end', onEnd);
  socket.on('drain', onDrain);
  socket.on('error', onError);
  socket.on('close', onClose);
}

/** Leaves the listener for errors: below TLS it is the plain socket that tells of a reset. */
function detach(socket: LegSocket): void {
  socket.off('data', onData);
  socket.off('end', onEnd);
  socket.off('drain', onDrain);
  socket.off('close', onClose);
}

function onData(this: LegSocket, chunk: Buffer): void {
  this[LEG]?.onData(chunk);
}

function onEnd(this: LegSocket): void {
  this[LEG]?.onEnd();
}

function onDrain(this: LegSocket): void {
  this[LEG]?.onDrain();
}

function onError(this: LegSocket, error: Error): void {
  this[LEG]?.onError(error);
}

function onClose(this: LegSocket): void {
  this[LEG]?.onClose();
}
