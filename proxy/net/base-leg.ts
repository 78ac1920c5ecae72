/**
 * What TCP and WebSocket legs have in common: the life of a stream from header to close, the causes for not reading, errors.
 * The transports add how bytes come and go.
 */
import { randomUUID } from 'node:crypto';
import type { Socket } from 'node:net';
import { streamError } from '../xml/build.ts';
import { mended } from '../xml/declarations.ts';
import { Framer, type FramerLimits, type Violation } from '../xml/framer.ts';
import type { Declarations, Stanza, StreamHeader } from '../xml/stanza.ts';
import type { LegContext } from './context.ts';
import { Inbound, type Listener } from './inbound.ts';
import type { StreamErrorToSend } from './leg.ts';
import { type Leg, LegError, type LegErrorCode, type LegHandler, type LegKind, type LegRole, SILENT } from './leg.ts';
import type { Watched } from './liveness.ts';
import type { Route } from './proxy-header.ts';
import type { TlsContext } from './tls.ts';

/** `open` until our `end()`; `ending` until the connection is gone. */
type Phase = 'open' | 'ending' | 'closed';

export interface BaseLegOptions {
  readonly role: LegRole;
  readonly context: LegContext;
  readonly remoteAddress: string;
  /** The XMPP domain at the other end of a dialed leg. */
  readonly host?: string | undefined;
}

export abstract class BaseLeg implements Leg, Watched, Listener {
  abstract readonly kind: LegKind;
  abstract readonly encrypted: boolean;
  abstract readonly declared: Declarations | 'websocket';
  abstract readonly backlog: number;
  abstract readonly route: Route;

  readonly id: string;
  readonly role: LegRole;
  readonly remoteAddress: string;
  handler: LegHandler = SILENT;
  lastActivity: number;

  protected readonly context: LegContext;
  protected readonly framer: Framer;
  protected phase: Phase = 'open';
  /** Our header has been sent on the present stream. */
  protected isHeaderSent = false;
  /** The peer's stream is open: we have its header and not yet its closing tag. */
  protected isPeerOpen = false;
  /** Nothing of what the peer sends is looked at any more. */
  protected isDeaf = false;
  protected isCrowded = false;
  /** Why the connection is going, if that is an error. */
  protected failure: Error | undefined;
  #pauses: Set<string> | undefined;
  #excess = 0; // of the stanza that went over the limit of the outbox: it does not count until that has drained
  /** For the sweep: how many bytes the kernel had taken when it was last seen to take any, and when that was. */
  #taken = -1;
  #takenAt = 0;
  /** What waits for the release of a hold. */
  #due: (() => void) | undefined;
  #closeTimer: NodeJS.Timeout | undefined;
  /** The peer owes an answer, and since when. */
  #isAsked = false;
  #askedAt = 0;
  /** What the peer calls us (accepted) or we call the peer (dialed): goes into a header that only carries an error. */
  #host: string | undefined;

  constructor(kind: LegKind, options: BaseLegOptions) {
    const { context, role } = options;
    this.context = context;
    this.role = role;
    this.id = context.nextId(role);
    this.remoteAddress = options.remoteAddress;
    this.#host = options.host;
    this.lastActivity = context.now();
    // A server passes on what others have sent: what it lets through must not cost anybody a stream (M9a).
    const read = role === 'dialed' ? mended : undefined;
    this.framer = new Framer(kind, context.framerLimits, new Inbound(this), read, context.knownTags);
    context.liveness.add(this);
    context.metrics.legs.inc({ role, kind });
  }

  abstract header(attributes: Readonly<Record<string, string | undefined>>, declarations?: Declarations): void;
  abstract forward(stanza: Stanza): void;
  abstract send(xml: string | Buffer): void;
  abstract write(bytes: Buffer): void;
  abstract startTls(context?: TlsContext): Promise<void>;
  abstract sweep(now: number): void;

  /** Queues the closing tag. */
  protected abstract sendClose(): void;
  /** Closes our side of the connection when all that is queued has been taken. */
  protected abstract shut(): void;
  /** Closes the connection at once; leads to `finish`. */
  protected abstract kill(): void;
  protected abstract setReading(isReading: boolean): void;

  get isClosed(): boolean {
    return this.phase === 'closed';
  }

  get congested(): boolean {
    return this.isCrowded;
  }

  error(error: StreamErrorToSend): void {
    if (this.phase !== 'open') return;
    const { condition, text, extra } = error;
    this.context.metrics.streamErrors.inc({ condition, leg: this.role === 'accepted' ? 'downstream' : 'upstream' });
    this.turnDeaf();
    if (!this.isHeaderSent) this.header(this.#errorHeader());
    this.send(streamError(condition, text, extra));
    this.end();
  }

  end(): void {
    if (this.phase !== 'open') return;
    if (this.isHeaderSent) this.sendClose();
    this.phase = 'ending';
    this.#closeTimer = setTimeout(giveUp, this.context.limits.closeTimeoutMs, this);
    if (this.isDeaf || !this.isPeerOpen) this.shut();
    // The peer's close may stand behind what we have not read yet. Not from within this call: it would call the owner back.
    if (this.isPaused) process.nextTick(readOn, this);
  }

  destroy(): void {
    if (this.phase === 'closed') return;
    this.phase = 'ending';
    this.turnDeaf();
    this.kill();
    this.#doDue();
  }

  expectAnswer(): void {
    if (this.#isAsked) return;
    this.#isAsked = true;
    this.#askedAt = this.context.now();
  }

  pause(cause: string): void {
    if (this.phase !== 'open') return;
    this.#pauses ??= new Set();
    if (this.#pauses.size === 0) this.setReading(false);
    this.#pauses.add(cause);
  }

  resume(cause: string): void {
    if (this.#pauses === undefined || !this.#pauses.delete(cause)) return;
    if (this.#pauses.size === 0 && this.phase !== 'closed') this.setReading(true);
  }

  hold(): void {
    if (this.phase !== 'open') return;
    this.framer.hold();
    this.pause(HOLD);
  }

  release(): void {
    try {
      this.framer.release();
    } catch (error) {
      this.#fault(error);
    }
    // What came out of the framer may have made the owner hold again.
    if (this.framer.held) return;
    this.resume(HOLD);
    this.#doDue();
  }

  restart(): void {
    this.isHeaderSent = false;
    this.isPeerOpen = false;
    this.framer.restart();
  }

  setLimits(limits: FramerLimits): void {
    this.framer.limits = limits;
  }

  // What the framer has found.

  receivedHeader(header: StreamHeader): void {
    this.isPeerOpen = true;
    if (this.role === 'accepted') this.#host = header.attributes.get('to') ?? this.#host;
    this.handler.header(header);
  }

  receivedEnd(): void {
    this.isPeerOpen = false;
    this.handler.end();
    if (this.phase === 'ending') this.shut();
  }

  receivedViolation(violation: Violation): void {
    this.context.metrics.violations.inc({ condition: violation.condition });
    this.context.log.info(
      { leg: this.id, role: this.role, remoteAddress: this.remoteAddress, condition: violation.condition },
      'stream violation',
    );
    this.handler.violation(violation);
    if (this.phase === 'open') this.error(violation);
    else if (this.phase === 'ending') {
      this.turnDeaf();
      this.shut();
    }
  }

  /** Only for `process.nextTick` and timers, which call it without a closure. */
  readOn(): void {
    if (this.phase !== 'ending') return;
    this.#pauses = undefined;
    this.release();
    this.setReading(true);
  }

  /** Our time to close is over. */
  giveUp(): void {
    if (this.isPeerOpen && !this.isDeaf) this.fail('CLOSE_TIMEOUT', 'the peer did not close its stream in time');
    else this.destroy();
  }

  // For the transports.

  /** Hands a chunk to the framer. A fault in a handler ends this leg, and no other. */
  protected receive(chunk: Buffer): void {
    const { turn, metrics, now } = this.context;
    const { hot } = metrics;
    if (this.role === 'accepted') hot.bytesInDownstream += chunk.length;
    else hot.bytesInUpstream += chunk.length;
    this.lastActivity = now();
    this.#isAsked = false;
    if (this.isDeaf) return;
    const isOutermost = turn.begin();
    try {
      this.framer.push(chunk);
    } catch (error) {
      this.#fault(error);
    }
    if (isOutermost) turn.end();
  }

  protected countSent(bytes: number): void {
    const { hot } = this.context.metrics;
    if (this.role === 'accepted') hot.bytesOutDownstream += bytes;
    else hot.bytesOutUpstream += bytes;
  }

  /** Counts what the owner sends after the end (X6). */
  protected dropLate(): void {
    this.context.metrics.drops.inc({ reason: 'leg-ended' });
  }

  /** To be called when `size` bytes more have been queued, after what can be sent has been sent. */
  protected checkHighWater(size: number): void {
    const { backlog, context } = this;
    const { outboxBytes } = context.limits;
    // One stanza always fits where what waits before it does: a server may let larger ones through than any outbox is.
    if (backlog > outboxBytes && backlog - size <= outboxBytes) this.#excess = size;
    if (backlog > outboxBytes + this.#excess) {
      if (this.isDeaf) return;
      context.metrics.drops.inc({ reason: 'outbox-overflow' });
      this.fail('OUTBOX_OVERFLOW', 'too much waits for a peer that does not read');
    } else if (backlog > context.highWaterBytes) this.isCrowded = true;
  }

  /** To be called when the kernel has taken something; never from within a call of the owner's. */
  protected checkLowWater(): void {
    if (!this.isCrowded || this.backlog > this.context.lowWaterBytes) return;
    this.isCrowded = false;
    this.#excess = 0;
    try {
      this.handler.drain();
    } catch (error) {
      this.#fault(error);
    }
  }

  /** Nothing is read at present, so the peer's silence means nothing. */
  protected get isPaused(): boolean {
    return this.#pauses !== undefined && this.#pauses.size > 0;
  }

  /** For the sweep: ends the leg when the peer owes an answer and has gone. What is not read at present may be that answer. */
  protected checkSilence(now: number): void {
    if (!this.#isAsked || this.isPaused || this.phase !== 'open') return;
    const since = Math.max(this.#askedAt, this.lastActivity);
    if (now - since >= this.context.limits.silenceMs) this.fail('SILENT', 'the peer was asked and says nothing');
  }

  /** For the sweep: ends the leg when bytes wait and the peer takes nothing for `idleMs`. True when bytes wait. */
  protected checkStall(now: number, socket: Socket): boolean {
    const waiting = socket.writableLength;
    if (waiting === 0) {
      this.#taken = -1;
      return false;
    }
    const taken = socket.bytesWritten - waiting;
    if (taken !== this.#taken) {
      this.#taken = taken;
      this.#takenAt = now;
    } else if (now - this.#takenAt >= this.context.limits.idleMs) this.fail('STALLED', 'the peer takes nothing');
    return true;
  }

  /** A system error; one that only tells that the peer has hung up at the end is none. */
  protected noteError(error: Error): void {
    if (this.phase === 'open' || (this.isPeerOpen && !this.isDeaf)) this.failure ??= error;
  }

  /** Ends the connection for a reason of ours, which `closed()` will be given. */
  protected fail(code: LegErrorCode, message: string): void {
    if (this.phase === 'closed') return;
    this.failure ??= new LegError(code, message);
    this.context.log.info({ leg: this.id, role: this.role, remoteAddress: this.remoteAddress, code }, message);
    this.destroy();
  }

  /** The connection is gone. */
  protected finish(): void {
    if (this.phase === 'closed' || this.isDeferred(() => this.finish())) return;
    this.phase = 'closed';
    clearTimeout(this.#closeTimer);
    this.framer.stop();
    this.context.liveness.delete(this);
    this.context.metrics.legs.dec({ role: this.role, kind: this.kind });
    const { handler } = this;
    this.handler = SILENT;
    try {
      handler.closed(this.failure);
    } catch (error) {
      this.#fault(error);
    }
  }

  /** The end of a connection must not overtake what is held: then true, and the work is done after the release. */
  protected isDeferred(work: () => void): boolean {
    if (this.isDeaf || !this.framer.held || this.framer.buffered === 0) return false;
    this.#due = work;
    return true;
  }

  /** Reads on, so that the peer gets to see our last words and no reset, but listens no more. */
  protected turnDeaf(): void {
    if (this.isDeaf) return;
    this.isDeaf = true;
    this.framer.stop();
    const { isPaused } = this;
    this.#pauses = undefined;
    if (isPaused) this.setReading(true);
  }

  #doDue(): void {
    const due = this.#due;
    if (due === undefined) return;
    this.#due = undefined;
    process.nextTick(due);
  }

  #fault(error: unknown): void {
    this.context.log.error({ leg: this.id, error }, 'fault in the handler of a leg');
    if (this.phase === 'open') this.error({ condition: 'internal-server-error' });
    else this.destroy();
  }

  #errorHeader(): Record<string, string | undefined> {
    if (this.role === 'dialed') return { to: this.#host, version: '1.0' };
    return { from: this.#host, id: randomUUID(), version: '1.0' };
  }
}

const HOLD = 'hold';

function giveUp(leg: BaseLeg): void {
  leg.giveUp();
}

function readOn(leg: BaseLeg): void {
  leg.readOn();
}
