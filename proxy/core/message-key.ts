/** What tells one message of a room from another, and the same message when it comes twice. Holds nothing of what was said. */
import { bareKey } from '../xml/address.ts';
import { NS } from '../xml/names.ts';
import type { Node } from '../xml/spans.ts';
import type { Stanza } from '../xml/stanza.ts';
import { isReference } from './references.ts';
import { shorten } from './shorten.ts';

/** With this begin the ids that the proxy gives messages for an archive of its own (archive-id.ts): the room knows nothing of them. */
export const OWN_ARCHIVE = 'minimix-';

/** The id that the room itself has given the message (XEP-0359 section 3.1); others, such as bridges, mark messages for themselves. */
export function roomStanzaId(stanza: Stanza): string | undefined {
  const id = stanzaIdOf(stanza);
  return id?.startsWith(OWN_ARCHIVE) ? undefined : id;
}

/** The same, or the one that the proxy has given it in the room's name. */
export function stanzaIdOf({ root, from = '' }: Stanza): string | undefined {
  for (const child of root.children) {
    if (child.name !== 'stanza-id' || child.ns !== NS.stanzaId) continue;
    const by = child.attr('by');
    if (by !== undefined && bareKey(by) === bareKey(from)) return child.attr('id');
  }
  return undefined;
}

/** The same message live and replayed: the room's stanza-id, else sender, id and body. */
export function contentKey(stanza: Stanza): string {
  const id = roomStanzaId(stanza);
  if (id !== undefined) return `s ${id}`;
  return `c ${stanza.from ?? ''} ${stanza.id ?? ''} ${shorten(stanza.root.child('body')?.text() ?? '')}`;
}

/** What it refers to has another name for sessions than in the room (translate.ts), and does not count. */
function contentOf({ bytes }: Stanza, child: Node): string {
  const id = isReference(child) ? child.attributes.find(({ name }) => name === 'id') : undefined;
  if (!id) return bytes.toString('latin1', child.start, child.end);
  return bytes.toString('latin1', child.start, id.start) + bytes.toString('latin1', id.valueEnd + 1, child.end);
}

/** What tells one message of a room from another: the room's stanza-id (XEP-0359), else sender, id and content. */
export function messageKey(stanza: Stanza): string {
  const id = stanza.type === 'groupchat' ? roomStanzaId(stanza) : undefined;
  if (id !== undefined) return `s ${id}`;
  let content = '';
  for (const child of stanza.root.children) {
    // The account's own archive marks each stream's copy of a private message for itself.
    const isMark = child.ns === NS.stanzaId || child.name === 'archived';
    // A server says how late it is when it sends again (XEP-0198 section 5).
    const isDelay = child.ns === NS.delay || child.ns === NS.legacyDelay;
    if (!isMark && !isDelay) content += contentOf(stanza, child);
  }
  return `c ${stanza.from ?? ''} ${stanza.id ?? ''} ${shorten(content)}`;
}
