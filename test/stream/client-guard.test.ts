import { guardBound } from '../../proxy/stream/client-guard.ts';
import { NS } from '../../proxy/xml/names.ts';
import { parseStanza } from '../../proxy/xml/stanza.ts';
import { assert, suite } from '../support/suite.ts';

const test = suite('what a bound client may not send');

const refused: [string, string][] = [
  ['another bind', `<iq type='set' id='1'><bind xmlns='${NS.bind}'/></iq>`],
  ['another login', `<iq type='set' id='1'><query xmlns='${NS.iqAuth}'><username>bob</username></query></iq>`],
  ['SASL', `<auth xmlns='${NS.sasl}' mechanism='PLAIN'/>`],
  ['SASL2', `<authenticate xmlns='${NS.sasl2}' mechanism='PLAIN'/>`],
  ['TLS', `<starttls xmlns='${NS.tls}'/>`],
  ['compression', `<compress xmlns='${NS.compress}'/>`],
  ['stream management that is not translated', `<enable xmlns='${NS.sm3}' resume='true'/>`],
  ['a resumption', `<resume xmlns='${NS.sm3}' previd='x' h='0'/>`],
];

for (const [what, xml] of refused) {
  test(`${what} is refused`, () => {
    const refusal = guardBound(parseStanza(xml));
    assert.match(refusal?.reason ?? '', /^[a-z2-]+$/);
    const answer = parseStanza(refusal?.xml ?? '');
    assert.ok(answer.name.startsWith('fail') || answer.type === 'error');
  });
}

test('all else passes', () => {
  for (const xml of [
    `<iq type='set' id='1'><query xmlns='jabber:iq:roster'/></iq>`,
    `<iq type='result' id='1'><query xmlns='${NS.iqAuth}'/></iq>`,
    `<message to='bob@localhost'/>`,
    `<r xmlns='${NS.sm3}'/>`,
    `<active xmlns='${NS.csi}'/>`,
  ]) {
    assert.is(guardBound(parseStanza(xml)), undefined, xml);
  }
});

test.run();
