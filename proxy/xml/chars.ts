/** Which bytes and characters XML 1.0 (fifth edition) and UTF-8 allow where. */

/** Bit in CLASS: the byte needs no look in character data. Bytes from 0x80 never have a bit: they need decoding. */
export const IN_TEXT = 1;
/** The byte needs no look in an attribute's value; both quotes do. */
export const IN_VALUE = 2;
/** ASCII that may start a name, the colon excepted. */
export const NAME_START = 4;
/** ASCII that may stand in a name, the colon excepted. */
export const NAME_CHAR = 8;
export const SPACE = 16;
/** The byte needs no look inside a CDATA section. */
export const IN_CDATA = 32;

/** Bits by byte value. */
export const CLASS: Readonly<Uint8Array> = classes();

function classes(): Uint8Array {
  const table = new Uint8Array(256);
  for (let byte = 0x20; byte < 0x80; byte++) table[byte] = IN_TEXT | IN_VALUE | IN_CDATA;
  for (const byte of [0x09, 0x0a, 0x0d, 0x20]) table[byte] = IN_TEXT | IN_VALUE | IN_CDATA | SPACE;
  const set = (characters: string, bits: number): void => {
    for (const c of characters) table[c.charCodeAt(0)] = (table[c.charCodeAt(0)] ?? 0) | bits;
  };
  const clear = (characters: string, bits: number): void => {
    for (const c of characters) table[c.charCodeAt(0)] = (table[c.charCodeAt(0)] ?? 0) & ~bits;
  };
  clear('<&]', IN_TEXT);
  clear('<&"\'', IN_VALUE);
  clear(']', IN_CDATA);
  const letters = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_';
  set(letters, NAME_START | NAME_CHAR);
  set('0123456789-.', NAME_CHAR);
  return table;
}

/** Returned by `decode` when the bytes so far are the beginning of a character. */
export const INCOMPLETE = -1;
/** Returned by `decode` when the bytes are not UTF-8 (RFC 3629), or encode U+FFFE or U+FFFF. */
export const INVALID = -2;

/** The character beyond ASCII that starts at `at`; its length follows from its value, see `width`. */
export function decode(buffer: Uint8Array, at: number, end: number): number {
  const lead = buffer[at] as number;
  if (lead < 0xc2 || lead > 0xf4) return INVALID;
  if (at + 1 >= end) return INCOMPLETE;
  const second = buffer[at + 1] as number;
  if ((second & 0xc0) !== 0x80) return INVALID;
  if (lead < 0xe0) return ((lead & 0x1f) << 6) | (second & 0x3f);
  if (lead < 0xf0) {
    if (lead === 0xe0 && second < 0xa0) return INVALID; // overlong
    if (lead === 0xed && second > 0x9f) return INVALID; // surrogate
    if (at + 2 >= end) return INCOMPLETE;
    const third = buffer[at + 2] as number;
    if ((third & 0xc0) !== 0x80) return INVALID;
    const value = ((lead & 0x0f) << 12) | ((second & 0x3f) << 6) | (third & 0x3f);
    return value >= 0xfffe ? INVALID : value;
  }
  if (lead === 0xf0 && second < 0x90) return INVALID; // overlong
  if (lead === 0xf4 && second > 0x8f) return INVALID; // beyond U+10FFFF
  if (at + 2 >= end) return INCOMPLETE;
  const third = buffer[at + 2] as number;
  if ((third & 0xc0) !== 0x80) return INVALID;
  if (at + 3 >= end) return INCOMPLETE;
  const fourth = buffer[at + 3] as number;
  if ((fourth & 0xc0) !== 0x80) return INVALID;
  return ((lead & 0x07) << 18) | ((second & 0x3f) << 12) | ((third & 0x3f) << 6) | (fourth & 0x3f);
}

/** Bytes that the character takes in UTF-8. */
export function width(character: number): number {
  if (character < 0x80) return 1;
  if (character < 0x800) return 2;
  return character < 0x10000 ? 3 : 4;
}

/** Char of XML 1.0: what a character reference may stand for. */
export function isLegal(character: number): boolean {
  if (character < 0x20) return character === 0x09 || character === 0x0a || character === 0x0d;
  if (character < 0xd800) return true;
  return (character >= 0xe000 && character < 0xfffe) || (character >= 0x10000 && character <= 0x10ffff);
}

/** NameStartChar of XML 1.0 beyond ASCII. */
export function startsName(c: number): boolean {
  return (
    (c >= 0xc0 && c <= 0x2ff && c !== 0xd7 && c !== 0xf7) ||
    (c >= 0x370 && c <= 0x1fff && c !== 0x37e) ||
    c === 0x200c ||
    c === 0x200d ||
    (c >= 0x2070 && c <= 0x218f) ||
    (c >= 0x2c00 && c <= 0x2fef) ||
    (c >= 0x3001 && c <= 0xd7ff) ||
    (c >= 0xf900 && c <= 0xfdcf) ||
    (c >= 0xfdf0 && c <= 0xfffd) ||
    (c >= 0x10000 && c <= 0xeffff)
  );
}

/** NameChar of XML 1.0 beyond ASCII. */
export function continuesName(c: number): boolean {
  return startsName(c) || c === 0xb7 || (c >= 0x300 && c <= 0x36f) || c === 0x203f || c === 0x2040;
}
