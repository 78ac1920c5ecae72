/** What opens a stream: `<stream:stream>`, or `<open/>` on a WebSocket. */
import { NO_DECLARATIONS } from './declarations.ts';
import { NS } from './names.ts';
import type { RootTag } from './root-tag.ts';
import { readAttributes } from './spans.ts';
import type { Stanza, StreamHeader } from './stanza.ts';
import { badFormat, malformed, ViolationError } from './violation.ts';

/** What the opening tag of a stream says; `bytes` is that tag. */
export function streamHeader(bytes: Buffer, tag: RootTag): StreamHeader {
  return headerOf(bytes, tag.nameEnd, tag.openEnd);
}

/** What `<open/>` says. Whatever it declares ends with it (RFC 7395 section 3.3.3). */
export function openHeader({ bytes, start, nameEnd, openEnd }: Stanza): StreamHeader {
  return { ...headerOf(bytes, nameEnd - start, openEnd - start), declarations: NO_DECLARATIONS };
}

/** Why that tag does not open an XMPP stream; undefined if it does (RFC 6120 section 4.8). */
export function headerFault(tag: RootTag): ViolationError | undefined {
  if (tag.name !== 'stream') return badFormat('a stream header was expected');
  if (tag.ns !== NS.streams) return invalidNamespace('not the namespace of XMPP streams');
  if (tag.selfClosing) return badFormat('a stream without content');
  return undefined;
}

/** Why an element other than `<open/>` or `<close/>` cannot come first on a WebSocket. */
export function openFault(stanza: Stanza): ViolationError {
  if (stanza.name !== 'open') return badFormat('<open/> was expected');
  return invalidNamespace('not the namespace of framing');
}

/** Why a byte that starts neither markup nor white space is wrong where it stands. */
export function strayTextFault(byte: number, isFirst: boolean): ViolationError {
  // 0xfe and 0xff begin UTF-16
  if (isFirst && byte >= 0xfe) {
    return new ViolationError({ condition: 'unsupported-encoding', text: 'only UTF-8 is supported' });
  }
  const mayStartCharacter = byte < 0x80 ? byte >= 0x20 : byte >= 0xc2 && byte <= 0xf4;
  if (isFirst || !mayStartCharacter) return malformed('no XML');
  return badFormat('character data outside a stanza');
}

function invalidNamespace(text: string): ViolationError {
  return new ViolationError({ condition: 'invalid-namespace', text });
}

function headerOf(bytes: Buffer, nameEnd: number, openEnd: number): StreamHeader {
  const attributes = new Map<string, string>();
  const declarations = new Map<string, string>();
  for (const { name, value } of readAttributes(bytes, nameEnd, openEnd)) {
    if (name === 'xmlns') declarations.set('', value);
    else if (name.startsWith('xmlns:')) declarations.set(name.slice(6), value);
    else if (name === 'xml:lang' || !name.includes(':')) attributes.set(name, value);
  }
  return { attributes, declarations };
}
