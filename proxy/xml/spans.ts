/**
 * A light tree of offsets over text that the framer has passed: nothing is copied, nothing is ever re-serialised.
 * Offsets count from the first byte of the text given.
 */
import type { Declarations } from './declarations.ts';

export interface Attr {
  /** As written, prefix included. */
  readonly name: string;
  /** References resolved; decoded at each call. */
  readonly value: string;
  /** First byte of the name. */
  readonly start: number;
  /** The value without its quotes: `[valueStart, valueEnd)`. */
  readonly valueStart: number;
  readonly valueEnd: number;
}

export interface Node {
  /** Local name. */
  readonly name: string;
  /** '' for none. */
  readonly prefix: string;
  /** Namespace, '' for none. */
  readonly ns: string;
  /** The `<` of the opening tag. */
  readonly start: number;
  /** Just behind the element. */
  readonly end: number;
  /** Just behind the name in the opening tag. */
  readonly nameEnd: number;
  /** Just behind the `>` of the opening tag. */
  readonly openEnd: number;
  readonly selfClosing: boolean;
  /** The `<` of the closing tag; of a self-closing element the same as `end`. */
  readonly closeStart: number;
  /** Namespace declarations included. */
  readonly attributes: readonly Attr[];
  readonly children: readonly Node[];
  /** Value of the attribute with that written name. */
  attr(name: string): string | undefined;
  /** First child with that local name, and that namespace if one is given. */
  child(name: string, ns?: string): Node | undefined;
  /** Own character data, CDATA included, without that of children. */
  text(): string;
}

/** The tree of one complete element. `bytes` must have passed the framer under these declarations. */
export function buildTree(_bytes: Buffer, _declarations: Declarations): Node {
  throw new Error('not yet');
}
