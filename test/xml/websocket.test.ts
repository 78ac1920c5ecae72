import { NS } from '../../proxy/xml/names.ts';
import { assert, suite } from '../support/suite.ts';
import { LIMITS, record } from './record.ts';

const test = suite('framer of a WebSocket');
const bytes = (text: string): Buffer => Buffer.from(text);
const OPEN = `<open xmlns='${NS.framing}' to='localhost' version='1.0' xml:lang='de'/>`;
const CLOSE = `<close xmlns='${NS.framing}'/>`;

test('open, stanzas and close are header, stanzas and end', () => {
  const { framer, headers, stanzas, lines } = record('websocket');
  framer.push(bytes(OPEN));
  framer.push(bytes(`<message xmlns='jabber:client'><body/></message>`));
  framer.push(bytes(`<stream:features xmlns:stream='${NS.streams}'/>`));
  framer.push(bytes('<iq/>'));
  framer.push(bytes(CLOSE));
  framer.push(bytes(`<message xmlns='jabber:client'/>`));
  assert.equal(
    [...(headers[0]?.attributes ?? [])],
    [
      ['to', 'localhost'],
      ['version', '1.0'],
      ['xml:lang', 'de'],
    ],
  );
  assert.is(headers[0]?.declarations.size, 0);
  assert.equal(
    stanzas.map((s) => [s.name, s.ns, s.inheritsDefault]),
    [
      ['message', 'jabber:client', false],
      ['features', NS.streams, false],
      ['iq', '', true],
    ],
  );
  assert.is(lines.at(-1), 'end');
});

test('white space around an element, several elements, an XML declaration and an empty message are tolerated', () => {
  const { framer, stanzas, violations } = record('websocket');
  for (const message of [
    `<?xml version='1.0'?>${OPEN}`,
    ` <a/>\n`,
    '<b/> <c/>',
    ' ',
    '',
    `\n<?xml version='1.0'?><d/>`,
  ]) {
    framer.push(bytes(message));
  }
  assert.equal(violations, []);
  assert.equal(
    stanzas.map((s) => s.name),
    ['a', 'b', 'c', 'd'],
  );
});

test('open is a header whenever it comes, with or without restart', () => {
  const { framer, headers } = record('websocket');
  framer.push(bytes(OPEN));
  framer.push(bytes(OPEN));
  framer.restart();
  framer.push(bytes(OPEN));
  assert.is(headers.length, 3);
});

test('messages that come while held stay apart', () => {
  const { framer, stanzas, violations } = record('websocket', LIMITS, (f) => f.hold());
  framer.push(bytes(OPEN));
  framer.push(bytes('<a/><b/>'));
  framer.push(bytes('<c>'));
  framer.push(bytes('</c>'));
  assert.is(framer.buffered, 11);
  framer.release();
  assert.equal(
    stanzas.map((s) => s.name),
    ['a', 'b'],
  );
  assert.equal(violations, []);
  framer.release();
  assert.equal(
    violations.map((v) => v.condition),
    ['not-well-formed'],
  );
});

test.run();
