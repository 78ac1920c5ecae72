/**
 * Parked streams (L3; DESIGN "Carriers", 3): a client that has gone left a stream behind that carries rooms, and nobody else can carry
 * them. The stream stays in its rooms, taking no one-to-one traffic, until a session comes, which takes the rooms over unseen by their
 * occupants, or until the account's time without sessions is over. A room that refuses that session, or does not answer it, stays where it is
 * (move.ts), for that session too.
 *
 * What reaches it from others than its rooms was meant for the client: messages are kept for the next session, requests are refused. Presence
 * is told to the next session by the server, subscription requests too: servers keep these until they are answered (RFC 6121 section 3.1.3).
 */
import type { Stanza } from '../../xml/stanza.ts';
import { canTakeOver, freeIfDone, hasOtherCarrier, isReplaceable, suspend } from '../carriers.ts';
import { takeLetters } from '../letters.ts';
import type { AccountState, Carrier, CarrierId, Occupancy, Session, Turn } from '../state.ts';
import { isAnswerable, refusalOn } from './inbound.ts';
import { reconcile } from './move.ts';
import { endAllOverdue } from './overdue.ts';
import { abandonRooms } from './retire.ts';
import { keepForNext } from './strangers.ts';

/** Whether a stream whose client has just gone carries what would be lost with it. */
export function isWorthParking({ state }: Turn, carrier: Carrier, { push }: Session): boolean {
  // What the server pushes for (XEP-0357) it would take for delivered.
  if (push !== undefined) return false;
  if (carrier.status !== 'ready' || carrier.isLeaving || state.settings.lingerMs === 0) return false;
  for (const other of state.carriers.values()) {
    // One that is parked already is the better one only where it is in the room.
    if (other !== carrier && other.status === 'ready' && !other.isLeaving && !other.isParked) return false;
  }
  if (state.accountStream === 'possible' || state.accountStream === 'opening') return false;
  for (const room of state.rooms.values()) if (isKept(state, room, carrier)) return true;
  return false;
}

/** The room is carried by this stream, or will be. */
function isKept({ carriers }: AccountState, room: Occupancy, { id }: Carrier): boolean {
  if (room.phase !== 'joined') return false;
  if (room.carrier === id || room.move?.carrier === id) return true;
  // An earlier stream, which is being freed of it.
  return room.carrier !== undefined && carriers.get(room.carrier)?.status === 'retiring';
}

/** The client has gone, or is about to, and its stream stays. */
export function park(turn: Turn, carrier: Carrier): void {
  carrier.isParked = true;
  endAllOverdue(turn, carrier);
  turn.out.push({ kind: 'park-carrier', carrier: carrier.id });
  reconcile(turn);
}

/**
 * To be called after each input: a parked stream ends with its last room; one that goes on to be parked when its session is not resumed
 * is left to the server when another can carry its rooms.
 */
export function tendParked(turn: Turn): void {
  const { state } = turn;
  for (const session of state.sessions.values()) {
    if (!session.isBeforeParking) continue;
    if (canTakeOver(state) || state.carriers.get(session.carrier)?.rooms.size === 0) sleepAtServer(turn, session);
  }
  for (const carrier of state.carriers.values()) {
    if (!carrier.isParked || carrier.rooms.size > 0) continue;
    carrier.status = 'retiring';
    freeIfDone(turn, carrier);
    // Its client may still be there, unavailable.
    carrier.isParked = false;
  }
}

/** Its stream was going on to be parked, and need not: somebody else can carry the rooms, or none is left. The server keeps it now. */
function sleepAtServer(turn: Turn, session: Session): void {
  const { state } = turn;
  session.isStreamKept = false;
  session.isBeforeParking = false;
  const carrier = state.carriers.get(session.carrier);
  if (!carrier) return;
  if (carrier.rooms.size === 0) {
    suspend(turn, carrier);
    return;
  }
  carrier.status = 'retiring';
  reconcile(turn);
}

/** What comes on a parked stream from others than its rooms. */
export function parkedStanza(turn: Turn, carrier: Carrier, stanza: Stanza): void {
  const { out } = turn;
  if (stanza.name === 'message') keepForNext(turn, carrier.id, stanza);
  else if (stanza.name === 'presence') out.drop('carrier-presence');
  else if (stanza.type !== 'get' && stanza.type !== 'set') out.drop('unmatched-iq');
  else if (isAnswerable(stanza))
    out.toCarrier(carrier.id, refusalOn(stanza, { type: 'cancel', condition: 'service-unavailable' }));
  else out.drop('oversize');
}

/**
 * The node is about to stop, and nobody else is there: who has written to the client learns that nobody has got it, unless it lies in the
 * store for the account's next session on another node (`isStored`).
 */
export function parkedLeaves(turn: Turn, carrier: Carrier, isStored: boolean): void {
  if (isStored || hasOtherCarrier(turn.state, carrier.id)) return;
  for (const { stanza } of takeLetters(turn)) {
    if (isAnswerable(stanza))
      turn.out.toCarrier(carrier.id, refusalOn(stanza, { type: 'wait', condition: 'recipient-unavailable' }));
  }
}

/** The node is about to stop and leaves the stream to the server, with its places in rooms: only what is kept here is seen to. */
export function parkedDropped(turn: Turn, id: CarrierId, isStored: boolean): void {
  const carrier = turn.state.carriers.get(id);
  if (carrier?.isParked) parkedLeaves(turn, carrier, isStored);
}

/**
 * The server has ended it, or the connection broke: where there is no account stream to be opened again nobody can bring the account back
 * before a session comes, which is told by the room.
 */
export function parkedLost(turn: Turn, carrier: Carrier): void {
  const { state } = turn;
  if (isReplaceable(state, carrier.id)) return;
  abandonRooms(turn, carrier.id, carrier.rooms);
}
