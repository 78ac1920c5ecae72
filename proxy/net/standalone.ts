/** Makes elements that assume a TCP stream's header stand alone, as each WebSocket message must (RFC 7395 section 3.3.3). */
import { NS } from '../xml/names.ts';

const DEFAULT = Buffer.from(` xmlns='${NS.client}'`);
const STREAM = Buffer.from(` xmlns:stream='${NS.streams}'`);

const QUOTE = 0x22;
const APOSTROPHE = 0x27;
const SLASH = 0x2f;
const EQUALS = 0x3d;
const GREATER = 0x3e;

/** Adds to the opening tag what it lacks: the default namespace, and the prefix `stream` where the name uses it. */
export function standalone(xml: string | Buffer): Buffer {
  const bytes = typeof xml === 'string' ? Buffer.from(xml) : xml;
  const nameEnd = endOfName(bytes, 1);
  const name = bytes.toString('latin1', 1, nameEnd);
  const declared = declarationsOf(bytes, nameEnd);
  const missing: Buffer[] = [];
  if (!declared.has('xmlns')) missing.push(DEFAULT);
  if (name.startsWith('stream:') && !declared.has('xmlns:stream')) missing.push(STREAM);
  if (missing.length === 0) return bytes;
  return Buffer.concat([bytes.subarray(0, nameEnd), ...missing, bytes.subarray(nameEnd)]);
}

/** Names of all attributes that start with `xmlns`. */
function declarationsOf(bytes: Buffer, from: number): Set<string> {
  const declared = new Set<string>();
  let at = from;
  while (at < bytes.length && bytes[at] !== GREATER && bytes[at] !== SLASH) {
    if (isSpace(bytes[at])) {
      at++;
      continue;
    }
    const nameEnd = endOfName(bytes, at);
    const name = bytes.toString('latin1', at, nameEnd);
    if (name.startsWith('xmlns')) declared.add(name);
    at = endOfValue(bytes, nameEnd);
  }
  return declared;
}

function endOfName(bytes: Buffer, from: number): number {
  let at = from;
  while (at < bytes.length) {
    const byte = bytes[at];
    if (byte === EQUALS || byte === GREATER || byte === SLASH || isSpace(byte)) break;
    at++;
  }
  return at;
}

/** Behind the closing quote of the value whose `=` stands at or after `from`. */
function endOfValue(bytes: Buffer, from: number): number {
  let at = from;
  while (at < bytes.length && bytes[at] !== QUOTE && bytes[at] !== APOSTROPHE) at++;
  const quote = bytes[at];
  if (quote === undefined) return bytes.length;
  const end = bytes.indexOf(quote, at + 1);
  return end < 0 ? bytes.length : end + 1;
}

function isSpace(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}
