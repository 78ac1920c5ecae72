/**
 * The smallest pieces of the scan. Each takes a position and returns the one behind what it has accepted, returns
 * INCOMPLETE when `end` came first, or throws a ViolationError. Nothing is allocated on the way.
 */
import {
  CLASS,
  continuesName,
  decode,
  IN_CDATA,
  IN_TEXT,
  IN_VALUE,
  INCOMPLETE,
  INVALID,
  isLegal,
  NAME_CHAR,
  NAME_START,
  startsName,
  width,
} from './chars.ts';
import { malformed, restricted, tooMuch } from './violation.ts';

export const LT = 0x3c;
export const GT = 0x3e;
export const SLASH = 0x2f;
export const BANG = 0x21;
export const QUESTION = 0x3f;
export const EQUALS = 0x3d;
export const COLON = 0x3a;
export const QUOTE = 0x22;
export const APOSTROPHE = 0x27;
export const AMPERSAND = 0x26;
export const RIGHT_BRACKET = 0x5d;
const SEMICOLON = 0x3b;
const HASH = 0x23;

/** No reference is longer in practice; only leading zeros could make it so. It bounds what is read again after a split. */
const MAX_REFERENCE = 64;

/**
 * Behind all bytes of that class. Most bytes of a stream go through here: four at a time, and with the table in a local
 * variable, it takes half the time of the plain loop (measured).
 */
export function skip(b: Buffer, from: number, end: number, bit: number): number {
  const table = CLASS;
  let p = from;
  while (
    p + 3 < end &&
    (at(table, b, p) & at(table, b, p + 1) & at(table, b, p + 2) & at(table, b, p + 3) & bit) !== 0
  ) {
    p += 4;
  }
  while (p < end && (at(table, b, p) & bit) !== 0) p++;
  return p;
}

function at(table: Readonly<Uint8Array>, b: Buffer, p: number): number {
  return table[b[p] as number] as number;
}

/** A name without a colon. */
export function ncName(b: Buffer, from: number, end: number): number {
  if (from >= end) return INCOMPLETE;
  let p = from;
  let c = b[p] as number;
  if (((CLASS[c] as number) & NAME_START) !== 0) {
    p++;
  } else {
    if (c < 0x80) throw malformed('a name was expected');
    const character = decode(b, p, end);
    if (character === INCOMPLETE) return INCOMPLETE;
    if (character === INVALID || !startsName(character)) throw malformed('a name was expected');
    p += width(character);
  }
  const table = CLASS;
  for (;;) {
    while (p < end && (at(table, b, p) & NAME_CHAR) !== 0) p++;
    if (p >= end) return INCOMPLETE;
    c = b[p] as number;
    if (c < 0x80) return p;
    const character = decode(b, p, end);
    if (character === INCOMPLETE) return INCOMPLETE;
    if (character === INVALID || !continuesName(character)) throw malformed('a character that no name may have');
    p += width(character);
  }
}

/** An attribute's value, from behind its opening quote; returns the position of the closing one. */
export function attributeValue(b: Buffer, from: number, end: number, quote: number): number {
  let p = from;
  for (;;) {
    p = skip(b, p, end, IN_VALUE);
    if (p >= end) return INCOMPLETE;
    const c = b[p] as number;
    if (c === quote) return p;
    if (c >= 0x80) p = beyondAscii(b, p, end);
    else if (c === AMPERSAND) p = reference(b, p, end);
    else if (c === QUOTE || c === APOSTROPHE) p++;
    else throw malformed(c === LT ? "'<' in an attribute" : 'a control character');
    if (p < 0) return INCOMPLETE;
  }
}

/**
 * Character data between tags, up to the next `<` or to `end`. What cannot be judged before more has come (a split
 * character or reference, a `]` at the end) is left: the position returned is then before `end`, and not at a `<`.
 */
export function characterData(b: Buffer, from: number, end: number): number {
  let p = from;
  for (;;) {
    p = skip(b, p, end, IN_TEXT);
    if (p >= end) return end;
    const c = b[p] as number;
    if (c === LT) return p;
    let next: number;
    if (c >= 0x80) next = beyondAscii(b, p, end);
    else if (c === AMPERSAND) next = reference(b, p, end);
    else if (c === RIGHT_BRACKET) next = notSectionEnd(b, p, end);
    else throw malformed('a control character');
    if (next < 0) return p;
    p = next;
  }
}

/**
 * The content of a CDATA section up to its `]]>`, or as far as it can be judged. Whether the position returned is that of
 * the `]]>` is for the caller to see.
 */
export function sectionContent(b: Buffer, from: number, end: number): number {
  let p = from;
  for (;;) {
    p = skip(b, p, end, IN_CDATA);
    if (p >= end) return end;
    const c = b[p] as number;
    if (c === RIGHT_BRACKET) {
      if (p + 1 >= end) return p;
      if (b[p + 1] === RIGHT_BRACKET && (p + 2 >= end || b[p + 2] === GT)) return p;
      p++;
    } else if (c >= 0x80) {
      const next = beyondAscii(b, p, end);
      if (next < 0) return p;
      p = next;
    } else {
      throw malformed('a control character');
    }
  }
}

/** Any characters beyond ASCII: at least the one that starts here. INCOMPLETE only if not even that one is whole. */
function beyondAscii(b: Buffer, from: number, end: number): number {
  let p = from;
  do {
    const character = decode(b, p, end);
    if (character < 0) {
      if (character === INVALID) throw malformed('not UTF-8, or not a character');
      return p === from ? INCOMPLETE : p;
    }
    p += width(character);
  } while (p < end && (b[p] as number) >= 0x80);
  return p;
}

/** A `]` in character data, where `]]>` may not stand (XML 1.0 section 2.4). */
function notSectionEnd(b: Buffer, p: number, end: number): number {
  if (p + 1 >= end) return INCOMPLETE;
  if (b[p + 1] !== RIGHT_BRACKET) return p + 1;
  if (p + 2 >= end) return INCOMPLETE;
  if (b[p + 2] === GT) throw malformed("']]>' outside a CDATA section");
  return p + 1;
}

/** A character reference, or a reference to one of the five predefined entities. */
function reference(b: Buffer, from: number, end: number): number {
  let p = from + 1;
  if (p >= end) return INCOMPLETE;
  if (b[p] === HASH) return characterReference(b, p + 1, end);
  const first = b[p] as number;
  if (first < 0x80 && first !== COLON && ((CLASS[first] as number) & NAME_START) === 0) {
    throw malformed("'&' without a reference");
  }
  const limit = from + MAX_REFERENCE;
  for (;;) {
    if (p >= limit) throw restricted('a reference to an entity that is not predefined');
    if (p >= end) return INCOMPLETE;
    const c = b[p] as number;
    if (c < 0x80 && c !== COLON && ((CLASS[c] as number) & NAME_CHAR) === 0) break;
    p++;
  }
  if (b[p] !== SEMICOLON) throw malformed('a reference without its semicolon');
  if (!isPredefined(b, from + 1, p)) throw restricted('a reference to an entity that is not predefined');
  return p + 1;
}

function isPredefined(b: Buffer, start: number, end: number): boolean {
  switch (end - start) {
    case 2:
      return matches(b, start, 'lt') || matches(b, start, 'gt');
    case 3:
      return matches(b, start, 'amp');
    case 4:
      return matches(b, start, 'quot') || matches(b, start, 'apos');
    default:
      return false;
  }
}

/** Behind `&#`. */
function characterReference(b: Buffer, from: number, end: number): number {
  if (from >= end) return INCOMPLETE;
  const base = b[from] === 0x78 /* x */ ? 16 : 10;
  const first = base === 16 ? from + 1 : from;
  const limit = from + MAX_REFERENCE;
  let value = 0;
  for (let p = first; ; p++) {
    if (p >= limit) throw tooMuch('a character reference of excessive length');
    if (p >= end) return INCOMPLETE;
    const c = b[p] as number;
    if (c === SEMICOLON && p > first) {
      if (!isLegal(value)) throw malformed('a reference to a character that XML does not allow');
      return p + 1;
    }
    const digit = digitOf(c);
    if (digit >= base) throw malformed('a bad character reference');
    value = Math.min(value * base + digit, 0x110000);
  }
}

function digitOf(c: number): number {
  if (c >= 0x30 && c <= 0x39) return c - 0x30;
  if (c >= 0x61 && c <= 0x66) return c - 0x57;
  if (c >= 0x41 && c <= 0x46) return c - 0x37;
  return 99;
}

/** Whether the ASCII text stands at this place. The caller has made sure that there are as many bytes. */
export function matches(b: Buffer, at: number, text: string): boolean {
  for (let k = 0; k < text.length; k++) if (b[at + k] !== text.charCodeAt(k)) return false;
  return true;
}

/** Whether both places hold the same bytes. */
export function sameBytes(b: Buffer, one: number, other: number, length: number): boolean {
  for (let k = 0; k < length; k++) if (b[one + k] !== b[other + k]) return false;
  return true;
}
