/** First-level elements of a client before it is bound that must not reach the server, with the answer to each. */
import { NS } from '../xml/names.ts';
import type { Stanza } from '../xml/stanza.ts';

export interface Refusal {
  /** For logs and counters: one word of a bounded set. */
  readonly reason: string;
  readonly xml: string;
}

/**
 * Undefined when the element may pass. SASL2 with Bind 2 and a resumption would each give the server a session that has
 * not gone through the negotiation here; compression would make the stream unreadable.
 */
export function guard(stanza: Stanza): Refusal | undefined {
  const { name, ns } = stanza;
  if (ns === NS.sasl2) {
    const xml = `<failure xmlns='${NS.sasl2}'><invalid-mechanism xmlns='${NS.sasl}'/></failure>`;
    return { reason: 'sasl2', xml };
  }
  if (ns === NS.compress) {
    return { reason: 'compression', xml: `<failure xmlns='${NS.compress}'><unsupported-method/></failure>` };
  }
  if ((ns === NS.sm2 || ns === NS.sm3) && (name === 'enable' || name === 'resume')) {
    const condition = name === 'resume' ? 'item-not-found' : 'unexpected-request';
    return {
      reason: `sm-${name}`,
      xml: `<failed xmlns='${ns}'><${condition} xmlns='${NS.stanzaErrors}'/></failed>`,
    };
  }
  return undefined;
}
