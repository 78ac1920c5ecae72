/**
 * The rates that one client may send at (X1, M9a): over a rate it is not read for a while; nothing is dropped.
 */
import type { Config } from '../config.ts';
import type { Leg } from '../net/leg.ts';
import { RateBucket } from './rate.ts';

export class SessionRate {
  readonly #leg: Leg;
  readonly #config: Config['rate'];
  #stanzas: RateBucket | undefined;
  #bytes: RateBucket | undefined;
  #carrier: RateBucket | undefined;
  #timer: NodeJS.Timeout | undefined;

  private constructor(config: Config['rate'], leg: Leg) {
    this.#config = config;
    this.#leg = leg;
  }

  /** Undefined when nothing is limited. */
  static create(config: Config['rate'], leg: Leg): SessionRate | undefined {
    return config.stanzas || config.bytes || config.carrier ? new SessionRate(config, leg) : undefined;
  }

  /** A stanza of so many bytes has come. */
  note(bytes: number, now: number): void {
    const { stanzas, bytes: perByte } = this.#config;
    if (stanzas) {
      this.#stanzas ??= new RateBucket(stanzas, now);
      this.#rest(this.#stanzas.take(1, now));
    }
    if (perByte) {
      this.#bytes ??= new RateBucket(perByte, now);
      this.#rest(this.#bytes.take(bytes, now));
    }
  }

  /** A stanza for a carrier has come. */
  noteRoomStanza(now: number): void {
    const { carrier } = this.#config;
    if (!carrier) return;
    this.#carrier ??= new RateBucket(carrier, now);
    this.#rest(this.#carrier.take(1, now));
  }

  #rest(ms: number): void {
    if (ms <= 0 || this.#timer !== undefined) return;
    this.#leg.hold();
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      if (!this.#leg.isClosed) this.#leg.release();
    }, ms);
    this.#timer.unref();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
