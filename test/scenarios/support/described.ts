/** What is heard in a play, as text in which all that differs between two plays of the same is replaced. */
import { Element, escapeXml, ns } from '../../support/element.ts';
import type { Client } from './scenario.ts';

/** Attributes that a server makes up: ids other than those that the play has given, times. */
const MADE_UP: ReadonlySet<string> = new Set(['stamp', 'id', 'by']);

/** What `client` hears. `isLoose`: what clients make nothing of is left out, see `looseOf`. */
export function describe(one: Element, client: Client, room: string, isLoose = false): string {
  const isInside = client.resource === 'phone' || client.resource === 'desk';
  let text = print(isLoose ? looseOf(one) : one);
  if (isInside || client.resource === 'tablet') text = text.replaceAll(client.jid, 'SELF');
  // Old services say its name alone, too.
  text = text.replaceAll(room.slice(0, room.indexOf('@')), 'ROOM');
  text = text.replace(/([a-z]+)-(?:direct|proxied)-[0-9a-f]{8}/g, '$1');
  // Through which stream others see the account is not the same, nor need it be.
  return isInside ? text : text.replace(/alice@localhost\/[^'<]*/g, 'alice@localhost/*');
}

/** Servers list occupants in no order; what they say of one occupant has one. */
export function inAnyOrder(lines: readonly string[]): string[] {
  const isListed = (line: string | undefined): boolean =>
    line?.startsWith('<presence') === true && !line.includes(" type='") && !line.includes("code='110'");
  const settled: string[] = [];
  for (let start = 0; start < lines.length; ) {
    let end = start + 1;
    while (isListed(lines[start]) && isListed(lines[end])) end += 1;
    settled.push(...lines.slice(start, end).sort(bySender));
    start = end;
  }
  return settled;
}

/**
 * Without the language of a stanza, which not every answer of the proxy bears; the ids that servers and the proxy give to room
 * presences; what refusals repeat of a join; and the names of archived messages. Children have no order.
 */
function looseOf({ name, ns: namespace, type, attrs, children }: Element): Element {
  const { 'xml:lang': _, id, ...kept } = attrs;
  const isMadeUp = name === 'presence' && id?.startsWith('play-') !== true;
  const copy = new Element(name, namespace, isMadeUp || id === undefined ? kept : { ...kept, id });
  const isRefusal = name === 'presence' && type === 'error';
  const isNamed = name === 'first' || name === 'last';
  for (const child of children) {
    if (isNamed || (isRefusal && child instanceof Element && child.name !== 'error')) continue;
    copy.children.push(child instanceof Element ? looseOf(child) : child);
  }
  copy.children.sort(byText);
  return copy;
}

function bySender(one: string, other: string): number {
  const [first, second] = [one, other].map((line) => / from='([^']*)'/.exec(line)?.[1] ?? '');
  return Number((first ?? '') > (second ?? '')) - Number((first ?? '') < (second ?? ''));
}

function byText(one: Element | string, other: Element | string): number {
  const [first, second] = [one, other].map((child) => (typeof child === 'string' ? child : print(child)));
  return (first ?? '') < (second ?? '') ? -1 : 1;
}

function print(one: Element, outer: string = ns.client, depth = 0): string {
  const attrs = Object.entries(one.attrs)
    .map(([name, value]) => {
      const isKept = !MADE_UP.has(name) || (depth === 0 && name === 'id' && /^(?:ask|play)-/.test(value));
      return ` ${name}='${isKept ? escapeXml(value) : '*'}'`;
    })
    .sort()
    .join('');
  const declared = one.ns === outer ? '' : ` xmlns='${one.ns}'`;
  const inner = one.children.map((child) =>
    typeof child === 'string' ? escapeXml(child) : print(child, one.ns, depth + 1),
  );
  return `<${one.name}${declared}${attrs}>${inner.join('')}</${one.name}>`;
}
