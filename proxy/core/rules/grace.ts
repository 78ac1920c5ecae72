/**
 * The grace (L2): the last joined session has left of its own will, and the account stays for a while, so that others see nothing of a
 * client that doubts, leaves and joins again. There is none where nobody could see it and much would be different: a temporary room in
 * which the account is alone ends, and is made anew. Nor is it for a session that wants something else than was left, or has ended its stay by an
 * error, as no client does that doubts.
 */
import { type BareKey, resourceOf } from '../../xml/address.ts';
import { NS } from '../../xml/names.ts';
import type { Stanza } from '../../xml/stanza.ts';
import { keyOfNick } from '../occupancy.ts';
import type { Occupancy, Turn } from '../state.ts';
import { passwordOf } from './join.ts';

/** Whether the room will be there when nobody is in it: what it says of itself (XEP-0045 section 15.3). */
export function noteLasting(room: Occupancy, info: Stanza): void {
  const query = info.type === 'result' ? info.root.child('query', NS.discoInfo) : undefined;
  const features = query?.children.filter(({ name }) => name === 'feature').map((one) => one.attr('var')) ?? [];
  if (features.includes('muc_temporary')) room.isTemporary = true;
  else if (query) room.isTemporary = features.includes('muc_persistent') ? false : undefined;
}

/** Whether the account is the only occupant, as far as is known. */
function isAlone({ roster }: Occupancy): boolean {
  for (const { presence } of roster.values()) if (presence.type !== 'unavailable') return false;
  return true;
}

/** How long the account stays after the last joined session has left (ms). */
export function graceOf({ state }: Turn, room: Occupancy): number {
  if (room.farewell?.type === 'error') return 0;
  return room.isTemporary === true && isAlone(room) ? 0 : state.settings.graceMs;
}

/** Whether the room may end as the account leaves. */
export function mayEnd(room: Occupancy): boolean {
  return room.isTemporary !== false && isAlone(room);
}

/**
 * The room, where this join during the grace asks for another nick or with another password than the account has there, and than the
 * session that has left last had: that one may have been let in without the room's password (J8).
 */
export function partedBy({ state }: Turn, key: BareKey, join: Stanza): Occupancy | undefined {
  const room = state.rooms.get(key);
  if (room?.phase !== 'joined' || room.parting === undefined || room.members.size > 0) return undefined;
  const nick = keyOfNick(resourceOf(join.to ?? ''));
  const isSameNick = nick === keyOfNick(room.nick) || nick === keyOfNick(room.parting.asked);
  const isRenamed = !isSameNick && state.settings.nickPolicy === 'account';
  const password = passwordOf(join);
  const isSamePassword = password === room.password || password === room.parting.password;
  return isRenamed || !isSamePassword ? room : undefined;
}
