/**
 * What of an account the routing of its sessions' stanzas looks at. On the account's home it is the account's state itself; on
 * other nodes a mirror of it.
 */
import type { Services } from './services.ts';
import type { AccountState, Carrier, Session, Settings } from './state.ts';

export interface AccountView {
  readonly bare: string;
  readonly settings: Settings;
  readonly services: Services;
  readonly carriers: { values(): Iterable<Pick<Carrier, 'jid' | 'rooms'>> };
  /** Ids that the account waits for an answer under. */
  readonly requests: { readonly size: number; has(id: string): boolean };
  readonly idPrefix: string;
  readonly nextId: number;
  readonly accountStream: AccountState['accountStream'];
}

/** A session's part in its account. What it holds may be exchanged, when the account's home changes. */
export interface Seat {
  account: AccountView;
  session: Session;
  /** Its own stream. */
  carrier: Carrier;
}
