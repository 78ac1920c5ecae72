/**
 * A room is bookmarked with autojoin no more (B3, XEP-0402 section 4): whichever device has changed that, the account leaves by
 * the leave policy, and joined sessions see it.
 */
import type { BareKey } from '../../xml/address.ts';
import { isByBookmark } from '../bookmark-state.ts';
import type { Occupancy, Turn } from '../state.ts';
import { tellFromLog } from './lag.ts';
import { abandonJoin, leave, leaveRoom } from './leave.ts';

export function unbookmarked(turn: Turn, key: BareKey): void {
  const { state, out } = turn;
  state.bookmarks.due.delete(key);
  state.bookmarks.failed.delete(key);
  out.clearTimer(`autojoin ${key}`);
  const room = state.rooms.get(key);
  if (!room || state.settings.leaveWhen === 'never') return;
  const waits = room.waiting.length;
  room.waiting = room.waiting.filter((wait) => !isByBookmark(wait));
  if (room.phase === 'joining' && room.waiting.length === 0 && waits > 0) abandonJoin(turn, room);
  if (room.phase !== 'joined') return;
  // Bookmarks have no say then, as long as somebody is there.
  if (state.settings.leaveWhen === 'last-session' && room.members.size > 0) return;
  out.push({ kind: 'bookmark-followed', act: 'leave' });
  dismiss(turn, room);
  leaveRoom(turn, room);
}

/** Each joined session gets its own `unavailable`, behind all that it has not been told yet. */
function dismiss(turn: Turn, room: Occupancy): void {
  for (const [id, member] of [...room.members]) {
    const session = turn.state.sessions.get(id);
    if (!session) continue;
    tellFromLog(turn, room, session, member);
    leave(turn, room, session, undefined);
  }
}
