/**
 * What a client may send on its own stream while that stream carries its siblings' rooms (M9a): nothing that a server answers
 * by ending the stream, or that deadens it (SERVER_FACTS f, l).
 */

import { bareKey, bareOf } from '../xml/address.ts';
import { stanzaError } from '../xml/build.ts';
import { readdress } from '../xml/edit.ts';
import { NS, type StreamCondition } from '../xml/names.ts';
import type { Stanza } from '../xml/stanza.ts';

export type Verdict =
  | { readonly kind: 'pass' }
  /** Goes upstream in this form. */
  | { readonly kind: 'rewrite'; readonly xml: Buffer; readonly reason: 'wrong-from' }
  /** Goes nowhere; the client gets this answer. */
  | { readonly kind: 'answer'; readonly xml: string; readonly reason: 'oversize' }
  | { readonly kind: 'drop'; readonly reason: 'oversize' }
  /** The server would end the stream: the client's own ends instead. */
  | {
      readonly kind: 'end';
      readonly condition: StreamCondition;
      readonly text: string;
      readonly reason: 'foreign-namespace';
    };

const PASS: Verdict = { kind: 'pass' };
const STANZAS: ReadonlySet<string> = new Set(['message', 'presence', 'iq']);

export function guard(stanza: Stanza, jid: string, mostBytes: number): Verdict {
  if (stanza.ns === NS.csi) return PASS;
  if (stanza.ns !== NS.client || !STANZAS.has(stanza.name)) {
    const text = `<${stanza.name}/> in this namespace is no stanza.`;
    return { kind: 'end', condition: 'unsupported-stanza-type', text, reason: 'foreign-namespace' };
  }
  if (stanza.length > mostBytes) {
    if (stanza.type === 'error' || stanza.type === 'result') return { kind: 'drop', reason: 'oversize' };
    const xml = stanzaError(stanza, {
      to: jid,
      type: 'modify',
      condition: 'policy-violation',
      text: `The stanza has ${stanza.length} bytes; at most ${mostBytes} may pass.`,
      extra: `<stanza-too-big xmlns='${NS.xmppErrors}'/>`,
    });
    return { kind: 'answer', xml, reason: 'oversize' };
  }
  const { from } = stanza;
  if (from === undefined || from === jid || bareKey(from) === bareKey(bareOf(jid))) {
    if (from === undefined || from === jid || !from.includes('/')) return PASS;
  }
  return { kind: 'rewrite', xml: readdress(stanza, { from: null }), reason: 'wrong-from' };
}
