/**
 * A session whose connection has dropped and that may be resumed (XEP-0198 section 5). It stays joined; what the rooms say is
 * kept for it. What its stream carried for others is handed over first; what nobody else can carry stays with the server,
 * which keeps the occupant, queues and pushes as it does without a proxy. Where the server has no XEP-0198 the proxy keeps the
 * session by itself: its stream goes on, and carries what it has carried.
 */
import { hasOtherCarrier, suspend } from '../carriers.ts';
import type { Input } from '../inputs.ts';
import { forgetNudges, oweNudge, payNudge } from '../nudge.ts';
import type { Session, Turn } from '../state.ts';
import { inboundOver } from './inbound.ts';
import { toldFromLogs } from './lag.ts';
import { reconcile } from './move.ts';
import { endAllOverdue } from './overdue.ts';
import { isWorthParking } from './parking.ts';
import { showMostActive } from './shown.ts';
import { deliverKept } from './strangers.ts';

type Hibernates = Extract<Input, { kind: 'session-hibernates' }>;

/** `isDeaf`: the server is to be heard no more either, and what the rooms say is with the server until the resumption. */
export function sessionHibernates(
  turn: Turn,
  session: Session,
  { isDeaf, isStreamKept = false, mayPark = false, unheard }: Hibernates,
): void {
  const { state } = turn;
  session.isHibernating = true;
  const carrier = state.carriers.get(session.carrier);
  // What the server gives up after a while cannot be parked: such a stream goes on.
  session.isBeforeParking = !isDeaf && !isStreamKept && mayPark && !!carrier && isWorthParking(turn, carrier, session);
  session.isStreamKept = isStreamKept || session.isBeforeParking;
  oweNudge(session, unheard);
  inboundOver(turn, session.id);
  showAgain(turn, session);
  if (session.isStreamKept || !carrier) return;
  endAllOverdue(turn, carrier);
  if (isDeaf) {
    carrier.status = 'hibernating';
    payNudge(turn, session);
    reconcile(turn);
    return;
  }
  if (carrier.rooms.size === 0 || !hasOtherCarrier(state, session.carrier)) {
    suspend(turn, carrier);
    return;
  }
  carrier.status = 'retiring';
  reconcile(turn);
}

/** The session is back, its stream as it was. */
export function sessionAwakes(turn: Turn, session: Session): void {
  session.isHibernating = false;
  session.isBeforeParking = false;
  toldFromLogs(turn, session);
  showAgain(turn, session);
  forgetNudges(turn, session);
  const carrier = turn.state.carriers.get(session.carrier);
  // One that was kept may be about to be freed of its rooms all the same.
  if (carrier && !session.isStreamKept) carrier.status = 'ready';
  reconcile(turn);
  if (session.available) deliverKept(turn, session);
}

/** The session sleeps, or does no more: another may be the most active one. */
function showAgain(turn: Turn, session: Session): void {
  for (const key of session.rooms) {
    const room = turn.state.rooms.get(key);
    if (room?.members.has(session.id)) showMostActive(turn, room);
  }
}
