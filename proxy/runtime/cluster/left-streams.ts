/**
 * Streams without a client that a node has left to the server when it stopped (C4, runtime/session-ends.ts): the server keeps them for a while,
 * and the account's places in its rooms with them. The next node that the account comes to must not ask for their resources, since the server
 * would end them, and joins the rooms beside them. What it needs for that lies in the store for as long as the server keeps them.
 */

import type { EstateRoom } from '../../core/estate.ts';
import type { AccountState, CarrierId } from '../../core/state.ts';
import type { Log } from '../../ops/log.ts';
import type { Hibernations, SleeperRecord } from '../../store/hibernations.ts';
import type { BareKey } from '../../xml/address.ts';

/** What was found is remembered for a session that is about to be bound (ms), of so many accounts. */
const REMEMBERED_MS = 10_000;
const MOST_REMEMBERED = 10_000;

/** What the streams of an account leave behind. */
export interface LeftBehind {
  readonly resources: readonly string[];
  /** Without passwords: a room that asks for one is the client's to join. */
  readonly rooms: readonly EstateRoom[];
}

/** The account's rooms that this stream alone has it in, and that can be joined without being asked anything. */
export function roomsOn({ rooms }: Pick<AccountState, 'rooms'>, carrier: CarrierId): EstateRoom[] {
  return [...rooms.values()]
    .filter((room) => room.phase === 'joined' && room.carrier === carrier && room.password === undefined)
    .map(({ key, name, nick }) => ({ key, name, nick, password: undefined }));
}

export class LeftStreams {
  readonly #store: Hibernations;
  readonly #log: Log;
  readonly #found = new Map<string, { readonly resources: readonly string[]; readonly until: number }>();

  constructor(store: Hibernations, log: Log) {
    this.#store = store;
    this.#log = log;
  }

  /** This node stops, and has left these streams to the server, which keeps them so long. Never rejects. */
  async put(account: BareKey, left: LeftBehind, ms: number): Promise<void> {
    try {
      await this.#store.put(nameOf(account), { account, session: '', state: JSON.stringify(left) }, ms);
    } catch (error) {
      this.#log.warn({ error }, 'the store is not told what streams of an account the server keeps');
    }
  }

  /** A session of the account is about to be bound. Never rejects. */
  async look(account: BareKey): Promise<void> {
    const left = await this.#ask(() => this.#store.read(nameOf(account)));
    this.#found.delete(account);
    if (!left) return;
    const [oldest] = this.#found.keys();
    if (oldest !== undefined && this.#found.size >= MOST_REMEMBERED) this.#found.delete(oldest);
    this.#found.set(account, { resources: left.resources, until: performance.now() + REMEMBERED_MS });
  }

  /** Of streams that the server must not be made to end. */
  resources(account: BareKey): readonly string[] {
    const found = this.#found.get(account);
    return found && performance.now() < found.until ? found.resources : [];
  }

  /** Whether there may be something to be taken. */
  isKnown(account: BareKey): boolean {
    return this.#found.has(account);
  }

  /** A session has been bound: the rooms to be joined, for who asks first; undefined: there are none. Never rejects. */
  async take(account: BareKey): Promise<readonly EstateRoom[] | undefined> {
    this.#found.delete(account);
    return (await this.#ask(() => this.#store.take(nameOf(account))))?.rooms;
  }

  async #ask(ask: () => Promise<SleeperRecord | undefined>): Promise<LeftBehind | undefined> {
    try {
      const record = await ask();
      return record && (JSON.parse(record.state) as LeftBehind);
    } catch (error) {
      // The client joins its rooms by itself; else the account leaves when the server gives the streams up.
      this.#log.warn({ error }, 'the store does not say what streams of an account the server keeps');
      return undefined;
    }
  }
}

/** Beside the sessions that can be resumed, whose names begin with a domain. */
function nameOf(account: BareKey): string {
  return ` parked ${account}`;
}
