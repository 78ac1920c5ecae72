import fc from 'fast-check';
import { KnownTags } from '../../proxy/xml/known-tags.ts';
import { assert, suite } from '../support/suite.ts';
import { elements, mutate, mutations } from './documents.ts';
import { HEADER, LIMITS, pushChunks, record } from './record.ts';

const test = suite('known tags');

const framed = (xml: Buffer | string, known?: KnownTags): readonly string[] => {
  const { framer, lines } = record('tcp', LIMITS, undefined, known);
  framer.push(Buffer.concat([Buffer.from(HEADER), Buffer.from(xml)]));
  return lines;
};

test('a tag is known by all of its bytes, and only when it is complete', () => {
  const known = new KnownTags();
  const tag = Buffer.from(`<x xmlns='jabber:x:oob'>`);
  known.learn(tag, 0, 2, tag.length, 1, false);
  const found = known.find(Buffer.from(` ${tag}text`), 1, tag.length + 1);
  assert.equal([found?.bytes.length, found?.nameLength, found?.attributes, found?.selfClosing], [24, 1, 1, false]);
  assert.is(known.find(tag, 0, tag.length - 1), undefined);
  assert.is(known.find(Buffer.from(`<x xmlns='jabber:x:oo"'>`), 0, 24), undefined);
  assert.is(known.find(Buffer.from(`<y xmlns='jabber:x:oob'>`), 0, 24), undefined);
});

test('what is kept is bounded: the newest of tags that begin alike are there', () => {
  const known = new KnownTags();
  const tagOf = (n: number) => Buffer.from(`<x xmlns='urn:${n}'/>`);
  for (let n = 0; n < 1000; n++) known.learn(tagOf(n), 0, 2, tagOf(n).length, 1, true);
  const isKnown = (n: number) => known.find(tagOf(n), 0, tagOf(n).length) !== undefined;
  assert.ok(isKnown(999));
  assert.is(Array.from({ length: 1000 }, (_, n) => n).filter(isKnown).length, 4);
});

test('stanzas and violations are the same whether tags are known or not, however the bytes are cut', () => {
  const known = new KnownTags();
  fc.assert(
    fc.property(elements, mutations, fc.integer({ min: 1, max: 200 }), ({ xml }, changes, size) => {
      for (const one of [Buffer.from(xml), mutate(Buffer.from(xml), changes)]) {
        // An unfinished tag is judged when the next one begins.
        const text = Buffer.concat([one, Buffer.from('<')]);
        const plain = framed(text);
        assert.equal(framed(text, known), plain);
        const cut = record('tcp', LIMITS, undefined, known);
        pushChunks(cut.framer, Buffer.concat([Buffer.from(HEADER), text]), size);
        assert.equal(cut.lines, plain);
      }
    }),
    { numRuns: 300 },
  );
});

test('the limits hold for tags that are known', () => {
  const known = new KnownTags();
  const xml = `<message><a xmlns='urn:a'><b/></a></message>`;
  assert.is(framed(xml, known).at(-1)?.startsWith('violation'), false);
  for (const limits of [
    { ...LIMITS, depth: 2 },
    { ...LIMITS, attributes: 0 },
  ]) {
    const { framer, lines } = record('tcp', LIMITS, undefined, known);
    framer.push(Buffer.from(HEADER));
    framer.limits = limits;
    framer.push(Buffer.from(xml));
    assert.ok(lines.at(-1)?.startsWith('violation policy-violation'), lines.at(-1));
  }
});

test.run();
