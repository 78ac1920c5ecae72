/**
 * An account whose home is no more goes on at another one, although none of its devices is there (C2, L3): what is known of its rooms is what
 * the store has. They are joined as after a lost stream, and told by the log from when on (past.ts).
 */
import type { BareKey } from '../../xml/address.ts';
import { parseStanza } from '../../xml/stanza.ts';
import { availability } from '../carriers.ts';
import type { Estate, EstateRoom } from '../estate.ts';
import { createOccupancy, forgetOccupancy, recordOccupancy } from '../occupancy.ts';
import type { Occupancy, Turn } from '../state.ts';
import { leaveRoom } from './leave.ts';
import { askForMore } from './past.ts';

/** To be called before streams are looked for. What is known here counts. */
export function takeUp(turn: Turn, { rooms, lingerMs }: Estate): void {
  const { state, out } = turn;
  for (const one of rooms) takeUpRoom(turn, one);
  if (state.sessions.size > 0 || rooms.length === 0 || state.lingering !== 'no') return;
  // The time without sessions has begun at the lost home.
  state.lingering = 'running';
  if (Number.isFinite(lingerMs)) out.setTimer('linger', lingerMs);
}

function takeUpRoom(turn: Turn, { key, name, nick, password }: EstateRoom): void {
  const { state } = turn;
  const known = state.rooms.get(key);
  if (known && known.phase !== 'ended') return;
  if (known) forgetOccupancy(turn, known);
  const room = createOccupancy(key, name, nick, state.settings);
  room.phase = 'joined';
  room.password = password;
  room.lostAt = turn.now;
  const isAbsent = state.settings.presenceAbsent === 'xa';
  const content = isAbsent ? '<show>xa</show>' : '';
  const presence = parseStanza(`<presence xmlns='jabber:client'>${content}</presence>`);
  room.shown = { content, presence, rank: availability(isAbsent ? 'xa' : ''), at: turn.now };
  state.rooms.set(key, room);
  recordOccupancy(turn, room);
  askForMore(turn, room);
}

/** Nothing is known of the room yet that a session could be shown. */
export function isUnseen({ phase, self, carrier, members }: Occupancy): boolean {
  return phase === 'joined' && self === undefined && carrier === undefined && members.size === 0;
}

/**
 * A session joins a room that may be such a one: then the account joins it anew, in the session's name. What is answered is the password
 * by which the account was in: who joins a room of the account's needs none (J8).
 */
export function joinInstead(turn: Turn, key: BareKey): string | undefined {
  const room = turn.state.rooms.get(key);
  if (!room || !isUnseen(room)) return undefined;
  const { password } = room;
  if (room.move) {
    leaveRoom(turn, room);
    return password;
  }
  room.phase = 'joining';
  room.lostAt = undefined;
  room.retryAt = undefined;
  turn.out.clearTimer(`retry ${room.key}`);
  // The store is asked again for what it has kept.
  if (turn.state.settings.keepsLogs) room.kept.length = 0;
  return password;
}
