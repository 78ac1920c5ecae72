/**
 * The account has been made a moderator of a semi-anonymous room (XEP-0045 sections 4.2 and 5.1). Who joins from then on is shown everybody's address, and
 * so is a device that joins later. The room does not show them anew to who is in, and to join once more would be seen by all: the lists of roles
 * (section 9.8 and others), which are seen by nobody, tell the same.
 */
import { bareKey, resourceOf } from '../../xml/address.ts';
import { Edit } from '../../xml/edit.ts';
import { NS } from '../../xml/names.ts';
import { parseStanza, type Stanza } from '../../xml/stanza.ts';
import { escapeXml } from '../../xml/text.ts';
import { keyOfNick } from '../occupancy.ts';
import { itemsOf } from '../self-presence.ts';
import { type CarrierId, freshId, type Occupancy, type Turn } from '../state.ts';

const ROLES = ['moderator', 'participant', 'visitor'] as const;

/** The account's own presence has come, behind `previous`; or another stream carries the room, which has been told it. */
export function noteRole(turn: Turn, room: Occupancy, previous: Stanza | undefined): void {
  const { carrier } = room;
  // What the last stream has asked may have no answer, nor has that its place among what this one hears.
  const isOpen = room.lists !== undefined && room.lists.carrier !== carrier;
  if (isOpen) room.lists = undefined;
  const isMade = roleIn(room.self) === 'moderator' && (isOpen || roleIn(previous) !== 'moderator');
  // Who is made a moderator again and again does not ask before it is answered.
  if (isMade && carrier !== undefined && !room.lists && hidesSome(room)) {
    const ids = new Set<string>();
    const to = escapeXml(room.name);
    room.lists = { carrier, ids };
    for (const role of ROLES) {
      const id = freshId(turn.state);
      ids.add(id);
      const query = `<query xmlns='${NS.mucAdmin}'><item role='${role}'/></query>`;
      turn.out.toCarrier(carrier, `<iq type='get' id='${id}' to='${to}'>${query}</iq>`);
    }
  }
}

/** An IQ answer on a stream of the room. False: it answers none of these questions. A room may refuse (mu-conference does). */
export function listAnswered(room: Occupancy, carrier: CarrierId, { id, from = '', type, root }: Stanza): boolean {
  const { lists } = room;
  const isRooms = bareKey(from) === room.key && resourceOf(from) === '';
  if (id === undefined || lists?.carrier !== carrier || !isRooms || !lists.ids.delete(id)) return false;
  if (lists.ids.size === 0) room.lists = undefined;
  if (type !== 'result' || room.carrier !== carrier || roleIn(room.self) !== 'moderator') return true;
  // In its order with presences: who is listed is who is in the roster.
  for (const item of root.child('query', NS.mucAdmin)?.children ?? []) {
    const nick = item.attr('nick');
    const jid = item.attr('jid');
    if (item.name === 'item' && nick !== undefined && jid !== undefined) noteAddress(room, nick, jid);
  }
  return true;
}

function noteAddress({ roster }: Occupancy, nick: string, jid: string): void {
  const key = keyOfNick(nick);
  const occupant = roster.get(key);
  const items = occupant ? itemsOf(occupant.presence) : [];
  const [item] = items;
  if (!occupant || !item || items.length > 1 || item.attr('jid') !== undefined) return;
  const edit = new Edit(occupant.presence).setAttr(item, 'jid', jid);
  roster.set(key, { nick: occupant.nick, presence: parseStanza(edit.toBuffer(), occupant.presence.declarations) });
}

/** Whether the room has shown somebody without an address. */
function hidesSome({ roster }: Occupancy): boolean {
  for (const { presence } of roster.values())
    if (presence.type === undefined && itemsOf(presence).some((item) => item.attr('jid') === undefined)) return true;
  return false;
}

function roleIn(self: Stanza | undefined): string | undefined {
  return self?.root.child('x', NS.mucUser)?.child('item')?.attr('role');
}
