import type { Declarations } from './declarations.ts';
import { matches } from './tokens.ts';

export interface ScanLimits {
  /** Elements within each other, the first-level one included. */
  readonly depth: number;
  /** Attributes of one element, namespace declarations included. */
  readonly attributes: number;
}

/** What is known about the root's opening tag. Offsets count from the element's first byte; -1: no such attribute. */
export interface RootTag {
  readonly name: string;
  readonly ns: string;
  readonly prefix: string;
  readonly declarations: Declarations;
  /** The default namespace among them, '' for none. */
  readonly outerDefault: string;
  readonly inheritsDefault: boolean;
  readonly outerPrefixes: readonly string[];
  readonly nameEnd: number;
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
}

/** The root's name as a string, without making a new one for those that come all the time. */
export function rootName(b: Buffer, start: number, end: number): string {
  const length = end - start;
  if (length === 7 && matches(b, start, 'message')) return 'message';
  if (length === 8 && matches(b, start, 'presence')) return 'presence';
  if (length === 2 && matches(b, start, 'iq')) return 'iq';
  if (length === 1 && b[start] === 0x72) return 'r';
  if (length === 1 && b[start] === 0x61) return 'a';
  return b.toString('utf8', start, end);
}

/** What a scanner writes down while it reads. */
export type RootFields = { -readonly [K in Exclude<keyof RootTag, 'outerPrefixes'>]: RootTag[K] };

/** No attribute has been seen yet. */
export function forgetRootAttributes(root: RootFields): void {
  root.toAt = root.toStart = root.toEnd = -1;
  root.fromAt = root.fromStart = root.fromEnd = -1;
  root.idAt = root.idStart = root.idEnd = -1;
  root.typeAt = root.typeStart = root.typeEnd = -1;
}

/** Notes an attribute without prefix if it is one of the four; positions in the buffer, the stanza starting at `start`. */
export function noteRootAttribute(
  root: RootFields,
  b: Buffer,
  start: number,
  name: number,
  length: number,
  value: number,
  end: number,
): void {
  if (length === 2) {
    if (matches(b, name, 'to')) {
      root.toAt = name - start;
      root.toStart = value - start;
      root.toEnd = end - start;
    } else if (matches(b, name, 'id')) {
      root.idAt = name - start;
      root.idStart = value - start;
      root.idEnd = end - start;
    }
  } else if (length === 4) {
    if (matches(b, name, 'from')) {
      root.fromAt = name - start;
      root.fromStart = value - start;
      root.fromEnd = end - start;
    } else if (matches(b, name, 'type')) {
      root.typeAt = name - start;
      root.typeStart = value - start;
      root.typeEnd = end - start;
    }
  }
}
