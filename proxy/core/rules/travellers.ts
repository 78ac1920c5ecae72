/**
 * A session that goes on at another node is in no room between its end here and its coming there: until its client comes back, where its
 * node has stopped. What is said in its rooms is known from their logs; what was written in private (M3) is in none, and is kept here for it,
 * bounded. So is what was on its way to the node that it has left, which gives it back.
 */
import { type BareKey, bareKey } from '../../xml/address.ts';
import type { Stanza } from '../../xml/stanza.ts';
import { isForNext, isGivenBack, keepOne, noteGivenBack, takeKept, unkeepPrivate } from '../kept.ts';
import { isWorthKeeping } from '../letter.ts';
import { forgetLetters } from '../letters.ts';
import { messageKey } from '../message-key.ts';
import { detach } from '../occupancy.ts';
import type { KeptPrivate, Traveller } from '../private.ts';
import { delayed } from '../replay.ts';
import type { Occupancy, Session, SessionId, Turn } from '../state.ts';
import { keepForNext } from './strangers.ts';

/** What is kept for one session, and its bytes; beyond this the oldest goes. */
const MOST = { count: 100, bytes: 256 * 1024 };

/** The session has gone, and may come from elsewhere within this time (ms). To be called while the account still has it. */
export function setOut({ state, out }: Turn, session: Session, withinMs: number): void {
  const { id, jid, carbons, rooms } = session;
  if (rooms.size === 0 || hasArrived(state.sessions.values(), id)) return;
  const joined = [...rooms].filter((key) => state.rooms.get(key)?.members.has(id));
  state.travellers.set(id, { jid, carbons, rooms: joined, saysAgain: state.isStopping, letters: [] });
  out.setTimer(`travels ${id}`, withinMs);
}

function hasArrived(sessions: Iterable<Session>, id: SessionId): boolean {
  for (const { former } of sessions) if (former === id) return true;
  return false;
}

/** It does not come any more. Who else was in the room has been given what was kept, or the next one will be, but for what is of no use to others. */
export function notArrived({ state, out }: Turn, id: SessionId): void {
  for (const { stanza, isOwn } of state.travellers.get(id)?.letters ?? [])
    if (!isOwn && !isForNext(stanza)) out.drop('no-session');
  state.travellers.delete(id);
}

/** What the session had said behind its join to the room has gone nowhere: it is to say it again, if it goes on elsewhere. */
export function noteUnsaid({ state }: Turn, id: SessionId, key: BareKey): void {
  const goesOn = state.travellers.get(id) ?? [...state.sessions.values()].find(({ former }) => former === id);
  if (!goesOn) return;
  goesOn.unsaid ??= new Set();
  goesOn.unsaid.add(key);
}

/** A session that was in the room is on its way. */
export function isAwaited({ state }: Turn, { key }: Occupancy): boolean {
  for (const { rooms } of state.travellers.values()) if (rooms.includes(key)) return true;
  return false;
}

/** A private message, as the devices that are in the room are given it. */
export function keepForTravellers(turn: Turn, room: Occupancy, one: KeptPrivate): void {
  if (!isWorthKeeping(one.stanza)) return;
  for (const traveller of turn.state.travellers.values()) {
    if (traveller.rooms.includes(room.key)) keep(turn, traveller, { ...one, room: room.key, isOwn: false });
  }
}

/** What another device has written: `carbon` makes it one under the address of the one that travels. */
export function keepCarbon(turn: Turn, room: Occupancy, carbon: (jid: string) => Stanza): void {
  for (const traveller of turn.state.travellers.values()) {
    if (!traveller.carbons || !traveller.rooms.includes(room.key)) continue;
    keep(turn, traveller, { stanza: carbon(traveller.jid), at: turn.now, room: room.key, isOwn: true });
  }
}

function keep({ out }: Turn, { letters }: Traveller, one: Traveller['letters'][number]): void {
  letters.push(one);
  let bytes = letters.reduce((sum, { stanza }) => sum + stanza.length, 0);
  while (letters.length > MOST.count || bytes > MOST.bytes) {
    bytes -= letters.shift()?.stanza.length ?? 0;
    out.drop('queue-full');
  }
}

/**
 * A private message has come to a node when it had these sessions no more. Who goes on elsewhere is given it there; where nobody of the account
 * is in the room it is for who comes next, as if it had come after they went.
 */
export function missed(turn: Turn, ids: readonly SessionId[], stanza: Stanza): void {
  const { state, out, now } = turn;
  const key = bareKey(stanza.from ?? '');
  const room = key === undefined ? undefined : state.rooms.get(key);
  if (!room) {
    becomeLetter(turn, ids, detach(stanza));
    return;
  }
  const known = missedElsewhere(room, ids, stanza);
  const one = known ?? { stanza: detach(stanza), at: now };
  let isAwaited = false;
  for (const id of ids) {
    const newcomer = [...state.sessions.values()].find(({ former }) => former === id);
    const traveller = isWorthKeeping(stanza) ? state.travellers.get(id) : undefined;
    if (newcomer && room.members.has(newcomer.id)) out.fork([newcomer.id], delayed(one.stanza, room.name, now));
    else if (traveller) keep(turn, traveller, { ...one, room: room.key, isOwn: false });
    isAwaited ||= traveller !== undefined;
  }
  if (known || isGiven(turn, room, ids)) return;
  if (room.phase === 'ended') becomeLetter(turn, ids, one.stanza);
  else if (unkeepPrivate(turn, room, stanza)) return;
  else if (isForNext(stanza)) keepOne(turn, room, { ...one, missedBy: ids });
  else if (!isAwaited) out.drop('no-session');
}

/** Who is in the room, or was to the end of the account's stay, was given it when they were. */
function isGiven({ state }: Turn, { members, dismissed }: Occupancy, ids: readonly SessionId[]): boolean {
  return members.size > 0 || [...(dismissed ?? [])].some((id) => state.sessions.has(id) && !ids.includes(id));
}

/** The account has left the room: once, whichever nodes give it back. */
function becomeLetter(turn: Turn, ids: readonly SessionId[], stanza: Stanza): void {
  if (isGivenBack(turn, ids, stanza)) return;
  noteGivenBack(turn, stanza, ids);
  keepForNext(turn, undefined, stanza, stanza);
}

/** The same message, which another node has given back for other sessions: one is kept, and counts for these too. */
function missedElsewhere(room: Occupancy, ids: readonly SessionId[], stanza: Stanza): KeptPrivate | undefined {
  const key = messageKey(stanza);
  const one = room.kept.find(
    ({ missedBy, stanza: kept }) => missedBy && !ids.some((id) => missedBy.includes(id)) && messageKey(kept) === key,
  );
  if (one) one.missedBy = [...(one.missedBy ?? []), ...ids];
  return one;
}

/** The session has come, under its new name, and is in its rooms: it is given what was written meanwhile. */
export function arrived(turn: Turn, session: Session): void {
  const { state, out } = turn;
  const { id, former, rooms } = session;
  const traveller = former === undefined ? undefined : state.travellers.get(former);
  const letters = traveller?.letters ?? [];
  session.isTakenOver = traveller ? !traveller.saysAgain : former !== undefined && state.sessions.has(former);
  // What was left unsaid at an earlier home has been seen to there.
  session.unsaid = traveller?.unsaid;
  if (former !== undefined) {
    // That one has ended, though its node has not said so yet: nothing more is on its way to it.
    for (const key of rooms)
      if (state.rooms.get(key)?.members.delete(former)) out.push({ kind: 'store-leave', room: key, session: former });
    state.travellers.delete(former);
    out.clearTimer(`travels ${former}`);
  }
  const isIn = ({ room }: (typeof letters)[number]): boolean => state.rooms.get(room)?.members.has(id) === true;
  for (const one of letters) if (!one.isOwn && !isIn(one)) out.drop('no-session');
  // It is given these: they are no letters for who comes next.
  forgetLetters(turn, letters.filter(isIn));
  for (const key of rooms) {
    const room = state.rooms.get(key);
    if (!room?.members.has(id)) continue;
    const own = letters.filter((one) => one.room === key);
    // While nobody was in the room it was kept for whoever comes next.
    const kept = takeKept(turn, room).filter(({ stanza }) => !own.some((one) => one.stanza === stanza));
    for (const { stanza, at } of kept) out.fork([id], delayed(stanza, room.name, at));
    for (const { stanza, at, isOwn } of own) out.fork([id], isOwn ? stanza : delayed(stanza, room.name, at));
  }
}
