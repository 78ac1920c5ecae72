/**
 * The last joined session has left, and the room is bookmarked with autojoin (L2, `leave.when: auto`): the account stays, until the
 * bookmark says otherwise.
 */
import { autojoinMark, isReading } from '../bookmark-state.ts';
import type { Occupancy, Turn } from '../state.ts';
import { showWithout } from './shown.ts';

/** Pause until bookmarks that are being read are looked at again (ms). */
const READING_MS = 50;

/**
 * Whether the account is not to leave now. While the bookmarks are being read, that is decided later: devices change a bookmark
 * and leave in either order. `graceMs`: the least time until then.
 */
export function staysBookmarked(turn: Turn, room: Occupancy, graceMs: number): boolean {
  const { state, out } = turn;
  if (!state.settings.bookmarks || state.settings.leaveWhen !== 'auto') return false;
  if (room.phase !== 'joined' || room.members.size > 0) return false;
  if (isReading(state)) {
    out.setTimer(`grace ${room.key}`, Math.max(graceMs, READING_MS));
    return true;
  }
  if (!autojoinMark(state, room.key)) return false;
  room.farewell = undefined;
  room.parting = undefined;
  showWithout(turn, room);
  return true;
}
