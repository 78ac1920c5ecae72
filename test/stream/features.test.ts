import { type OfferRules, offer, readFeatures } from '../../proxy/stream/features.ts';
import { NS } from '../../proxy/xml/names.ts';
import { parseStanza } from '../../proxy/xml/stanza.ts';
import { assert, suite } from '../support/suite.ts';

const test = suite('stream features');

const rules: OfferRules = { startTls: false, allowClearText: true, plainOnly: false, streamManagement: false };
const declarations = new Map([
  ['', NS.client],
  ['stream', NS.streams],
  ['ack', 'http://www.xmpp.org/extensions/xep-0198.html#ns'],
]);

const starttls = `<starttls xmlns='${NS.tls}'/>`;
const list = (...names: string[]) =>
  `<mechanisms xmlns='${NS.sasl}'>${names.map((name) => `<mechanism>${name}</mechanism>`).join('')}</mechanisms>`;
const iqAuth = `<auth xmlns='${NS.iqAuthFeature}'/>`;
const bind = `<bind xmlns='${NS.bind}'><required/></bind>`;

/** [what it shows, features of the server, features for the client, rules that differ] */
const cases: [string, string, string, Partial<OfferRules>?][] = [
  ['the mechanism list as it is', list('PLAIN', 'SCRAM-SHA-1') + iqAuth, list('PLAIN', 'SCRAM-SHA-1') + iqAuth],
  ["no STARTTLS of the server's", `${starttls}${list('PLAIN')}`, list('PLAIN')],
  [
    'our STARTTLS in its place',
    `<starttls xmlns='${NS.tls}'><required/></starttls>${list('PLAIN')}`,
    starttls + list('PLAIN'),
    { startTls: true },
  ],
  ['our STARTTLS where the server has none', list('PLAIN'), list('PLAIN') + starttls, { startTls: true }],
  [
    'no mechanism that binds to a channel, the others in their order',
    list('SCRAM-SHA-256-PLUS', 'SCRAM-SHA-256', 'SCRAM-SHA-1-PLUS', 'PLAIN', 'SCRAM-SHA-1', 'EXTERNAL'),
    list('SCRAM-SHA-256', 'PLAIN', 'SCRAM-SHA-1', 'EXTERNAL'),
  ],
  [
    'no channel-binding types, compression, SASL2 or Bind 2',
    `<sasl-channel-binding xmlns='${NS.channelBinding}'><channel-binding type='tls-exporter'/></sasl-channel-binding>` +
      `<compression xmlns='${NS.compressFeature}'><method>zlib</method></compression>` +
      `<authentication xmlns='${NS.sasl2}'><mechanism>PLAIN</mechanism><inline><bind xmlns='${NS.bind2}'/></inline></authentication>` +
      list('PLAIN'),
    list('PLAIN'),
  ],
  [
    'nothing that shows a password where others may listen',
    list('PLAIN', 'SCRAM-SHA-1') + iqAuth,
    list('SCRAM-SHA-1'),
    { allowClearText: false },
  ],
  ['no empty mechanism list', list('PLAIN') + iqAuth, '', { allowClearText: false }],
  ['PLAIN alone', list('SCRAM-SHA-1', 'PLAIN', 'DIGEST-MD5') + iqAuth, list('PLAIN') + iqAuth, { plainOnly: true }],
  ['what there is, where there is no PLAIN to be alone', list('SCRAM-SHA-1'), list('SCRAM-SHA-1'), { plainOnly: true }],
  [
    'no stream management',
    `${bind}<sm xmlns='${NS.sm2}'><optional/></sm><sm xmlns='${NS.sm3}'/><csi xmlns='${NS.csi}'/>`,
    `${bind}<csi xmlns='${NS.csi}'/>`,
  ],
  [
    'stream management when it is switched on',
    `${bind}<sm xmlns='${NS.sm3}'/>`,
    `${bind}<sm xmlns='${NS.sm3}'/>`,
    { streamManagement: true },
  ],
  ['no unbind, and what the header declares', `<ack:ack/>${bind}<unbind xmlns='${NS.bind}'/>`, `<ack:ack/>${bind}`],
  [
    'unknown features as they are written',
    `<c  xmlns="http://jabber.org/protocol/caps"   ver='a&amp;b'></c>${starttls}<x xmlns='y'> <!--></x>`.replace(
      '<!-->',
      '',
    ),
    `<c  xmlns="http://jabber.org/protocol/caps"   ver='a&amp;b'></c><x xmlns='y'> </x>`,
  ],
];

for (const [what, theirs, ours, change] of cases) {
  test(`a client is shown ${what}`, () => {
    const stanza = parseStanza(`<stream:features>${theirs}</stream:features>`, declarations);
    const shown = offer(stanza, { ...rules, ...change });
    assert.is(shown.stanza.toString(), `<stream:features>${ours}</stream:features>`);
    const names = [...ours.matchAll(/<mechanism>([^<]*)/g)].map((match) => match[1]);
    assert.equal([...shown.mechanisms], names);
  });
}

test('features that need no change are the very stanza that came', () => {
  const stanza = parseStanza(`<stream:features>${list('PLAIN')}</stream:features>`, declarations);
  assert.is(offer(stanza, rules).stanza, stanza);
});

test('empty features can be given STARTTLS', () => {
  const stanza = parseStanza('<stream:features/>', declarations);
  assert.is(
    offer(stanza, { ...rules, startTls: true }).stanza.toString(),
    `<stream:features>${starttls}</stream:features>`,
  );
});

test('the need for TLS and for a session is read', () => {
  const read = (xml: string) => {
    const { startTls, session } = readFeatures(parseStanza(`<stream:features>${xml}</stream:features>`, declarations));
    return `${startTls} ${session}`;
  };
  assert.is(read(''), 'absent absent');
  assert.is(read(`${starttls}<session xmlns='${NS.session}'/>`), 'optional required');
  assert.is(
    read(`<starttls xmlns='${NS.tls}'><required/></starttls><session xmlns='${NS.session}'><optional/></session>`),
    'required optional',
  );
});

test.run();
