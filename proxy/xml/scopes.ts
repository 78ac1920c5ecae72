/**
 * Which prefixes are in scope inside one element. Plain stanzas use none, so nothing is allocated before the first one;
 * each look-up costs the same however many there are.
 */
import { type Declarations, NO_DECLARATIONS } from './declarations.ts';
import { NS } from './names.ts';
import { malformed } from './violation.ts';

const XMLNS = 'http://www.w3.org/2000/xmlns/';
const NONE: readonly string[] = Object.freeze([]);

interface Binding {
  readonly namespace: string;
  readonly prefix: string;
  /** Depth of the element that declares it; 0 is the stream header. */
  readonly depth: number;
  /** What it hides. */
  readonly hidden: Binding | undefined;
}

export class Scopes {
  #declarations: Declarations = NO_DECLARATIONS;
  #bindings: Map<string, Binding> | undefined;
  /** Declared by open elements, innermost last. */
  #declared: Binding[] | undefined;
  #outer: string[] | undefined;

  /** Forgets everything; what is not declared inside is looked up in the stream header's declarations. */
  begin(declarations: Declarations): void {
    this.#declarations = declarations;
    this.#bindings = undefined;
    this.#declared = undefined;
    this.#outer = undefined;
  }

  /** Prefixes that were found in the stream header only. */
  get outer(): readonly string[] {
    return this.#outer ?? NONE;
  }

  /** `xmlns:prefix='namespace'` on the element at this depth (Namespaces in XML 1.0, sections 2.2 and 3). */
  declare(prefix: string, namespace: string, depth: number): void {
    if (prefix === 'xmlns') throw malformed("the prefix 'xmlns' may not be declared");
    if ((prefix === 'xml') !== (namespace === NS.xml)) throw malformed("the prefix 'xml' has one namespace only");
    if (namespace === '') throw malformed('a prefix may not be undeclared');
    if (namespace === XMLNS) throw malformed('that namespace may not be declared');
    this.#bindings ??= new Map();
    this.#declared ??= [];
    const binding = { namespace, prefix, depth, hidden: this.#bindings.get(prefix) };
    this.#bindings.set(prefix, binding);
    this.#declared.push(binding);
  }

  /** The element at this depth ends: its declarations with it. */
  leave(depth: number): void {
    const declared = this.#declared;
    if (declared === undefined) return;
    for (let last = declared.at(-1); last !== undefined && last.depth === depth; last = declared.at(-1)) {
      declared.pop();
      if (last.hidden === undefined) this.#bindings?.delete(last.prefix);
      else this.#bindings?.set(last.prefix, last.hidden);
    }
  }

  /** The namespace of a prefix that is used here. */
  resolve(prefix: string): string {
    const binding = this.#bindings?.get(prefix);
    if (binding !== undefined) return binding.namespace;
    if (prefix === 'xml') return NS.xml;
    const namespace = this.#declarations.get(prefix);
    if (namespace === undefined || prefix === '') throw malformed('a prefix that is not declared');
    this.#outer ??= [];
    this.#outer.push(prefix);
    this.#bindings ??= new Map();
    this.#bindings.set(prefix, { namespace, prefix, depth: 0, hidden: undefined });
    return namespace;
  }
}

/** Nothing shorter can stand for a namespace that `checkDefault` refuses. */
export const SHORTEST_REFUSED = XMLNS.length;

/** Whether a text of this length, without references, could be a namespace that `checkDefault` refuses. */
export function isNamespaceToCheck(length: number): boolean {
  return length === XMLNS.length || length === NS.xml.length;
}

/** Refuses a default namespace that may not be one. */
export function checkDefault(namespace: string): void {
  if (namespace === NS.xml || namespace === XMLNS) throw malformed('that namespace may not be declared');
}
