/**
 * The rarer checks on the attributes of one opening tag. The scanner keeps, for each attribute, five numbers in a flat
 * array: start and end of the name, its colon (0: none), start and end of the value.
 */
import { NS } from './names.ts';
import { checkDefault, isNamespaceToCheck, type Scopes, SHORTEST_REFUSED } from './scopes.ts';
import { decodeAttribute } from './text.ts';
import { AMPERSAND, matches, sameBytes } from './tokens.ts';
import { malformed } from './violation.ts';

/** Numbers per attribute. */
export const STRIDE = 5;
/** From so many attributes on, a set finds duplicates: comparing each with each would be quadratic. */
export const MANY = 24;

/** Refuses a name that is among the first `count` attributes, `count` being below MANY. */
export function checkAmongFew(
  b: Buffer,
  attributes: readonly number[],
  count: number,
  name: number,
  end: number,
): void {
  for (let slot = 0; slot < count * STRIDE; slot += STRIDE) {
    const other = attributes[slot] as number;
    if ((attributes[slot + 1] as number) - other === end - name && sameBytes(b, name, other, end - name)) {
      throw malformed('an attribute twice');
    }
  }
}

/** Refuses a name that is in the set, or puts it there. */
export function checkAmongMany(b: Buffer, seen: Set<string>, name: number, end: number): void {
  const written = b.toString('utf8', name, end);
  if (seen.has(written)) throw malformed('an attribute twice');
  seen.add(written);
}

/** The names of the first `count` attributes. */
export function namesOf(b: Buffer, attributes: readonly number[], count: number): Set<string> {
  const names = new Set<string>();
  for (let slot = 0; slot < count * STRIDE; slot += STRIDE) {
    names.add(b.toString('utf8', attributes[slot], attributes[slot + 1]));
  }
  return names;
}

/** The value of a namespace declaration. */
export function namespaceAt(b: Buffer, attributes: readonly number[], slot: number): string {
  return namespaceIn(b, attributes[slot + 3] as number, attributes[slot + 4] as number);
}

/** The namespace that stands in these quotes, without making a new string for the most common one. */
export function namespaceIn(b: Buffer, start: number, end: number): string {
  if (end - start === NS.client.length && matches(b, start, NS.client)) return NS.client;
  return decodeAttribute(b, start, end);
}

/** Refuses a default namespace that may not be one, without making a string of every other. */
export function checkDefaultAt(b: Buffer, attributes: readonly number[], slot: number): void {
  const start = attributes[slot + 3] as number;
  const end = attributes[slot + 4] as number;
  const length = end - start;
  if (length < SHORTEST_REFUSED) return;
  if (!isNamespaceToCheck(length)) {
    // It can be one of them only with references in place of characters.
    let p = start;
    while (p < end && b[p] !== AMPERSAND) p++;
    if (p === end) return;
  }
  checkDefault(namespaceAt(b, attributes, slot));
}

/** Declares the prefixes of a tag, then resolves those of its attributes and, if `colon` is not 0, of its name. */
export function resolvePrefixes(
  b: Buffer,
  attributes: readonly number[],
  count: number,
  scopes: Scopes,
  depth: number,
  name: number,
  colon: number,
): string {
  let prefixed = 0;
  for (let slot = 0; slot < count * STRIDE; slot += STRIDE) {
    const start = attributes[slot] as number;
    const at = attributes[slot + 2] as number;
    if (isDeclaration(b, start, at)) {
      scopes.declare(b.toString('utf8', at + 1, attributes[slot + 1]), namespaceAt(b, attributes, slot), depth);
    } else if (at > 0 && !isXmlPrefix(b, start, at)) {
      prefixed++;
    }
  }
  const namespace = colon > 0 ? scopes.resolve(b.toString('utf8', name, colon)) : '';
  if (prefixed > 0) resolveAttributes(b, attributes, count, scopes, prefixed > 1);
  return namespace;
}

function resolveAttributes(
  b: Buffer,
  attributes: readonly number[],
  count: number,
  scopes: Scopes,
  mayCollide: boolean,
): void {
  const seen = new Set<string>();
  for (let slot = 0; slot < count * STRIDE; slot += STRIDE) {
    const start = attributes[slot] as number;
    const at = attributes[slot + 2] as number;
    if (at === 0 || isDeclaration(b, start, at) || isXmlPrefix(b, start, at)) continue;
    const namespace = scopes.resolve(b.toString('utf8', start, at));
    if (!mayCollide) continue;
    // A space cannot be in a local name: the key is unambiguous.
    const expanded = `${b.toString('utf8', at + 1, attributes[slot + 1])} ${namespace}`;
    if (seen.has(expanded)) throw malformed('an attribute twice');
    seen.add(expanded);
  }
}

function isDeclaration(b: Buffer, start: number, colon: number): boolean {
  return colon - start === 5 && matches(b, start, 'xmlns');
}

/** Whether it is `xml:lang` or the like: always declared, and no other prefix can stand for the same namespace. */
export function isXmlPrefix(b: Buffer, start: number, colon: number): boolean {
  return colon - start === 3 && matches(b, start, 'xml');
}
