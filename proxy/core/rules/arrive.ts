/**
 * Sessions and streams come to a home with what they know: at a first login on another node, after the home that they had is
 * lost, after envelopes between nodes were lost. A stream that is in a room stays there if the room can be carried by it.
 */
import type { Arrival, KnownRoom } from '../arrival.ts';
import { freeIfDone } from '../carriers.ts';
import { sayKept } from '../language.ts';
import { entryStanza } from '../log-entry.ts';
import { createOccupancy, isNickShared, keyOfNick, NOWHERE, nickOf, recordOccupancy, serviceOf } from '../occupancy.ts';
import { LATENESS_MS } from '../overlap.ts';
import type { Carrier, Occupancy, SentMessage, Turn } from '../state.ts';
import { applyFacts } from '../watch.ts';
import { bringUpToDate } from './catch-up.ts';
import { sendLeave } from './leave.ts';
import { catchUp } from './missed.ts';
import { reconcile, startMove } from './move.ts';
import { askForMore } from './past.ts';
import { retire } from './retire.ts';
import { shownBy } from './shown.ts';
import { bePatient, settleStranded } from './stranded.ts';
import { takeUp } from './take-up.ts';
import { arrived } from './travellers.ts';

/** How long the messages of a stream that has come are compared with what was heard elsewhere before (ms). */
const OVERLAP_MS = 15_000;
/** What sessions of another node that have heard nothing of a room may have missed (ms). */
const UNHEARD_MS = 60_000;

export function arrive(turn: Turn, arrival: Arrival): void {
  const { state, out } = turn;
  const { sessions, carriers, watched, known, requests = [], estate } = arrival;
  for (const carrier of carriers) state.carriers.set(carrier.id, carrier);
  for (const session of sessions) state.sessions.set(session.id, session);
  if (sessions.length > 0) {
    state.lingering = 'no';
    out.clearTimer('linger');
    out.clearTimer('kept');
  }
  if (sessions.some(({ push }) => push !== undefined)) state.hasPush = true;
  if (carriers.some(({ kind }) => kind === 'account-stream')) state.accountStream = 'ready';
  for (const room of watched) takeOn(turn, room);
  for (const one of known) takeIn(turn, one);
  for (const session of sessions) arrived(turn, session);
  if (estate) takeUp(turn, estate);
  for (const [id, pending] of requests) {
    state.requests.set(id, pending);
    out.setTimer(`iq ${id}`, state.settings.iqTimeoutMs);
  }
  sayKept(turn, sessions);
  for (const carrier of carriers) settleCarrier(turn, carrier);
  reconcile(turn);
}

/** A room of which all is known here. */
function takeOn(turn: Turn, room: Occupancy): void {
  const { state, out } = turn;
  state.rooms.set(room.key, room);
  if (room.phase === 'leaving') {
    for (const id of [...room.departing.keys()]) sendLeave(turn, room, id);
    return;
  }
  const carrier = room.carrier === undefined ? undefined : state.carriers.get(room.carrier);
  // What only other nodes' sessions hear is not known here, although the stream is.
  const isWhole = carrier?.rooms.has(room.key) === true && room.members.size > 0 && room.self !== undefined;
  if (!isWhole) {
    room.carrier = undefined;
    // Whether they have been said, the room will tell.
    for (const sent of room.sent) sent.isStranded = true;
    if (room.sent.length > 0) bePatient(turn, room);
  }
  if (room.overlap) out.setTimer(`overlap ${room.key}`, room.overlap.isOver ? LATENESS_MS : OVERLAP_MS);
  // Where the stream has come with all that was known, what the room was sent is too.
  const { self } = room;
  if (self && !(isWhole && room.shown)) room.shown = shownBy(room, self);
  recordOccupancy(turn, room);
  askForMore(turn, room);
  for (const id of [...room.members.keys()]) {
    const session = state.sessions.get(id);
    if (!session) {
      room.members.delete(id);
      continue;
    }
    session.rooms.add(room.key);
    out.push({ kind: 'store-join', room: room.key, session: id });
  }
  if (room.ahead) catchUp(turn, room, true);
}

/** What they have said to the lost home: it is among what the room has shown, will be, or gets an error. What this home has sent itself is known here. */
function noteSaid(turn: Turn, room: Occupancy, { said, facts }: KnownRoom): void {
  const shown = new Set<string | undefined>();
  for (const entry of room.log.entries(turn.now)) {
    const stanza = entryStanza(entry);
    if (keyOfNick(nickOf(stanza)) === keyOfNick(facts.nick)) shown.add(stanza.id);
  }
  const carrier = facts.carrier ?? NOWHERE;
  for (const one of said) {
    const index = room.sent.findIndex((sent) => isSame(turn, sent, one));
    const sent = room.sent[index];
    if (sent) room.sent[index] = { ...sent, session: one.session };
    else if (!shown.has(one.id)) room.sent.push({ ...one, carrier, isGroupchat: true, isStranded: true });
  }
  if (room.sent.some(({ isStranded }) => isStranded)) bePatient(turn, room);
}

/** The same message; under the name of a session that has gone, if that is one that goes on under another. */
function isSame({ state }: Turn, sent: SentMessage, { id, to, session }: KnownRoom['said'][number]): boolean {
  if (id === undefined || sent.id !== id || sent.to !== to) return false;
  return sent.session === session || !state.sessions.has(sent.session);
}

/** A room of which the sessions of another node have seen something. */
function takeIn(turn: Turn, known: KnownRoom): void {
  const { state, out } = turn;
  const { facts, members } = known;
  state.services.hearNicks(serviceOf({ key: facts.room }), facts, turn.now);
  let room = state.rooms.get(facts.room);
  if (!room || room.phase === 'ended') {
    room = createOccupancy(facts.room, facts.name, facts.nick, state.settings);
    applyFacts(room, facts);
    room.carrier = undefined;
    room.joinedAt = known.heard.at(-1)?.at || turn.now - UNHEARD_MS;
    state.rooms.set(room.key, room);
    recordOccupancy(turn, room);
    askForMore(turn, room);
  }
  room.password ??= facts.password;
  for (const [id, { asked, presentation }] of members) {
    const session = state.sessions.get(id);
    if (!session) continue;
    session.rooms.add(room.key);
    room.members.set(id, { asked, presentation, lag: undefined, lacks: known });
    out.push({ kind: 'store-join', room: room.key, session: id });
  }
  noteSaid(turn, room, known);
  if (room.phase === 'joined' && room.carrier !== undefined && !room.move) {
    bringUpToDate(turn, room);
    settleStranded(turn, room);
  }
}

/** A stream that is in rooms: as their carrier it stays, from others it goes. */
function settleCarrier(turn: Turn, carrier: Carrier): void {
  const { state, out } = turn;
  const session = carrier.session === undefined ? undefined : state.sessions.get(carrier.session);
  for (const key of [...carrier.rooms]) {
    const room = state.rooms.get(key);
    if (!room) {
      carrier.rooms.delete(key);
      continue;
    }
    if (room.carrier === carrier.id || room.departing.has(carrier.id)) continue;
    const isShared = isNickShared(turn, room);
    const isFree = room.carrier === undefined && !room.move && room.phase === 'joined';
    if (isFree && !session && carrier.kind === 'borrowed') room.carrier = carrier.id;
    // Where a nick is shared it may come in again without going; where not, the place is free only when it has left.
    else if (isFree && isShared) startMove(turn, room, carrier, undefined);
    else sendLeave(turn, room, carrier.id);
  }
  if (carrier.status === 'retiring' && session) freeIfDone(turn, carrier);
  if (carrier.kind === 'borrowed' && !session && !carrier.isParked) retire(turn, carrier);
  // What the client has said of itself may be withheld.
  else if (session && !session.available && carrier.rooms.size === 0)
    out.push({ kind: 'carrier-free', carrier: carrier.id });
}
