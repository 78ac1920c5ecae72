import { standalone } from '../../proxy/net/standalone.ts';
import { assert, suite } from '../support/suite.ts';

const test = suite('net/standalone');

const STREAMS = `xmlns:stream='http://etherx.jabber.org/streams'`;

for (const [what, given, wanted] of [
  ['a stanza', `<iq id='1'/>`, `<iq xmlns='jabber:client' id='1'/>`],
  ['a name alone', '<a></a>', `<a xmlns='jabber:client'></a>`],
  ['an empty name alone', '<a/>', `<a xmlns='jabber:client'/>`],
  ['one that has its namespace', `<a xmlns='urn:x'/>`, `<a xmlns='urn:x'/>`],
  ['double quotes and spaces', `<a  xmlns = "urn:x" />`, `<a  xmlns = "urn:x" />`],
  ['a namespace that is only in a value', `<a b=" xmlns='x'"/>`, `<a xmlns='jabber:client' b=" xmlns='x'"/>`],
  ['a namespace that only a child has', `<a><b xmlns='x'/></a>`, `<a xmlns='jabber:client'><b xmlns='x'/></a>`],
  ['a > and a / in a value', `<a b='>/' xmlns='x'/>`, `<a b='>/' xmlns='x'/>`],
  ['features', '<stream:features/>', `<stream:features xmlns='jabber:client' ${STREAMS}/>`],
  [
    'features that declare their prefix',
    `<stream:features ${STREAMS}/>`,
    `<stream:features xmlns='jabber:client' ${STREAMS}/>`,
  ],
  ['all declared', `<stream:error xmlns='x' ${STREAMS}/>`, `<stream:error xmlns='x' ${STREAMS}/>`],
  ['text beyond ASCII', `<a b='é'>ü</a>`, `<a xmlns='jabber:client' b='é'>ü</a>`],
] as const) {
  test(`${what} stands alone`, () => {
    assert.is(standalone(given).toString(), wanted);
    assert.is(standalone(Buffer.from(given)).toString(), wanted);
  });
}

test.run();
