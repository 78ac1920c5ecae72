/** Sessions of other nodes that send by streams which are here and congested: they are told to rest by way of the home. */
import type { SessionId } from '../../core/state.ts';
import type { OutletSource } from '../outlet.ts';
import type { Happening } from './part.ts';

/** Of these so many are remembered. */
const MOST = 1000;

export class Sources {
  readonly #tell: (input: Happening) => void;
  readonly #sources = new Map<SessionId, OutletSource>();

  constructor(tell: (input: Happening) => void) {
    this.#tell = tell;
  }

  /** The same for the same session. */
  of(session: SessionId): OutletSource {
    let source = this.#sources.get(session);
    if (!source) {
      source = {
        rest: () => this.#tell({ kind: 'session-rests', session, rests: true }),
        resume: () => this.#tell({ kind: 'session-rests', session, rests: false }),
      };
      const [oldest] = this.#sources.keys();
      if (oldest !== undefined && this.#sources.size >= MOST) this.#sources.delete(oldest);
      this.#sources.set(session, source);
    }
    return source;
  }
}
