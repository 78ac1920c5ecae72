/**
 * A light tree of offsets over text that the framer has passed: nothing is copied, nothing is ever re-serialised.
 * Offsets count from the first byte of the text given.
 */
import { CLASS, SPACE } from './chars.ts';
import type { Declarations } from './declarations.ts';
import { NS } from './names.ts';
import { decodeAttribute, decodeCdata, decodeText } from './text.ts';
import { BANG, COLON, EQUALS, GT, LT, matches, SLASH } from './tokens.ts';

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
export function buildTree(bytes: Buffer, declarations: Declarations): Node {
  const scope = new Scope(declarations);
  const root = openingTag(bytes, 0, undefined, scope);
  let open: Element | undefined = root.selfClosing ? undefined : root;
  let p = root.openEnd;
  while (open !== undefined) {
    p = bytes.indexOf(LT, p);
    const c = bytes[p + 1];
    if (c === SLASH) {
      open.closeStart = p;
      p = open.end = bytes.indexOf(GT, p) + 1;
      scope.leave(open);
      open = open.parent;
    } else if (c === BANG) {
      p = bytes.indexOf(']]>', p) + 3;
    } else {
      const child: Element = openingTag(bytes, p, open, scope);
      open.adopt(child);
      p = child.openEnd;
      if (child.selfClosing) scope.leave(child);
      else open = child;
    }
  }
  return root;
}

/** The attributes of an opening tag between the end of its name and its end. */
export function readAttributes(bytes: Buffer, nameEnd: number, openEnd: number): readonly Attr[] {
  let attributes: Attr[] = NO_ATTRIBUTES;
  let p = nameEnd;
  for (;;) {
    while (((CLASS[bytes[p] as number] as number) & SPACE) !== 0) p++;
    if (p >= openEnd || bytes[p] === GT || bytes[p] === SLASH) return attributes;
    if (attributes === NO_ATTRIBUTES) attributes = [];
    const start = p;
    while (bytes[p] !== EQUALS && ((CLASS[bytes[p] as number] as number) & SPACE) === 0) p++;
    const name = attributeName(bytes, start, p);
    while (bytes[p] !== EQUALS) p++;
    p++;
    while (((CLASS[bytes[p] as number] as number) & SPACE) !== 0) p++;
    const quote = bytes[p] as number;
    const valueStart = p + 1;
    const valueEnd = bytes.indexOf(quote, valueStart);
    attributes.push(new WrittenAttr(bytes, name, start, valueStart, valueEnd));
    p = valueEnd + 1;
  }
}

// One of each for all elements that have none: a stanza may hold millions of those.
const NO_ATTRIBUTES: Attr[] = [];
const NO_CHILDREN: Element[] = [];

class WrittenAttr implements Attr {
  readonly name: string;
  readonly start: number;
  readonly valueStart: number;
  readonly valueEnd: number;
  readonly #bytes: Buffer;

  constructor(bytes: Buffer, name: string, start: number, valueStart: number, valueEnd: number) {
    this.#bytes = bytes;
    this.name = name;
    this.start = start;
    this.valueStart = valueStart;
    this.valueEnd = valueEnd;
  }

  get value(): string {
    return decodeAttribute(this.#bytes, this.valueStart, this.valueEnd);
  }
}

class Element implements Node {
  name = '';
  prefix = '';
  ns = '';
  readonly start: number;
  end: number;
  nameEnd: number;
  openEnd: number;
  selfClosing = false;
  closeStart: number;
  attributes: readonly Attr[] = NO_ATTRIBUTES;
  children: Element[] = NO_CHILDREN;
  readonly parent: Element | undefined;
  readonly #bytes: Buffer;

  constructor(bytes: Buffer, start: number, nameEnd: number, parent: Element | undefined) {
    this.#bytes = bytes;
    this.start = start;
    this.parent = parent;
    this.nameEnd = nameEnd;
    this.openEnd = nameEnd;
    this.closeStart = nameEnd;
    this.end = nameEnd;
  }

  adopt(child: Element): void {
    if (this.children === NO_CHILDREN) this.children = [child];
    else this.children.push(child);
  }

  attr(name: string): string | undefined {
    for (const attribute of this.attributes) if (attribute.name === name) return attribute.value;
    return undefined;
  }

  child(name: string, ns?: string): Node | undefined {
    for (const child of this.children) {
      if (child.name === name && (ns === undefined || child.ns === ns)) return child;
    }
    return undefined;
  }

  text(): string {
    if (this.selfClosing) return '';
    let text = '';
    let p = this.openEnd;
    for (const child of this.children) {
      text += this.#textBetween(p, child.start);
      p = child.end;
    }
    return text + this.#textBetween(p, this.closeStart);
  }

  /** Character data and CDATA sections where no element is. */
  #textBetween(from: number, to: number): string {
    const bytes = this.#bytes;
    let text = '';
    let p = from;
    while (p < to) {
      const section = bytes.indexOf(LT, p);
      const end = section < 0 || section > to ? to : section;
      text += decodeText(bytes, p, end);
      if (end === to) break;
      const close = bytes.indexOf(']]>', section);
      text += decodeCdata(bytes, section + 9, close);
      p = close + 3;
    }
    return text;
  }
}

function openingTag(bytes: Buffer, start: number, parent: Element | undefined, scope: Scope): Element {
  let p = start + 1;
  let colon = 0;
  for (let c = bytes[p] as number; c !== GT && c !== SLASH && ((CLASS[c] as number) & SPACE) === 0; ) {
    if (c === COLON) colon = p;
    c = bytes[++p] as number;
  }
  const node = new Element(bytes, start, p, parent);
  node.prefix = colon === 0 ? '' : bytes.toString('utf8', start + 1, colon);
  node.name = bytes.toString('utf8', colon === 0 ? start + 1 : colon + 1, p);
  node.attributes = readAttributes(bytes, p, bytes.length);
  const last = node.attributes.at(-1);
  p = bytes.indexOf(GT, last === undefined ? p : last.valueEnd + 1);
  node.openEnd = p + 1;
  if (bytes[p - 1] === SLASH) {
    node.selfClosing = true;
    node.end = p + 1;
    node.closeStart = p + 1;
  }
  node.ns = scope.enter(node);
  return node;
}

/** Which namespaces the prefixes stand for at the element that is being read: looked up at the same cost at any depth. */
class Scope {
  readonly #outside: Declarations;
  /** By written name of the declaration (`xmlns`, `xmlns:x`): what open elements declare, innermost last. */
  readonly #open = new Map<string, string[]>();

  constructor(outside: Declarations) {
    this.#outside = outside;
  }

  /** Takes in what the element declares; its namespace. */
  enter(node: Element): string {
    for (const { name, value } of declarationsOf(node)) {
      const values = this.#open.get(name);
      if (values === undefined) this.#open.set(name, [value]);
      else values.push(value);
    }
    const { prefix } = node;
    const declared = this.#open.get(prefix === '' ? 'xmlns' : `xmlns:${prefix}`)?.at(-1);
    return declared ?? (prefix === 'xml' ? NS.xml : (this.#outside.get(prefix) ?? ''));
  }

  /** The element ends, and its declarations with it. */
  leave(node: Element): void {
    for (const { name } of declarationsOf(node)) this.#open.get(name)?.pop();
  }
}

function declarationsOf({ attributes }: Element): readonly Attr[] {
  if (attributes.length === 0) return attributes;
  return attributes.filter(({ name }) => name === 'xmlns' || name.startsWith('xmlns:'));
}

/** The name as a string, without making a new one for those that come all the time. */
function attributeName(bytes: Buffer, start: number, end: number): string {
  if (end - start === 5 && matches(bytes, start, 'xmlns')) return 'xmlns';
  return bytes.toString('utf8', start, end);
}
