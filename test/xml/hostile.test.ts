import { assert, suite } from '../support/suite.ts';
import { FIRST_MESSAGE, type Hostile, IN_PLACE_OF_HEADER, IN_STREAM, LATER_MESSAGE } from './hostile.ts';
import { HEADER, pushChunks, record } from './record.ts';

const test = suite('hostile input');
const OPEN = Buffer.from(`<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='localhost' version='1.0'/>`);

for (const { what, bytes, condition } of IN_STREAM) {
  test(`in a stream: ${what} is answered by ${condition}, whole or byte by byte`, () => {
    // A '<' ends what would otherwise wait for more: an unfinished tag is judged at its end.
    const text = Buffer.concat([Buffer.from(HEADER), bytes, Buffer.from('<<')]);
    const whole = record();
    whole.framer.push(text);
    assert.equal(
      whole.violations.map((v) => v.condition),
      [condition],
    );
    for (const size of [1, 2, 7, 600]) {
      const split = record();
      pushChunks(split.framer, text, size);
      assert.equal(split.lines, whole.lines, `in chunks of ${size}`);
    }
  });
}

for (const { what, bytes, condition } of IN_PLACE_OF_HEADER) {
  test(`in place of a header: ${what} is answered by ${condition}, whole or byte by byte`, () => {
    for (const size of [bytes.length, 1]) {
      const { framer, lines, violations } = record();
      pushChunks(framer, bytes, size);
      framer.push(Buffer.from('<<'));
      assert.equal(
        violations.map((v) => v.condition),
        [condition],
      );
      assert.is(lines.length, 1);
    }
  });
}

function onWebSocket(rows: readonly Hostile[], first: readonly Buffer[]): void {
  for (const { what, bytes, condition } of rows) {
    test(`on a WebSocket, ${first.length === 0 ? 'at first' : 'later'}: ${what} is answered by ${condition}`, () => {
      const { framer, violations } = record('websocket');
      for (const message of [...first, bytes]) framer.push(message);
      assert.equal(
        violations.map((v) => v.condition),
        [condition],
      );
    });
  }
}

onWebSocket(FIRST_MESSAGE, []);
onWebSocket(LATER_MESSAGE, [OPEN]);

test('a stanza too big is told as servers tell it', () => {
  const { framer, violations } = record();
  framer.push(Buffer.from(`${HEADER}<message><body>${'x'.repeat(5000)}`));
  assert.equal(violations, [
    {
      condition: 'policy-violation',
      text: 'XML stanza is too big',
      extra: `<stanza-too-big xmlns='urn:xmpp:errors'/>`,
    },
  ]);
});

test('no text of a violation repeats what the peer sent', () => {
  for (const { bytes } of IN_STREAM) {
    const { framer, violations } = record();
    framer.push(Buffer.concat([Buffer.from(HEADER), bytes, Buffer.from('<<')]));
    assert.match(violations[0]?.text ?? '', /^[A-Za-z0-9 '<>[\],&/_-]{4,70}$/);
  }
});

test.run();
