/** Sessions that have come from other nodes, as far as their account's home has not been told of them. */
import type { KnownRoom } from '../../core/arrival.ts';
import type { PendingRequest, SessionId } from '../../core/state.ts';
import type { BareKey } from '../../xml/address.ts';

export class Newcomers {
  /** What they have been shown of rooms in which sessions here have been before. */
  #rooms: KnownRoom[] = [];
  /** Requests of theirs whose answers come on streams that came with them, by the proxy's id. */
  #requests = new Map<string, PendingRequest>();

  get rooms(): readonly KnownRoom[] {
    return this.#rooms;
  }

  add(rooms: readonly KnownRoom[], requests: ReadonlyMap<string, PendingRequest>): void {
    this.#rooms.push(...rooms);
    for (const [id, pending] of requests) this.#requests.set(id, pending);
  }

  takeRooms(): readonly KnownRoom[] {
    return this.#rooms.splice(0);
  }

  takeRequests(): ReadonlyMap<string, PendingRequest> {
    const all = this.#requests;
    this.#requests = new Map();
    return all;
  }

  /** The home counts the session among those in the room. */
  entered(key: BareKey, id: SessionId): KnownRoom | undefined {
    const index = this.#rooms.findIndex(({ facts, members }) => facts.room === key && members.has(id));
    return index < 0 ? undefined : this.#rooms.splice(index, 1)[0];
  }

  drop(id: SessionId): void {
    this.#rooms = this.#rooms.filter(({ members }) => !members.has(id));
  }
}
