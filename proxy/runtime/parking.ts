/** Parked streams on this node (DESIGN "Carriers", 3): who may be parked, and how many. What becomes of them is decided in core/rules/parking.ts. */
import type { Config } from '../config.ts';
import type { Metrics } from '../ops/metrics.ts';

/** How a client has gone: its connection broke, it has closed its stream, another end that no stream is kept after, or all end. */
export type Going = 'dropped' | 'logout' | 'ended' | 'shutdown';

/** Shared by all sessions of the node. */
export class ParkingLot {
  readonly #config: Config['parking'];
  readonly #metrics: Pick<Metrics, 'parkings'>;
  #count = 0;

  constructor(config: Config['parking'], metrics: Pick<Metrics, 'parkings'>) {
    this.#config = config;
    this.#metrics = metrics;
  }

  /** Streams that are parked. */
  get count(): number {
    return this.#count;
  }

  /** Streams are parked, if their clients go in the right way. */
  get isOpen(): boolean {
    return (this.#config.dropped || this.#config.logout) && this.#config.streams > 0;
  }

  /** Whether the policy lets a stream be parked whose client has gone like this, and there is room for it. */
  admits(how: Going): 'yes' | 'no' | 'full' {
    const { dropped, logout, streams } = this.#config;
    const isWanted = (how === 'dropped' && dropped) || (how === 'logout' && logout);
    if (isWanted && this.#count >= streams) return 'full';
    return isWanted ? 'yes' : 'no';
  }

  /** A stream was not parked since there are too many. */
  turnAway(): void {
    this.#metrics.parkings.inc({ result: 'full' });
  }

  enter(): void {
    this.#count += 1;
    this.#metrics.parkings.inc({ result: 'parked' });
  }

  leave(): void {
    this.#count -= 1;
  }
}

/** One session's place in it. */
export class ParkingPlace {
  readonly #lot: ParkingLot;
  readonly #isAnonymous: boolean;
  /** `free`: no place in a room is left, and the stream is about to end. */
  #state: 'no' | 'parked' | 'free' = 'no';
  /** There was no room for it, which was counted. */
  #isTurnedAway = false;

  /** `mechanism`: by which the client has authenticated. */
  constructor(lot: ParkingLot, mechanism: string) {
    this.#lot = lot;
    // Nobody can come back to such an account (RFC 4505).
    this.#isAnonymous = mechanism === 'ANONYMOUS';
  }

  /** It is parked, or was until it was free of its rooms. */
  get isTaken(): boolean {
    return this.#state !== 'no';
  }

  get isFree(): boolean {
    return this.#state === 'free';
  }

  /** It could be parked some time. */
  get mayPark(): boolean {
    return !this.#isAnonymous && this.#lot.isOpen;
  }

  admits(how: Going): boolean {
    const answer = this.mayPark ? this.#lot.admits(how) : 'no';
    // It may be asked when its client drops, and again when that is not resumed.
    if (answer === 'full' && !this.#isTurnedAway) this.#lot.turnAway();
    this.#isTurnedAway ||= answer === 'full';
    return answer === 'yes';
  }

  park(): void {
    if (this.#state !== 'no') return;
    this.#state = 'parked';
    this.#lot.enter();
  }

  /** Once more is harmless. */
  free(): void {
    if (this.#state !== 'parked') return;
    this.#state = 'free';
    this.#lot.leave();
  }
}
