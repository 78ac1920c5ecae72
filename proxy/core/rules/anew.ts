/**
 * A room that has forgotten the account and says nothing, and then takes a status of it for a join, as services do that know groupchat 1.0
 * (XEP-0045 section 7.2.1): it shows all that it shows to who joins. It is joined in full on the same stream, and sessions see differences only.
 */
import type { Stanza } from '../../xml/stanza.ts';
import { keyOfNick, nickOf } from '../occupancy.ts';
import { presenceDigest } from '../self-presence.ts';
import type { Occupancy, Turn } from '../state.ts';
import { isStable, losePlace } from './heal.ts';
import { startMove } from './move.ts';

/**
 * Whether another occupant's presence tells that: while a status is on its way, and no stream comes or goes, the room repeats what it has
 * shown before. False as well where the loss cannot be healed in time. What the room goes on to say is part of the answer to the join.
 */
export function comesInAnew(turn: Turn, room: Occupancy, stanza: Stanza): boolean {
  const { carrier: id, presences } = room;
  const carrier = id === undefined ? undefined : turn.state.carriers.get(id);
  // COMPAT: mu-conference, which says no 110, shows nothing to who joins again.
  if (!room.marksSelf || carrier?.status !== 'ready' || room.move || room.departing.size > 0 || room.overlap)
    return false;
  // A service that answers each status so has forgotten nothing.
  if (room.backAt !== undefined && !isStable(room, turn.now)) return false;
  const isStatus = presences.every((one) => one.carrier === id && keyOfNick(one.nick) === keyOfNick(room.nick));
  const known = room.roster.get(keyOfNick(nickOf(stanza)))?.presence;
  if (presences.length === 0 || !isStatus || !known || stanza.type !== undefined) return false;
  if (presenceDigest(known) !== presenceDigest(stanza) || !losePlace(turn, room, carrier.id)) return false;
  room.retryAt = undefined;
  turn.out.clearTimer(`retry ${room.key}`);
  // Any other stream would leave this one behind in the room.
  startMove(turn, room, carrier, undefined);
  return true;
}
