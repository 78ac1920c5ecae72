/** Resource binding (RFC 6120 section 7) as it passes through. */

import { Edit } from '../xml/edit.ts';
import { NS } from '../xml/names.ts';
import type { Node } from '../xml/spans.ts';
import { parseStanza, type Stanza } from '../xml/stanza.ts';
import { escapeXml } from '../xml/text.ts';

/** The `<bind/>` of a client's request. The IQ's namespace does not matter: ejabberd takes jabber:server for its own. */
export function bindRequest(stanza: Stanza): Node | undefined {
  return stanza.name === 'iq' && stanza.type === 'set' ? stanza.root.child('bind', NS.bind) : undefined;
}

/** A request that binds or unbinds a resource. */
export function isBinding(stanza: Stanza): boolean {
  return stanza.name === 'iq' && stanza.type === 'set' && stanza.root.children.some((child) => child.ns === NS.bind);
}

/** The resource asked for; undefined when it is left to the server. */
export function askedResource(bind: Node): string | undefined {
  return bind.child('resource')?.text() || undefined;
}

/** The same request for another resource; undefined leaves the choice to the server. */
export function withResource(stanza: Stanza, bind: Node, resource: string | undefined): Stanza {
  const edit = new Edit(stanza);
  const old = bind.child('resource');
  const element = resource === undefined ? '' : `<resource xmlns='${NS.bind}'>${escapeXml(resource)}</resource>`;
  if (old !== undefined) {
    if (element === '') edit.remove(old);
    else edit.replace(old, element);
  } else if (element !== '') {
    edit.append(bind, element);
  }
  return parseStanza(edit.toBuffer(), stanza.declarations);
}

/** The full JID that a bind result names. */
export function boundJid(result: Stanza): string | undefined {
  return result.root.child('bind', NS.bind)?.child('jid', NS.bind)?.text().trim() || undefined;
}
