/**
 * Stream features: what the server's say, and how they are shown to a client. All that is not named here passes byte for
 * byte, and the mechanism list stays the server's, in its order: clients hash it to detect downgrades (XEP-0474).
 */
import { Edit } from '../xml/edit.ts';
import { NS } from '../xml/names.ts';
import type { Node } from '../xml/spans.ts';
import { parseStanza, type Stanza } from '../xml/stanza.ts';
import { traitsOf } from './mechanisms.ts';

/** What a server's `<stream:features/>` offer. */
export interface ServerFeatures {
  /** Namespaces of the features, such as NS.sm3 or NS.csi. */
  readonly namespaces: ReadonlySet<string>;
  readonly mechanisms: readonly string[];
  readonly startTls: Need;
  /** The legacy session request of RFC 3921; 'required' unless the server says that it is not. */
  readonly session: Need;
}

export type Need = 'absent' | 'optional' | 'required';

/** Features of a stream that has none (a legacy stream). */
export const NO_FEATURES: ServerFeatures = {
  namespaces: new Set(),
  mechanisms: [],
  startTls: 'absent',
  session: 'absent',
};

export function isFeatures(stanza: Stanza): boolean {
  return stanza.name === 'features' && stanza.ns === NS.streams;
}

export function readFeatures(stanza: Stanza): ServerFeatures {
  const root = stanza.root;
  const startTls = root.child('starttls', NS.tls);
  const session = root.child('session', NS.session);
  return {
    namespaces: new Set(root.children.map((feature) => feature.ns)),
    mechanisms: mechanismNodes(root).map(({ name }) => name),
    startTls: need(startTls, startTls?.child('required') === undefined ? 'optional' : 'required'),
    session: need(session, session?.child('optional') === undefined ? 'required' : 'optional'),
  };
}

function need(node: Node | undefined, found: Need): Need {
  return node === undefined ? 'absent' : found;
}

/** How a client may go on. */
export interface OfferRules {
  /** STARTTLS of our own is offered in the place of the server's. */
  readonly startTls: boolean;
  /** False where others may listen: what shows a password is left out (S5). */
  readonly allowClearText: boolean;
  /** Where the server has PLAIN, PLAIN alone. */
  readonly plainOnly: boolean;
  /** Leaves XEP-0198 in. */
  readonly streamManagement: boolean;
}

export interface Offer {
  /** The features for the client; the server's own stanza where nothing had to change. */
  readonly stanza: Stanza;
  /** The mechanisms left in. */
  readonly mechanisms: ReadonlySet<string>;
}

/** The server's features as a client is offered them. */
export function offer(features: Stanza, rules: OfferRules): Offer {
  const edit = new Edit(features);
  let changed = false;
  let needsTls = rules.startTls;
  const left = new Set<string>();
  for (const feature of features.root.children) {
    if (feature.ns === NS.tls && needsTls) {
      edit.replace(feature, OUR_STARTTLS);
      needsTls = false;
      changed = true;
    } else if (isWithheld(feature, rules) || (isMechanisms(feature) && keepsNone(feature, rules))) {
      edit.remove(feature);
      changed = true;
    } else if (isMechanisms(feature)) {
      changed = trimMechanisms(feature, rules, edit, left) || changed;
    }
  }
  if (needsTls) edit.append(features.root, OUR_STARTTLS);
  if (!changed && !needsTls) return { stanza: features, mechanisms: left };
  return { stanza: parseStanza(edit.toBuffer(), features.declarations), mechanisms: left };
}

/** The stream is one on which a client may bind, and the server has no XEP-0198 there: the proxy can take its place. */
export function lacksManagement({ namespaces }: ServerFeatures): boolean {
  return namespaces.has(NS.bind) && !namespaces.has(NS.sm2) && !namespaces.has(NS.sm3);
}

/** The features with XEP-0198, which the proxy itself has. */
export function withManagement(features: Stanza): Stanza {
  const edit = new Edit(features);
  edit.append(features.root, `<sm xmlns='${NS.sm2}'/><sm xmlns='${NS.sm3}'/>`);
  return parseStanza(edit.toBuffer(), features.declarations);
}

const OUR_STARTTLS = `<starttls xmlns='${NS.tls}'/>`;

/** Features that cannot work through a proxy that ends TLS and reads the stream, or that it does not know yet. */
const removed: ReadonlySet<string> = new Set([NS.tls, NS.compressFeature, NS.sasl2, NS.bind2, NS.channelBinding]);
const streamManagement: ReadonlySet<string> = new Set([NS.sm2, NS.sm3]);

function isWithheld(feature: Node, rules: OfferRules): boolean {
  if (removed.has(feature.ns)) return true;
  if (streamManagement.has(feature.ns)) return !rules.streamManagement;
  if (feature.ns === NS.iqAuthFeature) return !rules.allowClearText;
  // jabberd2 binds further resources on a stream: one session is one stream here.
  return feature.ns === NS.bind && feature.name === 'unbind';
}

function isMechanisms(feature: Node): boolean {
  return feature.ns === NS.sasl && feature.name === 'mechanisms';
}

/** Takes mechanisms out of the list, and notes those left; true when there was something to take out. */
function trimMechanisms(list: Node, rules: OfferRules, edit: Edit, left: Set<string>): boolean {
  let changed = false;
  const kept = keptMechanisms(list, rules);
  for (const { node, name } of mechanismsIn(list)) {
    if (kept.has(name)) {
      left.add(name);
    } else {
      edit.remove(node);
      changed = true;
    }
  }
  return changed;
}

function keepsNone(list: Node, rules: OfferRules): boolean {
  return keptMechanisms(list, rules).size === 0;
}

function keptMechanisms(list: Node, rules: OfferRules): Set<string> {
  const names = mechanismsIn(list).map(({ name }) => name);
  const onlyPlain = rules.plainOnly && names.includes('PLAIN');
  return new Set(
    names.filter((name) => {
      const { isChannelBound, isClearText } = traitsOf(name);
      if (isChannelBound || (isClearText && !rules.allowClearText)) return false;
      return !onlyPlain || name === 'PLAIN';
    }),
  );
}

function mechanismNodes(root: Node): { node: Node; name: string }[] {
  return root.children.filter(isMechanisms).flatMap(mechanismsIn);
}

function mechanismsIn(list: Node): { node: Node; name: string }[] {
  return list.children
    .filter((child) => child.name === 'mechanism' && child.ns === NS.sasl)
    .map((node) => ({ node, name: node.text().trim() }));
}
