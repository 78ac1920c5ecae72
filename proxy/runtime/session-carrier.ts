/** A session's own upstream stream as a carrier of rooms: its client's, and its siblings' (DESIGN "Carriers", 2 and 3). */
import type { Log } from '../ops/log.ts';
import type { Stanza } from '../xml/stanza.ts';
import type { ClientState } from './client-state.ts';
import type { Outlet } from './outlet.ts';
import type { CarrierPort } from './ports.ts';
import type { SessionEnds } from './session-ends.ts';
import type { SessionLegs } from './session-legs.ts';

/** The session, as far as its stream carries rooms. */
export interface Carrying {
  readonly legs: SessionLegs;
  readonly ends: SessionEnds;
  readonly log: Log;
  readonly token: () => string;
  /** Undefined while the session is not complete: a room that waited for a stream takes this one at once. */
  clientState(): ClientState | undefined;
  relayDownstream(stanza: Stanza): void;
}

export class SessionCarrier implements CarrierPort {
  readonly #session: Carrying;

  constructor(session: Carrying) {
    this.#session = session;
  }

  get outlet(): Outlet {
    return this.#session.legs.outlet;
  }

  relayDownstream(stanza: Stanza): void {
    this.#session.relayDownstream(stanza);
  }

  suspend(): void {
    const { legs } = this.#session;
    // A home on another node may hear late that the client is back: this connection is a new one.
    if (legs.isHibernating) legs.suspend();
  }

  wake(): void {
    // Whoever carries rooms must be read, and must hear all at once.
    this.#session.legs.server.resume('client');
    this.#session.clientState()?.wake();
  }

  hold(): void {
    this.#session.clientState()?.hold(this.#session.token());
  }

  park(): void {
    const { ends, log, token } = this.#session;
    const { isClientGone } = ends;
    this.#session.clientState()?.park(isClientGone ? token() : undefined);
    if (!isClientGone) return;
    ends.stays();
    log.info({}, 'stream parked');
  }

  free(): void {
    this.#session.ends.freed();
  }
}
