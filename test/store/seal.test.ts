/** Sealed texts (X4): what was sealed is opened by who has the key, for the same account and purpose, and by nobody else. */
import fc from 'fast-check';
import { KEY_BYTES, Seal } from '../../proxy/store/seal.ts';
import { assert, suite } from '../support/suite.ts';

const test = suite('sealed texts');

const key = (letter: string): Buffer => Buffer.alloc(KEY_BYTES, letter);
const about = fc.record({ account: fc.string({ unit: 'binary' }), purpose: fc.string({ unit: 'binary' }) });
const text = fc.string({ unit: 'grapheme' });
const alice = { account: 'alice@example.org', purpose: 'password' };

test('what was sealed is opened as it was, by the same keys', () => {
  fc.assert(
    fc.property(text, about, (said, of) => {
      const sealed = new Seal([key('a')]).seal(said, of);
      assert.match(sealed, /^v1\.[0-9a-f]{16}\.[\w-]+$/);
      assert.equal(new Seal([key('a')]).open(sealed, of), { result: 'opened', text: said });
    }),
  );
});

test('for another account, or another purpose, it is broken', () => {
  fc.assert(
    fc.property(text, about, about, (said, of, other) => {
      fc.pre(of.account !== other.account || of.purpose !== other.purpose);
      const seal = new Seal([key('a')]);
      assert.equal(seal.open(seal.seal(said, of), other), { result: 'broken' });
    }),
  );
});

test('account and purpose are not written together: what one loses the other cannot gain', () => {
  const seal = new Seal([key('a')]);
  const sealed = seal.seal('x', { account: 'ab', purpose: 'c' });
  assert.is(seal.open(sealed, { account: 'a', purpose: 'bc' }).result, 'broken');
  assert.is(seal.open(sealed, { account: 'a","b', purpose: 'c' }).result, 'broken');
});

test('with one character changed, or some more, or some less, it opens to nothing', () => {
  const letter = fc.constantFrom(...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=+/');
  fc.assert(
    fc.property(text, fc.nat(), letter, fc.constantFrom('change', 'insert', 'cut'), (said, at, put, how) => {
      const seal = new Seal([key('a')]);
      const sealed = seal.seal(said, alice);
      const place = at % sealed.length;
      const rest = sealed.slice(how === 'insert' ? place : place + 1);
      const changed = sealed.slice(0, place) + (how === 'cut' ? '' : put) + rest;
      fc.pre(changed !== sealed);
      assert.not.equal(seal.open(changed, alice).result, 'opened');
    }),
    { numRuns: 2000 },
  );
});

test('whatever stands there is an answer and no fault', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string({ unit: 'binary' }),
        fc.string().map((data) => `v1.00.${data}`),
      ),
      (sealed) => {
        assert.not.equal(new Seal([key('a')]).open(sealed, alice).result, 'opened');
      },
    ),
  );
});

test('the first key seals, each one opens; one that is taken away opens no more', () => {
  const old = new Seal([key('a')]).seal('secret', alice);
  const both = new Seal([key('b'), key('a')]);
  assert.equal(both.open(old, alice), { result: 'opened', text: 'secret' });
  const fresh = both.seal('secret', alice);
  const later = new Seal([key('b')]);
  assert.equal(later.open(fresh, alice), { result: 'opened', text: 'secret' });
  assert.equal(later.open(old, alice), { result: 'unknown-key' });
});

test('no two seals of one text are alike, and the text is not to be seen', () => {
  const seal = new Seal([key('a')]);
  const all = Array.from({ length: 100 }, () => seal.seal('a password of some length', alice));
  assert.is(new Set(all).size, 100);
  for (const one of all)
    assert.not.match(Buffer.from(one.split('.')[2] ?? '', 'base64url').toString('latin1'), 'password');
});

test('keys are of 32 bytes, at least one, and their bytes are wiped', () => {
  assert.throws(() => new Seal([]), /no key/);
  assert.throws(() => new Seal([Buffer.alloc(31)]), /31 bytes/);
  const bytes = key('a');
  const seal = new Seal([bytes]);
  assert.equal(bytes, Buffer.alloc(KEY_BYTES));
  assert.not.equal(seal.ids, new Seal([key('b')]).ids);
});

test.run();
