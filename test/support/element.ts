/**
 * XML as the tests see it: strict (saxes with namespaces), resolved, and independent of the proxy's own code, so that the
 * test client can be a witness against it.
 */
import { SaxesParser } from 'saxes';

export const ns = {
  client: 'jabber:client',
  streams: 'http://etherx.jabber.org/streams',
  framing: 'urn:ietf:params:xml:ns:xmpp-framing',
  tls: 'urn:ietf:params:xml:ns:xmpp-tls',
  sasl: 'urn:ietf:params:xml:ns:xmpp-sasl',
  bind: 'urn:ietf:params:xml:ns:xmpp-bind',
  session: 'urn:ietf:params:xml:ns:xmpp-session',
  stanzas: 'urn:ietf:params:xml:ns:xmpp-stanzas',
  legacyAuth: 'jabber:iq:auth',
  sm: 'urn:xmpp:sm:3',
  ping: 'urn:xmpp:ping',
  discoInfo: 'http://jabber.org/protocol/disco#info',
  delay: 'urn:xmpp:delay',
  muc: 'http://jabber.org/protocol/muc',
  mucUser: 'http://jabber.org/protocol/muc#user',
  mucOwner: 'http://jabber.org/protocol/muc#owner',
  mucAdmin: 'http://jabber.org/protocol/muc#admin',
  data: 'jabber:x:data',
} as const;

/** An element with its namespaces resolved. `attrs` are named as written and hold no namespace declarations. */
export class Element {
  readonly name: string;
  readonly ns: string;
  readonly attrs: Record<string, string>;
  readonly children: (Element | string)[] = [];

  constructor(name: string, namespace: string, attrs: Record<string, string> = {}) {
    this.name = name;
    this.ns = namespace;
    this.attrs = attrs;
  }

  get id(): string | undefined {
    return this.attrs.id;
  }

  get type(): string | undefined {
    return this.attrs.type;
  }

  get from(): string | undefined {
    return this.attrs.from;
  }

  get to(): string | undefined {
    return this.attrs.to;
  }

  get elements(): Element[] {
    return this.children.filter((child) => child instanceof Element);
  }

  /** Text directly inside. */
  get text(): string {
    return this.children.filter((child) => typeof child === 'string').join('');
  }

  /** First child with that name, in the given namespace if one is given. */
  child(name: string, namespace?: string): Element | undefined {
    return this.elements.find((one) => one.name === name && (namespace === undefined || one.ns === namespace));
  }

  /** First element on a path of names. */
  at(...names: string[]): Element | undefined {
    return names.reduce<Element | undefined>((element, name) => element?.child(name), this);
  }

  /** Codes of `<status/>` in the `muc#user` child, sorted. */
  get codes(): number[] {
    const statuses = this.child('x', ns.mucUser)?.elements.filter((one) => one.name === 'status') ?? [];
    return statuses.map((one) => Number(one.attrs.code)).sort((a, b) => a - b);
  }

  /** Name of the defined condition of a stanza error or stream error. */
  get condition(): string | undefined {
    const error = this.name === 'error' ? this : this.child('error');
    return error?.elements.find((one) => one.name !== 'text')?.name;
  }

  /** Indented XML with every namespace that differs from the parent's. */
  print(indent = '', outer: string = ns.client): string {
    const attrs = Object.entries(this.attrs).map(([name, value]) => ` ${name}='${escapeXml(value)}'`);
    const declared = this.ns === outer ? '' : ` xmlns='${this.ns}'`;
    const open = `${indent}<${this.name}${declared}${attrs.join('')}`;
    if (this.children.length === 0) return `${open}/>`;
    if (this.elements.length === 0) return `${open}>${escapeXml(this.text)}</${this.name}>`;
    const inner = this.children.map((child) =>
      typeof child === 'string' ? `${indent}  ${escapeXml(child)}` : child.print(`${indent}  `, this.ns),
    );
    return [`${open}>`, ...inner, `${indent}</${this.name}>`].join('\n');
  }

  toString(): string {
    return this.print();
  }
}

/** What a stream of elements consists of. */
export interface ElementHandler {
  /** The root was opened (on TCP: the stream header). Its attributes, namespace declarations included. */
  opened(root: Element): void;
  /** A child of the root is complete, or on a WebSocket a whole message. */
  element(element: Element): void;
  /** The root was closed. */
  closed(): void;
}

/** Incremental parser of a stream. Throws on text that is not well-formed or uses an undeclared prefix. */
export class ElementStream {
  readonly #parser = new SaxesParser({ xmlns: true });

  constructor(handler: ElementHandler) {
    const open: Element[] = [];
    this.#parser.on('error', (error) => {
      throw error;
    });
    for (const event of ['comment', 'doctype', 'processinginstruction'] as const) {
      this.#parser.on(event, () => {
        throw new Error(`a stream may not hold a ${event}`);
      });
    }
    this.#parser.on('opentag', (tag) => {
      const attrs: Record<string, string> = {};
      for (const { name, value, uri } of Object.values(tag.attributes)) {
        if (uri !== 'http://www.w3.org/2000/xmlns/') attrs[name] = value;
      }
      const element = new Element(tag.local, tag.uri, attrs);
      open.push(element);
      if (open.length === 1) handler.opened(element);
    });
    const append = (text: string) => {
      if (open.length > 1) open.at(-1)?.children.push(text);
    };
    this.#parser.on('text', append);
    this.#parser.on('cdata', append);
    this.#parser.on('closetag', () => {
      const element = open.pop() as Element;
      if (open.length === 0) handler.closed();
      else if (open.length === 1) handler.element(element);
      else open.at(-1)?.children.push(element);
    });
  }

  write(text: string): void {
    this.#parser.write(text);
  }
}

/** Parses one element, or several side by side, as they would stand in a stream with the usual declarations. */
export function parseAll(xml: string, outer = `xmlns='${ns.client}' xmlns:stream='${ns.streams}'`): Element[] {
  const elements: Element[] = [];
  const stream = new ElementStream({ opened: () => {}, element: (one) => void elements.push(one), closed: () => {} });
  try {
    stream.write(`<outer ${outer}>${xml}</outer>`);
  } catch (error) {
    throw new Error(`not well-formed: ${xml}`, { cause: error });
  }
  return elements;
}

/** Parses exactly one element. */
export function parseOne(xml: string, outer?: string): Element {
  const [element, ...more] = parseAll(xml, outer);
  if (!element || more.length > 0) throw new Error(`one element was expected: ${xml}`);
  return element;
}

/** Text as content or attribute value. */
export function escapeXml(text: string): string {
  const entities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', "'": '&apos;', '"': '&quot;' };
  return text.replace(/[&<>'"]/g, (character) => entities[character] as string);
}
