/** Legacy authentication (XEP-0078) as it passes through: it authenticates and binds in one request. */
import { accountKey, bareKey, nickKey } from '../xml/address.ts';
import { Edit } from '../xml/edit.ts';
import { NS } from '../xml/names.ts';
import type { Node } from '../xml/spans.ts';
import { parseStanza, type Stanza } from '../xml/stanza.ts';
import { escapeXml } from '../xml/text.ts';

/** A client's login request, read so that server and proxy cannot understand it differently. */
export interface LegacyLogin {
  readonly username: string;
  readonly resource: string;
  /** Given in clear; undefined for a digest. */
  readonly password: string | undefined;
}

/** The legacy query of an IQ, request or answer. */
export function legacyQuery(stanza: Stanza): Node | undefined {
  return stanza.name === 'iq' ? stanza.root.children.find((child) => child.ns === NS.iqAuth) : undefined;
}

/** Undefined when something that names the session is missing, there twice, or could not be part of a JID. */
export function readLogin(stanza: Stanza, query: Node): LegacyLogin | undefined {
  if (stanza.root.children.length !== 1 || !stanza.id) return undefined;
  const username = onlyText(query, 'username');
  const resource = onlyText(query, 'resource');
  const passwords = query.children.filter((child) => child.name === 'password');
  if (!username || !resource || /[@/]/.test(username) || passwords.length > 1) return undefined;
  return { username, resource, password: passwords[0]?.text() };
}

/**
 * The session's JID, normalised: the protocol has no answer that would name it. Undefined also for a user name that servers
 * normalise each in their way: the session could count as somebody else's (M9).
 */
export function loginJid(login: LegacyLogin, domain: string): string | undefined {
  const asked = `${login.username}@${domain}`;
  const bare = bareKey(asked);
  const resource = nickKey(login.resource);
  if (bare === undefined || resource === undefined || accountKey(asked) !== bare) return undefined;
  return `${bare}/${resource}`;
}

/** The same login for another resource. */
export function withLoginResource(stanza: Stanza, query: Node, resource: string): Stanza {
  const old = query.child('resource');
  if (old === undefined) return stanza;
  const edit = new Edit(stanza).replace(old, `<resource xmlns='${NS.iqAuth}'>${escapeXml(resource)}</resource>`);
  return parseStanza(edit.toBuffer(), stanza.declarations);
}

/** A server's list of fields without `<digest/>`, so that the client shows its password. */
export function withoutDigest(answer: Stanza): Stanza {
  const digest = legacyQuery(answer)?.child('digest');
  if (digest === undefined) return answer;
  return parseStanza(new Edit(answer).remove(digest).toBuffer(), answer.declarations);
}

function onlyText(query: Node, name: string): string | undefined {
  const found = query.children.filter((child) => child.name === name);
  const [node] = found;
  return found.length === 1 && node !== undefined && node.children.length === 0 ? node.text() : undefined;
}
