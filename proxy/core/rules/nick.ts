/**
 * Nick changes (L7, XEP-0045 section 7.6): one session renames the account, all joined sessions see it, a refusal is for the asker alone.
 */

import { readdress } from '../../xml/edit.ts';
import { parseStanza, type Stanza } from '../../xml/stanza.ts';
import { escapeXml } from '../../xml/text.ts';
import { detach, keyOfNick, nickOf } from '../occupancy.ts';
import { statusCodes } from '../self-presence.ts';
import type { Occupancy, SentPresence, Session, SessionId, Turn } from '../state.ts';
import { freshId } from '../state.ts';

/** Requests that a room never answers are forgotten beyond this many. */
const MOST_PENDING = 16;
/** How long a room may take to answer a presence (ms). */
const ANSWER_MS = 60_000;

/** Policy `nick: follow`: a session that joined with another nick renames the account. Without a session it is the proxy's own wish. */
export function requestRename(turn: Turn, room: Occupancy, session: Session | undefined, nick: string): void {
  if (room.carrier === undefined) return;
  const xml = `<presence id='${freshId(turn.state)}' to='${escapeXml(`${room.name}/${nick}`)}'/>`;
  turn.out.toCarrier(room.carrier, xml);
  notePending(turn, room, session, nick, parseStanza(xml));
}

/**
 * A presence of the session, or of the proxy's own, is about to go to the room, which will show it with this nick or refuse it.
 */
export function notePending(
  { now }: Turn,
  room: Occupancy,
  session: Session | undefined,
  nick: string,
  stanza: Stanza,
  more: Pick<SentPresence, 'join' | 'says'> = {},
): void {
  const { carrier } = room;
  if (carrier === undefined) return;
  const entry = { id: stanza.id, nick, session: session?.id, carrier, at: now, stanza: detach(stanza) };
  room.presences.push({ ...entry, ...more });
  if (room.presences.length > MOST_PENDING) room.presences.shift();
}

/** The session says anew how available it is, whatever its nick changes on their way say. */
export function noteSaidSince(room: Occupancy, id: SessionId): void {
  for (const pending of room.presences) if (pending.session === id) pending.says = undefined;
  for (const refused of room.ping?.refused ?? []) if (refused.session === id) refused.isOutdated = true;
}

/**
 * Another stream carries the room now: a nick change that the last one left unanswered is asked for again, and the last status too, which ends
 * with the last stream. The answer is the asker's, as to the first try.
 */
export function askAgain(turn: Turn, room: Occupancy): void {
  const { carrier } = room;
  if (carrier === undefined) return;
  const isRename = ({ nick }: SentPresence): boolean => keyOfNick(nick) !== keyOfNick(room.nick);
  const left = room.presences.filter((one) => one.carrier !== carrier);
  const lastStatus = left.filter((one) => !isRename(one)).at(-1);
  room.presences = room.presences.filter(
    (one) => one.carrier === carrier || isRename(one) || one === lastStatus || one.join !== undefined,
  );
  for (const one of room.presences) {
    if (one.carrier === carrier) continue;
    one.carrier = carrier;
    one.at = turn.now;
    const to = isRename(one) ? undefined : `${room.name}/${room.nick}`;
    turn.out.toCarrier(carrier, readdress(one.stanza, { from: null, to }), undefined, one.stanza);
  }
}

/** The presence that this error answers. */
export function takeRefused(room: Occupancy, { id }: Stanza): SentPresence | undefined {
  const byId = room.presences.findIndex((pending) => pending.id === id);
  const index = byId >= 0 ? byId : id === undefined ? 0 : -1;
  return index < 0 ? undefined : room.presences.splice(index, 1)[0];
}

/**
 * The room has shown the presence that was asked for: that is returned, with what was asked for before. It is known by its nick; where the service
 * gives another than was asked for (`before`: the one that it has had), by its id or by status 210 (XEP-0045 section 15.6).
 */
export function presenceSettled(room: Occupancy, stanza: Stanza, before: string | undefined): readonly SentPresence[] {
  const { presences } = room;
  const nick = keyOfNick(nickOf(stanza));
  const index = presences.findIndex((pending) => keyOfNick(pending.nick) === nick);
  if (index >= 0 || before === undefined || keyOfNick(before) === nick) return presences.splice(0, index + 1);
  const isAssigned = statusCodes(stanza).includes('210');
  const isIt = ({ id }: SentPresence): boolean => isAssigned || (id !== undefined && id === stanza.id);
  const changed = presences.findIndex((one) => keyOfNick(one.nick) !== keyOfNick(before) && isIt(one));
  return presences.splice(0, changed + 1);
}

/** A nick change is on its way to the room. One that is not answered for so long will not be. */
export function isRenaming({ now }: Turn, { presences, nick }: Occupancy): boolean {
  return presences.some((one) => keyOfNick(one.nick) !== keyOfNick(nick) && one.at > now - ANSWER_MS);
}
