/**
 * Stream management where the server has none (XEP-0198; DESIGN "Stream features"): the proxy itself agrees to it, and keeps the
 * session of a client that has dropped. What is peculiar to that; the counters are those of management.ts.
 */
import { NS } from '../../xml/names.ts';
import type { Stanza } from '../../xml/stanza.ts';
import { escapeXml } from '../../xml/text.ts';

/** What the proxy grants. */
export interface OwnTerms {
  /** Bare JID whose session it is. */
  readonly bare: string;
  /** How long a session is kept at most (ms). */
  readonly mostMs: number;
  /** An unguessable name for a session. */
  readonly newId: () => string;
  /** Epoch ms. */
  readonly now: () => number;
}

/** The answer to a client's `<enable/>`, and what it promises. */
export interface OwnEnabled {
  readonly xml: string;
  /** How long the session is kept (ms), and by which name it is resumed; undefined: not at all. */
  readonly kept: { readonly ms: number; readonly previd: string } | undefined;
}

/** A client that asks for less time gets less (section 5); `max` counts seconds. */
export function ownEnabled(enable: Stanza, terms: OwnTerms): OwnEnabled {
  const resume = enable.root.attr('resume');
  const most = Math.floor(terms.mostMs / 1000);
  const max = Math.min(most, asked(enable.root.attr('max')) ?? most);
  if ((resume !== 'true' && resume !== '1') || max === 0) {
    return { xml: `<enabled xmlns='${enable.ns}'/>`, kept: undefined };
  }
  const previd = terms.newId();
  const xml = `<enabled xmlns='${enable.ns}' id='${escapeXml(previd)}' resume='true' max='${max}'/>`;
  return { xml, kept: { ms: max * 1000, previd } };
}

function asked(max: string | undefined): number | undefined {
  return max !== undefined && /^\d{1,10}$/.test(max) ? Number(max) : undefined;
}

const DELAY = Buffer.from(NS.delay);

/**
 * A relayed message as it is kept to be sent again: with the time at which it came (XEP-0198 section 5), unless it tells one
 * already. Works on bytes: what a message ends with is its closing tag.
 */
export function stamped(stanza: Stanza, text: Buffer, { bare, now }: Pick<OwnTerms, 'bare' | 'now'>): Buffer {
  if (stanza.name !== 'message' || stanza.type === 'error' || stanza.selfClosing || text.includes(DELAY)) return text;
  const end = text.lastIndexOf('</');
  const stamp = new Date(now()).toISOString();
  const delay = `<delay xmlns='${NS.delay}' from='${escapeXml(bare)}' stamp='${stamp}'/>`;
  return Buffer.concat([text.subarray(0, end), Buffer.from(delay), text.subarray(end)]);
}
