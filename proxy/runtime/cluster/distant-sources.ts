/** Sessions of other nodes that send by streams which are here and congested: each is told to rest by way of the account's home. */
import type { SessionId } from '../../core/state.ts';
import type { OutletSource } from '../outlet.ts';

/** That are remembered; beyond this many the first is forgotten. */
const MOST = 1000;

export class DistantSources {
  readonly #tell: (session: SessionId, rests: boolean) => void;
  readonly #sources = new Map<SessionId, OutletSource>();

  /** `tell`: whether that session is to rest. */
  constructor(tell: (session: SessionId, rests: boolean) => void) {
    this.#tell = tell;
  }

  of(session: SessionId): OutletSource {
    const known = this.#sources.get(session);
    if (known) return known;
    const source = { rest: () => this.#tell(session, true), resume: () => this.#tell(session, false) };
    const [oldest] = this.#sources.keys();
    if (oldest !== undefined && this.#sources.size >= MOST) this.#sources.delete(oldest);
    this.#sources.set(session, source);
    return source;
  }
}
