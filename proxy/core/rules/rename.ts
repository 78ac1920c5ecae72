/**
 * A session's nick change on its way (L7, XEP-0045 section 7.6). It is a presence like others, and says how available its sender is: that is what
 * the room sees then, until the most active session's is shown again (L6).
 */
import { readdress } from '../../xml/edit.ts';
import type { Stanza } from '../../xml/stanza.ts';
import { detach, keyOfNick } from '../occupancy.ts';
import { refuseJoin } from '../refused-join.ts';
import type { Occupancy, SentPresence, Session, Turn } from '../state.ts';
import { presentationOf } from './join.ts';
import { notePending, takeRefused } from './nick.ts';
import { throughCarrier } from './outbound.ts';
import { noteShown, showMostActive } from './shown.ts';

/** A joined session's presence to `room/other-nick`. */
export function rename(turn: Turn, room: Occupancy, session: Session, stanza: Stanza, nick: string): void {
  const says = presentationOf(detach(stanza), turn.now);
  notePending(turn, room, session, nick, says.stanza, { says });
  throughCarrier(turn, room, session, stanza);
}

/**
 * The room has shown these presences, the account having had the nick `before`: what nick changes among them say of their senders holds, and is
 * what the room sees.
 */
export function presencesTaken(
  turn: Turn,
  room: Occupancy,
  settled: readonly SentPresence[],
  before: string | undefined,
): void {
  for (const { session, says } of settled) {
    const member = session === undefined ? undefined : room.members.get(session);
    if (member && says) member.presentation = says;
  }
  const last = settled.at(-1);
  if (!last) return;
  const isOutdated = room.presences.some(({ nick }) => keyOfNick(nick) === keyOfNick(last.nick));
  if (keyOfNick(last.nick) !== keyOfNick(before ?? '') && !isOutdated) noteShown(turn, room, last.stanza);
  showMostActive(turn, room);
}

/** A presence error while the account is inside: a refused nick (409, 406), or a refused status. Only the asker hears of it. */
export function presenceRefused(turn: Turn, room: Occupancy, stanza: Stanza): void {
  const pending = takeRefused(room, stanza);
  // It has been waited for.
  if (pending && keyOfNick(pending.nick) !== keyOfNick(room.nick)) showMostActive(turn, room);
  const session = pending?.session === undefined ? undefined : turn.state.sessions.get(pending.session);
  if (!session) {
    turn.out.drop('unmatched-error');
    return;
  }
  if (pending?.join) refuseJoin(turn, room, session, stanza);
  else turn.out.toSession(session.id, readdress(stanza, { to: session.jid }), stanza);
}
