/** A session on its way from one node to another: how it leaves the one, and how it comes to the other. */
import type { CarrierId } from '../core/state.ts';
import type { Seat } from '../core/view.ts';
import type { BoundSession } from './bound-session.ts';
import type { CarrierPort, SessionPort } from './ports.ts';
import type { SessionRecord } from './session-record.ts';

/** What a session is made of. */
export type NewSession = Pick<BoundSession, 'jid' | 'asked' | 'client' | 'server' | 'features' | 'mechanism'> &
  Partial<Pick<BoundSession, 'clientHeader' | 'serverHeader'>>;

/** A session that another node has had. */
export interface Returning {
  readonly record: SessionRecord;
  /** Brings it into its account, under the names that it has here. */
  enter(session: SessionPort & { readonly carrierId: CarrierId }, carrier: CarrierPort): Seat;
}

/** A session that goes on elsewhere. */
export interface Transfer {
  readonly record: SessionRecord;
  /** Ends it here. */
  leave(): void;
  /** Cuts its client off, without a word: it comes back, and is to find the record. */
  cut(): void;
}

/** Homes that an account had while the session lived: what of theirs is on its way for longer is of no use. */
const MOST_PREFIXES = 8;

/** How ids began, up to now; '' where no home is known. */
export function withPrefix(past: readonly string[], now: string): readonly string[] {
  return [...new Set([...past, now])].filter((one) => one !== '').slice(-MOST_PREFIXES);
}
