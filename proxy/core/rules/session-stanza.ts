/**
 * What a session sends to a room that it has joined or joins, or that its own stream carries for its siblings:
 * one table of what goes where (DESIGN.md, "What passes through, what is rewritten").
 */
import { type BareKey, bareKey, resourceOf, splitJid } from '../../xml/address.ts';
import { stanzaError } from '../../xml/build.ts';
import { NS } from '../../xml/names.ts';
import type { Stanza } from '../../xml/stanza.ts';
import { escapeXml } from '../../xml/text.ts';
import { occupies } from '../carriers.ts';
import { detach, hasMucChild, keyOfNick } from '../occupancy.ts';
import type { Circumstances, Occupancy, Session, Turn } from '../state.ts';
import { archiveRequest } from './archive.ts';
import { isSeenTo } from './asked-again.ts';
import { isSaid } from './doubt.ts';
import { partedBy } from './grace.ts';
import { sendGroupchat } from './groupchat.ts';
import { noteWish } from './hide.ts';
import { inboundAnswer } from './inbound.ts';
import { request } from './iq.ts';
import { join } from './join.ts';
import { leave, leaveRoom } from './leave.ts';
import { changeByJoin, isNickChange } from './other-nick.ts';
import { fits } from './outbound.ts';
import { sendMessage } from './private-message.ts';
import { probe } from './probe.ts';
import { rename } from './rename.ts';
import { ownSelfPing } from './self-ping.ts';
import { status } from './status.ts';
import { bePatient } from './stranded.ts';
import { speakSubscribed } from './subscribed.ts';
import { joinInstead } from './take-up.ts';

/** Stanzas of one session that may wait for a carrier or a join's answer. */
const MOST_WAITING = 200;
/** Their bytes. */
const MOST_WAITING_BYTES = 512 * 1024;

/** A stanza of a session to a room goes where it belongs, or waits for that, bounded. */
export function sessionStanza(turn: Turn, session: Session, stanza: Stanza, circumstances: Circumstances = {}): void {
  const { isUnsure = false, isAskedAgain = false } = circumstances;
  if (isAskedAgain && isSeenTo(turn, session, stanza)) return;
  const key = bareKey(stanza.to ?? '');
  if (key === undefined) {
    turn.out.push({ kind: 'relay-upstream', session: session.id, stanza });
    return;
  }
  const isLeave = stanza.name === 'presence' && stanza.type === 'unavailable';
  if (!isLeave && !fits(turn, session, stanza)) return;
  if (
    stanza.name === 'presence' &&
    stanza.type === undefined &&
    resourceOf(stanza.to ?? '') !== '' &&
    hasMucChild(stanza) &&
    !isNickChange(turn, key, session, stanza)
  ) {
    const password = joinInstead(turn, key);
    const parted = partedBy(turn, key, stanza);
    if (parted) leaveRoom(turn, parted);
    join(turn, session, key, stanza, password);
    return;
  }
  if (stanza.name === 'presence' && splitJid(key).domain === key) noteWish(turn, session, key, stanza);
  const room = turn.state.rooms.get(key);
  const waiting = room?.waiting.find((wait) => wait.session === session.id && !wait.isForsaken);
  if (room && waiting) {
    // What was said before the leave is said first.
    if (isLeave && waiting.behind.length === 0) leave(turn, room, session, stanza);
    else if (room.challenged && room.carrier !== undefined && stanza.name === 'iq') iq(turn, room, session, stanza);
    else if (!hasPlace(waiting.behind, stanza)) refuseFull(turn, session, stanza);
    else waiting.behind.push({ stanza: detach(stanza), ...(isUnsure && { isUnsure }) });
    return;
  }
  const member = room?.members.get(session.id);
  if (room && member) {
    if (isUnsure && isSaid(turn, room, session, stanza)) return;
    if (isLeave || !(member.lacks || mustWait(turn, room, session, stanza))) memberStanza(turn, room, session, stanza);
    else waitForCarrier(turn, room, session, stanza, isUnsure);
    return;
  }
  strangerStanza(turn, key, session, stanza);
}

/** A nick change waits for the end of a hand-over too: it would part the two streams that share the nick. */
function mustWait(turn: Turn, room: Occupancy, session: Session, stanza: Stanza): boolean {
  if (room.carrier === undefined) return true;
  // What hibernates may never come back; another stream takes the room over.
  if (turn.state.carriers.get(room.carrier)?.status === 'hibernating') return true;
  if (stanza.name !== 'presence' || stanza.type !== undefined) return false;
  // Behind a presence of its sender that waits.
  if (room.queue.some((one) => one.session === session.id && one.stanza.name === 'presence')) return true;
  if (!room.move) return false;
  const nick = resourceOf(stanza.to ?? '');
  return nick !== '' && keyOfNick(nick) !== keyOfNick(room.nick);
}

function waitForCarrier(turn: Turn, room: Occupancy, session: Session, stanza: Stanza, isUnsure: boolean): void {
  if (!hasPlace(room.queue, stanza)) {
    refuseFull(turn, session, stanza);
    return;
  }
  if (room.queue.every((entry) => entry.stanza.name === 'presence')) bePatient(turn, room);
  room.queue.push({ session: session.id, stanza: detach(stanza), ...(isUnsure && { isUnsure }) });
}

function hasPlace(waiting: readonly { readonly stanza: Stanza }[], stanza: Stanza): boolean {
  const bytes = waiting.reduce((sum, one) => sum + one.stanza.length, stanza.length);
  return waiting.length < MOST_WAITING && bytes <= MOST_WAITING_BYTES;
}

function refuseFull(turn: Turn, session: Session, stanza: Stanza): void {
  turn.out.drop('queue-full');
  if (stanza.type === 'error' || stanza.type === 'result') return;
  const text = 'Too many stanzas wait for this room.';
  turn.out.toSession(
    session.id,
    stanzaError(stanza, { to: session.jid, type: 'wait', condition: 'resource-constraint', text }),
    stanza,
  );
}

function memberStanza(turn: Turn, room: Occupancy, session: Session, stanza: Stanza): void {
  switch (stanza.name) {
    case 'presence':
      memberPresence(turn, room, session, stanza);
      return;
    case 'message':
      // On every server measured a message error throws the occupant out (M10).
      if (stanza.type === 'error') turn.out.drop('client-error-reply');
      else if (stanza.type === 'groupchat') sendGroupchat(turn, room, session, stanza);
      else sendMessage(turn, room, session, stanza);
      return;
    default:
      iq(turn, room, session, stanza);
  }
}

function memberPresence(turn: Turn, room: Occupancy, session: Session, stanza: Stanza): void {
  const member = room.members.get(session.id);
  if (!member) return;
  if (stanza.type === 'unavailable' || isExit(room, stanza)) leave(turn, room, session, stanza);
  else if (stanza.type === 'error') turn.out.drop('client-error-reply');
  else if (stanza.type === 'probe') probe(turn, room, session, stanza);
  else if (stanza.type !== undefined) turn.out.push({ kind: 'relay-upstream', session: session.id, stanza });
  else {
    const nick = resourceOf(stanza.to ?? '');
    const isOwn = nick === '' || keyOfNick(nick) === keyOfNick(room.nick);
    if (isOwn) status(turn, room, session, member, stanza);
    else if (hasMucChild(stanza)) changeByJoin(turn, room, session, stanza, nick);
    else rename(turn, room, session, stanza, nick);
  }
}

/**
 * Whether a presence error to the own nick is how the client ends its stay (section 11.1): it says no error, so it answers nothing that the
 * room sent (M10, RFC 6120 section 8.3.1).
 */
function isExit(room: Occupancy, { type, to, root }: Stanza): boolean {
  return type === 'error' && keyOfNick(resourceOf(to ?? '')) === keyOfNick(room.nick) && !root.child('error');
}

function iq(turn: Turn, room: Occupancy, session: Session, stanza: Stanza): void {
  if (ownSelfPing(turn, room, session, stanza) || archiveRequest(turn, room, session, stanza)) return;
  if (stanza.type === 'get' || stanza.type === 'set') request(turn, room, session, stanza);
  else if (stanza.type === 'result' || stanza.type === 'error') inboundAnswer(turn, session, stanza);
  // RFC 6120 section 8.2.3.
  else
    turn.out.toSession(
      session.id,
      stanzaError(stanza, { to: session.jid, type: 'modify', condition: 'bad-request' }),
      stanza,
    );
}

/**
 * A session that has not joined, although its own stream may be an occupant for its siblings: it must look like the stranger
 * that it is. What the room would answer to a stranger is answered here where its stream is an occupant; else it goes there itself.
 */
function strangerStanza(turn: Turn, key: BareKey, session: Session, stanza: Stanza): void {
  const { state, out } = turn;
  const nick = resourceOf(stanza.to ?? '');
  const room = state.rooms.get(key);
  const isInside = room !== undefined && room.phase !== 'ended';
  const isOccupant = isInside && occupies(state.carriers.get(session.carrier), key);
  if (stanza.name === 'presence' && stanza.type === undefined && nick !== '') {
    if (isOccupant || state.services.isMuc(splitJid(key).domain)) {
      out.toSession(session.id, notInside(session, stanza), stanza);
      return;
    }
  }
  // Who declines an invitation is a stranger to the room (XEP-0045 section 7.8.2).
  const isDecline = stanza.name === 'message' && stanza.root.child('x', NS.mucUser)?.child('decline') !== undefined;
  if (!isOccupant || isDecline) {
    out.push({ kind: 'relay-upstream', session: session.id, stanza });
    return;
  }
  if (stanza.type === 'error' || stanza.type === 'result' || stanza.name === 'presence') {
    out.drop('client-error-reply');
    return;
  }
  if (stanza.name === 'iq' && nick === '' && room.carrier !== undefined) {
    request(turn, room, session, stanza);
    return;
  }
  if (!mustWait(turn, room, session, stanza) && speakSubscribed(turn, room, session, stanza)) return;
  const error = stanzaError(stanza, { to: session.jid, type: 'cancel', condition: 'not-acceptable' });
  out.toSession(session.id, error, stanza);
}

/**
 * Presence without the `muc` child to a room that the session is not in: it believes to be inside and is told that it is not,
 * with 110, 307 and 333 (XEP-0045 section 7.2.18). Relayed, it would be a groupchat-1.0 join behind our back.
 */
function notInside(session: Session, stanza: Stanza): string {
  const id = stanza.id === undefined ? '' : ` id='${escapeXml(stanza.id)}'`;
  return (
    `<presence type='unavailable' from='${escapeXml(stanza.to ?? '')}' to='${escapeXml(session.jid)}'${id}><x xmlns='${NS.mucUser}'>` +
    `<item affiliation='none' role='none'/><status code='110'/><status code='307'/><status code='333'/></x></presence>`
  );
}
