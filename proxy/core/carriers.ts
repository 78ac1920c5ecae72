/**
 * Which stream carries a room. To the rules all carriers are alike: something with a full JID that sends to and hears from rooms.
 */
import type { BareKey } from '../xml/address.ts';
import { payNudge } from './nudge.ts';
import { failRequestsOf } from './requests.ts';
import type { AccountState, Carrier, CarrierId, Occupancy, Session, SessionId, Turn } from './state.ts';

/** Full JIDs of all streams that may carry rooms. */
export function carrierJids(state: AccountState): ReadonlySet<string> {
  const jids = new Set<string>();
  for (const carrier of state.carriers.values()) jids.add(carrier.jid);
  return jids;
}

/**
 * The best carrier for a room: the account stream; else the stream of a session, of the asking one if it can.
 * `pending`: an account stream is being opened and decides. Undefined: there is none.
 */
export function chooseCarrier(turn: Turn, room: Occupancy, asking?: SessionId): Carrier | 'pending' | undefined {
  const { state } = turn;
  if (state.accountStream === 'possible') openAccountStream(turn);
  let best: Carrier | undefined;
  let bestRank = -1;
  let isDeparting = false;
  for (const carrier of state.carriers.values()) {
    if (carrier.isLeaving) continue;
    if (carrier.status !== 'ready' || room.refused.has(carrier.id)) continue;
    if (room.departing.has(carrier.id)) {
      isDeparting = true;
      continue;
    }
    const rank = rankOf(state, carrier, asking);
    if (rank > bestRank) {
      best = carrier;
      bestRank = rank;
    }
  }
  if (best?.kind === 'account-stream') return best;
  if (state.accountStream === 'opening') return 'pending';
  // An account stream that was lost will be tried again; without any session it is the only hope.
  if (!best && state.accountStream === 'waiting') return 'pending';
  // A stream that is just leaving the room can come back when that is confirmed.
  if (!best && isDeparting) return 'pending';
  return best;
}

/** Asks for the account's stream. What needs it waits for what comes of that. */
export function openAccountStream({ state, out, now }: Turn): void {
  state.accountStream = 'opening';
  state.openingSince = now;
  out.clearTimer('reopen');
  out.push({ kind: 'open-account-stream' });
}

/**
 * Account stream, then available sessions (a server may give an unavailable one no presence: jabberd2), awake ones first,
 * then the asking session, then the one that has been there longest; a parked stream when there is nothing else.
 */
function rankOf(state: AccountState, carrier: Carrier, asking: SessionId | undefined): number {
  if (carrier.kind === 'account-stream') return 16;
  if (carrier.isParked) return 0;
  const session = carrier.session === undefined ? undefined : state.sessions.get(carrier.session);
  const isAwake = session?.isHibernating === false;
  return (session?.available ? 8 : 0) + (isAwake ? 4 : 0) + (session?.id === asking ? 2 : 0) + 1;
}

/** The sessions that have joined the room. */
export function memberIds(room: Occupancy): SessionId[] {
  const ids: SessionId[] = [];
  for (const [id, { lacks }] of room.members) if (!lacks) ids.push(id);
  return ids;
}

/** Those of them that hear it, to fork to: the others are told what they lack when they are resumed, or the room is known again. */
export function hearerIds(room: Occupancy): SessionId[] {
  const ids: SessionId[] = [];
  for (const [id, member] of room.members) if (member.lag === undefined && !member.lacks) ids.push(id);
  return ids;
}

/** The session that a request of the room's side is put to: available first, then the latest to state its presence (L6). */
export function mostActive(state: AccountState, room: Occupancy): Session | undefined {
  let best: Session | undefined;
  let bestRank: readonly [number, number, number] = [-1, -200, 0];
  for (const [id, member] of room.members) {
    const session = state.sessions.get(id);
    if (!session || session.isHibernating) continue;
    const { show, priority, at } = member.presentation;
    const rank = [availability(show), priority, at] as const;
    if (!best || isGreater(rank, bestRank)) {
      best = session;
      bestRank = rank;
    }
  }
  return best;
}

/** How available a `<show/>` says the user is; absent counts as available (RFC 6121 section 4.7.2.1). */
export function availability(show: string): number {
  switch (show) {
    case 'chat':
      return 4;
    case 'dnd':
      return 2;
    case 'away':
      return 1;
    case 'xa':
      return 0;
    default:
      return 3;
  }
}

function isGreater(a: readonly number[], b: readonly number[]): boolean {
  for (const [index, value] of a.entries()) {
    const other = b[index] ?? 0;
    if (value !== other) return value > other;
  }
  return false;
}

/** Whether the stream is an occupant of the room, or may be. */
export function occupies(carrier: Carrier | undefined, key: BareKey): boolean {
  return carrier?.rooms.has(key) === true && carrier.overdue?.has(key) !== true;
}

/** The carrier is no occupant of the room any more; a retiring one that has no room left is free. */
export function releaseRoom(turn: Turn, id: CarrierId, room: Occupancy): void {
  const { state, out } = turn;
  room.departing.delete(id);
  out.clearTimer(departTimer(id, room));
  const carrier = state.carriers.get(id);
  if (!carrier?.rooms.has(room.key)) return;
  if (occupies(carrier, room.key)) carrier.rooms.delete(room.key);
  freeIfDone(turn, carrier);
}

/** A retiring carrier without rooms is given back to the runtime; without a client it ends, and what was asked on it has no answer. */
export function freeIfDone(turn: Turn, carrier: Carrier): void {
  if (carrier.status !== 'retiring' || carrier.rooms.size > (carrier.overdue?.size ?? 0)) return;
  const session = carrier.session === undefined ? undefined : turn.state.sessions.get(carrier.session);
  if (sleepsAtServer(session)) {
    suspend(turn, carrier);
    return;
  }
  turn.out.push({ kind: 'carrier-free', carrier: carrier.id });
  carrier.farewell = undefined;
  if (session) carrier.status = 'ready';
  else {
    turn.state.carriers.delete(carrier.id);
    failRequestsOf(turn, carrier.id);
    for (const room of turn.state.rooms.values()) room.refused.delete(carrier.id);
  }
}

/** The session hibernates, and its stream with it: the server keeps its places. */
export function sleepsAtServer(session: Session | undefined): boolean {
  return session?.isHibernating === true && !session.isStreamKept;
}

/** Whether some other stream carries rooms, or is about to. */
export function hasOtherCarrier(state: AccountState, id: CarrierId): boolean {
  if (state.accountStream === 'possible' || state.accountStream === 'opening') return true;
  for (const carrier of state.carriers.values()) {
    if (carrier.id !== id && carrier.status === 'ready' && !carrier.isLeaving) return true;
  }
  return false;
}

/** The same, or an account stream will be opened again in a while: the account comes back to its rooms by itself. */
export function isReplaceable(state: AccountState, id: CarrierId): boolean {
  return state.accountStream === 'waiting' || hasOtherCarrier(state, id);
}

/**
 * Whether a session is there that could carry what a parked stream does. One that is not available would be given no presence by some
 * servers (jabberd2), and may never be.
 */
export function canTakeOver({ sessions, carriers }: AccountState): boolean {
  for (const { available, isHibernating, carrier } of sessions.values()) {
    const own = carriers.get(carrier);
    if (available && !isHibernating && own?.status === 'ready' && !own.isLeaving) return true;
  }
  return false;
}

/** The carrier's session hibernates, and with it what the stream still carries. */
export function suspend(turn: Turn, carrier: Carrier): void {
  carrier.status = 'hibernating';
  turn.out.push({ kind: 'suspend-carrier', carrier: carrier.id });
  const session = carrier.session === undefined ? undefined : turn.state.sessions.get(carrier.session);
  if (session) payNudge(turn, session);
}

export function departTimer(carrier: CarrierId, room: Occupancy): string {
  return `depart ${carrier} ${room.key}`;
}
