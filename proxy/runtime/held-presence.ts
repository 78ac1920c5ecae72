/**
 * The presence of a client that has gone, while its stream stays for the rooms that hang on it: it draws no one-to-one traffic, and
 * contacts see nothing of it that they have not seen before.
 */
import { Edit } from '../xml/edit.ts';
import { parseStanza, type Stanza } from '../xml/stanza.ts';

/** What is longer is not kept; its stream is held as if it had said nothing but that it is there. */
const MOST_BYTES = 4096;

const PLAIN = '<presence/>';

/** A broadcast presence as it is kept while it holds: little text, as each session has one. */
export function keptPresence(stanza: Stanza): string {
  // What stands under a stream header's prefixes does not stand elsewhere.
  if (stanza.length > MOST_BYTES || stanza.prefix !== '' || stanza.outerPrefixes.length > 0) return PLAIN;
  return stanza.toString();
}

/** The same with a priority that keeps messages to the bare JID away (RFC 6121 section 8.5.2.1.1); undefined: it has one. */
export function heldPresence(kept: string): Buffer | undefined {
  const stanza = parseStanza(kept);
  const { root } = stanza;
  const priority = root.child('priority');
  if (Number(priority?.text()) < 0) return undefined;
  // A `from` would be checked by the server, and the id has been answered for.
  const edit = new Edit(stanza).removeAttr(root, 'from').removeAttr(root, 'id');
  if (priority) edit.remove(priority);
  return edit.append(root, '<priority>-1</priority>').toBuffer();
}
