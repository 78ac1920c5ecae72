import fc from 'fast-check';
import { bridge, Edit, Fork, readdress } from '../../proxy/xml/edit.ts';
import { NS } from '../../proxy/xml/names.ts';
import type { Node } from '../../proxy/xml/spans.ts';
import { type Declarations, parseStanza, type Stanza } from '../../proxy/xml/stanza.ts';
import { assert, suite } from '../support/suite.ts';
import { element } from './documents.ts';
import { HEADER, record } from './record.ts';

const test = suite('edits');

const DECLARED: Declarations = (() => {
  const { framer, headers } = record();
  framer.push(Buffer.from(HEADER));
  return headers[0]?.declarations ?? new Map();
})();
const PLAIN: Declarations = new Map([
  ['', NS.client],
  ['stream', NS.streams],
]);

/** The element, framed as one among others: its offsets do not start at 0. */
function framed(xml: string): Stanza {
  const { framer, stanzas } = record('tcp', { stanzaBytes: 1_000_000, depth: 1000, attributes: 1000 });
  framer.push(Buffer.from(`${HEADER}<iq to='a' from='b' id='c'/> ${xml}<iq/>`));
  return stanzas[1] as Stanza;
}

test('readdress sets, inserts, removes or leaves the addresses and the id, and touches nothing else', () => {
  const rows: readonly [string, Parameters<typeof readdress>[1], string][] = [
    [`<m to='a' from='b'>x</m>`, { to: 'c' }, `<m to='c' from='b'>x</m>`],
    [`<m to='a' from='b'>x</m>`, {}, `<m to='a' from='b'>x</m>`],
    [
      `<m  to = "a"\n from='b' ><to to='a'/></m >`,
      { to: 'c', from: 'd' },
      `<m  to = "c"\n from='d' ><to to='a'/></m >`,
    ],
    [`<m from='b' to='a'/>`, { to: 'cc', from: 'dd' }, `<m from='dd' to='cc'/>`],
    [`<m from='b' to='a'/>`, { to: null }, `<m from='b'/>`],
    [`<m from='b' to='a'/>`, { from: null }, `<m to='a'/>`],
    [`<m from='b' to='a' id='1'/>`, { to: null, from: null, id: null }, '<m/>'],
    [`<m\n  to='a'\n  type='t'/>`, { to: null }, `<m\n  type='t'/>`],
    ['<m/>', { to: 'a' }, `<m to='a'/>`],
    ['<m>x</m>', { to: 'a', from: 'b', id: 'c' }, `<m to='a' from='b' id='c'>x</m>`],
    [`<m x='y'/>`, { to: 'a', from: null }, `<m to='a' x='y'/>`],
    [`<m to='a'/>`, { to: null, from: 'b' }, `<m from='b'/>`],
    [`<m to=''/>`, { to: 'a' }, `<m to='a'/>`],
    [`<m to='a'/>`, { to: '' }, `<m to=''/>`],
    [`<m to='a'/>`, { to: undefined, id: 'é😀' }, `<m id='é😀' to='a'/>`],
    [`<m to='a'/>`, { to: `x'y"<&>` }, `<m to='x&apos;y&quot;&lt;&amp;&gt;'/>`],
    [`<m to="a"/>`, { to: 'a\tb\nc\rd' }, `<m to="a&#9;b&#10;c&#13;d"/>`],
    [`<m to='a'/>`, { to: 'a\u0000\ufffe\ud800' }, `<m to='a\ufffd\ufffd\ufffd'/>`],
  ];
  for (const [xml, change, expected] of rows) assert.is(readdress(framed(xml), change).toString(), expected);
});

test('any address and id, in any stanza, is read back as it was given, with the rest unchanged', () => {
  const value = fc.oneof(
    fc.constant(undefined),
    fc.constant(null),
    fc.string({ unit: fc.constantFrom(...`ab'"<>&\t\n\ré😀/@`) }),
  );
  fc.assert(
    fc.property(element, value, value, value, ({ xml }, to, from, id) => {
      const stanza = framed(xml);
      const changed = parseStanza(readdress(stanza, { to, from, id }), DECLARED);
      const kept = (given: string | null | undefined, old: string | undefined) =>
        given === undefined ? old : (given ?? undefined);
      assert.equal(
        [changed.to, changed.from, changed.id, changed.type],
        [kept(to, stanza.to), kept(from, stanza.from), kept(id, stanza.id), stanza.type],
      );
      assert.is(
        changed.bytes.toString('utf8', changed.openEnd - changed.start),
        stanza.bytes.toString('utf8', stanza.openEnd - stanza.start),
      );
    }),
    { numRuns: 500 },
  );
});

test('a fork differs from the original by its `to` only', () => {
  const stanza = framed(`<message from='room' to="a&amp;b"  type='groupchat'><body to='a'>ü</body></message>`);
  const fork = new Fork(stanza);
  for (const to of ['c@d/e', 'x', '', 'é@d', `o'hara@d/"<&>`, 'a\tb']) {
    const expected = readdress(stanza, { to }).toString();
    assert.is(fork.for(to, DECLARED).toString(), expected);
    assert.is(parseStanza(expected, DECLARED).to, to);
  }
});

test('a fork of a stanza without `to` has one', () => {
  const fork = new Fork(framed(`<message from='room'><body/></message>`));
  assert.is(fork.for('c@d/e', DECLARED).toString(), `<message to='c@d/e' from='room'><body/></message>`);
  assert.is(
    fork.for('f@g', 'websocket').toString(),
    `<message xmlns='jabber:client' to='f@g' from='room'><body/></message>`,
  );
});

test('a fork carries the declarations that each recipient lacks, in any order of recipients', () => {
  const fork = new Fork(framed(`<message to='x'><ack:r/></message>`));
  const ack = DECLARED.get('ack');
  for (let round = 0; round < 2; round++) {
    assert.is(fork.for('a', DECLARED).toString(), `<message to='a'><ack:r/></message>`);
    assert.is(fork.for('b', PLAIN).toString(), `<message xmlns:ack='${ack}' to='b'><ack:r/></message>`);
    assert.is(
      fork.for('c', 'websocket').toString(),
      `<message xmlns='jabber:client' xmlns:ack='${ack}' to='c'><ack:r/></message>`,
    );
  }
});

test('bridge adds what the other stream does not declare, and says when nothing is missing', () => {
  const ack = DECLARED.get('ack');
  const other: Declarations = new Map([
    ['', 'jabber:server'],
    ['ack', 'urn:other'],
    ['stream', NS.streams],
  ]);
  const rows: readonly [string, Declarations | 'websocket', string | undefined][] = [
    ['<message/>', DECLARED, undefined],
    ['<message/>', PLAIN, undefined],
    ['<message/>', 'websocket', `<message xmlns='jabber:client'/>`],
    ['<message/>', other, `<message xmlns='jabber:client'/>`],
    [`<message xmlns='jabber:client'/>`, 'websocket', undefined],
    [`<message xmlns='jabber:client'/>`, other, undefined],
    ['<ack:a/>', DECLARED, undefined],
    ['<ack:a/>', PLAIN, `<ack:a xmlns:ack='${ack}'/>`],
    ['<ack:a/>', other, `<ack:a xmlns:ack='${ack}'/>`],
    ['<ack:a/>', 'websocket', `<ack:a xmlns:ack='${ack}'/>`],
    ['<ack:a><b/></ack:a>', 'websocket', `<ack:a xmlns='jabber:client' xmlns:ack='${ack}'><b/></ack:a>`],
    [`<stream:error><x xmlns='u'/></stream:error>`, PLAIN, undefined],
    [
      `<stream:error><x xmlns='u'/></stream:error>`,
      'websocket',
      `<stream:error xmlns:stream='${NS.streams}'><x xmlns='u'/></stream:error>`,
    ],
    [`<message xmlns:ack='mine' ack:a=''/>`, PLAIN, undefined],
    [`<m xml:lang='en'/>`, PLAIN, undefined],
  ];
  for (const [xml, target, expected] of rows) assert.is(bridge(framed(xml), target)?.toString(), expected, xml);
});

test('bridge keeps a stanza of a WebSocket in no namespace there', () => {
  const { framer, stanzas } = record('websocket');
  framer.push(Buffer.from(`<open xmlns='${NS.framing}'/>`));
  framer.push(Buffer.from('<message><a/></message>'));
  assert.is(bridge(stanzas[0] as Stanza, PLAIN)?.toString(), `<message xmlns=''><a/></message>`);
  assert.is(bridge(stanzas[0] as Stanza, 'websocket'), undefined);
});

test('a bridged stanza means on the other stream what it meant on the first', () => {
  const meaning = (node: Node): unknown => [node.ns, node.name, node.text(), node.children.map(meaning)];
  const targets: readonly (Declarations | 'websocket')[] = [
    'websocket',
    PLAIN,
    new Map([
      ['', 'urn:z'],
      ['ack', 'urn:y'],
    ]),
  ];
  fc.assert(
    fc.property(element, fc.constantFrom(...targets), ({ xml }, target) => {
      const stanza = framed(xml);
      const text = bridge(stanza, target) ?? stanza.bytes;
      const arrived = parseStanza(text, target === 'websocket' ? new Map() : target);
      assert.equal(meaning(arrived.root), meaning(stanza.root));
      const forked = parseStanza(new Fork(stanza).for('x@y', target), target === 'websocket' ? new Map() : target);
      assert.equal([meaning(forked.root), forked.to], [meaning(stanza.root), 'x@y']);
    }),
    { numRuns: 500 },
  );
});

test('edits of several elements come out in one text, with the rest untouched', () => {
  const stanza = framed(`<m to='a' ><x  b="1" c='2'/><y>t<z/></y> <w/><body>&lt;</body></m >`);
  const { root } = stanza;
  const [x, y, w, body] = root.children as [Node, Node, Node, Node];
  const edit = new Edit(stanza)
    .setAttr(root, 'to', 'b')
    .setAttr(root, 'id', `'1'`)
    .removeAttr(x, 'b')
    .removeAttr(x, 'none')
    .setAttr(x, 'c', '3')
    .append(x, '<n/>')
    .append(x, Buffer.from('<o/>'))
    .append(y, '<p/>')
    .remove(w)
    .replace(body, '<body>é</body>')
    .append(root, '<last/>');
  assert.is(
    edit.toBuffer().toString(),
    `<m id='&apos;1&apos;' to='b' ><x c='3'><n/><o/></x><y>t<z/><p/></y> <body>é</body><last/></m >`,
  );
  assert.is(stanza.toString(), `<m to='a' ><x  b="1" c='2'/><y>t<z/></y> <w/><body>&lt;</body></m >`);
});

test('the last word counts, and what is inside a removed element is lost', () => {
  const stanza = framed(`<m a='1'><x><y/></x></m>`);
  const x = stanza.root.children[0] as Node;
  const y = x.children[0] as Node;
  const edit = new Edit(stanza)
    .removeAttr(stanza.root, 'a')
    .setAttr(stanza.root, 'a', '2')
    .setAttr(stanza.root, 'b', '1')
    .removeAttr(stanza.root, 'b')
    .append(y, '<z/>')
    .setAttr(x, 'c', '1')
    .remove(x);
  assert.is(edit.toBuffer().toString(), `<m a='2'></m>`);
});

test('an edit without changes is the text itself', () => {
  const stanza = framed(`<m a='1'><x/></m>`);
  assert.is(new Edit(stanza).toBuffer().toString(), stanza.toString());
});

test('an empty element with a prefix keeps its prefix when something is appended', () => {
  const stanza = framed('<ack:a\n/>');
  assert.is(new Edit(stanza).append(stanza.root, '<x/>').toBuffer().toString(), '<ack:a\n><x/></ack:a>');
});

test.run();
