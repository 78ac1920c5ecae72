import { saslCrypto } from '../../proxy/runtime/sasl-crypto.ts';
import type { HashName, SaslCrypto } from '../../proxy/stream/sasl-mechanism.ts';
import { ScramClient } from '../../proxy/stream/scram.ts';
import { assert, suite } from '../support/suite.ts';

const test = suite('SCRAM, client side');

const account = { username: 'user', password: 'pencil', domain: 'localhost' };

function withNonce(nonce: string): SaslCrypto {
  return { ...saslCrypto, nonce: () => nonce };
}

function client(nonce = 'abc', hash: HashName = 'sha1'): ScramClient {
  return new ScramClient('SCRAM-X', hash, account, withNonce(nonce));
}

async function rejection(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
  } catch (error) {
    return String(error);
  }
  return 'nothing was thrown';
}

const vectors: { rfc: string; hash: HashName; nonce: string; challenge: string; answer: string; success: string }[] = [
  {
    rfc: 'RFC 5802 section 5',
    hash: 'sha1',
    nonce: 'fyko+d2lbbFgONRv9qkxdawL',
    challenge: 'r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096',
    answer: 'c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=',
    success: 'v=rmF9pqV8S7suAoZWja4dJRkFsKQ=',
  },
  {
    rfc: 'RFC 7677 section 3',
    hash: 'sha256',
    nonce: 'rOprNGfwEbeRWgbNEkqO',
    challenge: 'r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096',
    answer:
      'c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=',
    success: 'v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=',
  },
];

for (const { rfc, hash, nonce, challenge, answer, success } of vectors) {
  test(`gives the messages of ${rfc}`, async () => {
    const scram = client(nonce, hash);
    assert.is(scram.start().toString(), `n,,n=user,r=${nonce}`);
    assert.is((await scram.answer(Buffer.from(challenge))).toString(), answer);
    scram.finish(Buffer.from(success));
  });

  test(`takes the server's signature of ${rfc} in a challenge of its own too`, async () => {
    const scram = client(nonce, hash);
    await scram.answer(Buffer.from(challenge));
    assert.is((await scram.answer(Buffer.from(success))).length, 0);
    scram.finish(undefined);
  });

  test(`refuses a wrong signature in the place of that of ${rfc}`, async () => {
    const scram = client(nonce, hash);
    await scram.answer(Buffer.from(challenge));
    const wrong = Buffer.from(
      success
        .replace(/[a-z](?==$)/, 'A')
        .replace('v=r', 'v=s')
        .replace('v=6', 'v=7'),
    );
    assert.throws(() => scram.finish(wrong), /wrong server signature/);
  });
}

test('a success without the signature is none', async () => {
  const scram = client('fyko+d2lbbFgONRv9qkxdawL');
  await scram.answer(Buffer.from(vectors[0]?.challenge ?? ''));
  assert.throws(() => scram.finish(undefined), /without the server signature/);
  assert.throws(() => client().finish(Buffer.from('v=AAAA')), /wrong server signature/);
});

const bad: [string, string, RegExp][] = [
  ['a nonce that is not ours', 'r=xyz123,s=QSXCR+Q6sek8bf92,i=4096', /nonce/],
  ['our nonce with nothing added', 'r=abc,s=QSXCR+Q6sek8bf92,i=4096', /nonce/],
  ['a mandatory extension', 'm=1,r=abcd,s=QSXCR+Q6sek8bf92,i=4096', /extension/],
  ['an iteration count that would keep us busy', 'r=abcd,s=QSXCR+Q6sek8bf92,i=99999999', /iteration/],
  ['no iterations', 'r=abcd,s=QSXCR+Q6sek8bf92,i=0', /iteration/],
  ['no salt', 'r=abcd,s=,i=4096', /salt/],
  ['something else altogether', 'hello', /malformed/],
];

for (const [what, challenge, expected] of bad) {
  test(`refuses ${what}`, async () => {
    assert.match(await rejection(client().answer(Buffer.from(challenge))), expected);
  });
}

test('escapes and prepares the user name', () => {
  const scram = new ScramClient('X', 'sha1', { ...account, username: 'a,b=c\u00adⅨ' }, withNonce('n'));
  assert.is(scram.start().toString(), 'n,,n=a=2Cb=3DcIX,r=n');
});

test.run();
