/** From and to the written form of text. All input to the decoders has passed the framer: it is known to be well-formed. */

import { isLegal } from './chars.ts';

/** The value of an attribute: references resolved, white space normalised (XML 1.0 section 3.3.3). */
export function decodeAttribute(source: Buffer, start: number, end: number): string {
  const raw = source.toString('utf8', start, end);
  if (!/[&\t\n\r]/.test(raw)) return raw;
  return resolve(raw.replace(/\r\n|[\t\n\r]/g, ' '));
}

/** Character data between two tags: references resolved, line ends normalised (XML 1.0 section 2.11). */
export function decodeText(source: Buffer, start: number, end: number): string {
  const raw = source.toString('utf8', start, end);
  return raw.includes('&') ? resolve(lineEnds(raw)) : lineEnds(raw);
}

/** The content of a CDATA section, its delimiters excluded. */
export function decodeCdata(source: Buffer, start: number, end: number): string {
  return lineEnds(source.toString('utf8', start, end));
}

function lineEnds(raw: string): string {
  return raw.includes('\r') ? raw.replace(/\r\n?/g, '\n') : raw;
}

const PREDEFINED: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

function resolve(text: string): string {
  return text.replace(/&([^;]*);/g, (whole, name: string) => {
    if (name.startsWith('#x')) return String.fromCodePoint(Number.parseInt(name.slice(2), 16));
    if (name.startsWith('#')) return String.fromCodePoint(Number.parseInt(name.slice(1), 10));
    return PREDEFINED[name] ?? whole;
  });
}

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
  '\t': '&#9;',
  '\n': '&#10;',
  '\r': '&#13;',
};

// Control characters, surrogates without their other half, non-characters.
const UNSAFE = /[&<>"'\p{Cc}\p{Cs}\ufffe\uffff]/u;
const UNSAFE_ALL = /[&<>"'\p{Cc}\p{Cs}\ufffe\uffff]/gu;

/**
 * Text made safe both between tags and in an attribute with either quote; it is read back unchanged.
 * Characters that XML cannot carry at all become U+FFFD.
 */
export function escapeXml(text: string): string {
  return UNSAFE.test(text) ? text.replace(UNSAFE_ALL, escapeCharacter) : text;
}

function escapeCharacter(character: string): string {
  return ESCAPES[character] ?? (isLegal(character.codePointAt(0) ?? 0) ? character : '\ufffd');
}
