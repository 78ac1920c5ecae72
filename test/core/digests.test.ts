/** Which presences say the same (J2, L4): those are not shown twice, whatever a server's way of writing them. */
import fc from 'fast-check';
import { presenceDigest, selfDigest } from '../../proxy/core/self-presence.ts';
import { parseStanza } from '../../proxy/xml/stanza.ts';
import { assert, suite } from '../support/suite.ts';

const test = suite('digests of presences');

const USER = 'http://jabber.org/protocol/muc#user';

function presence(content: string, own = "from='r@c/bo' to='a@b/c'"): ReturnType<typeof parseStanza> {
  return parseStanza(Buffer.from(`<presence ${own}>${content}</presence>`));
}

/** An element with its attributes in an order of chance, with a child that has the same. */
function element(attributes: readonly string[], inner: readonly string[]): string {
  return `<x xmlns='${USER}'><item ${attributes.join(' ')}><actor ${inner.join(' ')}/>for <b/>&#233;</item></x><c ${attributes.join(' ')}/>`;
}

const attributes = ["affiliation='owner'", "role='moderator'", "jid='bo@b/c'"];
const inner = ["nick='al'", "jid='al@b'"];

test('the order of attributes, ids and addresses do not count, at any depth', () => {
  const order = <T>(all: readonly T[]) => fc.shuffledSubarray([...all], { minLength: all.length });
  const first = presence(element(attributes, inner));
  fc.assert(
    fc.property(order(attributes), order(inner), (some, others) => {
      const other = presence(element(some, others), "id='x' to='other@b' from='r@c/bo'");
      assert.is(presenceDigest(other), presenceDigest(first));
      assert.is(selfDigest(other, new Set()), selfDigest(first, new Set()));
    }),
  );
});

test('whatever else differs counts', () => {
  const texts = [
    "<show>away</show><c ver='1' node='n'/>",
    "<show>dnd</show><c ver='1' node='n'/>",
    "<show>away</show><c ver='2' node='n'/>",
    "<show>away</show><c ver='1' node='n'><d/></c>",
    "<show>away</show><c ver='1' node='n'>text</c>",
    "<show>away</show><c ver='1' node='n'>text<d a='1' b='2'/></c>",
    "<show>away</show><c ver='1' node='n'><d a='1' b='2'/>text</c>",
    "<show>away</show><c ver='1' node='n'/><d/>",
    `<x xmlns='${USER}'><item role='visitor' affiliation='none'/></x>`,
    `<x xmlns='${USER}'><item role='participant' affiliation='none'/></x>`,
    `<x xmlns='${USER}'><item role='participant' affiliation='none'/><item role='participant' affiliation='member'/></x>`,
  ];
  for (const digest of [presenceDigest, (one: ReturnType<typeof presence>) => selfDigest(one, new Set())]) {
    assert.is(new Set(texts.map((text) => digest(presence(text)))).size, texts.length);
  }
  assert.is.not(presenceDigest(presence('', "type='unavailable'")), presenceDigest(presence('', '')));
});

test.run();
