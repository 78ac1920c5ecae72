/**
 * By what a message in a room refers to another one. Clients name a message by the id that the room has given it (XEP-0359, as XEP-0333, XEP-0424,
 * XEP-0444 and XEP-0461 ask of them), corrections by its sender's (XEP-0308).
 */
import { NS } from '../xml/names.ts';
import type { Node } from '../xml/spans.ts';

const REFERRING: ReadonlyMap<string, ReadonlySet<string>> = new Map([
  [NS.reply, new Set(['reply'])],
  [NS.reactions, new Set(['reactions'])],
  [NS.markers, new Set(['received', 'displayed', 'acknowledged'])],
  [NS.retract, new Set(['retract'])],
  [NS.fasten, new Set(['apply-to'])],
  [NS.attach, new Set(['attach-to'])],
]);

/** Whether the child of a message names another message by the `id` that others know it by. */
export function isReference({ ns, name }: Node): boolean {
  return REFERRING.get(ns)?.has(name) === true;
}

/** The same, or by its sender's id. */
export function isAnyReference(child: Node): boolean {
  return isReference(child) || (child.ns === NS.correct && child.name === 'replace');
}
