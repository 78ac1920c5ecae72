import { saslCrypto } from '../../proxy/runtime/sasl-crypto.ts';
import { DigestMd5Client, readDirectives } from '../../proxy/stream/digest-md5.ts';
import type { SaslCrypto } from '../../proxy/stream/sasl-mechanism.ts';
import { assert, suite } from '../support/suite.ts';

const test = suite('DIGEST-MD5, client side');

// RFC 2831 section 4
const crypto: SaslCrypto = { ...saslCrypto, nonce: () => 'OA6MHXh6VqTrRk' };
const account = { username: 'chris', password: 'secret', domain: 'elwood.innosoft.com' };
const challenge = Buffer.from(
  'realm="elwood.innosoft.com",nonce="OA6MG9tEQGm2hh",qop="auth",algorithm=md5-sess,charset=utf-8',
);
const proof = Buffer.from('rspauth=ea40f60335c427b5527b84dbabcdfffd');

test('gives the response of RFC 2831', async () => {
  const digest = new DigestMd5Client(account, crypto, 'imap');
  const fields = readDirectives((await digest.answer(challenge)).toString());
  assert.equal(Object.fromEntries(fields ?? []), {
    charset: 'utf-8',
    username: 'chris',
    realm: 'elwood.innosoft.com',
    nonce: 'OA6MG9tEQGm2hh',
    nc: '00000001',
    cnonce: 'OA6MHXh6VqTrRk',
    'digest-uri': 'imap/elwood.innosoft.com',
    response: 'd388dad90d4bbd760a152321f2143af7',
    qop: 'auth',
  });
  digest.finish(proof);
});

test('takes the proof in a challenge of its own', async () => {
  const digest = new DigestMd5Client(account, crypto, 'imap');
  await digest.answer(challenge);
  assert.is((await digest.answer(proof)).length, 0);
  digest.finish(undefined);
});

test('refuses a wrong proof and a success without one', async () => {
  const digest = new DigestMd5Client(account, crypto, 'imap');
  await digest.answer(challenge);
  assert.throws(() => digest.finish(undefined), /without rspauth/);
  assert.throws(() => digest.finish(Buffer.from('rspauth=00000000000000000000000000000000')), /wrong rspauth/);
});

const readable: [string, Record<string, string> | undefined][] = [
  ['a=b', { a: 'b' }],
  ['a="b c", D=e ,, f="\\"x\\\\"', { a: 'b c', d: 'e', f: '"x\\' }],
  ['realm="one",realm="two"', { realm: 'one' }],
  ['a=b,a=c', undefined],
  ['username="alice",USERNAME="bob"', undefined],
  ['a="b', undefined],
  ['a b', undefined],
  ['a=b c=d', undefined],
  ['', {}],
];

for (const [text, expected] of readable) {
  test(`directives: ${text || '(none)'}`, () => {
    const fields = readDirectives(text);
    assert.equal(fields && Object.fromEntries(fields), expected);
  });
}

test.run();
