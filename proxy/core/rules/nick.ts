/**
 * Nick changes (L7, XEP-0045 section 7.6): one session renames the account, all joined sessions see it, a refusal is for the asker alone.
 */

import { readdress } from '../../xml/edit.ts';
import type { Stanza } from '../../xml/stanza.ts';
import { escapeXml } from '../../xml/text.ts';
import { keyOfNick } from '../occupancy.ts';
import type { CarrierId, Occupancy, Session, Turn } from '../state.ts';
import { freshId } from '../state.ts';
import { throughCarrier } from './outbound.ts';

/** Requests that a room never answers are forgotten beyond this many. */
const MOST_PENDING = 16;

/** A joined session's presence to `room/other-nick`. */
export function rename(turn: Turn, room: Occupancy, session: Session, stanza: Stanza, nick: string): void {
  notePending(room, { id: stanza.id, nick, session: session.id });
  throughCarrier(turn, room, session, stanza);
}

/** Policy `nick: follow`: a session that joined with another nick renames the account. */
export function requestRename(turn: Turn, room: Occupancy, session: Session, nick: string): void {
  if (room.carrier === undefined) return;
  const id = sendRename(turn, room, room.carrier, nick);
  notePending(room, { id, nick, session: session.id });
}

/** A nick change of the proxy's own; returns its id. */
export function sendRename(turn: Turn, room: Occupancy, carrier: CarrierId, nick: string): string {
  const id = freshId(turn.state);
  const to = escapeXml(`${room.name}/${nick}`);
  turn.out.toCarrier(carrier, `<presence id='${id}' to='${to}'/>`);
  return id;
}

function notePending(room: Occupancy, pending: Occupancy['presences'][number]): void {
  room.presences.push(pending);
  if (room.presences.length > MOST_PENDING) room.presences.shift();
}

/** A presence error while the account is inside: a refused nick (409, 406), or a refused status. Only the asker hears of it. */
export function presenceRefused(turn: Turn, room: Occupancy, stanza: Stanza): void {
  const byId = room.presences.findIndex((pending) => pending.id === stanza.id);
  const index = byId >= 0 ? byId : stanza.id === undefined ? 0 : -1;
  const pending = index < 0 ? undefined : room.presences.splice(index, 1)[0];
  const session = pending === undefined ? undefined : turn.state.sessions.get(pending.session);
  if (!session) {
    turn.out.drop('unmatched-error');
    return;
  }
  turn.out.toSession(session.id, readdress(stanza, { to: session.jid }), stanza);
}

/** The room has shown the presence that was asked for. */
export function presenceSettled(room: Occupancy, nick: string): void {
  const index = room.presences.findIndex((pending) => keyOfNick(pending.nick) === keyOfNick(nick));
  if (index >= 0) room.presences.splice(0, index + 1);
}
