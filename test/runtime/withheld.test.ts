import { Withheld } from '../../proxy/runtime/withheld.ts';
import { parseStanza } from '../../proxy/xml/stanza.ts';
import { assert, suite } from '../support/suite.ts';

const test = suite('presence kept back');

const gone = (status: number) => parseStanza(`<presence type='unavailable'><status>${status}</status></presence>`);
const back = (status: number) => parseStanza(`<presence><status>${status}</status></presence>`);

test('what is kept is that the client has gone, and how it is now if it is back; never more', () => {
  const withheld = new Withheld();
  assert.ok(withheld.isEmpty);
  for (let k = 0; k < 10_000; k++) for (const stanza of [gone(k), back(k), back(k + 1)]) withheld.add(stanza);
  assert.equal(withheld.take().map(String), [gone(9999), back(10_000)].map(String));
  assert.ok(withheld.isEmpty);
  assert.equal(withheld.take(), []);
});

test('a client that has come back and gone again has gone', () => {
  const withheld = new Withheld();
  for (const stanza of [gone(1), back(2), gone(3)]) withheld.add(stanza);
  assert.equal(withheld.take().map(String), [String(gone(3))]);
});

test('no more memory is kept alive than the stanza has bytes', () => {
  const chunk = Buffer.alloc(1 << 20, ' ');
  const text = Buffer.from(`<presence type='unavailable'/>`);
  text.copy(chunk);
  const withheld = new Withheld();
  withheld.add(parseStanza(chunk.subarray(0, text.length)));
  assert.ok((withheld.take()[0]?.source.buffer.byteLength ?? 0) < 1 << 20);
});

test.run();
