/**
 * A joined session's availability in the room (L6): the room sees that of the account's most active session.
 */
import { Edit } from '../../xml/edit.ts';
import { NS } from '../../xml/names.ts';
import type { Stanza } from '../../xml/stanza.ts';
import { escapeXml } from '../../xml/text.ts';
import { availability, mostActive } from '../carriers.ts';
import { detach, isRoomsWord, ownOccupantId } from '../occupancy.ts';
import type { Member, Occupancy, Session, Turn } from '../state.ts';
import { presentationOf } from './join.ts';
import { isRenaming, notePending, noteSaidSince } from './nick.ts';
import { throughCarrier } from './outbound.ts';
import { isDue, noteShown, showMostActive } from './shown.ts';

export function status(turn: Turn, room: Occupancy, session: Session, member: Member, stanza: Stanza): void {
  member.presentation = presentationOf(detach(stanza), turn.now);
  noteSaidSince(room, session.id);
  if (mayGo(turn, room, session, member)) {
    notePending(turn, room, session, room.nick, stanza);
    throughCarrier(turn, room, session, stanza);
    noteShown(turn, room, member.presentation.stanza);
  } else {
    // The room goes on seeing what it sees, or sees this later; this client sees what it would see alone.
    turn.out.toSession(session.id, reflection(room, session, stanza), stanza);
    showMostActive(turn, room);
  }
}

/** Whether the room is to have the presence at once, and from this client: so a client is answered that has no siblings. */
function mayGo(turn: Turn, room: Occupancy, session: Session, { presentation }: Member): boolean {
  // To the nick that it has it would change that back.
  if (isRenaming(turn, room)) return false;
  if (room.members.size === 1) return true;
  if (mostActive(turn.state, room)?.id !== session.id) return false;
  return isDue(turn, room, availability(presentation.show));
}

function reflection(room: Occupancy, session: Session, stanza: Stanza): Buffer {
  const edit = new Edit(stanza);
  const { root } = stanza;
  edit.setAttr(root, 'from', `${room.name}/${room.nick}`);
  edit.setAttr(root, 'to', session.jid);
  for (const child of root.children) {
    if (isRoomsWord(child)) edit.remove(child);
  }
  const item = room.self?.root.child('x', NS.mucUser)?.child('item');
  const jid = item?.attr('jid') === undefined ? '' : ` jid='${escapeXml(session.jid)}'`;
  edit.append(
    root,
    `${ownOccupantId(room)}<x xmlns='${NS.mucUser}'><item affiliation='${escapeXml(item?.attr('affiliation') ?? 'none')}' role='${escapeXml(item?.attr('role') ?? 'participant')}'${jid}/><status code='110'/></x>`,
  );
  return edit.toBuffer();
}
