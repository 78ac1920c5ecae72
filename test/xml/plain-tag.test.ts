import { USUAL_DECLARATIONS } from '../../proxy/xml/declarations.ts';
import { type PlainTag, plainTag } from '../../proxy/xml/plain-tag.ts';
import { Scanner } from '../../proxy/xml/scanner.ts';
import { parseStanza } from '../../proxy/xml/stanza.ts';
import { assert, suite } from '../support/suite.ts';

const test = suite('plain tags');

const read = (xml: string, most = 12): { end: number; tag: PlainTag; root: Scanner } => {
  const tag = { nameEnd: 0, selfClosing: false, attributes: 0, namespaceStart: 0, namespaceEnd: 0 };
  const root = new Scanner();
  const b = Buffer.from(`..${xml}`);
  return { end: plainTag(tag, b, 2, b.length, most, root), tag, root };
};

for (const xml of [
  '<a>',
  '<a/>',
  `<message to='a@b/c' type="chat" id='1' from='d@e'/>`,
  `<message xml:lang='en' to='a@b'>`,
  `<x xmlns='jabber:x:oob'>`,
  `<item affiliation='member' role='participant' jid=''/>`,
]) {
  test(`is read to its end: ${xml}`, () => {
    const { end, tag } = read(`${xml}text`);
    assert.is(end, xml.length + 2);
    assert.is(tag.selfClosing, xml.endsWith('/>'));
    assert.is(tag.attributes, xml.split('=').length - 1);
  });
}

for (const xml of [
  '<a',
  '<a ',
  '<a/',
  `<a b='`,
  `<a b='1'`,
  '<1>',
  '<ä>',
  '<p:a>',
  `<a p:b='1'>`,
  `<a xmlns:p='1'>`,
  `<a  b='1'>`,
  `<a b ='1'>`,
  `<a b= '1'>`,
  `<a b='1' >`,
  `<a b='1'c='2'>`,
  `<a b='&lt;'>`,
  `<a b='<'>`,
  `<a b='"'>`,
  `<a b='ä'>`,
  `<a b='\u0001'>`,
  '<a b=1>',
  '<a b>',
  `<a b='1' b='2'>`,
  `<a xmlns='http://www.w3.org/2000/xmlns/'>`,
  `<a xmlns='http://www.w3.org/XML/1998/namespace'>`,
]) {
  test(`is left to the general way: ${JSON.stringify(xml)}`, () => assert.is(read(xml).end, -1));
}

test('more attributes than are allowed are left to the general way', () => {
  const xml = `<a b='1' c='2'>`;
  assert.is(read(xml, 2).end, xml.length + 2);
  assert.is(read(xml, 1).end, -1);
});

test('a stanza read in the fast way is the same as one read in the general way', () => {
  const tags: [plain: string, general: string][] = [
    [`<message to='a@b/c' from='d@e' id='7' type='chat'>`, `<message  to='a@b/c' from='d@e' id='7' type='chat'>`],
    [`<iq xmlns='jabber:client' id='7'>`, `<iq  xmlns='jabber:client' id='7'>`],
    [`<r xmlns='urn:xmpp:sm:3'>`, `<r  xmlns='urn:xmpp:sm:3'>`],
  ];
  for (const [plain, general] of tags) {
    const [one, other] = [plain, general].map((tag) => {
      const name = /\w+/.exec(tag)?.[0];
      const inner = `<x xmlns='urn:x' a='1'><y/></x><z/>`.replace('<x ', tag === plain ? '<x ' : '<x  ');
      const stanza = parseStanza(`${tag}${inner}</${name}>`, USUAL_DECLARATIONS);
      const { ns, prefix, to, from, id, type, inheritsDefault, outerPrefixes, selfClosing } = stanza;
      return { name: stanza.name, ns, prefix, to, from, id, type, inheritsDefault, outerPrefixes, selfClosing };
    });
    assert.equal(one, other);
  }
});

test.run();
