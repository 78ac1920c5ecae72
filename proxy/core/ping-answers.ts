/** Who waits for the answer to a ping of the account's to its own nick (rules/self-ping.ts), and what they are told. */
import { stanzaError } from '../xml/build.ts';
import { readdress } from '../xml/edit.ts';
import type { Stanza } from '../xml/stanza.ts';
import { escapeXml } from '../xml/text.ts';
import { refuseJoin } from './refused-join.ts';
import type { Occupancy, SelfPing, Session, Turn } from './state.ts';

/** The session is in the room (XEP-0410 section 3.2). */
export function answerIn({ out }: Turn, { id, jid }: Session, stanza: Stanza): void {
  const attributes = `from='${escapeXml(stanza.to ?? '')}' to='${escapeXml(jid)}'`;
  const own = stanza.id === undefined ? '' : ` id='${escapeXml(stanza.id)}'`;
  out.toSession(id, `<iq type='result' ${attributes}${own}/>`, stanza);
}

/** The account is in: so are its joined sessions, and no others. */
export function tellIn(turn: Turn, room: Occupancy, { waiting }: SelfPing): void {
  for (const { session: id, stanza } of waiting) {
    const session = turn.state.sessions.get(id);
    if (!session) continue;
    if (room.members.has(id)) answerIn(turn, session, stanza);
    else tellError(turn, session, stanza, 'cancel', 'not-acceptable');
  }
}

/** Nothing is known of the room: as if it could not be reached. */
export function tellUnknown(turn: Turn, { waiting }: SelfPing): void {
  for (const { session: id, stanza } of waiting) {
    const session = turn.state.sessions.get(id);
    if (session) tellError(turn, session, stanza, 'wait', 'remote-server-timeout');
  }
}

function tellError(
  { out }: Turn,
  { id, jid }: Session,
  stanza: Stanza,
  type: 'cancel' | 'wait',
  condition: 'not-acceptable' | 'remote-server-timeout',
): void {
  out.toSession(id, stanzaError(stanza, { to: jid, type, condition }), stanza);
}

/** What the room has refused, it has refused: its own words to each sender. */
export function passRefusals(turn: Turn, room: Occupancy, { refused }: SelfPing): void {
  for (const { session: id, error, isJoin } of refused) {
    const session = turn.state.sessions.get(id);
    if (session && isJoin) refuseJoin(turn, room, session, error);
    else if (session) turn.out.toSession(id, readdress(error, { to: session.jid }), error);
  }
}

/** The account's stay is over: nobody waits any more. */
export function closePing(turn: Turn, room: Occupancy): void {
  const { ping } = room;
  room.ping = undefined;
  room.unsure = undefined;
  turn.out.clearTimer(`ping ${room.key}`);
  if (!ping) return;
  for (const { session: id, stanza } of ping.waiting) {
    const session = turn.state.sessions.get(id);
    if (session) tellError(turn, session, stanza, 'cancel', 'not-acceptable');
  }
  passRefusals(turn, room, ping);
}
