/** A node's part in an account that is at home here: the rules run here, for the sessions of all nodes. */
import type { Input } from '../../core/inputs.ts';
import type { AccountState, CarrierId, SessionId } from '../../core/state.ts';
import type { Fence } from '../../store/store.ts';
import { AccountRunner } from '../account-runner.ts';
import type { Ports } from '../ports.ts';
import type { Guest } from './guest.ts';
import { Guests } from './guests.ts';
import { readKnowledge } from './knowledge.ts';
import type { Part } from './part.ts';

export interface HomeHooks {
  /** Nothing is left of the account. */
  readonly onIdle: () => void;
  /** Whether nothing may be done before somebody has looked whether this is the home still. */
  readonly mustWait: () => boolean;
  /** After each turn. */
  readonly onTurn: () => void;
}

export class Home {
  fence: Fence;
  readonly runner: AccountRunner;
  readonly guests: Guests;

  constructor(fence: Fence, part: Part, state: AccountState, { onIdle, mustWait, onTurn }: HomeHooks) {
    this.fence = fence;
    const { key, bare, settings, deps, node, ports, accountStream } = part;
    const fenceNow = (): Fence => this.fence;
    this.guests = new Guests({
      account: key,
      get epoch() {
        return fenceNow().epoch;
      },
      state,
      send: (to, message, payload) => node.send(to, message, payload),
      input: (input) => this.runner.input(input),
      arrive: (guest, payload) => this.#arrive(guest, payload),
      // An account that has had a stream has its credentials in the store, where they are sealed.
      hasCredentials: () => accountStream.hasCredentials || deps.sealing !== undefined,
      now: deps.now,
      mustWait,
      onTurn,
    });
    const shared = { elsewhere: this.guests, ports, accountStream, state, fence: fenceNow };
    this.runner = new AccountRunner(bare, settings, deps, onIdle, shared);
  }

  get state(): AccountState {
    return this.runner.state;
  }

  input(input: Input): void {
    this.runner.input(input);
  }

  #arrive(guest: Guest, payload: Buffer): void {
    const { arrival, hasCredentials } = readKnowledge(payload);
    for (const { id, carrier } of arrival.sessions) this.guests.place(guest, id, carrier);
    for (const { id } of arrival.carriers) this.guests.place(guest, undefined, id);
    guest.hasCredentials = hasCredentials;
    this.runner.input({ kind: 'arrive', arrival });
    if (hasCredentials) this.runner.input({ kind: 'credentials', known: true });
  }

  /** Sessions and streams that have gone while the account was on its way here, or whose node has. */
  sweep({ sessions, carriers }: Ports): void {
    const isHere = (id: SessionId | CarrierId): boolean =>
      sessions.has(id as SessionId) || carriers.has(id as CarrierId) || this.guests.guestOf(id) !== undefined;
    const { state } = this;
    for (const carrier of state.carriers.keys()) if (!isHere(carrier)) this.input({ kind: 'carrier-lost', carrier });
    for (const session of state.sessions.keys()) if (!isHere(session)) this.input({ kind: 'session-gone', session });
  }

  /** Handles nothing any more; streams stay as they are. */
  stop(): void {
    this.guests.close();
    this.runner.stop();
  }
}
