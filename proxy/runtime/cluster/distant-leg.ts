/**
 * A client's leg that ends at another node, for the session that is here (lending.ts). To its owner a leg like others: what it queues is
 * bounded, it tells when too much waits, and its end is the end of a connection.
 */
import { type Leg, LegError, type LegHandler, type LegKind, SILENT, type StreamErrorToSend } from '../../net/leg.ts';
import type { Route } from '../../net/proxy-header.ts';
import type { Log } from '../../ops/log.ts';
import type { Metrics } from '../../ops/metrics.ts';
import { bridge } from '../../xml/edit.ts';
import { type Declarations, parseStanza, type Stanza } from '../../xml/stanza.ts';
import { OWN_LIMITS } from '../session-limits.ts';
import type { FlowHead } from './lent-flow.ts';
import { LentFlow } from './lent-flow.ts';
import type { ForClient, FromClient, LegFacts } from './lent-messages.ts';

export interface DistantOptions {
  readonly id: string;
  readonly facts: LegFacts;
  /** A backlog above this ends it; all that the session owes its client when that comes back fits in besides, as no kernel takes a part of it. */
  readonly outboxBytes: number;
  readonly log: Log;
  readonly metrics: Pick<Metrics, 'drops'>;
  send(head: FlowHead, payload?: Buffer): void;
  /** Nothing is left of it here: the other node may close the connection, if it has not. */
  gone(): void;
}

/** What has come for the handler and waits, as it does not read. */
interface Due {
  readonly item: FromClient;
  readonly text: Buffer | undefined;
}

export class DistantLeg implements Leg {
  readonly role = 'accepted';
  readonly kind: LegKind;
  readonly id: string;
  readonly remoteAddress: string;
  readonly route: Route;
  readonly encrypted: boolean;
  readonly declared: Declarations | 'websocket';
  handler: LegHandler = SILENT;
  lastActivity = performance.now();
  congested = false;
  isClosed = false;
  readonly #options: DistantOptions;
  readonly #flow: LentFlow<ForClient, FromClient>;
  readonly #highWater: number;
  readonly #pauses = new Set<string>();
  readonly #due: Due[] = [];
  /** `deaf`: what comes is not looked at any more; `gone`: the owner is about to hear of the end. */
  #phase: 'open' | 'ending' | 'deaf' | 'gone' = 'open';
  #isHandingOver = false;

  constructor(options: DistantOptions) {
    const { facts } = options;
    this.#options = options;
    this.id = options.id;
    this.kind = facts.transport;
    this.remoteAddress = facts.remoteAddress;
    this.route = facts.route;
    this.encrypted = facts.encrypted;
    this.declared = facts.declared === 'websocket' ? 'websocket' : new Map(facts.declared);
    this.#highWater = Math.min(256 * 1024, Math.floor(options.outboxBytes / 2));
    this.#flow = new LentFlow({ send: options.send, eased: () => this.#eased() });
  }

  get backlog(): number {
    return this.#flow.backlog;
  }

  // To the client.

  forward(stanza: Stanza): void {
    this.#put({ kind: 'write' }, bridge(stanza, this.declared) ?? Buffer.from(stanza.bytes));
  }

  send(xml: string | Buffer): void {
    this.#put({ kind: 'send' }, typeof xml === 'string' ? Buffer.from(xml) : xml);
  }

  write(bytes: Buffer): void {
    this.#put({ kind: 'write' }, bytes);
  }

  #put(item: ForClient, text: Buffer): void {
    if (this.#phase !== 'open') {
      this.#options.metrics.drops.inc({ reason: 'leg-ended' });
      return;
    }
    const waited = this.#flow.backlog;
    this.#flow.put(item, text);
    // One stanza always fits where what waits before it does.
    if (waited > this.#options.outboxBytes + OWN_LIMITS.bytes) {
      this.#options.metrics.drops.inc({ reason: 'outbox-overflow' });
      this.#leave(new LegError('OUTBOX_OVERFLOW', 'too much waits for a peer that does not read'));
    } else if (this.#flow.backlog > this.#highWater) this.congested = true;
  }

  #eased(): void {
    if (!this.congested || this.#flow.backlog > this.#highWater / 4) return;
    this.congested = false;
    this.#guarded(() => this.handler.drain());
  }

  expectAnswer(): void {
    if (this.#phase === 'open') this.#flow.put({ kind: 'expect-answer' });
  }

  error(error: StreamErrorToSend): void {
    if (this.#phase !== 'open') return;
    this.#phase = 'deaf';
    this.#flow.put({ kind: 'error', error });
    this.#readOn();
  }

  end(): void {
    if (this.#phase !== 'open') return;
    this.#phase = 'ending';
    this.#flow.put({ kind: 'end' });
    // The client's own close may stand behind what has not been read.
    this.#readOn();
  }

  #readOn(): void {
    this.#pauses.clear();
    process.nextTick(() => this.#handOver());
  }

  destroy(): void {
    this.#leave(undefined);
  }

  /** The other node is gone, or cannot be heard. */
  lost(): void {
    this.#leave(new Error('the node that the client is connected to cannot be reached'));
  }

  #leave(error: Error | undefined): void {
    if (this.#phase === 'gone') return;
    this.#phase = 'gone';
    this.#flow.flush();
    this.#flow.close();
    this.#due.length = 0;
    this.#options.gone();
    // Never from within a call of the owner's.
    process.nextTick(() => {
      this.isClosed = true;
      const { handler } = this;
      this.handler = SILENT;
      handler.closed(error);
    });
  }

  // From the client.

  /** @throws SyntaxError on what no node has written */
  take(head: FlowHead, payload: Buffer): void {
    if (this.#phase === 'gone') return;
    const reading = this.#flow.take(head, payload);
    if (!reading) {
      this.lost();
      return;
    }
    for (const item of reading.items) {
      const text = 'text' in item && item.text !== undefined ? reading.text(item.text) : undefined;
      this.#due.push({ item, text });
    }
    this.#handOver();
  }

  /** In order, as long as the owner reads. */
  #handOver(): void {
    if (this.#isHandingOver) return;
    this.#isHandingOver = true;
    while (this.#due.length > 0 && this.#pauses.size === 0) {
      const { item, text } = this.#due.shift() as Due;
      this.lastActivity = performance.now();
      this.#guarded(() => this.#hand(item, text));
    }
    this.#isHandingOver = false;
    if (this.#due.length === 0) this.#flow.handled();
  }

  #hand(item: FromClient, text: Buffer | undefined): void {
    if (item.kind === 'closed') {
      this.#leave(item.reason === undefined ? undefined : new Error(item.reason));
      return;
    }
    if (this.#phase === 'deaf') return;
    if (item.kind === 'stanza' && text) this.handler.stanza(parseStanza(text));
    else if (item.kind === 'end') this.handler.end();
    else if (item.kind === 'violation') {
      this.handler.violation(item.violation);
      // The leg itself has sent the error, and is ending.
      if (this.#phase === 'open') this.#phase = 'deaf';
    }
  }

  #guarded(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#options.log.error({ leg: this.id, error }, 'fault in the handler of a leg');
      if (this.#phase === 'open') this.error({ condition: 'internal-server-error' });
      else this.destroy();
    }
  }

  /** What waits is not acknowledged to the other node, which reads on only as far as that goes. */
  pause(cause: string): void {
    if (this.#phase === 'open') this.#pauses.add(cause);
  }

  resume(cause: string): void {
    if (!this.#pauses.delete(cause) || this.#pauses.size > 0 || this.#due.length === 0) return;
    process.nextTick(() => this.#handOver());
  }

  hold(): void {
    this.pause('hold');
  }

  release(): void {
    this.resume('hold');
  }

  // Its stream has been opened, and its limits have been set, where it ends.

  header(): never {
    throw new Error('the stream is open');
  }

  restart(): never {
    throw new Error('the stream is open');
  }

  setLimits(): never {
    throw new Error('the limits are set where the leg ends');
  }

  startTls(): Promise<never> {
    return Promise.reject(new LegError('TLS', 'the stream is open'));
  }
}
