/** Changes to a stanza as splices on its original bytes; what is not touched stays the text that came. */
import { CLASS, IN_VALUE } from './chars.ts';
import { type Declarations, USUAL_DECLARATIONS } from './declarations.ts';
import { NS } from './names.ts';
import type { Node } from './spans.ts';
import { type Splice, spaceBefore, splice } from './splice.ts';
import type { Stanza } from './stanza.ts';
import { escapeXml } from './text.ts';

interface NodeChange {
  /** By written name; null removes. */
  readonly attributes: Map<string, string | null>;
  readonly appended: (string | Buffer)[];
  /** In place of the whole element. */
  replacement: string | Buffer | undefined;
}

/**
 * Collects changes to one stanza's elements. The last word on an attribute or on an element as a whole counts; changes
 * inside of what is removed or replaced are lost. The stanza itself stays as it is.
 */
export class Edit {
  readonly #stanza: Stanza;
  readonly #changes = new Map<Node, NodeChange>();

  constructor(stanza: Stanza) {
    this.#stanza = stanza;
  }

  /** Sets the attribute with that written name to that value (not yet escaped). */
  setAttr(node: Node, name: string, value: string): this {
    this.#change(node).attributes.set(name, value);
    return this;
  }

  removeAttr(node: Node, name: string): this {
    this.#change(node).attributes.set(name, null);
    return this;
  }

  /** Removes the element with all that is in it. */
  remove(node: Node): this {
    return this.replace(node, '');
  }

  /** Adds XML behind the last child; several are added in the order of the calls. */
  append(node: Node, xml: string | Buffer): this {
    this.#change(node).appended.push(xml);
    return this;
  }

  /** Puts XML in place of the element. */
  replace(node: Node, xml: string | Buffer): this {
    this.#change(node).replacement = xml;
    return this;
  }

  /** The text with all changes made. */
  toBuffer(): Buffer {
    const bytes = this.#stanza.bytes;
    const splices: Splice[] = [];
    for (const [node, change] of this.#changes) {
      if (change.replacement !== undefined) {
        splices.push({ start: node.start, end: node.end, text: change.replacement });
        continue;
      }
      for (const [name, value] of change.attributes) {
        const written = node.attributes.find((attribute) => attribute.name === name);
        if (written === undefined) {
          if (value !== null) splices.push(insertion(node.nameEnd, name, value));
        } else if (value === null) {
          splices.push({ start: spaceBefore(bytes, written.start), end: written.valueEnd + 1, text: '' });
        } else {
          splices.push({ start: written.valueStart, end: written.valueEnd, text: escapeXml(value) });
        }
      }
      if (change.appended.length > 0) splices.push(...appending(bytes, node, change.appended));
    }
    return splice(bytes, 0, bytes.length, splices);
  }

  #change(node: Node): NodeChange {
    let change = this.#changes.get(node);
    if (change === undefined) {
      change = { attributes: new Map(), appended: [], replacement: undefined };
      this.#changes.set(node, change);
    }
    return change;
  }
}

function appending(bytes: Buffer, node: Node, appended: readonly (string | Buffer)[]): Splice[] {
  const xml = Buffer.concat(appended.map((part) => (typeof part === 'string' ? Buffer.from(part) : part)));
  if (!node.selfClosing) return [{ start: node.closeStart, end: node.closeStart, text: xml }];
  const name = bytes.toString('utf8', node.start + 1, node.nameEnd);
  const parts = [Buffer.from('>'), xml, Buffer.from(`</${name}>`)];
  return [{ start: node.openEnd - 2, end: node.openEnd, text: Buffer.concat(parts) }];
}

/** For each of them: undefined leaves it, null removes it, a string (not yet escaped) sets it. */
export interface AddressChange {
  to?: string | null | undefined;
  from?: string | null | undefined;
  id?: string | null | undefined;
}

/** A copy of the stanza's text with other addresses on its root. */
export function readdress(stanza: Stanza, change: AddressChange): Buffer {
  const splices: Splice[] = [];
  addressing(splices, stanza, 'to', change.to, stanza.toAt, stanza.toStart, stanza.toEnd);
  addressing(splices, stanza, 'from', change.from, stanza.fromAt, stanza.fromStart, stanza.fromEnd);
  addressing(splices, stanza, 'id', change.id, stanza.idAt, stanza.idStart, stanza.idEnd);
  return splice(stanza.source, stanza.start, stanza.end, splices);
}

function addressing(
  splices: Splice[],
  stanza: Stanza,
  name: string,
  value: string | null | undefined,
  at: number,
  start: number,
  end: number,
): void {
  if (value === undefined) return;
  if (value === null) {
    if (at >= 0) splices.push({ start: spaceBefore(stanza.source, at), end: end + 1, text: '' });
  } else if (at < 0) {
    splices.push(insertion(stanza.nameEnd, name, value));
  } else {
    splices.push({ start, end, text: escapeXml(value) });
  }
}

function insertion(at: number, name: string, value: string): Splice {
  return { start: at, end: at, text: ` ${name}='${escapeXml(value)}'` };
}

interface Template {
  readonly declared: string;
  readonly head: Buffer;
  readonly tail: Buffer;
}

/** One stanza for many recipients: what they have in common is prepared once. */
export class Fork {
  readonly #stanza: Stanza;
  /** One for each set of missing declarations: hardly ever more than two. */
  readonly #templates: Template[] = [];
  #last: Template | undefined;
  #lastOwn: Declarations | 'websocket' | undefined;

  constructor(stanza: Stanza) {
    this.#stanza = stanza;
  }

  /** The text with that `to`, fit for a stream whose header declares `own`: three copies into one new buffer. */
  for(to: string, own: Declarations | 'websocket'): Buffer {
    let template = this.#last;
    if (template === undefined || this.#lastOwn !== own) {
      template = this.#last = this.#templateFor(missingDeclarations(this.#stanza, own));
      this.#lastOwn = own;
    }
    const { head, tail } = template;
    const isPlain = needsNoEscape(to);
    const value = isPlain ? to : escapeXml(to);
    const length = isPlain ? to.length : Buffer.byteLength(value);
    const at = head.length;
    const result = Buffer.allocUnsafe(at + length + tail.length);
    result.set(head, 0);
    // For the length of an address a plain loop is faster than a call into native code.
    if (isPlain) for (let k = 0; k < length; k++) result[at + k] = to.charCodeAt(k);
    else result.write(value, at);
    result.set(tail, at + length);
    return result;
  }

  #templateFor(declared: string): Template {
    for (const template of this.#templates) if (template.declared === declared) return template;
    const template = this.#prepare(declared);
    this.#templates.push(template);
    return template;
  }

  #prepare(declared: string): Template {
    const { source, start, end, nameEnd, toAt, toStart, toEnd } = this.#stanza;
    if (toAt >= 0 && declared === '') {
      return { declared, head: source.subarray(start, toStart), tail: source.subarray(toEnd, end) };
    }
    const before = Buffer.from(declared + (toAt < 0 ? " to='" : ''));
    const head = [source.subarray(start, nameEnd), before];
    if (toAt < 0) {
      return {
        declared,
        head: Buffer.concat(head),
        tail: Buffer.concat([Buffer.from("'"), source.subarray(nameEnd, end)]),
      };
    }
    head.push(source.subarray(nameEnd, toStart));
    return { declared, head: Buffer.concat(head), tail: source.subarray(toEnd, end) };
  }
}

/** Whether the text is ASCII that can stand in an attribute as it is. */
function needsNoEscape(text: string): boolean {
  const table = CLASS;
  for (let k = 0; k < text.length; k++) {
    const c = text.charCodeAt(k);
    if (c < 0x20 || c > 0x7e || ((table[c] as number) & IN_VALUE) === 0) return false;
  }
  return true;
}

/**
 * What a stanza needs in order to move from the stream that it came from to one whose header declares `target`.
 * Undefined: its text can pass as it is. Otherwise the text with the missing declarations added to its root.
 */
export function bridge(stanza: Stanza, target: Declarations | 'websocket'): Buffer | undefined {
  const declared = missingDeclarations(stanza, target);
  if (declared === '') return undefined;
  const { source, start, end, nameEnd } = stanza;
  return splice(source, start, end, [{ start: nameEnd, end: nameEnd, text: declared }]);
}

/** Declarations that the stanza took from its stream header and that the other one does not make, as attributes. */
function missingDeclarations(stanza: Stanza, target: Declarations | 'websocket'): string {
  const outside = target === 'websocket' ? undefined : target;
  let missing = '';
  if (stanza.inheritsDefault) {
    const namespace = stanza.outerDefault;
    // Nearly every stream declares the usual; looking it up for each stanza shows in a profile.
    const there = outside === USUAL_DECLARATIONS ? NS.client : (outside?.get('') ?? '');
    if (namespace !== there) missing = ` xmlns='${escapeXml(namespace)}'`;
  }
  if (stanza.outerPrefixes.length === 0) return missing;
  for (const prefix of stanza.outerPrefixes) {
    const namespace = stanza.declarations.get(prefix);
    if (namespace !== undefined && namespace !== outside?.get(prefix)) {
      missing += ` xmlns:${prefix}='${escapeXml(namespace)}'`;
    }
  }
  return missing;
}

/** As text that needs no declarations of a stream header; a copy, which keeps no chunk of the wire alive. */
export function standalone(stanza: Stanza): Buffer {
  const bridged = stanza.outerPrefixes.length > 0 ? bridge(stanza, USUAL_DECLARATIONS) : undefined;
  return Buffer.from(bridged ?? stanza.bytes);
}
