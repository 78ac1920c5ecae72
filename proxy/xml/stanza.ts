/**
 * One complete first-level element of a stream, as it came from the wire.
 * The text is never changed in place: what is passed on is this text, with at most some splices (see edit.ts).
 */
import { type Declarations, USUAL_DECLARATIONS } from './declarations.ts';
import type { RootTag } from './root-tag.ts';
import { Scanner } from './scanner.ts';
import { buildTree, type Node } from './spans.ts';
import { decodeAttribute } from './text.ts';
import { matches } from './tokens.ts';
import { malformed } from './violation.ts';

export type { Declarations } from './declarations.ts';

export interface StreamHeader {
  /** Attributes without a prefix, entities resolved, as `to`, `from`, `id`, `version`; and `xml:lang` under that name. */
  readonly attributes: ReadonlyMap<string, string>;
  /** All namespace declarations of the header. On a WebSocket: empty, as each frame stands alone (RFC 7395 section 3.3.3). */
  readonly declarations: Declarations;
}

export class Stanza {
  /** The text is `source[start, end)`, in UTF-8. `source` may hold other stanzas around it. */
  readonly source: Buffer;
  readonly start: number;
  readonly end: number;
  /** Local name of the root, such as `message`. */
  readonly name: string;
  /** Namespace of the root, '' for none. */
  readonly ns: string;
  /** Prefix of the root, '' normally. */
  readonly prefix: string;
  /** Declarations of the stream header that it came under. */
  readonly declarations: Declarations;
  /** The default namespace among them, '' for none. */
  readonly outerDefault: string;
  /** Whether something in it relies on the stream's default namespace; normally so, when the root has no `xmlns`. */
  readonly inheritsDefault: boolean;
  /** Prefixes used in it that only the stream header declares. */
  readonly outerPrefixes: readonly string[];

  // Positions in `source` for edit.ts: `…At` is the first byte of the attribute's name, `…Start` and `…End` enclose the
  // value without its quotes. -1: the root has no such attribute.
  /** Just behind the root's name in the opening tag. */
  readonly nameEnd: number;
  /** Just behind the `>` of the opening tag. */
  readonly openEnd: number;
  readonly selfClosing: boolean;
  readonly toAt: number;
  readonly toStart: number;
  readonly toEnd: number;
  readonly fromAt: number;
  readonly fromStart: number;
  readonly fromEnd: number;
  readonly idAt: number;
  readonly idStart: number;
  readonly idEnd: number;
  readonly typeAt: number;
  readonly typeStart: number;
  readonly typeEnd: number;

  #to: string | undefined;
  #from: string | undefined;
  #id: string | undefined;
  #type: string | undefined;
  #root: Node | undefined;

  constructor(source: Buffer, start: number, end: number, tag: RootTag) {
    this.source = source;
    this.start = start;
    this.end = end;
    this.name = tag.name;
    this.ns = tag.ns;
    this.prefix = tag.prefix;
    this.declarations = tag.declarations;
    this.outerDefault = tag.outerDefault;
    this.inheritsDefault = tag.inheritsDefault;
    this.outerPrefixes = tag.outerPrefixes;
    this.nameEnd = start + tag.nameEnd;
    this.openEnd = start + tag.openEnd;
    this.selfClosing = tag.selfClosing;
    const toShift = tag.toAt < 0 ? 0 : start;
    this.toAt = tag.toAt + toShift;
    this.toStart = tag.toStart + toShift;
    this.toEnd = tag.toEnd + toShift;
    const fromShift = tag.fromAt < 0 ? 0 : start;
    this.fromAt = tag.fromAt + fromShift;
    this.fromStart = tag.fromStart + fromShift;
    this.fromEnd = tag.fromEnd + fromShift;
    const idShift = tag.idAt < 0 ? 0 : start;
    this.idAt = tag.idAt + idShift;
    this.idStart = tag.idStart + idShift;
    this.idEnd = tag.idEnd + idShift;
    const typeShift = tag.typeAt < 0 ? 0 : start;
    this.typeAt = tag.typeAt + typeShift;
    this.typeStart = tag.typeStart + typeShift;
    this.typeEnd = tag.typeEnd + typeShift;
  }

  /** The text as a view of `source`: copy it before keeping it for long, as it keeps the whole chunk alive. */
  get bytes(): Buffer {
    return this.source.subarray(this.start, this.end);
  }

  /** Length in bytes. */
  get length(): number {
    return this.end - this.start;
  }

  get to(): string | undefined {
    if (this.toAt < 0) return undefined;
    this.#to ??= decodeAttribute(this.source, this.toStart, this.toEnd);
    return this.#to;
  }

  get from(): string | undefined {
    if (this.fromAt < 0) return undefined;
    this.#from ??= decodeAttribute(this.source, this.fromStart, this.fromEnd);
    return this.#from;
  }

  get id(): string | undefined {
    if (this.idAt < 0) return undefined;
    this.#id ??= decodeAttribute(this.source, this.idStart, this.idEnd);
    return this.#id;
  }

  get type(): string | undefined {
    if (this.typeAt < 0) return undefined;
    this.#type ??=
      knownType(this.source, this.typeStart, this.typeEnd) ??
      decodeAttribute(this.source, this.typeStart, this.typeEnd);
    return this.#type;
  }

  /** The element as a tree of offsets, built on first use; offsets count from the stanza's own first byte. */
  get root(): Node {
    this.#root ??= buildTree(this.bytes, this.declarations);
    return this.#root;
  }

  /** The text as a string: for logs and tests. */
  toString(): string {
    return this.source.toString('utf8', this.start, this.end);
  }
}

const TYPES = ['get', 'set', 'chat', 'error', 'result', 'groupchat', 'unavailable'];

/** One of the values that come all the time, without making a new string. */
function knownType(source: Buffer, start: number, end: number): string | undefined {
  for (const type of TYPES) if (type.length === end - start && matches(source, start, type)) return type;
  return undefined;
}

/**
 * The stanza without what is in it, in bytes of its own: enough for an error reply, however long that has to wait and however
 * much was in it.
 */
export function emptied(stanza: Stanza): Stanza {
  const { source, start, openEnd, selfClosing, declarations } = stanza;
  const tag = source.subarray(start, selfClosing ? openEnd - 2 : openEnd - 1);
  return parseStanza(Buffer.concat([tag, Buffer.from('/>')]), declarations);
}

/** What is framed again has been let in under the limits of the leg that it came on. */
const NO_LIMITS = { depth: Number.POSITIVE_INFINITY, attributes: Number.POSITIVE_INFINITY };

/**
 * Frames the text of one complete element, as it would stand under a stream header with these declarations. For what
 * comes from the store, from another node, or from a test.
 * @throws ViolationError
 */
export function parseStanza(text: string | Buffer, declarations: Declarations = USUAL_DECLARATIONS): Stanza {
  const bytes = typeof text === 'string' ? Buffer.from(text) : text;
  const scanner = new Scanner();
  scanner.begin(declarations, NO_LIMITS);
  if (!scanner.element(bytes, 0, bytes.length)) throw malformed('the element is not complete');
  if (scanner.at !== bytes.length) throw malformed('something follows the element');
  return new Stanza(bytes, 0, bytes.length, scanner);
}
