/** Stream errors as they are received (RFC 6120 section 4.9). */
import type { Violation } from '../xml/framer.ts';
import { NS, type StreamCondition } from '../xml/names.ts';
import type { Stanza } from '../xml/stanza.ts';

export function isStreamError(stanza: Stanza): boolean {
  return stanza.name === 'error' && stanza.ns === NS.streams;
}

/** Condition and text of a stream error; undefined for any other stanza. A condition that we do not know stays as it is. */
export function readStreamError(stanza: Stanza): Violation | undefined {
  if (!isStreamError(stanza)) return undefined;
  const children = stanza.root.children.filter((child) => child.ns === NS.streamErrors);
  const condition = children.find((child) => child.name !== 'text')?.name ?? 'undefined-condition';
  return {
    condition: condition as StreamCondition,
    text: children.find((child) => child.name === 'text')?.text() ?? '',
  };
}
