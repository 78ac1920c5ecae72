/**
 * Matching by subset. What is stated must be there, in the namespace in which it is stated; what is not stated may be there
 * too, with one exception: the `type` of the root must be as stated, absent included, since a `<presence/>` that is meant
 * to say "is here" would otherwise be met by an error.
 *
 * - `{any}` as attribute value or text: something must be there, whatever it is (`type='{any}'`: any type, or none);
 * - `{none}` as attribute value: the attribute must not be there;
 * - children may stand in any order, each stated one needs a child of its own;
 * - stated text must be the whole text of that element, spaces around it apart.
 */
import { type Element, parseOne } from './element.ts';

/** XML to match by subset, `exactly(...)`, `without(...)`, or any function that tells. */
export type Matcher = string | Test;

/** A predicate that can say what it wanted. */
export interface Test {
  (element: Element): boolean;
  /** For messages of failure. */
  wanted?: string;
}

/** True if the element is what the matcher states. */
export function matches(element: Element, matcher: Matcher): boolean {
  return typeof matcher === 'string' ? includesRoot(element, parseOne(matcher)) : matcher(element);
}

/** Matches only if there is nothing beyond what is stated, in attributes and children at every level. */
export function exactly(xml: string): Matcher {
  const wanted = parseOne(xml);
  return describe((element) => includesRoot(element, wanted) && sizeOf(element) === sizeOf(wanted), `exactly ${xml}`);
}

/** Matches `xml` where the root holds no child as the ones named, such as `delay`. */
export function without(xml: string, ...children: string[]): Matcher {
  const wanted = parseOne(xml);
  return describe(
    (element) => includesRoot(element, wanted) && !children.some((name) => element.child(name)),
    `${xml} without ${children.join(', ')}`,
  );
}

/** Matches what all of the matchers match. */
export function allOf(...matchers: Matcher[]): Matcher {
  return describe(
    (element) => matchers.every((one) => matches(element, one)),
    matchers.map(printMatcher).join('\nand '),
  );
}

/** A matcher as readable text. */
export function printMatcher(matcher: Matcher): string {
  if (typeof matcher === 'string') return parseOne(matcher).print();
  return matcher.wanted ?? matcher.toString();
}

function describe(test: Test, wanted: string): Test {
  return Object.assign(test, { wanted });
}

function includesRoot(element: Element, wanted: Element): boolean {
  const type = wanted.attrs.type ?? '{none}';
  return (type === '{any}' || attributeFits(element.attrs.type, type)) && includes(element, wanted, ['type']);
}

function includes(element: Element, wanted: Element, seen: string[] = []): boolean {
  if (element.name !== wanted.name || element.ns !== wanted.ns) return false;
  for (const [name, value] of Object.entries(wanted.attrs)) {
    if (!seen.includes(name) && !attributeFits(element.attrs[name], value)) return false;
  }
  const text = wanted.text.trim();
  if (text === '{any}' ? element.text === '' : text !== '' && element.text.trim() !== text) return false;
  return assignable(wanted.elements, element.elements);
}

function attributeFits(value: string | undefined, wanted: string): boolean {
  if (wanted === '{none}') return value === undefined;
  if (wanted === '{any}') return value !== undefined;
  return value === wanted;
}

/** Whether each wanted element can be given a candidate of its own. */
function assignable(wanted: Element[], candidates: Element[]): boolean {
  const [first, ...rest] = wanted;
  if (!first) return true;
  return candidates.some(
    (candidate, index) => includes(candidate, first) && assignable(rest, candidates.toSpliced(index, 1)),
  );
}

function sizeOf(element: Element): number {
  const attributes = Object.values(element.attrs).filter((value) => value !== '{none}').length;
  return element.elements.reduce((sum, child) => sum + sizeOf(child), 1 + attributes + (element.text.trim() ? 1 : 0));
}
