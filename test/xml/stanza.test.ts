import { NS } from '../../proxy/xml/names.ts';
import { emptied, parseStanza } from '../../proxy/xml/stanza.ts';
import { ViolationError } from '../../proxy/xml/violation.ts';
import { assert, suite } from '../support/suite.ts';

const test = suite('stanzas');

test('the addresses, the id and the type are decoded, and undefined where they are absent', () => {
  const stanza = parseStanza(`<message to='a&amp;b' from="it's" id='&#x41;\tB' type='groupchat'/>`);
  assert.equal([stanza.to, stanza.from, stanza.id, stanza.type], ['a&b', `it's`, 'A B', 'groupchat']);
  const bare = parseStanza(`<message x:to='a' xmlns:x='u' tо='cyrillic'><to to='b'/></message>`);
  assert.equal([bare.to, bare.from, bare.id, bare.type], [undefined, undefined, undefined, undefined]);
  assert.is(parseStanza(`<message to=''/>`).to, '');
});

test('every type is told as it is written', () => {
  for (const type of [
    'get',
    'set',
    'result',
    'error',
    'chat',
    'groupchat',
    'unavailable',
    'headline',
    'sett',
    'Get',
    '',
  ]) {
    assert.is(parseStanza(`<iq type='${type}'/>`).type, type);
  }
});

test('the text, its length and its tree are those of the stanza alone, wherever it lies', () => {
  const stanza = parseStanza(Buffer.from(`<message><body>é</body></message>`));
  assert.is(stanza.length, 34);
  assert.is(stanza.bytes.toString(), stanza.toString());
  assert.is(stanza.root, stanza.root);
  assert.is(stanza.root.end, 34);
});

test('parseStanza takes one complete element under the declarations given, by default the usual ones', () => {
  assert.is(parseStanza('<message/>').ns, NS.client);
  assert.is(parseStanza('<stream:features/>').ns, NS.streams);
  assert.is(parseStanza('<message/>', new Map()).ns, '');
  assert.is(parseStanza('<x:a/>', new Map([['x', 'urn:x']])).ns, 'urn:x');
  for (const text of [
    '',
    '<message>',
    '<message/> ',
    ' <message/>',
    '<a/><b/>',
    'x',
    '<x:a/>',
    '</a>',
    '<![CDATA[]]>',
    '<!-- -->',
  ]) {
    assert.throws(
      () => parseStanza(text),
      (error: unknown) => error instanceof ViolationError,
      text,
    );
  }
});

test('a node finds attributes by written name, and children by name and namespace', () => {
  const { root } = parseStanza(
    `<message xml:lang='en'><x xmlns='a'/><x xmlns='b' n='1'/><p:x xmlns:p='c'><y/></p:x><body/></message>`,
  );
  assert.is(root.attr('xml:lang'), 'en');
  assert.is(root.attr('lang'), undefined);
  assert.is(root.child('x')?.ns, 'a');
  assert.is(root.child('x', 'b')?.attr('n'), '1');
  assert.is(root.child('x', 'c')?.prefix, 'p');
  assert.is(root.child('x', 'c')?.child('y')?.ns, NS.client);
  assert.is(root.child('x', 'd'), undefined);
  assert.is(root.child('body', NS.client)?.text(), '');
});

test('text is the own character data, CDATA and references resolved, line ends normalised', () => {
  const { root } = parseStanza('<b>a&lt;\r\n<i>no</i>\rb<![CDATA[<&amp;]]>]&#x1F600;&#13;</b>');
  assert.is(root.text(), 'a<\n\nb<&amp;]😀\r');
});

test('the tree of a very deep and of a very wide stanza can be read', () => {
  const deep = parseStanza(`${'<a>'.repeat(5000)}${'</a>'.repeat(5000)}`).root;
  assert.is(deep.end, 35_000);
  assert.is(parseStanza(`<a>${'<b/>'.repeat(50_000)}</a>`).root.children.length, 50_000);
});

test('what a leg has let in can be framed again, however deep it is and however many attributes it has', () => {
  const deep = `<message>${'<a>'.repeat(60_000)}${'</a>'.repeat(60_000)}</message>`;
  assert.is(parseStanza(deep).root.child('a')?.start, 9);
  const wide = `<message ${Array.from({ length: 20_000 }, (_, k) => `a${k}=''`).join(' ')}/>`;
  assert.is(parseStanza(wide).root.attributes.length, 20_000);
});

test('the tree of a deep stanza costs no more a level than that of a flat one', () => {
  const levels = 40_000;
  for (const [open, close] of [
    ['<s:a>', '</s:a>'],
    ['<s:a><b>', '</b></s:a>'],
    ['<stream:a>', '</stream:a>'],
  ] as const) {
    const stanza = parseStanza(`<message xmlns:s='x'>${open.repeat(levels)}${close.repeat(levels)}</message>`);
    const start = performance.now();
    assert.is(stanza.root.children.length, 1);
    // A walk up to the root for each element took more than ten seconds.
    assert.ok(performance.now() - start < 2_000, `${performance.now() - start} ms`);
  }
});

test('a namespace is that of the innermost declaration that is open', () => {
  const { root } = parseStanza(
    `<message xmlns='m' xmlns:p='1'><p:a xmlns:p='2'><p:b/><c xmlns=''><d/></c><e/></p:a><p:f xmlns='n'/><g/></message>`,
  );
  const [a, f, g] = root.children;
  assert.equal(
    [a, ...(a?.children ?? []), a?.children[1]?.children[0], f, g].map((node) => `${node?.name} ${node?.ns}`),
    ['a 2', 'b 2', 'c ', 'e m', 'd ', 'f 1', 'g m'],
  );
});

test('emptied, a stanza keeps its opening tag and nothing else', () => {
  const chunk = Buffer.from(`<iq id='1' to="a&amp;b" x:y='>' xmlns:x='u'><query>${'x'.repeat(100_000)}</query></iq>`);
  const left = emptied(parseStanza(chunk));
  assert.is(left.toString(), `<iq id='1' to="a&amp;b" x:y='>' xmlns:x='u'/>`);
  assert.ok(left.source.buffer.byteLength < 100_000);
  assert.is(emptied(parseStanza(`<iq id='1'/>`)).toString(), `<iq id='1'/>`);
});

test.run();
