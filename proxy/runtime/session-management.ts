/** What a session's client and server say of stream management (XEP-0198), where that is offered to the client. */
import type { RoomSet } from '../core/room-set.ts';
import type { Stanza } from '../xml/stanza.ts';
import type { LegSide } from './at-hand.ts';
import { isManagement, type Managed, tooHigh, unexpected } from './managed-stream.ts';
import type { Progress } from './progress.ts';
import type { SessionEnds } from './session-ends.ts';
import type { SessionEvents } from './session-hibernation.ts';
import type { SessionLegs } from './session-legs.ts';

export interface SessionManagementOptions {
  readonly isOffered: boolean;
  readonly legs: SessionLegs;
  readonly ends: SessionEnds;
  readonly events: Pick<SessionEvents, 'resumable'>;
  readonly progress: Progress | undefined;
  readonly now: () => number;
  /** Rooms that the session has joined. */
  readonly rooms: () => RoomSet;
}

export class SessionManagement {
  readonly #options: SessionManagementOptions;

  constructor(options: SessionManagementOptions) {
    this.#options = options;
  }

  /** Whether it is for `fromClient` or `fromServer`, and for nobody else. */
  takes(stanza: Stanza): boolean {
    return this.#options.isOffered && isManagement(stanza);
  }

  fromClient(stanza: Stanza): void {
    const { legs, ends, progress, now, rooms } = this.#options;
    const result = this.#manage('client', stanza);
    if (result === 'done' && stanza.name === 'a') progress?.acknowledged(now(), rooms());
    if (result === 'unexpected') legs.client.send(unexpected(stanza));
    else if (result === 'too-high') {
      legs.client.error(tooHigh(stanza));
      ends.clientGone('handled-count-too-high');
    }
  }

  fromServer(stanza: Stanza): void {
    if (this.#manage('server', stanza) === 'too-high') this.#options.legs.server.destroy();
  }

  #manage(side: LegSide, stanza: Stanza): Managed {
    const { legs, events } = this.#options;
    const before = legs.previd;
    const result = legs.manage(side, stanza);
    const { previd } = legs;
    if (previd !== undefined && previd !== before) events.resumable(previd);
    return result;
  }
}
