/**
 * IQs between a session and the room or its occupants (M4, M5): through the carrier under an id of our own, the answer to
 * the asking session alone, under its id. Matched on id and sender, so that nothing an occupant forges is passed on.
 */
import { bareKey, resourceOf } from '../../xml/address.ts';
import { stanzaError } from '../../xml/build.ts';
import { Edit } from '../../xml/edit.ts';
import { NS } from '../../xml/names.ts';
import { emptied, type Stanza } from '../../xml/stanza.ts';
import { carrierJids } from '../carriers.ts';
import { keyOfNick } from '../occupancy.ts';
import { failRequest } from '../requests.ts';
import type { AccountState, CarrierId, Occupancy, Session, Turn } from '../state.ts';
import { freshId } from '../state.ts';
import { stray } from '../stray.ts';
import { changesSubscription, subscriptionChanged } from '../subscription.ts';
import { asksForInfo, tellOfArchive } from './archive.ts';
import { tryDepart } from './depart.ts';

/** Requests of one session that may be unanswered at a time. */
const MOST_PENDING = 512;

/** A joined session asks the room or an occupant. */
export function request(turn: Turn, room: Occupancy, session: Session, stanza: Stanza): void {
  const { state, out } = turn;
  if (room.carrier === undefined) return;
  if (countOf(state, session) >= MOST_PENDING) {
    out.drop('queue-full');
    const error = { to: session.jid, type: 'wait', condition: 'resource-constraint' } as const;
    const text = 'Too many unanswered requests.';
    out.toSession(session.id, stanzaError(stanza, { ...error, text }), stanza);
    return;
  }
  const id = freshId(state);
  const query = mamQuery(stanza);
  const edit = new Edit(stanza);
  edit.removeAttr(stanza.root, 'from');
  edit.setAttr(stanza.root, 'id', id);
  if (query) edit.setAttr(query, 'queryid', id);
  state.requests.set(id, {
    session: session.id,
    carrier: room.carrier,
    room: room.key,
    to: stanza.to ?? '',
    originalId: stanza.id,
    queryId: query ? (query.attr('queryid') ?? null) : undefined,
    ...(asksForInfo(stanza) && { isInfo: true }),
    ...(changesSubscription(stanza) && { isSubscription: true }),
    stanza: emptied(stanza),
  });
  out.setTimer(`iq ${id}`, state.settings.iqTimeoutMs);
  out.toCarrier(room.carrier, edit.toBuffer(), session.id, stanza);
}

function mamQuery(stanza: Stanza): MaybeNode {
  return stanza.type === 'set' ? mamChild(stanza, 'query') : undefined;
}

type MaybeNode = ReturnType<Stanza['root']['child']>;

/** Of either version of XEP-0313 in use; they differ in what a query may hold. */
function mamChild({ root }: Stanza, name: string): MaybeNode {
  return root.child(name, NS.mam) ?? root.child(name, NS.mam1);
}

function countOf(state: AccountState, session: Session): number {
  let count = 0;
  for (const pending of state.requests.values()) if (pending.session === session.id) count += 1;
  return count;
}

/** An IQ result or error from the room's side, also of a room that has been left since. Returns false when no session has asked for it. */
export function answer(turn: Turn, carrier: CarrierId, stanza: Stanza): boolean {
  const { state, out } = turn;
  const id = stanza.id ?? '';
  const pending = state.requests.get(id);
  if (!pending || pending.carrier !== carrier || !isFrom(stanza.from ?? '', pending.to)) return false;
  state.requests.delete(id);
  out.clearTimer(`iq ${id}`);
  const session = state.sessions.get(pending.session);
  if (session) {
    const edit = new Edit(stanza);
    edit.setAttr(stanza.root, 'to', session.jid);
    if (pending.originalId === undefined) edit.removeAttr(stanza.root, 'id');
    else edit.setAttr(stanza.root, 'id', pending.originalId);
    const fin = mamChild(stanza, 'fin') ?? mamChild(stanza, 'query');
    if (fin && pending.queryId !== undefined && fin.attr('queryid') !== undefined) {
      if (pending.queryId === null) edit.removeAttr(fin, 'queryid');
      else edit.setAttr(fin, 'queryid', pending.queryId);
    }
    nameSession(turn, edit, stanza, session);
    const room = state.rooms.get(pending.room);
    if (pending.isInfo && room) tellOfArchive(turn, room, session, stanza, edit);
    out.toSession(session.id, edit.toBuffer(), stanza);
  }
  if (pending.isSubscription && stanza.type === 'result') subscriptionChanged(turn, pending.room);
  const room = state.rooms.get(pending.room);
  if (room) tryDepart(turn, room, carrier);
  return true;
}

/** In a list of occupants (XEP-0045 section 9.8 and others) the account's own address is the session's, not the carrier's. */
function nameSession({ state }: Turn, edit: Edit, { root }: Stanza, session: Session): void {
  const query = root.child('query', NS.mucAdmin);
  if (!query) return;
  const carriers = carrierJids(state);
  for (const item of query.children) {
    if (item.name === 'item' && carriers.has(item.attr('jid') ?? '')) edit.setAttr(item, 'jid', session.jid);
  }
}

/** What may answer a request although its carrier is in the room no more: an IQ under an id of ours, a MAM result. */
export function lateAnswer(turn: Turn, carrier: CarrierId, stanza: Stanza): boolean {
  if (stanza.name === 'message') return mamResult(turn, carrier, stanza);
  if (stanza.name !== 'iq' || stanza.id?.startsWith(turn.state.idPrefix) !== true) return false;
  if (!answer(turn, carrier, stanza)) turn.out.drop('unmatched-iq');
  return true;
}

/** Same room, same nick; the room may answer for an occupant without naming the resource as the client wrote it. */
function isFrom(from: string, asked: string): boolean {
  return bareKey(from) === bareKey(asked) && keyOfNick(resourceOf(from)) === keyOfNick(resourceOf(asked));
}

/** A message that carries a MAM result (XEP-0313 section 4.2): to the session whose query it answers. Returns false for others. */
export function mamResult(turn: Turn, carrier: CarrierId, stanza: Stanza): boolean {
  const { state, out } = turn;
  const result = mamChild(stanza, 'result');
  if (!result) return false;
  const pending = state.requests.get(result.attr('queryid') ?? '');
  if (!pending || pending.carrier !== carrier || !isFrom(stanza.from ?? '', pending.to)) {
    stray(turn, carrier, stanza, 'unmatched-iq');
    return true;
  }
  const session = state.sessions.get(pending.session);
  if (!session) return true;
  const edit = new Edit(stanza);
  edit.setAttr(stanza.root, 'to', session.jid);
  if (typeof pending.queryId === 'string') edit.setAttr(result, 'queryid', pending.queryId);
  else edit.removeAttr(result, 'queryid');
  out.toSession(session.id, edit.toBuffer(), stanza);
  return true;
}

/** No answer within the time: an error, never silence (M4). */
export function requestTimeout(turn: Turn, id: string): void {
  const { carrier, room: key } = turn.state.requests.get(id) ?? {};
  failRequest(turn, id, 'remote-server-timeout', 'The room did not answer in time.');
  const room = key === undefined ? undefined : turn.state.rooms.get(key);
  if (room && carrier !== undefined) tryDepart(turn, room, carrier);
  turn.out.push({ kind: 'iq-timeout' });
}
