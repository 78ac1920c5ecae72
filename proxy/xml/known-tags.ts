/**
 * Opening tags that have been read before. The same few (`<body>`, `<request xmlns='urn:xmpp:receipts'/>`) come all the
 * time, and comparing bytes costs a fraction of reading them. Many scanners may share what one has read: only tags that are
 * well-formed and mean the same wherever they stand are kept, and they are compared byte for byte. A peer that sends many
 * different ones makes others read theirs again, no more.
 */

/** Without prefixes, and without attributes but `xmlns`. */
export interface KnownTag {
  /** From `<` to `>`. */
  readonly bytes: Uint8Array;
  readonly nameLength: number;
  /** 1: it has `xmlns`. */
  readonly attributes: number;
  readonly selfClosing: boolean;
}

const SETS = 64;
/** Tags of one set: those that begin alike. */
const WAYS = 4;
/** Longer ones are not kept. */
const MOST_BYTES = 128;

export class KnownTags {
  readonly #tags: (KnownTag | undefined)[] = new Array(SETS * WAYS).fill(undefined);
  /** Which of a set is replaced next. */
  #turn = 0;

  /** The tag that starts at `p`, if it is known and complete. */
  find(b: Buffer, p: number, end: number): KnownTag | undefined {
    if (p + 2 >= end) return undefined;
    const first = setOf(b, p);
    for (let slot = first; slot < first + WAYS; slot++) {
      const tag = this.#tags[slot];
      if (tag === undefined) return undefined;
      if (p + tag.bytes.length <= end && isAt(tag.bytes, b, p)) return tag;
    }
    return undefined;
  }

  /** `[start, end)` is such a tag, just read, whose name ends at `nameEnd`. */
  learn(b: Buffer, start: number, nameEnd: number, end: number, attributes: number, selfClosing: boolean): void {
    if (end - start > MOST_BYTES) return;
    const first = setOf(b, start);
    let slot = first;
    while (slot < first + WAYS && this.#tags[slot] !== undefined) slot++;
    if (slot === first + WAYS) slot = first + (this.#turn++ & (WAYS - 1));
    const bytes = new Uint8Array(b.subarray(start, end));
    this.#tags[slot] = { bytes, nameLength: nameEnd - start - 1, attributes, selfClosing };
  }
}

/** The first two bytes of the name, or what stands in their place, are in every tag. */
function setOf(b: Buffer, p: number): number {
  return (((b[p + 1] as number) * 7 + (b[p + 2] as number)) & (SETS - 1)) * WAYS;
}

function isAt(bytes: Uint8Array, b: Buffer, at: number): boolean {
  // From the end, where two namespaces differ, and four at a time: one branch in place of four.
  let k = bytes.length - 1;
  for (; k >= 3; k -= 4) {
    const p = at + k;
    const difference =
      ((bytes[k] as number) ^ (b[p] as number)) |
      ((bytes[k - 1] as number) ^ (b[p - 1] as number)) |
      ((bytes[k - 2] as number) ^ (b[p - 2] as number)) |
      ((bytes[k - 3] as number) ^ (b[p - 3] as number));
    if (difference !== 0) return false;
  }
  for (; k >= 0; k--) if (bytes[k] !== b[at + k]) return false;
  return true;
}
