/** What makes a presence a wish to enter a room (XEP-0045 section 7.2.1). */
import { type BareKey, bareKey, resourceOf } from '../xml/address.ts';
import { NS } from '../xml/names.ts';
import type { Stanza } from '../xml/stanza.ts';

/** The room that the stanza is a join to; undefined: it is no join. */
export function entered(stanza: Stanza): BareKey | undefined {
  if (stanza.name !== 'presence' || stanza.type !== undefined) return undefined;
  const to = stanza.to ?? '';
  if (resourceOf(to) === '' || stanza.root.child('x', NS.muc) === undefined) return undefined;
  return bareKey(to);
}
