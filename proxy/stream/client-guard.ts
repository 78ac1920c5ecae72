/** First-level elements of a client that must not reach the server, with the answer to each: before it is bound, and then. */
import { stanzaError } from '../xml/build.ts';
import { NS } from '../xml/names.ts';
import type { Stanza } from '../xml/stanza.ts';
import { isBinding } from './bind.ts';
import { legacyQuery } from './legacy-auth.ts';

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

/**
 * The same for a client that is bound. What it is (S7) was settled in the negotiation: a server that took another login, or
 * bound another resource (jabberd2 does both), would have two sessions on one stream; one that began TLS or stream
 * management would speak past us.
 */
export function guardBound(stanza: Stanza): Refusal | undefined {
  const { ns } = stanza;
  if (stanza.name === 'iq') {
    if (isBinding(stanza)) return { reason: 'bind-again', xml: notAllowed(stanza, 'has its resource already') };
    if (stanza.type !== 'set' || legacyQuery(stanza) === undefined) return undefined;
    return { reason: 'legacy-auth', xml: notAllowed(stanza, 'is authenticated already') };
  }
  if (ns === NS.sasl)
    return { reason: 'sasl-again', xml: `<failure xmlns='${NS.sasl}'><malformed-request/></failure>` };
  if (ns === NS.tls) return { reason: 'starttls', xml: `<failure xmlns='${NS.tls}'/>` };
  return guard(stanza);
}

function notAllowed(stanza: Stanza, what: string): string {
  return stanzaError(stanza, { type: 'cancel', condition: 'not-allowed', text: `This stream ${what}` });
}
