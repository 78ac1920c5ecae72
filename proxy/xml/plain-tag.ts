/**
 * The fast way through an opening tag of the usual form: one space before each attribute, ASCII, no references, no prefixes
 * but `xml:`. It decides nothing: what has another form, or is not complete, or may be wrong, is left to the scanner's
 * general way. Kept small, since of all cases in one function a compiler makes slow code (measured: half the time).
 */
import { CLASS, IN_VALUE, NAME_CHAR, NAME_START } from './chars.ts';
import { noteRootAttribute, type RootFields } from './root-tag.ts';
import { isNamespaceToCheck } from './scopes.ts';
import { APOSTROPHE, COLON, EQUALS, GT, matches, QUOTE, SLASH, skip } from './tokens.ts';

/** What is found out about such a tag; positions in the buffer. */
export interface PlainTag {
  nameEnd: number;
  selfClosing: boolean;
  attributes: number;
  /** The value of `xmlns`; 0: there is none. */
  namespaceStart: number;
  namespaceEnd: number;
}

const BLANK = 0x20;
const MOST_ATTRIBUTES = 12;

/**
 * Reads the tag at `from`. Returns the position behind it, or -1 when it has another form. `root`, if given, has its
 * attributes noted, counted from `from`; what is noted before a -1 counts for nothing.
 */
export function plainTag(
  tag: PlainTag,
  b: Buffer,
  from: number,
  end: number,
  mostAttributes: number,
  root: RootFields | undefined,
): number {
  const table = CLASS;
  let p = from + 1;
  if (p >= end || ((table[b[p] as number] as number) & NAME_START) === 0) return -1;
  do p++;
  while (p < end && ((table[b[p] as number] as number) & NAME_CHAR) !== 0);
  tag.nameEnd = p;
  tag.namespaceStart = 0;
  const most = Math.min(mostAttributes, MOST_ATTRIBUTES);
  let count = 0;
  let seen = 0;
  while (p + 1 < end && b[p] === BLANK) {
    const name = ++p;
    if (count++ === most || ((table[b[p] as number] as number) & NAME_START) === 0) return -1;
    do p++;
    while (p < end && ((table[b[p] as number] as number) & NAME_CHAR) !== 0);
    if (p < end && b[p] === COLON && p - name === 3 && matches(b, name, 'xml')) {
      do p++;
      while (p < end && ((table[b[p] as number] as number) & NAME_CHAR) !== 0);
    }
    const length = p - name;
    const hash = nameHash(b[name] as number, length);
    // Names that may be the same are for the general way to compare.
    if ((seen & hash) !== 0 || p + 2 >= end || b[p] !== EQUALS) return -1;
    seen |= hash;
    const quote = b[p + 1] as number;
    if (quote !== APOSTROPHE && quote !== QUOTE) return -1;
    const value = p + 2;
    p = skip(b, value, end, IN_VALUE);
    if (p >= end || b[p] !== quote) return -1;
    if (length === 5 && matches(b, name, 'xmlns')) {
      if (isNamespaceToCheck(p - value)) return -1;
      tag.namespaceStart = value;
      tag.namespaceEnd = p;
    } else if (root !== undefined) {
      noteRootAttribute(root, b, from, name, length, value, p);
    }
    p++;
  }
  if (p >= end) return -1;
  tag.selfClosing = b[p] === SLASH;
  if (tag.selfClosing) p++;
  if (p >= end || b[p] !== GT) return -1;
  tag.attributes = count;
  return p + 1;
}

/** One of 32 bits, different for the attributes that stanzas have. */
export function nameHash(first: number, length: number): number {
  return 1 << ((first + length * 3) & 31);
}
