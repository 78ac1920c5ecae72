/**
 * The account's own presence in a room, as one session must see it (XEP-0045 section 7.2.2): 110 always there, but in the answer to a
 * probe, the real JID its own, and not a trace of the carriers.
 */
import { Edit } from '../xml/edit.ts';
import { NS } from '../xml/names.ts';
import type { Node } from '../xml/spans.ts';
import type { Stanza } from '../xml/stanza.ts';

export interface SelfView {
  /** Full JID of the session that gets it. */
  readonly to: string;
  /** Id of the join that it answers; undefined: the stanza's id is removed. */
  readonly id: string | undefined;
  /** Real JIDs that stand for the account's own carriers. */
  readonly carriers: ReadonlySet<string>;
  /** Codes to add besides 110 (210, 100 and the like). */
  readonly add: readonly string[];
  /** Codes to take away. */
  readonly remove: ReadonlySet<string>;
  /** It answers a probe: rooms say it without 110 then. */
  readonly isProbed?: true;
}

const NONE: ReadonlySet<string> = new Set();

export { NONE as NO_CODES };

export function selfPresenceFor(stanza: Stanza, view: SelfView): Buffer {
  const edit = new Edit(stanza);
  const root = stanza.root;
  edit.setAttr(root, 'to', view.to);
  if (view.id === undefined) edit.removeAttr(root, 'id');
  else edit.setAttr(root, 'id', view.id);
  const x = root.child('x', NS.mucUser);
  const add = new Set(view.add);
  if (!view.isProbed) add.add('110');
  if (!x) {
    edit.append(
      root,
      `<x xmlns='${NS.mucUser}'><item affiliation='none' role='${stanza.type === 'unavailable' ? 'none' : 'participant'}'/>${statuses(add)}</x>`,
    );
    return edit.toBuffer();
  }
  readdressItems(edit, x, view);
  for (const status of x.children) {
    if (status.name !== 'status') continue;
    const code = status.attr('code') ?? '';
    if (view.remove.has(code)) edit.remove(status);
    else add.delete(code);
  }
  if (add.size > 0) edit.append(x, statuses(add));
  return edit.toBuffer();
}

/** The first item of a carrier becomes the session's; further ones of carriers go, those of other devices stay. */
function readdressItems(edit: Edit, x: Node, view: SelfView): void {
  let isOwnShown = false;
  for (const item of x.children) {
    if (item.name !== 'item') continue;
    nameActor(edit, item, view);
    const jid = item.attr('jid');
    if (jid === undefined || !view.carriers.has(jid)) continue;
    if (isOwnShown) edit.remove(item);
    else edit.setAttr(item, 'jid', view.to);
    isOwnShown = true;
  }
}

/** Who did this to the occupant (a kick, a change of role), by its real JID, where the room tells. */
export function actorOf(stanza: Stanza): string | undefined {
  return stanza.root.child('x', NS.mucUser)?.child('item')?.child('actor')?.attr('jid');
}

/** Another occupant's presence that tells of an act of the account, as one session must see it: the act is its own. */
export function actedPresenceFor(stanza: Stanza, view: Pick<SelfView, 'to' | 'carriers'>): Buffer {
  const edit = new Edit(stanza);
  edit.setAttr(stanza.root, 'to', view.to);
  for (const item of stanza.root.child('x', NS.mucUser)?.children ?? []) nameActor(edit, item, view);
  return edit.toBuffer();
}

/** What was done through a carrier of the account was done, as far as its sessions can see, by the session that is told. */
function nameActor(edit: Edit, item: Node, { to, carriers }: Pick<SelfView, 'to' | 'carriers'>): void {
  const actor = item.child('actor');
  if (actor && carriers.has(actor.attr('jid') ?? '')) edit.setAttr(actor, 'jid', to);
}

/**
 * What of the presence matters to a session, as text: equal texts need not be sent again.
 * Order of items and repeated items of the account's carriers, ids and addresses do not count.
 */
export function selfDigest(stanza: Stanza, carriers: ReadonlySet<string>): string {
  const parts: string[] = [];
  for (const child of stanza.root.children) {
    // COMPAT: mu-conference shows everybody the join's own `muc` child.
    if (child.name === 'x' && child.ns === NS.muc) continue;
    if (child.name === 'x' && child.ns === NS.mucUser) {
      const items = new Set<string>();
      for (const node of child.children) {
        if (node.name === 'status') continue;
        const jid = node.attr('jid');
        items.add(
          node.name === 'item'
            ? `${node.attr('affiliation')} ${node.attr('role')} ${jid === undefined || carriers.has(jid) ? '' : jid}`
            : asText(stanza, node),
        );
      }
      parts.push([...items].sort().join('|'));
    } else {
      parts.push(asText(stanza, child));
    }
  }
  return `${stanza.type ?? ''} ${parts.sort().join('\n')}`;
}

/** What of another occupant's presence matters to a session, as text. */
export function presenceDigest(stanza: Stanza): string {
  const root = stanza.root;
  const parts = root.children.map((child) => {
    if (child.name !== 'x' || child.ns !== NS.mucUser) return asText(stanza, child);
    // COMPAT: Prosody 0.12 lists the items of a shared nick in random order.
    return child.children
      .map((node) => asText(stanza, node))
      .sort()
      .join('');
  });
  return `${stanza.type ?? ''} ${parts.join('')}`;
}

/**
 * An element as text in which the order of attributes does not count.
 * COMPAT: Prosody writes them as they lie in a Lua table, which differs between stanzas that say the same.
 */
function asText(stanza: Stanza, node: Node): string {
  const written = (from: number, to: number): string => stanza.bytes.toString('latin1', from, to);
  if (node.children.length === 0 && node.attributes.length < 2) return written(node.start, node.end);
  const attributes = node.attributes.map(({ start, valueEnd }) => written(start, valueEnd)).sort();
  let content = '';
  let at = node.openEnd;
  for (const child of node.children) {
    content += written(at, child.start) + asText(stanza, child);
    at = child.end;
  }
  return `<${written(node.start + 1, node.nameEnd)} ${attributes.join(' ')}>${content}${written(at, node.closeStart)}</>`;
}

/** Each stream, or each device, that a presence shows at its nick. */
export function itemsOf({ root }: Stanza): Node[] {
  const { children = [] } = root.child('x', NS.mucUser) ?? {};
  return children.filter((child) => child.name === 'item');
}

/** How many there are. */
export function itemCount(stanza: Stanza): number {
  return itemsOf(stanza).length;
}

/** Status codes of `<x xmlns='…muc#user'/>`. */
export function statusCodes(stanza: Stanza): string[] {
  const x = stanza.root.child('x', NS.mucUser);
  if (!x) return [];
  const codes: string[] = [];
  for (const node of x.children) {
    const code = node.name === 'status' ? node.attr('code') : undefined;
    if (code !== undefined) codes.push(code);
  }
  return codes;
}

function statuses(codes: Iterable<string>): string {
  let text = '';
  for (const code of codes) text += `<status code='${code}'/>`;
  return text;
}

/** Status codes of an `unavailable` that was not asked for (XEP-0045 section 15.6). */
export const REMOVAL_CODES: ReadonlySet<string> = new Set(['301', '307', '321', '322', '332', '333']);

/** Whether it may only be the end of one of the account's streams: a plain `unavailable`, as after a leave. */
export function isPlainEnd(stanza: Stanza): boolean {
  if (stanza.root.child('x', NS.mucUser)?.child('destroy')) return false;
  return !statusCodes(stanza).some((code) => REMOVAL_CODES.has(code));
}
