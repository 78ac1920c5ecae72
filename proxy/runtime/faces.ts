/**
 * Where a room shows addresses, clients of this node see devices and no account streams of this node: the JID of an account stream in what a
 * room says about its occupants is replaced by that of a device (`core/face.ts`), also in its own words of an invitation. What people write is left
 * alone.
 */
import { type Face, NO_FACE } from '../core/face.ts';
import { type BareKey, bareKey, resourceOf } from '../xml/address.ts';
import { Edit } from '../xml/edit.ts';
import { NS } from '../xml/names.ts';
import type { Node } from '../xml/spans.ts';
import { parseStanza, type Stanza } from '../xml/stanza.ts';
import { escapeXml } from '../xml/text.ts';
import { ACCOUNT_RESOURCE } from './account-stream.ts';

/** Of so many rooms of an account, and so many streams that have ended, the last faces are known. */
const MOST_LAST = 1000;
/** What a room says about a stream that has ended may be as late as that (ms). */
const LATE_MS = 10_000;
/** What tells stanzas that may name an account stream. */
const MARK = Buffer.from(ACCOUNT_RESOURCE);
/** And forms that name an occupant. */
const FORM_MARK = Buffer.from('muc#jid');

interface Known {
  /** The account's face in a room, now. */
  face: (room: BareKey) => Face;
  /** The last one that was shown: who has left is named too. */
  readonly last: Map<BareKey, string>;
}

export class Faces {
  readonly #known = new Map<string, Known>();
  /** The latest stream of each account. */
  readonly #streams = new Map<BareKey, string>();
  /** Streams that have ended, oldest first, and when they are forgotten. */
  readonly #ended = new Map<string, number>();
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  /** An account stream is open under that full JID. */
  enter(jid: string, face: (room: BareKey) => Face): void {
    this.#forget();
    this.#known.set(jid, { face, last: new Map() });
    const account = bareKey(jid);
    if (account !== undefined) this.#streams.set(account, jid);
  }

  /** It has ended. */
  leave(jid: string): void {
    const known = this.#known.get(jid);
    if (!known) return;
    known.face = () => NO_FACE;
    this.#ended.set(jid, this.#now() + LATE_MS);
    this.#forget();
  }

  #forget(): void {
    const now = this.#now();
    for (const [jid, until] of this.#ended) {
      if (until > now && this.#ended.size <= MOST_LAST) return;
      this.#ended.delete(jid);
      this.#known.delete(jid);
      const account = bareKey(jid);
      if (account !== undefined && this.#streams.get(account) === jid) this.#streams.delete(account);
    }
  }

  /** The stanza as clients of the account `own` are to see it; its own streams are for the rules of the account. */
  show(stanza: Stanza, own: string): Stanza {
    if (this.#known.size === 0 || !stanza.bytes.includes(MARK)) return stanza;
    const room = bareKey(stanza.from ?? '');
    if (room === undefined || room === bareKey(own)) return stanza;
    // What an occupant has written.
    if (stanza.name === 'message' && resourceOf(stanza.from ?? '') !== '') return stanza;
    const edit = new Edit(stanza);
    let isChanged = false;
    for (const { node, name, jid } of [...addresses(stanza.root), ...inForms(stanza.root)]) {
      const shown = bareKey(jid) === bareKey(own) ? undefined : this.#of(jid, room);
      if (shown === undefined) continue;
      isChanged = true;
      if (name !== undefined) edit.setAttr(node, name, shown);
      else edit.replace(node, value(shown));
      if (node.name === 'invite') renameInWords(stanza, edit, jid, shown);
    }
    return isChanged ? parseStanza(edit.toBuffer(), stanza.declarations) : stanza;
  }

  /** What a client sends, as the room is to have it: whom a form names by the face that was shown is there as an account stream. */
  hide(stanza: Stanza): Stanza {
    if (this.#known.size === 0 || stanza.name !== 'message' || !stanza.bytes.includes(FORM_MARK)) return stanza;
    const room = bareKey(stanza.to ?? '');
    // What is for occupants to read would tell them who is there.
    if (room === undefined || stanza.type === 'groupchat' || resourceOf(stanza.to ?? '') !== '') return stanza;
    const edit = new Edit(stanza);
    let isChanged = false;
    for (const { node, jid } of inForms(stanza.root)) {
      const account = bareKey(jid);
      const stream = account && this.#streams.get(account);
      if (stream === undefined || this.#of(stream, room) !== jid) continue;
      isChanged = true;
      edit.replace(node, value(stream));
    }
    return isChanged ? parseStanza(edit.toBuffer(), stanza.declarations) : stanza;
  }

  #of(jid: string, room: BareKey): string | undefined {
    const known = this.#known.get(jid);
    if (!known) return undefined;
    const face = known.face(room);
    if (face.jid === undefined) return face.isIn ? undefined : known.last.get(room);
    const [oldest] = known.last.keys();
    if (known.last.size >= MOST_LAST && oldest !== undefined && !known.last.has(room)) known.last.delete(oldest);
    known.last.set(room, face.jid);
    return face.jid;
  }
}

interface Address {
  readonly node: Node;
  /** The attribute; undefined: the element's text. */
  readonly name: string | undefined;
  readonly jid: string;
}

/** Where rooms name occupants: items and actors, who invites and declines (section 7.8). */
function* addresses(root: Node): Iterable<Address> {
  for (const child of root.children) {
    if (child.ns === NS.mucUser || child.ns === NS.mucAdmin) {
      for (const item of child.children) {
        yield* attribute(item, item.name === 'item' ? 'jid' : 'from');
        const actor = item.child('actor');
        if (actor) yield* attribute(actor, 'jid');
      }
    }
  }
}

function* attribute(node: Node, name: string): Iterable<Address> {
  const jid = node.attr(name);
  if (jid !== undefined) yield { node, name, jid };
}

/** Whom forms name, such as a request for voice and the answer to it (section 7.13): the room goes by what the answer says. */
function* inForms(root: Node): Iterable<Address> {
  for (const form of root.children) {
    if (form.ns !== NS.dataForms) continue;
    for (const field of form.children) {
      const node = field.attr('var') === 'muc#jid' ? field.child('value') : undefined;
      if (node) yield { node, name: undefined, jid: node.text() };
    }
  }
}

/** What the room itself says of an invitation: its words begin with who invites, and what that one has written stands behind. */
function renameInWords({ bytes, root }: Stanza, edit: Edit, jid: string, shown: string): void {
  for (const body of root.children) {
    if (body.name !== 'body' || body.selfClosing) continue;
    const words = body.text();
    if (!words.startsWith(jid)) continue;
    const [head, tail] = [bytes.subarray(body.start, body.openEnd), bytes.subarray(body.closeStart, body.end)];
    edit.replace(body, Buffer.concat([head, Buffer.from(escapeXml(shown + words.slice(jid.length))), tail]));
  }
}

function value(jid: string): string {
  return `<value xmlns='${NS.dataForms}'>${escapeXml(jid)}</value>`;
}
