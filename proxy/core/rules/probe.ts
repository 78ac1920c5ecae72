/**
 * Presence probes (RFC 6121 section 4.3) of a joined session to an occupant, which some rooms answer with what that occupant's presence
 * is: the answer is for the session that asked, and says nothing new to its siblings.
 */

import { resourceOf } from '../../xml/address.ts';
import { readdress } from '../../xml/edit.ts';
import type { Stanza } from '../../xml/stanza.ts';
import { carrierJids } from '../carriers.ts';
import { keyOfNick } from '../occupancy.ts';
import { NO_CODES, presenceDigest, selfDigest, selfPresenceFor } from '../self-presence.ts';
import type { Occupancy, Session, SessionId, Turn } from '../state.ts';
import { throughCarrier } from './outbound.ts';

/** Probes that a room never answers are forgotten beyond this many. */
const MOST_PENDING = 16;

export function probe(turn: Turn, room: Occupancy, session: Session, stanza: Stanza): void {
  room.probes.push({ nick: keyOfNick(resourceOf(stanza.to ?? '')), session: session.id });
  if (room.probes.length > MOST_PENDING) room.probes.shift();
  throughCarrier(turn, room, session, stanza);
}

/** Whether the presence, or the error, has answered a probe and is done with. What is news besides goes the way of all presence. */
export function answersProbe(turn: Turn, room: Occupancy, stanza: Stanza): boolean {
  if (room.probes.length === 0) return false;
  const nick = keyOfNick(resourceOf(stanza.from ?? ''));
  const index = room.probes.findIndex((pending) => pending.nick === nick);
  const pending = room.probes[index];
  // An error with the id of another presence is that one's.
  const isOther = stanza.type === 'error' && room.presences.some(({ id }) => id !== undefined && id === stanza.id);
  if (!pending || isOther) return false;
  room.probes.splice(index, 1);
  if (isNews(turn, room, nick, stanza)) return false;
  tell(turn, room, pending.session, nick, stanza);
  return true;
}

function isNews(turn: Turn, room: Occupancy, nick: string, stanza: Stanza): boolean {
  if (stanza.type === 'error') return false;
  if (nick === keyOfNick(room.nick)) {
    const carriers = carrierJids(turn.state);
    return !room.self || selfDigest(room.self, carriers) !== selfDigest(stanza, carriers);
  }
  const known = room.roster.get(nick)?.presence;
  // Some rooms tell of members who are not there.
  if (!known) return stanza.type !== 'unavailable';
  return presenceDigest(known) !== presenceDigest(stanza);
}

function tell(turn: Turn, room: Occupancy, id: SessionId, nick: string, stanza: Stanza): void {
  const { state, out } = turn;
  const session = state.sessions.get(id);
  const member = room.members.get(id);
  // A session that is told from the logs later has no use for it.
  if (!session || !member || member.lag) return;
  if (stanza.type === 'error' || nick !== keyOfNick(room.nick)) {
    out.toSession(id, readdress(stanza, { to: session.jid }), stanza);
    return;
  }
  const view = { to: session.jid, id: undefined, carriers: carrierJids(state), add: [], remove: NO_CODES };
  out.toSession(id, selfPresenceFor(stanza, { ...view, isProbed: true }), stanza);
}
