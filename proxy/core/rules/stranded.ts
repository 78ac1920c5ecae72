/**
 * Messages that a lost stream took with it (M4): what was given to it and not shown by the room does not vanish in silence.
 * What never reached the server goes through the next stream; of the rest the room's history tells, after the rejoin, what
 * was delivered, and the sender of what was not gets an error: sent again here, it could be said twice.
 */
import { bareKey } from '../../xml/address.ts';
import type { Stanza } from '../../xml/stanza.ts';
import type { Owed } from '../inputs.ts';
import { failStranded, refuseQueued } from '../occupancy.ts';
import type { Carrier, CarrierId, Occupancy, QueuedStanza, SentMessage, Session, Turn } from '../state.ts';
import { noteSent } from './groupchat.ts';
import { throughCarrier } from './outbound.ts';

/** How long the sender of a message may be left without an answer when no stream brings the account into the room again (ms). */
const PATIENCE_MS = 30_000;
/**
 * Rooms do not show private messages to their sender. Where the server acknowledges nothing, one that was sent so long before
 * the stream was last heard has arrived (ms).
 */
const ARRIVED_MS = 10_000;

/** The stream is gone: sorts what the sessions have sent to the room through it. */
export function strand(turn: Turn, room: Occupancy, carrier: Carrier, owed: Owed): void {
  const unsent = [...owed.unsent];
  const unacknowledged = owed.unacknowledged && [...owed.unacknowledged];
  const again: QueuedStanza[] = [];
  const isStaying = room.phase === 'joined';
  room.sent = room.sent.filter((sent) => {
    if (sent.carrier !== carrier.id) return true;
    const stanza = take(unsent, room, sent);
    if (stanza && isStaying) again.push({ session: sent.session, stanza, isAgain: true });
    else if (stanza || sent.isGroupchat) sent.isStranded = true;
    else if (unacknowledged) sent.isStranded = take(unacknowledged, room, sent) !== undefined;
    else sent.isStranded = sent.at >= carrier.heardAt - ARRIVED_MS;
    return sent.isStranded;
  });
  room.queue.unshift(...again);
  // No history will show what was said in private.
  failStranded(turn, room, (sent) => !(sent.isGroupchat && isStaying));
  if (again.length > 0 || room.sent.some(({ isStranded }) => isStranded)) bePatient(turn, room);
}

/** The stream is out of the room, and its last words should have been shown by then: what was not may still be heard for a while. */
export function strandUnseen(turn: Turn, room: Occupancy, carrier: CarrierId): void {
  // When all have left it, nobody listens any more.
  if (room.phase !== 'joined') return;
  const unseen = room.sent.filter((sent) => sent.carrier === carrier && sent.isGroupchat);
  for (const sent of unseen) sent.isStranded = true;
  if (unseen.length > 0) bePatient(turn, room);
}

/** The text of that message, which is taken from the list. */
function take(list: Stanza[], room: Occupancy, sent: SentMessage): Stanza | undefined {
  const index = list.findIndex(
    ({ name, id, to }) => name === 'message' && id === sent.id && to === sent.to && bareKey(to) === room.key,
  );
  return index < 0 ? undefined : list.splice(index, 1)[0];
}

/** Something waits for the room to be joined again: not for ever. */
export function bePatient(turn: Turn, room: Occupancy): void {
  turn.out.setTimer(`stranded ${room.key}`, PATIENCE_MS);
}

/** A stream is in the room again, and the room has told what was said meanwhile. */
export function settleStranded(turn: Turn, room: Occupancy): void {
  turn.out.clearTimer(`stranded ${room.key}`);
  failStranded(turn, room);
}

/** Nothing has come of it in time. Presences go on waiting: they tell how the account is to be seen when it comes back. */
export function patienceOver(turn: Turn, room: Occupancy): void {
  failStranded(turn, room);
  const carrier = room.carrier === undefined ? undefined : turn.state.carriers.get(room.carrier);
  const isHopeful = carrier !== undefined && carrier.status !== 'hibernating';
  if (!isHopeful)
    refuseQueued(
      turn,
      room,
      room.queue.filter(({ stanza }) => stanza.name !== 'presence'),
    );
}

/** Through the next stream; what its siblings are shown of it they have been shown. */
export function sendAgain(turn: Turn, room: Occupancy, session: Session, stanza: Stanza): void {
  noteSent(turn, room, session, stanza);
  throughCarrier(turn, room, session, stanza);
}
