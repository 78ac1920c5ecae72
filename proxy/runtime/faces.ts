/**
 * Where a room shows addresses, clients of this node see devices and no account streams of this node: the JID of an account stream in what a
 * room says about its occupants is replaced by that of a device (`core/face.ts`). What people write is left alone.
 */
import { type Face, NO_FACE } from '../core/face.ts';
import { type BareKey, bareKey } from '../xml/address.ts';
import { Edit } from '../xml/edit.ts';
import { NS } from '../xml/names.ts';
import type { Node } from '../xml/spans.ts';
import { parseStanza, type Stanza } from '../xml/stanza.ts';
import { ACCOUNT_RESOURCE } from './account-stream.ts';

/** Of so many rooms of an account, and so many streams that have ended, the last faces are known. */
const MOST_LAST = 1000;
/** What a room says about a stream that has ended may be as late as that (ms). */
const LATE_MS = 10_000;
/** What tells stanzas that may name an account stream. */
const MARK = Buffer.from(ACCOUNT_RESOURCE);

interface Known {
  /** The account's face in a room, now. */
  face: (room: BareKey) => Face;
  /** The last one that was shown: who has left is named too. */
  readonly last: Map<BareKey, string>;
}

export class Faces {
  readonly #known = new Map<string, Known>();
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
    }
  }

  /** The stanza as clients of the account `own` are to see it; its own streams are for the rules of the account. */
  show(stanza: Stanza, own: string): Stanza {
    if (this.#known.size === 0 || !stanza.bytes.includes(MARK)) return stanza;
    const room = bareKey(stanza.from ?? '');
    if (room === undefined || room === bareKey(own)) return stanza;
    const edit = new Edit(stanza);
    let isChanged = false;
    for (const { node, name, jid } of addresses(stanza.root)) {
      const shown = bareKey(jid) === bareKey(own) ? undefined : this.#of(jid, room);
      if (shown === undefined) continue;
      isChanged = true;
      edit.setAttr(node, name, shown);
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
  /** The attribute. */
  readonly name: string;
  readonly jid: string;
}

/**
 * Where rooms name occupants: items and actors, who invites and declines (section 7.8). Forms are left alone, such as a request for voice (section 7.13):
 * rooms take who is meant from the form that comes back.
 */
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
