/**
 * Message carbons that the server makes of a carrier's room traffic (XEP-0280): a session that has joined the room hears
 * all of it by way of the account already (M3).
 */
import type { Carrier } from '../core/state.ts';
import { type BareKey, bareKey } from '../xml/address.ts';
import { NS } from '../xml/names.ts';
import type { Stanza } from '../xml/stanza.ts';

/**
 * `bare`: the account's bare JID, from which alone carbons may come (XEP-0280 section 11). What a device has sent by a stream
 * that carries no room, such as one that is connected past the proxy, nobody else shows: its carbon is kept.
 */
export function isCarbonOfJoined(
  stanza: Stanza,
  bare: string,
  joined: ReadonlySet<BareKey>,
  carriers: Iterable<Pick<Carrier, 'jid' | 'rooms'>>,
): boolean {
  if (stanza.fromAt >= 0 && stanza.from !== bare) return false;
  for (const child of stanza.root.children) {
    if (child.ns !== NS.carbons || (child.name !== 'sent' && child.name !== 'received')) continue;
    const message = child.child('forwarded', NS.forward)?.child('message');
    const peer = child.name === 'sent' ? message?.attr('to') : message?.attr('from');
    const key = peer === undefined ? undefined : bareKey(peer);
    if (key === undefined || !joined.has(key)) continue;
    if (child.name === 'received' || isCarried(carriers, key, message?.attr('from'))) return true;
  }
  return false;
}

function isCarried(
  carriers: Iterable<Pick<Carrier, 'jid' | 'rooms'>>,
  room: BareKey,
  sender: string | undefined,
): boolean {
  for (const { jid, rooms } of carriers) if (jid === sender && rooms.has(room)) return true;
  return false;
}
