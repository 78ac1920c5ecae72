/**
 * The room has removed the account (L5): kick, ban, loss of membership, destruction, or a plain end. Every joined session
 * is told under its own address; the occupancy ends once.
 */

import { Edit } from '../../xml/edit.ts';
import { NS } from '../../xml/names.ts';
import { parseStanza, type Stanza } from '../../xml/stanza.ts';
import { escapeXml } from '../../xml/text.ts';
import { carrierJids, releaseRoom } from '../carriers.ts';
import { endOccupancy } from '../end.ts';
import { dismissSessions, keyOfNick, nickOf, ownOccupantId } from '../occupancy.ts';
import { NO_CODES, REMOVAL_CODES, selfPresenceFor, statusCodes } from '../self-presence.ts';
import type { Occupancy, Turn } from '../state.ts';
import { tellFromLog } from './lag.ts';
import { awaitEnd, leaveAgain, leaveRoom, mayComeIn, retreat } from './leave.ts';
import { catchUp } from './missed.ts';

/** Whether an `unavailable` of the account's nick says that the occupant is out, and not that one of several streams is. */
export function isRemoval(room: Occupancy, stanza: Stanza): boolean {
  const codes = statusCodes(stanza);
  if (codes.includes('303')) return false;
  if (codes.includes('110') || codes.some((code) => REMOVAL_CODES.has(code))) return true;
  const x = stanza.root.child('x', NS.mucUser);
  // COMPAT: ejabberd and mu-conference send no 110 when a room is destroyed.
  if (x?.child('destroy')) return true;
  return !room.marksSelf;
}

export function removal(turn: Turn, room: Occupancy, stanza: Stanza): void {
  const { carrier: own, move } = room;
  // What the new stream has heard came before it; what the old one still says is not heard any more.
  catchUp(turn, room, true);
  tellRemoval(turn, room, underKnownNick(room, stanza));
  if (own !== undefined && mayComeIn(room, own)) leaveAgain(turn, room, own);
  if (move && turn.state.carriers.has(move.carrier)) {
    // The join of the hand-over may reach the room behind the removal, and bring the account in again.
    dismissSessions(turn, room);
    retreat(turn, room, move.carrier);
  } else if (room.departing.size > 0) {
    // So may one that has been taken back already, or a presence: what the room answers is heard to its end.
    dismissSessions(turn, room);
    awaitEnd(turn, room);
  } else {
    endOccupancy(turn, room);
  }
  // Streams with a client keep the room for the aftermath; one that only waits to be free of it is.
  for (const carrier of [...turn.state.carriers.values()]) {
    if ((carrier.status !== 'retiring' && !carrier.isParked) || !carrier.rooms.has(room.key)) continue;
    if (!room.departing.has(carrier.id)) releaseRoom(turn, carrier.id, room);
  }
}

/** What crosses a nick change may come under a nick that no session has been shown. */
function underKnownNick({ name, nick }: Occupancy, stanza: Stanza): Stanza {
  if (keyOfNick(nickOf(stanza)) === keyOfNick(nick)) return stanza;
  return parseStanza(new Edit(stanza).setAttr(stanza.root, 'from', `${name}/${nick}`).toBuffer(), stanza.declarations);
}

function tellRemoval(turn: Turn, room: Occupancy, stanza: Stanza): void {
  const { state, out } = turn;
  const carriers = carrierJids(state);
  for (const [id, member] of room.members) {
    const session = state.sessions.get(id);
    if (!session) continue;
    tellFromLog(turn, room, session, member);
    const view = { to: session.jid, id: undefined, carriers, add: [], remove: NO_CODES };
    out.toSession(id, selfPresenceFor(stanza, view), stanza);
  }
}

/** The place in the room is lost and cannot be had again: told as a technical removal (XEP-0045 section 11.1: 333). */
export function removedForGood(turn: Turn, room: Occupancy, reason: string): void {
  removal(turn, room, technicalRemoval(room, reason));
}

/** No stream can take the place over from the one that has to give it up: the account leaves in order, sessions are told why. */
export function giveUpPlace(turn: Turn, room: Occupancy, reason: string): void {
  catchUp(turn, room, true);
  tellRemoval(turn, room, technicalRemoval(room, reason));
  dismissSessions(turn, room);
  leaveRoom(turn, room);
}

function technicalRemoval(room: Occupancy, reason: string): Stanza {
  const from = escapeXml(`${room.name}/${room.nick}`);
  return parseStanza(
    `<presence xmlns='${NS.client}' type='unavailable' from='${from}'><status>${escapeXml(reason)}</status>` +
      `${ownOccupantId(room)}<x xmlns='${NS.mucUser}'><item affiliation='none' role='none'/><status code='110'/><status code='333'/></x></presence>`,
  );
}
