/**
 * A session joins (J1, J5, J6): the account joins once; later sessions are answered from what is known.
 */
import { type BareKey, bareOf, resourceOf } from '../../xml/address.ts';
import { Edit } from '../../xml/edit.ts';
import { NS } from '../../xml/names.ts';
import type { Stanza } from '../../xml/stanza.ts';
import { escapeXml } from '../../xml/text.ts';
import { chooseCarrier } from '../carriers.ts';
import { accountHistory, historyOf, historyWish } from '../history.ts';
import { createOccupancy, detach, forgetOccupancy, forgetRoomState, keyOfNick } from '../occupancy.ts';
import { replay } from '../replay.ts';
import type { Carrier, Occupancy, Presentation, Session, Turn, WaitingJoin } from '../state.ts';
import { freshId } from '../state.ts';
import { statedIn } from '../stated.ts';
import { isGapWaiting, takeCursor } from './cursor.ts';
import { noteSaidSince, requestRename } from './nick.ts';
import { joinsAnew } from './overdue.ts';
import { askForPast } from './past.ts';
import { showIfMore } from './shown.ts';

/** `known`: the password of the room, for a join that gives none. */
export function join(turn: Turn, session: Session, key: BareKey, stanza: Stanza, known?: string): void {
  const { state, out } = turn;
  const to = stanza.to ?? '';
  const nick = resourceOf(to);
  let room = state.rooms.get(key);
  if (room?.phase === 'ended') {
    forgetOccupancy(turn, room);
    room = undefined;
  }
  if (room?.phase === 'joined') {
    admit(turn, room, session, detach(stanza), nick);
    return;
  }
  if (!room) {
    room = createOccupancy(key, bareOf(to), nick, state.settings);
    state.rooms.set(key, room);
  }
  session.rooms.add(key);
  // A join repeated while the first is unanswered takes its place: one answer, to the latest id.
  const own = room.waiting.find((wait) => wait.session === session.id && !wait.isForsaken);
  const formers = own ? undefined : formersWait(session, room);
  const earlier = own ?? formers;
  const isTakenOver = formers !== undefined || own?.isTakenOver;
  room.waiting = room.waiting.filter((waiting) => waiting !== earlier);
  // Also while the account is still leaving: each join is answered within its time (J7).
  if (room.waiting.length === 0) out.setTimer(`join ${key}`, state.settings.joinTimeoutMs);
  const password = known ?? earlier?.password;
  room.waiting.push({
    session: session.id,
    stanza: detach(stanza),
    nick,
    ...(password !== undefined && { password }),
    at: turn.now,
    behind: earlier?.behind ?? [],
    isForsaken: false,
    ...(isTakenOver && { isTakenOver }),
  });
  if (room.phase === 'joining' && !room.attempt) startJoin(turn, room);
}

/** That of the session before it came from another node: forsaken, unless that has not been told of yet. */
function formersWait({ former }: Session, room: Occupancy): WaitingJoin | undefined {
  return former === undefined ? undefined : room.waiting.find(({ session }) => session === former);
}

/** The account is inside: the session is given the room as it stands, and hears it from now on. */
export function admit(turn: Turn, room: Occupancy, session: Session, stanza: Stanza, asked: string): void {
  const { state, out } = turn;
  out.clearTimer(`grace ${room.key}`);
  out.push({ kind: 'joined', result: 'local' });
  enter(turn, room, session, stanza, asked);
  dropStatuses(room, session);
  const cursor = takeCursor(session, room);
  replay(turn, room, session, { join: stanza, asked, isCreator: false, notices: [], liveFrom: undefined, cursor });
  showIfMore(turn, room);
  if (state.settings.nickPolicy === 'follow' && keyOfNick(asked) !== keyOfNick(room.nick)) {
    requestRename(turn, room, session, asked);
  }
}

/** What it has said of its availability or nick before the join, and that still waits for a carrier, is outdated. */
function dropStatuses(room: Occupancy, { id }: Session): void {
  room.queue = room.queue.filter(
    ({ session, stanza: { name, type } }) => session !== id || name !== 'presence' || type !== undefined,
  );
}

/** Makes the session a member of the occupancy. `presentation`: what it has said of its availability; absent: the join says it anew. */
export function enter(
  turn: Turn,
  room: Occupancy,
  session: Session,
  stanza: Stanza,
  asked: string,
  presentation?: Presentation,
): void {
  const { out } = turn;
  session.rooms.add(room.key);
  room.farewell = undefined;
  room.parting = undefined;
  room.hiddenFrom?.delete(session.id);
  const password = passwordOf(stanza);
  const given = password === undefined ? {} : { password };
  if (!presentation) noteSaidSince(room, session.id);
  const said = presentation ?? presentationOf(stanza, turn.now);
  room.members.set(session.id, { asked, ...given, presentation: said, lag: undefined });
  out.push({ kind: 'store-join', room: room.key, session: session.id });
}

/** The password of the room that a join gives (XEP-0045 section 7.2.6). */
export function passwordOf(join: Stanza): string | undefined {
  return join.root.child('x', NS.muc)?.child('password')?.text();
}

export function presentationOf(stanza: Stanza, at: number): Presentation {
  return { ...statedIn(stanza), at, stanza };
}

/** Sends the join of the first waiting session, as soon as there is a carrier. */
export function startJoin(turn: Turn, room: Occupancy): void {
  const waiting = room.waiting[0];
  if (!waiting) return;
  room.phase = 'joining';
  const carrier = chooseCarrier(turn, room, waiting.session);
  if (carrier === 'pending' || carrier === undefined) return;
  room.nick = waiting.nick;
  forgetRoomState(room, turn.state.settings);
  askForPast(turn, room);
  room.carrier = carrier.id;
  room.joinedAt = turn.now;
  const isBehind = joinsAnew(turn, carrier, room.key);
  room.attempt = {
    carrier: carrier.id,
    wish: waiting,
    // The client's own id, which other occupants may see, as without the proxy; it may have been that of the stay before, too.
    joinId: (isBehind ? undefined : waiting.stanza.id) ?? freshId(turn.state),
    fenceId: freshId(turn.state),
    isFenceSpent: false,
    ...(isBehind && { isBehind }),
    self: undefined,
    created: false,
    roster: room.roster,
    notices: [],
    early: [],
  };
  sendJoin(turn, room, carrier, room.attempt.joinId, waiting);
  sendFence(turn, room, carrier, room.attempt.fenceId);
}

/** With which password the room is asked to let the account in. */
export function wishedPassword({ stanza, password }: WaitingJoin): string | undefined {
  return passwordOf(stanza) ?? password;
}

/** The client's own join, with our id and a wish for history that serves later sessions too. */
function sendJoin(turn: Turn, room: Occupancy, carrier: Carrier, id: string, waiting: WaitingJoin): void {
  const { stanza } = waiting;
  const edit = new Edit(stanza);
  edit.removeAttr(stanza.root, 'from');
  edit.setAttr(stanza.root, 'id', id);
  const x = stanza.root.child('x', NS.muc);
  const most = turn.state.settings.historyStanzas;
  const history = isGapWaiting(turn.state, room) ? historyOf(most) : accountHistory(historyWish(stanza), most);
  if (x) {
    const own = x.child('history');
    if (own) edit.remove(own);
    if (history !== undefined) edit.append(x, history);
    room.password = wishedPassword(waiting);
    if (room.password !== undefined && !x.child('password'))
      edit.append(x, `<password xmlns='${NS.muc}'>${escapeXml(room.password)}</password>`);
  }
  carrier.rooms.add(room.key);
  turn.out.toCarrier(carrier.id, edit.toBuffer(), undefined, stanza);
}

/** Its answer comes after the whole join answer on every server measured (SERVER_FACTS f). */
export function sendFence(turn: Turn, room: Occupancy, carrier: Carrier, id: string): void {
  turn.out.toCarrier(
    carrier.id,
    `<iq type='get' id='${id}' to='${escapeXml(room.name)}'><query xmlns='${NS.discoInfo}'/></iq>`,
  );
}
