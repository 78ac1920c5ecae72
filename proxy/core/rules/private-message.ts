/**
 * Private and other non-groupchat messages of a room (M3): in to every joined session; out once, and shown to joined siblings
 * as a carbon, since the server's own carbons of carrier traffic are not theirs to see (rules/carbons.ts).
 */

import { Edit, readdress } from '../../xml/edit.ts';
import { NS } from '../../xml/names.ts';
import { parseStanza, type Stanza } from '../../xml/stanza.ts';
import { escapeXml } from '../../xml/text.ts';
import { isForNext, keepOne, keepPrivate, unkeepPrivate } from '../kept.ts';
import { nudgeMembers } from '../nudge.ts';
import { detach } from '../occupancy.ts';
import type { CarrierId, Occupancy, Session, Turn } from '../state.ts';
import { stray } from '../stray.ts';
import { isAnsweredBy, noteSent, takeSent } from './groupchat.ts';
import { throughCarrier } from './outbound.ts';
import { isAwaited, keepCarbon, keepForTravellers } from './travellers.ts';

/** A joined session writes to an occupant, or sends the room an invitation, a voice request or the like. */
export function sendMessage(turn: Turn, room: Occupancy, session: Session, stanza: Stanza): void {
  noteSent(turn, room, session, stanza);
  throughCarrier(turn, room, session, stanza);
  const isPrivate = (stanza.type ?? 'normal') === 'chat' || stanza.root.child('body') !== undefined;
  if (isPrivate && (stanza.to ?? '').includes('/')) showSiblings(turn, room, session, stanza);
}

/** XEP-0280 section 6.1 and 7: a `sent` carbon to each joined sibling that has carbons on, unless the message is private. */
function showSiblings(turn: Turn, room: Occupancy, session: Session, stanza: Stanza): void {
  if (stanza.root.child('private', NS.carbons) || stanza.root.child('no-copy', NS.hints)) return;
  const { state, out } = turn;
  const carbon = (jid: string, attributes = ''): string => {
    const edit = new Edit(stanza);
    edit.setAttr(stanza.root, 'from', session.jid);
    if (!stanza.root.attr('xmlns')) edit.setAttr(stanza.root, 'xmlns', NS.client);
    const copy = edit.toBuffer().toString('utf8');
    return (
      `<message from='${escapeXml(state.bare)}' to='${escapeXml(jid)}' type='${escapeXml(stanza.type ?? 'normal')}'${attributes}>` +
      `<sent xmlns='${NS.carbons}'><forwarded xmlns='${NS.forward}'>${copy}</forwarded></sent></message>`
    );
  };
  for (const id of room.members.keys()) {
    const sibling = state.sessions.get(id);
    if (sibling && id !== session.id && sibling.carbons) out.toSession(id, carbon(sibling.jid), stanza);
  }
  // Its stream header may be another one than that of the stream on which the stanza came.
  const declared = ` xmlns='${NS.client}'`;
  keepCarbon(turn, room, (jid) => parseStanza(Buffer.from(carbon(jid, declared)), stanza.declarations));
}

/** A private message, invitation, form or notice from the room's side. */
export function message(turn: Turn, room: Occupancy, carrier: CarrierId, stanza: Stanza): void {
  const { out } = turn;
  if (room.overlap && !room.overlap.isNew(carrier, stanza)) {
    out.drop('overlap');
    return;
  }
  // One thing, so that nobody is given it both as a traveller and as the next one to come.
  const one = isAwaited(turn, room) ? { stanza: detach(stanza), at: turn.now } : undefined;
  if (one) keepForTravellers(turn, room, one);
  if (room.members.size > 0) {
    // No log has it for those who are told what they lack later.
    out.fork([...room.members.keys()], stanza);
    nudgeMembers(turn, room, stanza);
    return;
  }
  if (unkeepPrivate(turn, room, stanza)) return;
  if (!isForNext(stanza)) {
    out.drop('no-session');
    return;
  }
  if (one) keepOne(turn, room, one);
  else keepPrivate(turn, room, stanza);
}

/** An error to something that one session has sent (M2): to that session alone. */
export function messageError(turn: Turn, room: Occupancy, carrier: CarrierId, stanza: Stanza): void {
  const sender = takeSent(room, isAnsweredBy(stanza))?.session;
  const session = sender === undefined ? undefined : turn.state.sessions.get(sender);
  if (session) turn.out.toSession(session.id, readdress(stanza, { to: session.jid }), stanza);
  else stray(turn, carrier, stanza, 'unmatched-error');
}
