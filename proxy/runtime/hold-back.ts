/**
 * Room traffic for a client that has said it is inactive (XEP-0352 section 5): presence shrinks to its final state, chatter
 * waits; a mention, a private message or anything else goes at once, behind all that has waited, so that the order stays.
 */
import { NS } from '../xml/names.ts';
import type { Stanza } from '../xml/stanza.ts';

/** `presence` may be replaced by a later one of the same occupant, `later` may wait, `now` may not. */
export type Urgency = 'presence' | 'later' | 'now';

/** How urgent a stanza of a room is. `nick`: the account's, whose mention is urgent. */
export function urgencyOf(stanza: Stanza, nick: string): Urgency {
  const { root } = stanza;
  if (stanza.name === 'presence') {
    const x = root.child('x', NS.mucUser);
    const isPlain = (stanza.type === undefined || stanza.type === 'unavailable') && !x?.child('destroy');
    return isPlain && !x?.child('status') ? 'presence' : 'now';
  }
  if (stanza.name !== 'message' || stanza.type !== 'groupchat') return 'now';
  // A subject ends the answer to a join; a notice of the room changes what the user is told of it.
  if (root.child('subject') || root.child('x', NS.mucUser)) return 'now';
  const text = root.child('body')?.text().toLowerCase();
  return text?.includes(nick.toLowerCase()) ? 'now' : 'later';
}

/** More than this and all of it goes. */
const MOST_STANZAS = 500;
const MOST_BYTES = 256 * 1024;

export class HoldBack {
  /** In the order of arrival; by a name of its own, or by the occupant for presences. */
  readonly #waiting = new Map<string, Buffer>();
  #serial = 0;
  #bytes = 0;

  get isEmpty(): boolean {
    return this.#waiting.size === 0;
  }

  /** `occupant`: whose presence it is; undefined for all else. */
  add(text: Buffer, occupant: string | undefined): void {
    this.#serial += 1;
    const key = occupant === undefined ? `${this.#serial}` : `of ${occupant}`;
    const earlier = this.#waiting.get(key);
    if (earlier) {
      this.#bytes -= earlier.length;
      this.#waiting.delete(key);
    }
    this.#waiting.set(key, text);
    this.#bytes += text.length;
  }

  get isFull(): boolean {
    return this.#waiting.size >= MOST_STANZAS || this.#bytes >= MOST_BYTES;
  }

  /** All that has waited, in order. */
  take(): Buffer[] {
    const all = [...this.#waiting.values()];
    this.#waiting.clear();
    this.#bytes = 0;
    return all;
  }
}
