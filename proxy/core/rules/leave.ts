/**
 * A session leaves (L1, L2): it is answered here and hears no more of the room. The account leaves by the leave policy.
 */

import { Edit } from '../../xml/edit.ts';
import { NS } from '../../xml/names.ts';
import type { Stanza } from '../../xml/stanza.ts';
import { escapeXml } from '../../xml/text.ts';
import { departTimer, occupies, releaseRoom } from '../carriers.ts';
import { endOccupancy, keepUnheard } from '../end.ts';
import {
  detach,
  forgetOccupancy,
  isBeforeJoin,
  isRoomsWord,
  messagesPast,
  ownOccupantId,
  presencesLost,
  refuseQueued,
} from '../occupancy.ts';
import { type CarrierId, freshId, type Occupancy, type Parting, type Session, type Turn } from '../state.ts';
import { isLeftToSubscription } from '../subscription.ts';
import { staysBookmarked } from './bookmarked.ts';
import { endAttempt } from './early.ts';
import { forsake } from './forsaken.ts';
import { graceOf, mayEnd } from './grace.ts';
import { hide, isHiding } from './hide.ts';
import { inboundOver } from './inbound.ts';
import { sendFence, startJoin } from './join.ts';
import { catchUp, passTold } from './missed.ts';
import { isSmallEnough } from './outbound.ts';
import { noteOverdue } from './overdue.ts';
import { showWithout } from './shown.ts';
import { strandUnseen } from './stranded.ts';

/** How long a room may owe the answer to a leave (ms): jabberd2 gives none to a session that sends no presence. */
export const LEAVE_TIMEOUT_MS = 10_000;

/** How long a stream waits for the end of another one's join before it leaves (ms): a refused join is not followed by the end of a stay. */
const ENTERING_MS = 2000;

/** Pause until a room that may have ended with the account's leave is joined again (ms): ejabberd needed 5, and 20 on a busy machine. */
const ENDING_MS = 100;

/**
 * `stanza` is the client's `unavailable`: to the room, or its broadcast one, which leaves all rooms; or how it ends its stay by an error; undefined: it
 * has not asked for this.
 */
export function leave(
  turn: Turn,
  room: Occupancy,
  session: Session,
  stanza: Stanza | undefined,
  isBroadcast = false,
): void {
  const { out } = turn;
  const isDirected = stanza !== undefined && !isBroadcast;
  session.rooms.delete(room.key);
  forsake(turn, room, session.id);
  const member = room.members.get(session.id);
  const wasMember = room.members.delete(session.id);
  if (wasMember) out.push({ kind: 'store-leave', room: room.key, session: session.id });
  inboundOver(turn, session.id, room);
  refuseQueued(
    turn,
    room,
    room.queue.filter((queued) => queued.session === session.id),
  );
  if (wasMember) takeLeave(turn, room, session);
  out.toSession(session.id, leaveAnswer(room, session, stanza), stanza);
  const isHidden = wasMember && isDirected && isHiding(session, room);
  if (isHidden) hide(room, session);
  if (isDirected) room.leftBy = session.id;
  if (room.members.size > 0 || room.waiting.length > 0) {
    showWithout(turn, room);
    return;
  }
  if (isDirected && !isHidden && isSmallEnough(turn, stanza)) room.farewell = detach(stanza);
  if (room.phase === 'joining') abandonJoin(turn, room);
  else if (isLeftToSubscription(turn, room)) leaveRoom(turn, room);
  else if (room.phase === 'joined' && isDirected && !isHidden) leaveByPolicy(turn, room, member);
  else showWithout(turn, room);
}

/** COMPAT: ejabberd shows who joins the room itself before its occupants, and takes it away before one's own `unavailable`. */
function takeLeave({ out }: Turn, room: Occupancy, { id, jid }: Session): void {
  if (!room.roomPresence || room.isRoomPresenceLast) return;
  out.toSession(id, `<presence type='unavailable' from='${escapeXml(room.name)}' to='${escapeXml(jid)}'/>`);
}

/** The session's own `unavailable`, with the text it gave (XEP-0045 section 7.14); 333 where it ends by an error (section 11.1). */
function leaveAnswer(room: Occupancy, session: Session, stanza: Stanza | undefined): string | Buffer {
  const self = room.self?.root.child('x', NS.mucUser)?.child('item');
  const affiliation = self?.attr('affiliation') ?? 'none';
  const jid = self?.attr('jid') === undefined ? '' : ` jid='${escapeXml(session.jid)}'`;
  const item = `<item affiliation='${escapeXml(affiliation)}' role='none'${jid}/>`;
  const isError = stanza?.type === 'error';
  const codes = `<status code='110'/>${isError ? "<status code='333'/>" : ''}`;
  const x = `${ownOccupantId(room)}<x xmlns='${NS.mucUser}'>${item}${codes}</x>`;
  const from = `${room.name}/${room.nick}`;
  if (!stanza) {
    return `<presence type='unavailable' from='${escapeXml(from)}' to='${escapeXml(session.jid)}'>${x}</presence>`;
  }
  const edit = new Edit(stanza);
  const { root } = stanza;
  edit.setAttr(root, 'from', from);
  edit.setAttr(root, 'to', session.jid);
  if (isError) edit.setAttr(root, 'type', 'unavailable');
  for (const child of root.children) {
    if (isRoomsWord(child) || (isError && child.name === 'error')) edit.remove(child);
  }
  edit.append(root, x);
  return edit.toBuffer();
}

/** Nobody waits for the join any more: what has been sent is taken back right behind it (J7). */
export function abandonJoin(turn: Turn, room: Occupancy): void {
  if (room.attempt) {
    leaveRoom(turn, room);
    return;
  }
  endOccupancy(turn, room);
  forgetOccupancy(turn, room);
}

/** The last joined session has left of its own will (L2). `parting`: what it had asked for; absent: what the account has. */
export function leaveByPolicy(turn: Turn, room: Occupancy, parting: Parting = { asked: room.nick }): void {
  const { settings } = turn.state;
  if (settings.leaveWhen === 'never') {
    showWithout(turn, room);
    return;
  }
  const graceMs = graceOf(turn, room);
  const { asked, password } = parting;
  room.parting = { asked, ...(password !== undefined && { password }) };
  if (staysBookmarked(turn, room, graceMs)) return;
  if (graceMs === 0) leaveRoom(turn, room);
  else turn.out.setTimer(`grace ${room.key}`, graceMs);
}

/** The grace has passed without a rejoin. */
export function graceOver(turn: Turn, room: Occupancy): void {
  if (staysBookmarked(turn, room, 0)) return;
  if (room.phase === 'joined' && room.members.size === 0) leaveRoom(turn, room);
}

/** The account leaves the room on every stream that is in it. */
export function leaveRoom(turn: Turn, room: Occupancy): void {
  const { state, out } = turn;
  room.phase = 'leaving';
  out.clearTimer(`join ${room.key}`);
  out.clearTimer(`settle ${room.key}`);
  const places = [...state.carriers.values()].filter((one) => occupies(one, room.key));
  for (const { id } of places) if (id === room.move?.carrier && !room.departing.has(id)) leaveOn(turn, room, id);
  // Whether that join comes to the room before the others' leaves nobody knows: seen by others the account goes once.
  const isEntering = [...room.departing.values()].some((one) => one.isEntering);
  for (const { id } of places) {
    if (room.departing.get(id)?.sent) continue;
    if (!isEntering) leaveOn(turn, room, id);
    else {
      room.departing.set(id, { sent: false });
      out.setTimer(departTimer(id, room), ENTERING_MS);
    }
  }
  endAttempt(turn, room);
  const { move } = room;
  room.move = undefined;
  // Nobody else has heard what it was told.
  if (move && move.from === undefined) passTold(turn, room, move);
  out.setTimer(`leave ${room.key}`, LEAVE_TIMEOUT_MS);
  if (room.departing.size === 0) left(turn, room);
}

/** One stream, with what the client has said to the room, or to all. */
export function leaveOn(turn: Turn, room: Occupancy, id: CarrierId): void {
  const carrier = turn.state.carriers.get(id);
  if (carrier) sendLeave(turn, room, id, room.farewell ?? carrier.farewell);
}

/** The stream whose join was on its way is out of the room: now those that were in it go. */
export function leaveRest(turn: Turn, room: Occupancy): void {
  if (room.phase !== 'leaving' || [...room.departing.values()].some((one) => one.isEntering)) return;
  for (const [id, { sent }] of [...room.departing]) if (!sent) leaveOn(turn, room, id);
}

/** The account is in the room no more, but for a join that is on its way on one stream: that is taken back. */
export function retreat(turn: Turn, room: Occupancy, carrier: CarrierId): void {
  sendLeave(turn, room, carrier);
  awaitEnd(turn, room);
}

/** The account is in the room no more, but for streams whose leave has not been answered. */
export function awaitEnd(turn: Turn, room: Occupancy): void {
  const { out } = turn;
  room.phase = 'leaving';
  room.carrier = undefined;
  keepUnheard(turn, room);
  room.move = undefined;
  room.ahead = undefined;
  out.clearTimer(`move ${room.key}`);
  out.setTimer(`leave ${room.key}`, LEAVE_TIMEOUT_MS);
}

/**
 * A directed `unavailable` on one carrier; confirmed by the room's own `unavailable` to it. With `farewell`, a client's, it says
 * what that says.
 */
export function sendLeave(turn: Turn, room: Occupancy, carrier: CarrierId, farewell?: Stanza): void {
  const to = `${room.name}/${room.nick}`;
  const move = room.move?.carrier === carrier ? room.move : undefined;
  const isEntering = move !== undefined && (isBeforeJoin(move) || move.self === undefined);
  const isAnew = (move !== undefined && isBeforeJoin(move)) || mayComeIn(room, carrier);
  const attempt = move ?? (room.attempt?.carrier === carrier ? room.attempt : undefined);
  const behind = attempt?.isBehind ? turn.state.carriers.get(carrier) : undefined;
  const fenceId = behind && freshId(turn.state);
  const fence = fenceId === undefined ? {} : { isBehind: true, fenceId };
  room.departing.set(carrier, { sent: true, ...(isEntering && { isEntering }), ...(isAnew && { isAnew }), ...fence });
  if (farewell) {
    const edit = new Edit(farewell).removeAttr(farewell.root, 'from').setAttr(farewell.root, 'to', to);
    turn.out.toCarrier(carrier, edit.toBuffer(), undefined, farewell);
  }
  // Also behind an error, which a service may put up with; where it does not, nobody is there to leave.
  if (farewell?.type !== 'unavailable') {
    turn.out.toCarrier(carrier, `<presence type='unavailable' to='${escapeXml(to)}'/>`);
  }
  if (behind && fenceId !== undefined) sendFence(turn, room, behind, fenceId);
  awaitLeave(turn, room, carrier);
}

/**
 * Whether the stream, which is out of the room, has sent it a presence that has not been answered: services that know groupchat 1.0 take one that
 * crosses the end of the place for a join (XEP-0045 section 7.2.1).
 */
export function mayComeIn({ presences }: Occupancy, carrier: CarrierId): boolean {
  return presences.some((pending) => pending.carrier === carrier);
}

/**
 * That is taken back at once. What the room shows the stream meanwhile is none of the account's; others refuse the presence, which ends it too. Where
 * a service answers neither, the answer to a fence behind them does.
 */
export function leaveAgain(turn: Turn, room: Occupancy, id: CarrierId): void {
  const carrier = turn.state.carriers.get(id);
  const unasked = room.presences.filter((pending) => pending.carrier === id).length;
  sendLeave(turn, room, id);
  if (!carrier || unasked === 0) room.departing.set(id, { sent: true, unasked });
  else {
    const fenceId = freshId(turn.state);
    room.departing.set(id, { sent: true, unasked, fenceId });
    sendFence(turn, room, carrier, fenceId);
  }
}

/** Gives the room time to confirm the leave of this stream. */
export function awaitLeave(turn: Turn, room: Occupancy, carrier: CarrierId): void {
  turn.out.setTimer(departTimer(carrier, room), LEAVE_TIMEOUT_MS);
}

/** One stream has left the room; with the last one a leave is complete. `wasOut`: it was out before, and did not hear the room to the end. */
export function departed(turn: Turn, room: Occupancy, carrier: CarrierId, wasOut = false): void {
  releaseRoom(turn, carrier, room);
  presencesLost(room, carrier);
  leaveRest(turn, room);
  if (room.departing.size === 0) catchUp(turn, room, wasOut);
  strandUnseen(turn, room, carrier);
  if (room.phase !== 'leaving' || room.departing.size > 0) return;
  // COMPAT: ejabberd loses what comes to a room that is just ending.
  if (mayEnd(room)) turn.out.setTimer(`leave ${room.key}`, ENDING_MS);
  else left(turn, room);
}

/** The account is out of the room. A session that wanted in meanwhile starts anew. */
export function left(turn: Turn, room: Occupancy): void {
  for (const [id, { sent }] of [...room.departing]) {
    if (!sent) continue;
    noteOverdue(turn, room, id);
    releaseRoom(turn, id, room);
  }
  const waiting = room.waiting;
  const [first] = waiting;
  room.waiting = [];
  endOccupancy(turn, room, first !== undefined);
  if (!first) return;
  turn.out.clearTimer(`ended ${room.key}`);
  // Nothing that was on its way to the room in this stay is in the next one.
  room.presences = [];
  messagesPast(room);
  room.meanwhile = undefined;
  room.lists = undefined;
  room.isReplaced = false;
  room.waiting = waiting;
  for (const { session, isForsaken } of waiting) if (!isForsaken) turn.state.sessions.get(session)?.rooms.add(room.key);
  const spent = Math.max(0, turn.now - first.at);
  turn.out.setTimer(`join ${room.key}`, Math.max(0, turn.state.settings.joinTimeoutMs - spent));
  startJoin(turn, room);
}
