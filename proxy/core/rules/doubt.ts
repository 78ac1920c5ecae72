/** Whether what another home may have sent to a room, or this one before its way to a node was lost, has reached the room. */
import { resourceOf } from '../../xml/address.ts';
import type { Stanza } from '../../xml/stanza.ts';
import { entryMarks } from '../log-entry.ts';
import { keyOfNick } from '../occupancy.ts';
import type { Occupancy, Session, SessionId, Turn } from '../state.ts';

/** As far as the room's history tells. `isWhole`: it has just told some, and that goes on from what is known, or does not. */
export function doubtOf(
  turn: Turn,
  room: Occupancy,
  { name, type, id }: Stanza,
  isWhole: boolean | undefined,
): 'sent' | 'unsent' | 'unknown' {
  if (name !== 'message') return 'unsent';
  if (type !== 'groupchat' || id === undefined) return 'unknown';
  if (isShown(turn, room, id)) return 'sent';
  // A room that gives none, or not all, says nothing by its silence: an error is better than a doubled message.
  return (isWhole ?? room.log.some(({ delayed }) => delayed)) ? 'unsent' : 'unknown';
}

/** The message is on its way to the room, or has been heard from it. */
export function isSaid(turn: Turn, room: Occupancy, session: Session, { name, type, id }: Stanza): boolean {
  if (name !== 'message' || type !== 'groupchat' || id === undefined) return false;
  const isOwn = (one: SessionId): boolean => one === session.id || one === session.former;
  return room.sent.some((one) => isOwn(one.session) && one.id === id) || isShown(turn, room, id);
}

function isShown(turn: Turn, room: Occupancy, id: string): boolean {
  const nick = keyOfNick(room.nick);
  return room.log.entries(turn.now).some((entry) => {
    const { own, from } = entryMarks(entry);
    return own === id && keyOfNick(resourceOf(from)) === nick;
  });
}
