/**
 * A joined session joins once more, under another nick. Servers take that for a nick change (XEP-0045 section 7.6), and so does the
 * account: everybody sees one, and the session is given the whole answer to a join behind it (J5), as Prosody gives it; ejabberd and
 * mu-conference leave it at the nick change. A nick that is refused leaves everything as it was.
 *
 * A nick that the session has asked for before is no such wish: it was given the account's in its place (J3), and asks in vain again.
 */
import { type BareKey, resourceOf } from '../../xml/address.ts';
import { Edit } from '../../xml/edit.ts';
import { NS } from '../../xml/names.ts';
import { parseStanza, type Stanza } from '../../xml/stanza.ts';
import { detach, hasMucChild, keyOfNick } from '../occupancy.ts';
import { replay } from '../replay.ts';
import type { Occupancy, SentJoin, SentPresence, Session, SessionId, Turn } from '../state.ts';
import { enter } from './join.ts';
import { notePending } from './nick.ts';
import { throughCarrier } from './outbound.ts';
import { noteShown, showMostActive } from './shown.ts';

/** Whether this join changes the account's nick. */
export function isNickChange({ state }: Turn, key: BareKey, { id }: Session, join: Stanza): boolean {
  const room = state.rooms.get(key);
  const member = room?.phase === 'joined' ? room.members.get(id) : undefined;
  if (!room || !member) return false;
  const nick = keyOfNick(resourceOf(join.to ?? ''));
  return nick !== keyOfNick(room.nick) && nick !== keyOfNick(member.asked);
}

/** To the room it goes as a nick change. */
export function changeByJoin(turn: Turn, room: Occupancy, session: Session, join: Stanza, nick: string): void {
  const change = withoutJoin(join);
  notePending(turn, room, session, nick, change, { stanza: detach(join), at: turn.now });
  throughCarrier(turn, room, session, change);
}

/**
 * The presence of a join, and no join: the account's stream is to be told nothing anew, and where the room has forgotten the account it is not let
 * in without a word of what was said since.
 */
export function withoutJoin(join: Stanza): Stanza {
  if (!hasMucChild(join)) return join;
  const edit = new Edit(join);
  for (const child of join.root.children) if (child.name === 'x' && child.ns === NS.muc) edit.remove(child);
  return parseStanza(edit.toBuffer(), join.declarations);
}

/** Those of the nick changes which the room has just shown that were joins: those for the nick that the last one has asked for. */
export function joinsAmong(settled: readonly SentPresence[]): Map<SessionId, SentJoin> {
  const joins = new Map<SessionId, SentJoin>();
  const nick = settled.at(-1)?.nick ?? '';
  for (const { session, join, nick: asked } of settled) {
    if (session !== undefined && join && keyOfNick(asked) === keyOfNick(nick)) joins.set(session, join);
  }
  return joins;
}

/** The account has the nick: the session's join is answered. */
export function answerChange(turn: Turn, room: Occupancy, id: SessionId, { stanza: join, at }: SentJoin): void {
  const { state, out, now } = turn;
  const session = state.sessions.get(id);
  const member = room.members.get(id);
  if (!session || !member) return;
  out.push({ kind: 'joined', result: 'local' });
  // What the room says does not reach it now: it will be told what differs.
  if (member.lag || member.lacks) return;
  const asked = resourceOf(join.to ?? '');
  enter(turn, room, session, join, asked);
  const heardFrom = room.log.entries(now).find((entry) => !entry.delayed && entry.at >= at);
  const fresh = { isCreator: false, notices: [], liveFrom: undefined, cursor: undefined };
  replay(turn, room, session, { join, asked, heardFrom, ...fresh });
  noteShown(turn, room, join);
  showMostActive(turn, room);
}
