/**
 * Another nick in a bookmark renames the account in that room (B4, XEP-0402 section 3.3). Devices that each write the nick that they
 * see, or the one that they want, would rename it without end: so many renames are followed in a time, then the nick that
 * the bookmark has at its end.
 */
import type { BareKey } from '../../xml/address.ts';
import { keyOfNick } from '../occupancy.ts';
import type { Occupancy, Turn } from '../state.ts';
import { requestRename } from './nick.ts';

/** Renames of one room in a time (ms). */
const MOST_RENAMES = 3;
const RENAMES_MS = 600_000;
/** Pause until the room is looked at again when it is on its way from one stream to another (ms). */
const BUSY_MS = 2000;

/** Gives the account the nick of the room's bookmark, now or later. */
export function renameByBookmark(turn: Turn, key: BareKey): void {
  const { state, out, now } = turn;
  const { known, renames } = state.bookmarks;
  const room = state.rooms.get(key);
  const nick = known?.get(key)?.nick;
  if (nick === undefined || !room || (room.phase !== 'joined' && room.phase !== 'joining')) return;
  if (room.phase === 'joining' || isBusy(turn, room)) {
    out.setTimer(`rename ${key}`, BUSY_MS);
    return;
  }
  if (room.carrier === undefined || keyOfNick(nick) === keyOfNick(room.nick)) return;
  const times = (renames.get(key) ?? []).filter((at) => at > now - RENAMES_MS);
  const [oldest = now] = times;
  if (times.length >= MOST_RENAMES) {
    out.setTimer(`rename ${key}`, oldest + RENAMES_MS - now);
    return;
  }
  renames.set(key, [...times, now]);
  out.push({ kind: 'bookmark-followed', act: 'rename' });
  requestRename(turn, room, undefined, nick);
}

/** A nick change now would part the two streams of a hand-over, or get lost. */
function isBusy({ state }: Turn, { carrier, move }: Occupancy): boolean {
  if (carrier === undefined || move) return true;
  return state.carriers.get(carrier)?.status === 'hibernating';
}
