/** What the proxy has to know about SASL mechanisms: how a client names itself in them, and what they give away. */

/** How the client's messages read: PLAIN's three parts, SCRAM's messages, DIGEST-MD5's directives, or nothing we look into. */
export type MechanismStyle = 'plain' | 'scram' | 'digest' | 'opaque';

export interface MechanismTraits {
  readonly style: MechanismStyle;
  /** Whoever hears it can use it again: never over a link that can be listened to. */
  readonly isClearText: boolean;
  /** Bound to a TLS channel that ends at the proxy: can never succeed through it. */
  readonly isChannelBound: boolean;
}

const known: ReadonlyMap<string, Pick<MechanismTraits, 'style' | 'isClearText'>> = new Map([
  ['PLAIN', { style: 'plain', isClearText: true }],
  // ejabberd's token login has the three parts of PLAIN, and so its authorisation identity.
  ['X-OAUTH2', { style: 'plain', isClearText: true }],
  // The authorisation identity of OAUTHBEARER (RFC 7628) is the normal way to say who one is: nothing to compare it with.
  ['OAUTHBEARER', { style: 'opaque', isClearText: true }],
  ['LOGIN', { style: 'opaque', isClearText: true }],
  ['DIGEST-MD5', { style: 'digest', isClearText: false }],
]);

export function traitsOf(mechanism: string): MechanismTraits {
  const isChannelBound = mechanism.endsWith('-PLUS');
  const traits = known.get(mechanism);
  if (traits !== undefined) return { ...traits, isChannelBound };
  return { style: mechanism.startsWith('SCRAM-') ? 'scram' : 'opaque', isClearText: false, isChannelBound };
}
