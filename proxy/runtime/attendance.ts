/** A session's client, as it is counted and as its rates are limited: over which transport it comes may change with each resumption. */
import type { Leg } from '../net/leg.ts';
import type { AccountDeps } from './deps.ts';
import { SessionRate } from './session-rate.ts';

export class Attendance {
  readonly #deps: Pick<AccountDeps, 'config' | 'metrics' | 'now'>;
  #transport: Leg['kind'];
  #rate: SessionRate | undefined;

  constructor(client: Leg, deps: Pick<AccountDeps, 'config' | 'metrics' | 'now'>) {
    this.#deps = deps;
    this.#transport = client.kind;
    this.#rate = SessionRate.create(deps.config.rate, client);
    deps.metrics.sessions.inc({ transport: this.#transport });
  }

  /** A stanza of so many bytes has come. */
  note(bytes: number): void {
    this.#rate?.note(bytes, this.#deps.now());
  }

  /** It is one for a room. */
  noteRoomStanza(): void {
    this.#rate?.noteRoomStanza(this.#deps.now());
  }

  /** Its connection is gone: nothing is read from it. */
  rest(): void {
    this.#rate?.stop();
  }

  /** It is back over this connection. */
  return(client: Leg): void {
    const { config, metrics } = this.#deps;
    this.#rate?.stop();
    this.#rate = SessionRate.create(config.rate, client);
    metrics.sessions.dec({ transport: this.#transport });
    this.#transport = client.kind;
    metrics.sessions.inc({ transport: this.#transport });
  }

  /** To be called once: it does not come back. */
  end(): void {
    this.#rate?.stop();
    this.#deps.metrics.sessions.dec({ transport: this.#transport });
  }
}
