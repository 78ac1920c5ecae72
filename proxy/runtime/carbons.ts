/**
 * Message carbons that the server makes of a carrier's room traffic (XEP-0280): a session that has joined the room hears
 * all of it by way of the account already (M3).
 */
import { type BareKey, bareKey } from '../xml/address.ts';
import { NS } from '../xml/names.ts';
import type { Stanza } from '../xml/stanza.ts';

/** `bare`: the account's bare JID, from which alone carbons may come (XEP-0280 section 11). */
export function isCarbonOfJoined(stanza: Stanza, bare: string, joined: ReadonlySet<BareKey>): boolean {
  if (stanza.fromAt >= 0 && stanza.from !== bare) return false;
  for (const child of stanza.root.children) {
    if (child.ns !== NS.carbons || (child.name !== 'sent' && child.name !== 'received')) continue;
    const message = child.child('forwarded', NS.forward)?.child('message');
    const peer = child.name === 'sent' ? message?.attr('to') : message?.attr('from');
    const key = peer === undefined ? undefined : bareKey(peer);
    if (key !== undefined && joined.has(key)) return true;
  }
  return false;
}
