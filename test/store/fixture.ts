/** What the tests of stores share. */
import type { OccupancyRecord, SessionRecord, Store } from '../../proxy/store/store.ts';
import type { TestContext } from '../support/suite.ts';

/** A store of its own, empty, for one test. */
export interface StoreFixture {
  /** Another view of the same state, as another node has it. Closed by the fixture. */
  open(): Promise<Store>;
  /** Lets the store's clock go on. */
  advance(ms: number): Promise<void>;
  close(): Promise<void>;
}

/** Gives a test its fixture, to be closed when the test is over. */
export type Maker = (context: TestContext) => Promise<StoreFixture>;

export const account = 'juliet@example.org';
export const room = 'garden@chat.example.org';

/** A session record; its JID follows from its id. */
export function sessionOf(id: string, node = 'n1', resource = `r-${id}`): SessionRecord {
  return { id, jid: `${account}/${resource}`, resource, node, since: 1000 };
}

/** An occupancy record. */
export function occupancyOf(name = room, nick = 'juliet'): OccupancyRecord {
  return { room: name, address: name.toUpperCase(), nick, carrier: 'borrowed', bookmarked: false };
}
