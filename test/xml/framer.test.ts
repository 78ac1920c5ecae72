import { mended, USUAL_DECLARATIONS } from '../../proxy/xml/declarations.ts';
import { bridge } from '../../proxy/xml/edit.ts';
import { Framer } from '../../proxy/xml/framer.ts';
import { NS } from '../../proxy/xml/names.ts';
import { assert, suite } from '../support/suite.ts';
import { HEADER, LIMITS, pushChunks, record } from './record.ts';

const test = suite('framer');
const bytes = (text: string): Buffer => Buffer.from(text);

/** A recording behind a stream header. */
function stream(during?: Parameters<typeof record>[2], limits = LIMITS): ReturnType<typeof record> {
  const recording = record('tcp', limits, during);
  recording.framer.push(bytes(HEADER));
  return recording;
}

test('a stream header is told with its attributes decoded and all its declarations', () => {
  const { framer, headers } = record();
  framer.push(
    bytes(
      `<?xml version="1.0" encoding='utf-8' ?>\n<s:stream xmlns:s="${NS.streams}" xmlns='jabber:client' xmlns:db='u&amp;v' ` +
        `to="a&#x62;'c" from='x' id='' version='1.0' xml:lang='en' db:id='no'>`,
    ),
  );
  assert.equal(
    [...(headers[0]?.attributes ?? [])],
    [
      ['to', `ab'c`],
      ['from', 'x'],
      ['id', ''],
      ['version', '1.0'],
      ['xml:lang', 'en'],
    ],
  );
  assert.equal(
    [...(headers[0]?.declarations ?? [])],
    [
      ['s', NS.streams],
      ['', 'jabber:client'],
      ['db', 'u&v'],
    ],
  );
});

test('the header may have any prefix or none, and the closing tag has the same', () => {
  for (const [open, close] of [
    [`<stream:stream xmlns:stream='${NS.streams}' xmlns='jabber:client'>`, '</stream:stream>'],
    [`<ström:stream xmlns:ström='${NS.streams}' xmlns='jabber:client'>`, '</ström:stream\n>'],
    [`<stream xmlns='${NS.streams}'>`, '</stream>'],
  ] as const) {
    for (const size of [1, 1000]) {
      const { framer, headers, lines } = record();
      pushChunks(framer, bytes(open + close), size);
      assert.is(headers.length, 1);
      assert.is(lines.at(-1), 'end');
    }
  }
});

test('the XML declaration may be absent, have any quotes, say utf-8 or nothing, and follow white space', () => {
  const header = `<stream:stream xmlns:stream='${NS.streams}'>`;
  for (const declaration of [
    '',
    '\n\n',
    `<?xml version='1.0'?>`,
    `<?xml version="1.0" encoding="UTF-8" standalone='yes'?>`,
    `<?xml\tversion = '1.0'\nencoding='Utf-8'?>`,
    ` <?xml version='1.0'?> `,
  ]) {
    const { framer, headers } = record();
    framer.push(bytes(declaration + header));
    assert.is(headers.length, 1, declaration);
  }
});

test('a stanza that lies in one chunk is not copied, also behind one that does not', () => {
  const { framer, stanzas } = stream();
  const first = bytes(`<iq/> <message to='x'><body>y</body></message><mess`);
  const second = bytes(`age id='1'/><presence/>${' '.repeat(20)}<iq id='2'></iq><iq`);
  framer.push(first);
  framer.push(second);
  assert.equal(stanzas.map(String), [
    '<iq/>',
    `<message to='x'><body>y</body></message>`,
    `<message id='1'/>`,
    '<presence/>',
    `<iq id='2'></iq>`,
  ]);
  assert.equal(
    stanzas.map((s) => s.source === first),
    [true, true, false, false, false],
  );
  assert.equal(
    stanzas.map((s) => s.source === second),
    [false, false, false, true, true],
  );
  assert.is(framer.buffered, 3);
});

test('the source of an emitted stanza is never written to again', () => {
  const { framer, stanzas } = stream();
  const text = Array.from({ length: 200 }, (_, i) => `<message id='${i}'><body>${'x'.repeat(i % 17)}</body></message>`);
  for (const size of [1, 3, 40, 333]) {
    stanzas.length = 0;
    pushChunks(framer, bytes(text.join('')), size);
    assert.equal(stanzas.map(String), text);
  }
});

test('first-level elements of any name and namespace are stanzas, a second stream header too', () => {
  const { framer, stanzas, violations } = stream();
  framer.push(bytes(`<foo/><x xmlns='u'/><x xmlns=''/><stream:stream id='2'><message/></stream:stream>`));
  assert.equal(
    stanzas.map((s) => [s.prefix, s.name, s.ns]),
    [
      ['', 'foo', 'jabber:client'],
      ['', 'x', 'u'],
      ['', 'x', ''],
      ['stream', 'stream', NS.streams],
    ],
  );
  assert.equal(violations, []);
});

test('white space between stanzas is told, and is not part of any', () => {
  const recording = stream();
  for (const chunk of [' ', '\n\n', '<iq/> \t\r\n', '<iq> </iq>']) recording.framer.push(bytes(chunk));
  assert.is(recording.whitespaces, 3);
  assert.equal(recording.stanzas.map(String), ['<iq/>', '<iq> </iq>']);
  assert.is(recording.framer.buffered, 0);
});

test('a stanza says whether it leans on the default namespace and the prefixes of its stream', () => {
  const facts: readonly [string, boolean, readonly string[]][] = [
    ['<message/>', true, []],
    [`<message xmlns='jabber:client'><a/><b xmlns='u'/></message>`, false, []],
    ['<ack:a/>', false, ['ack']],
    ['<stream:features><ack:ack/><ack:b/></stream:features>', false, ['stream', 'ack']],
    ['<ack:a><b/></ack:a>', true, ['ack']],
    [`<ack:a><b xmlns='u'/></ack:a>`, false, ['ack']],
    [`<ack:a><b xmlns='u'><c/></b><d/></ack:a>`, true, ['ack']],
    [`<ack:a><b xmlns='u'><ack:c xmlns='v'/><d/></b></ack:a>`, false, ['ack']],
    [`<ack:a xmlns='u'><b/></ack:a>`, false, ['ack']],
    [`<ack:a xmlns:ack='mine'/>`, false, []],
    [`<message><x xmlns:ack='mine'><ack:y/></x></message>`, true, []],
    [`<message><x xmlns:ack='mine'><ack:y/></x><ack:z/></message>`, true, ['ack']],
    [`<message ack:x='y' xml:lang='en'/>`, true, ['ack']],
    [`<message ack:x='y' stream:lang='en'/>`, true, ['ack', 'stream']],
    [`<message xmlns:p='u' p:x='y'/>`, true, []],
    ['<message/>', true, []],
  ];
  const { framer, stanzas } = stream();
  framer.push(bytes(facts.map(([xml]) => xml).join('')));
  assert.equal(
    stanzas.map((s) => [s.toString(), s.inheritsDefault, [...s.outerPrefixes]]),
    facts.map((row) => [...row]),
  );
});

test('a stanza of exactly the limit passes, one of a byte more does not', () => {
  const stanza = (size: number): string => `<iq id='${'x'.repeat(size - 11)}'/>`;
  const { framer, stanzas, violations } = stream(undefined, { stanzaBytes: 300, depth: 9, attributes: 9 });
  framer.push(bytes(stanza(300)));
  assert.is(stanzas[0]?.length, 300);
  pushChunks(framer, bytes(stanza(300)), 7);
  assert.is(stanzas[1]?.length, 300);
  framer.push(bytes(stanza(301)));
  assert.is(violations[0]?.condition, 'policy-violation');
});

test('white space between stanzas does not count towards the limit', () => {
  const { framer, stanzas } = stream();
  framer.limits = { stanzaBytes: 20, depth: 9, attributes: 9 };
  framer.push(bytes(`${' '.repeat(100)}<iq/>${' '.repeat(100)}<iq/>`));
  assert.is(stanzas.length, 2);
});

test('limits may be replaced from within a stanza', () => {
  const { framer, stanzas } = stream((f) => {
    f.limits = { stanzaBytes: 10_000, depth: 100, attributes: 100 };
  });
  framer.push(bytes(`<iq/><iq id='${'x'.repeat(9000)}'/>`));
  assert.is(stanzas.length, 2);
});

test('as deep and with as many attributes as the limits say passes', () => {
  const { framer, stanzas } = stream();
  const attributes = Array.from({ length: LIMITS.attributes }, (_, i) => `a${i}=''`).join(' ');
  framer.push(bytes(`${'<a>'.repeat(LIMITS.depth)}${'</a>'.repeat(LIMITS.depth)}<a ${attributes}/>`));
  assert.is(stanzas.length, 2);
});

test('hold stops emission behind the stanza, release goes on with what was kept and what came since', () => {
  const { framer, stanzas } = stream((f, stanza) => {
    if (stanza.name === 'message') f.hold();
  });
  framer.push(bytes(`<iq id='1'/><message/><iq id='2'/><pres`));
  assert.equal(stanzas.map(String), [`<iq id='1'/>`, '<message/>']);
  assert.is(framer.held, true);
  assert.is(framer.buffered, 17);
  framer.push(bytes(`ence/><message/><iq id='3'/>`));
  assert.is(stanzas.length, 2);
  framer.release();
  assert.equal(stanzas.slice(2).map(String), [`<iq id='2'/>`, '<presence/>', '<message/>']);
  framer.release();
  assert.equal(stanzas.slice(5).map(String), [`<iq id='3'/>`]);
  assert.is(framer.buffered, 0);
});

test('holding and releasing at every stanza gives them all, under any splitting', () => {
  const text = bytes(`<iq id='1'/> <message/><a><b/></a>\n<iq id='2'/></stream:stream>`);
  for (const size of [1, 2, 5, 13, 100]) {
    const { framer, lines } = stream((f) => f.hold());
    for (let at = 0; at < text.length; at += size) {
      framer.push(Buffer.from(text.subarray(at, at + size)));
      if (at % 3 === 0) framer.release();
    }
    while (framer.held) framer.release();
    assert.is(lines.length, 6, `in chunks of ${size}`);
    assert.is(lines.at(-1), 'end');
  }
});

test('hold in the middle of a stanza delays it', () => {
  const { framer, stanzas } = stream();
  framer.push(bytes('<mess'));
  framer.hold();
  framer.push(bytes('age/>'));
  assert.is(stanzas.length, 0);
  framer.release();
  assert.equal(stanzas.map(String), ['<message/>']);
});

test('hold and release within one stanza call change nothing', () => {
  const { framer, stanzas } = stream((f) => {
    f.hold();
    f.release();
  });
  framer.push(bytes('<a/><b/><c/>'));
  assert.is(stanzas.length, 3);
});

test('after restart the rest of the same chunk is a new stream with its own declarations', () => {
  const other = `<?xml version='1.0'?><x:stream xmlns:x='${NS.streams}' xmlns='jabber:client'>`;
  for (const size of [1, 10, 1000]) {
    const { framer, headers, lines, violations } = stream((f, stanza) => {
      if (stanza.name === 'success') f.restart();
    });
    pushChunks(framer, bytes(`<success/>\n${other}<iq/><ack:r/>`), size);
    assert.is(headers.length, 2);
    assert.equal([...(headers[1]?.declarations.keys() ?? [])], ['x', '']);
    assert.match(lines[3] ?? '', '<iq/>');
    assert.equal(
      violations.map((v) => v.condition),
      ['not-well-formed'],
    );
  }
});

test('discard drops what came behind the stanza, so that nothing of it is taken for what comes after TLS', () => {
  for (const size of [1000, 12]) {
    const { framer, stanzas, headers } = stream((f, stanza) => {
      if (stanza.name !== 'starttls') return;
      f.restart();
      f.discard();
    });
    pushChunks(framer, bytes(`<starttls/>  ${HEADER}<message id='smuggled'/>`).subarray(0, size), size);
    assert.is(framer.buffered, 0);
    framer.push(bytes(`${HEADER}<iq/>`));
    assert.equal(stanzas.map(String), ['<starttls/>', '<iq/>']);
    assert.is(headers.length, 2);
  }
});

test('after stop, violation and end nothing is emitted any more and nothing is kept', () => {
  const endings: readonly [string, (framer: Framer) => void][] = [
    ['<a/><b/>', (framer) => framer.stop()],
    ['<a/></stream:stream><b/>', () => {}],
    ['<a/>x<b/>', () => {}],
  ];
  for (const [text, during] of endings) {
    const { framer, lines, stanzas } = stream(during);
    framer.push(bytes(text));
    const { length } = lines;
    framer.push(bytes(`<c/>${HEADER}`));
    framer.restart();
    framer.push(bytes(HEADER));
    framer.release();
    assert.is(lines.length, length);
    assert.is(framer.buffered, 0);
    assert.equal(stanzas.map(String), ['<a/>']);
  }
});

test('a chunk that is pushed from within a stanza comes after the present one', () => {
  let isFirst = true;
  const { framer, stanzas } = stream((f) => {
    if (isFirst) f.push(bytes('/><c/>'));
    isFirst = false;
  });
  framer.push(bytes('<a/><b'));
  assert.equal(stanzas.map(String), ['<a/>', '<b/>', '<c/>']);
});

test('what a handler throws reaches the caller, and the framer goes on behind that stanza', () => {
  const { framer, stanzas } = stream((_, stanza) => {
    if (stanza.name === 'a') throw new Error('handler');
  });
  assert.throws(() => framer.push(bytes('<a/><b/>')), 'handler');
  framer.push(bytes('<c/>'));
  assert.equal(
    stanzas.map((s) => s.name),
    ['a', 'b', 'c'],
  );
});

test('long tags, texts and references that come byte by byte are framed', () => {
  const limits = { stanzaBytes: 300_000, depth: 9, attributes: 9 };
  const long = 'x'.repeat(100_000);
  for (const xml of [
    `<iq id='${long}'/>`,
    `<iq>${long}</iq>`,
    `<iq><![CDATA[${']'.repeat(100_000)}]]></iq>`,
    `<iq>${'&amp;'.repeat(20_000)}</iq>`,
    `<iq>${'é😀'.repeat(20_000)}</iq>`,
    `<${long}></${long}>`,
    `<iq></iq${' '.repeat(100_000)}>`,
    `<iq${'\n'.repeat(100_000)}/>`,
  ]) {
    const { framer, stanzas } = stream(undefined, limits);
    pushChunks(framer, bytes(xml), 1);
    assert.is(stanzas[0]?.toString() === xml, true, xml.slice(0, 20));
  }
});

test('with mended declarations an undeclared prefix is no violation, and gets one wherever the stanza goes', () => {
  for (const kind of ['tcp', 'websocket'] as const) {
    const recording = record(kind);
    const framer = new Framer(kind, LIMITS, recording, mended);
    const header = kind === 'tcp' ? HEADER : `<open xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>`;
    framer.push(bytes(header));
    framer.push(bytes(`<message xmlns='jabber:client' my:a='1'><my:x/><x xmlns:my='u'><my:y/></x></message>`));
    assert.equal(recording.violations, []);
    const [stanza] = recording.stanzas;
    assert.ok(stanza);
    assert.equal(stanza.outerPrefixes, ['my']);
    const unknown = 'urn:x-undeclared:my';
    assert.equal(
      stanza.root.children.map((child) => child.ns),
      [unknown, 'jabber:client'],
    );
    for (const target of [USUAL_DECLARATIONS, 'websocket'] as const) {
      assert.match(
        bridge(stanza, target)?.toString() ?? '',
        `<message xmlns:my='${unknown}' xmlns='jabber:client' my:a`,
      );
    }
  }
});

test.run();
