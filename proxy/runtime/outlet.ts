/**
 * The way out through a carrier's leg, shared by the account's sessions. While the leg is congested each source waits in a
 * queue of its own, and they take turns when it drains: a device that floods delays itself, not its siblings (M9a).
 */
import type { Leg } from '../net/leg.ts';

/** Who sends; a source whose queue is long is asked to rest. */
export interface OutletSource {
  /** Nothing more shall come from it until `resume`. */
  rest(): void;
  resume(): void;
}

/** Queue length at which a source must rest, in bytes. */
const REST_BYTES = 32 * 1024;

interface Lane {
  readonly queue: (string | Buffer)[];
  bytes: number;
  isResting: boolean;
}

export class Outlet {
  #leg: Leg;
  readonly #onSent: ((xml: string | Buffer) => void) | undefined;
  /** Takes stanzas while there is no connection, and sees to it that they do not become too many. */
  #diverted: ((text: Buffer) => void) | undefined;
  readonly #lanes = new Map<OutletSource | undefined, Lane>();

  /** `onSent` hears of each stanza in the order of sending. */
  constructor(leg: Leg, onSent?: (xml: string | Buffer) => void) {
    this.#leg = leg;
    this.#onSent = onSent;
  }

  get leg(): Leg {
    return this.#leg;
  }

  /** There is no connection: what is sent, and what has waited, is handed to `keep`. */
  divert(keep: (text: Buffer) => void): void {
    this.#diverted = keep;
    const lanes = [...this.#lanes];
    this.#lanes.clear();
    for (const [source, lane] of lanes) {
      for (const xml of lane.queue) keep(toBuffer(xml));
      if (lane.isResting) source?.resume();
    }
  }

  /** The stream goes on over another connection. */
  connect(leg: Leg): void {
    this.#leg = leg;
    this.#diverted = undefined;
  }

  #out(xml: string | Buffer): void {
    this.#leg.send(xml);
    this.#onSent?.(xml);
  }

  /** Sends a complete element in the terms of `Leg.send`; `source` undefined: the proxy itself. */
  send(source: OutletSource | undefined, xml: string | Buffer): void {
    if (this.#diverted) {
      this.#diverted(toBuffer(xml));
      return;
    }
    if (this.#lanes.size === 0 && !this.#leg.congested) {
      this.#out(xml);
      return;
    }
    let lane = this.#lanes.get(source);
    if (!lane) {
      lane = { queue: [], bytes: 0, isResting: false };
      this.#lanes.set(source, lane);
    }
    lane.queue.push(xml);
    lane.bytes += xml.length;
    if (lane.bytes > REST_BYTES && !lane.isResting) {
      lane.isResting = true;
      source?.rest();
    }
  }

  /** The leg has drained: one stanza of each source in turn, until it is congested again. */
  drain(): void {
    while (this.#lanes.size > 0 && !this.#leg.congested) {
      for (const [source, lane] of this.#lanes) {
        const xml = lane.queue.shift();
        if (xml !== undefined) {
          lane.bytes -= xml.length;
          this.#out(xml);
        }
        if (lane.isResting && lane.bytes <= REST_BYTES / 2) {
          lane.isResting = false;
          source?.resume();
        }
        if (lane.queue.length === 0) this.#lanes.delete(source);
      }
    }
  }

  /** The leg is gone, and nobody rests for it any more. Returns what has waited in vain. */
  close(): readonly Buffer[] {
    const lanes = [...this.#lanes];
    this.#lanes.clear();
    for (const [source, lane] of lanes) if (lane.isResting) source?.resume();
    return lanes.flatMap(([, lane]) => lane.queue.map(toBuffer));
  }
}

function toBuffer(xml: string | Buffer): Buffer {
  return typeof xml === 'string' ? Buffer.from(xml) : xml;
}
