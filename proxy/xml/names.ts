/** Namespaces and names used on the wire. No literal namespace stands anywhere else in the program. */
export const NS = {
  client: 'jabber:client',
  streams: 'http://etherx.jabber.org/streams',
  streamErrors: 'urn:ietf:params:xml:ns:xmpp-streams',
  stanzaErrors: 'urn:ietf:params:xml:ns:xmpp-stanzas',
  framing: 'urn:ietf:params:xml:ns:xmpp-framing',
  tls: 'urn:ietf:params:xml:ns:xmpp-tls',
  sasl: 'urn:ietf:params:xml:ns:xmpp-sasl',
  sasl2: 'urn:xmpp:sasl:2',
  channelBinding: 'urn:xmpp:sasl-cb:0',
  bind: 'urn:ietf:params:xml:ns:xmpp-bind',
  bind2: 'urn:xmpp:bind:0',
  session: 'urn:ietf:params:xml:ns:xmpp-session',
  compressFeature: 'http://jabber.org/features/compress',
  compress: 'http://jabber.org/protocol/compress',
  iqAuthFeature: 'http://jabber.org/features/iq-auth',
  iqAuth: 'jabber:iq:auth',
  sm2: 'urn:xmpp:sm:2',
  sm3: 'urn:xmpp:sm:3',
  csi: 'urn:xmpp:csi:0',
  xmppErrors: 'urn:xmpp:errors',
  muc: 'http://jabber.org/protocol/muc',
  hats: 'urn:xmpp:hats:0',
  vcardUpdate: 'vcard-temp:x:update',
  mucUser: 'http://jabber.org/protocol/muc#user',
  mucAdmin: 'http://jabber.org/protocol/muc#admin',
  dataForms: 'jabber:x:data',
  mucOwner: 'http://jabber.org/protocol/muc#owner',
  directInvite: 'jabber:x:conference',
  delay: 'urn:xmpp:delay',
  legacyDelay: 'jabber:x:delay',
  stanzaId: 'urn:xmpp:sid:0',
  hints: 'urn:xmpp:hints',
  correct: 'urn:xmpp:message-correct:0',
  retract: 'urn:xmpp:message-retract:1',
  moderate: 'urn:xmpp:message-moderate:1',
  /** How the two above were said before. */
  fasten: 'urn:xmpp:fasten:0',
  retractOld: 'urn:xmpp:message-retract:0',
  moderateOld: 'urn:xmpp:message-moderate:0',
  reply: 'urn:xmpp:reply:0',
  reactions: 'urn:xmpp:reactions:0',
  markers: 'urn:xmpp:chat-markers:0',
  attach: 'urn:xmpp:message-attaching:1',
  caps: 'http://jabber.org/protocol/caps',
  carbons: 'urn:xmpp:carbons:2',
  push: 'urn:xmpp:push:0',
  forward: 'urn:xmpp:forward:0',
  data: 'jabber:x:data',
  validate: 'http://jabber.org/protocol/xdata-validate',
  rsm: 'http://jabber.org/protocol/rsm',
  mam: 'urn:xmpp:mam:2',
  mam1: 'urn:xmpp:mam:1',
  mamExtended: 'urn:xmpp:mam:2#extended',
  occupantId: 'urn:xmpp:occupant-id:0',
  captcha: 'urn:xmpp:captcha',
  pubsub: 'http://jabber.org/protocol/pubsub',
  pubsubOwner: 'http://jabber.org/protocol/pubsub#owner',
  pubsubEvent: 'http://jabber.org/protocol/pubsub#event',
  /** Also the name of the PEP node (XEP-0402). */
  bookmarks: 'urn:xmpp:bookmarks:1',
  /** Also the name of an older PEP node (XEP-0048). */
  storedBookmarks: 'storage:bookmarks',
  privateStorage: 'jabber:iq:private',
  ping: 'urn:xmpp:ping',
  mucSub: 'urn:xmpp:mucsub:0',
  rai: 'urn:xmpp:rai:0',
  version: 'jabber:iq:version',
  privacy: 'jabber:iq:privacy',
  discoInfo: 'http://jabber.org/protocol/disco#info',
  discoItems: 'http://jabber.org/protocol/disco#items',
  chatStates: 'http://jabber.org/protocol/chatstates',
  xml: 'http://www.w3.org/XML/1998/namespace',
} as const;

/** Defined conditions of a stream error, RFC 6120 section 4.9.3. */
export type StreamCondition =
  | 'bad-format'
  | 'bad-namespace-prefix'
  | 'conflict'
  | 'connection-timeout'
  | 'host-gone'
  | 'host-unknown'
  | 'improper-addressing'
  | 'internal-server-error'
  | 'invalid-from'
  | 'invalid-namespace'
  | 'invalid-xml'
  | 'not-authorized'
  | 'not-well-formed'
  | 'policy-violation'
  | 'remote-connection-failed'
  | 'reset'
  | 'resource-constraint'
  | 'restricted-xml'
  | 'see-other-host'
  | 'system-shutdown'
  | 'undefined-condition'
  | 'unsupported-encoding'
  | 'unsupported-feature'
  | 'unsupported-stanza-type'
  | 'unsupported-version';

/** Defined conditions of a stanza error, RFC 6120 section 8.3.3. */
export type StanzaCondition =
  | 'bad-request'
  | 'conflict'
  | 'feature-not-implemented'
  | 'forbidden'
  | 'gone'
  | 'internal-server-error'
  | 'item-not-found'
  | 'jid-malformed'
  | 'not-acceptable'
  | 'not-allowed'
  | 'not-authorized'
  | 'policy-violation'
  | 'recipient-unavailable'
  | 'redirect'
  | 'registration-required'
  | 'remote-server-not-found'
  | 'remote-server-timeout'
  | 'resource-constraint'
  | 'service-unavailable'
  | 'subscription-required'
  | 'undefined-condition'
  | 'unexpected-request';

/** Error types of RFC 6120 section 8.3.2. */
export type ErrorType = 'auth' | 'cancel' | 'continue' | 'modify' | 'wait';
