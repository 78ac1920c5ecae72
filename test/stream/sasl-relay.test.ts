import { SaslRelay } from '../../proxy/stream/sasl-relay.ts';
import { NS } from '../../proxy/xml/names.ts';
import { parseStanza } from '../../proxy/xml/stanza.ts';
import { assert, suite } from '../support/suite.ts';

const test = suite('SASL as it is seen on its way');

const all = new Set(['PLAIN', 'SCRAM-SHA-1', 'SCRAM-SHA-256', 'DIGEST-MD5', 'EXTERNAL', 'X-OAUTH2']);

function relay(allowClearText = true, offered: ReadonlySet<string> = all): SaslRelay {
  return new SaslRelay({ domain: 'localhost', allowClearText, offered });
}

function element(name: string, mechanism: string | undefined, content: string) {
  const attribute = mechanism === undefined ? '' : ` mechanism='${mechanism}'`;
  return parseStanza(`<${name} xmlns='${NS.sasl}'${attribute}>${content}</${name}>`).root;
}

const auth = (mechanism: string, content: string) => element('auth', mechanism, content);
const base64 = (text: string) => Buffer.from(text).toString('base64');

/** [what is sent, mechanism, message, what comes of it] */
const messages: [string, string, string, string | undefined][] = [
  ['no authorisation identity', 'PLAIN', '\0alice\0secret', undefined],
  ['the own JID', 'PLAIN', 'alice@localhost\0alice\0secret', undefined],
  ['the own JID in capitals', 'PLAIN', 'Alice@LOCALHOST\0alice\0secret', undefined],
  ['the authentication identity again', 'PLAIN', 'alice\0alice\0secret', undefined],
  ['the own JID twice', 'PLAIN', 'alice@localhost\0alice@localhost\0secret', undefined],
  ['another user', 'PLAIN', 'bob\0alice\0secret', 'invalid-authzid'],
  ["another user's JID", 'PLAIN', 'bob@localhost\0alice\0secret', 'invalid-authzid'],
  ['the own name elsewhere', 'PLAIN', 'alice@other.example\0alice\0secret', 'invalid-authzid'],
  ['an invisible authorisation identity', 'PLAIN', '\u00ad\0alice\0secret', 'invalid-authzid'],
  ['the domain alone', 'PLAIN', 'localhost\0alice\0secret', 'invalid-authzid'],
  // Each two accounts on some server, whatever Unicode says today.
  ['a look-alike of the own name', 'PLAIN', 'stra\u1e9ee@localhost\0strasse\0secret', 'invalid-authzid'],
  ['the own name in other characters', 'PLAIN', 'alice@localhost\0\uff41lice\0secret', 'invalid-authzid'],
  ['a look-alike of the own name', 'SCRAM-SHA-1', 'n,a=stra\u00dfe@localhost,n=strasse,r=abc', 'invalid-authzid'],
  ['another user with a token', 'X-OAUTH2', 'bob\0alice\0secret', 'invalid-authzid'],
  ['one part too few', 'PLAIN', 'alice\0secret', 'malformed-request'],
  ['one part too many', 'PLAIN', '\0alice\0secret\0', 'malformed-request'],
  ['no password', 'PLAIN', '\0alice\0', 'malformed-request'],
  ['no user', 'PLAIN', '\0\0secret', 'malformed-request'],
  ['no authorisation identity', 'SCRAM-SHA-1', 'n,,n=alice,r=abc', undefined],
  ['the flag y', 'SCRAM-SHA-256', 'y,,n=alice,r=abc', undefined],
  ['the own JID', 'SCRAM-SHA-1', 'n,a=alice@localhost,n=alice,r=abc', undefined],
  ['another user', 'SCRAM-SHA-1', 'n,a=bob,n=alice,r=abc', 'invalid-authzid'],
  ["another user's JID, escaped", 'SCRAM-SHA-1', 'n,a=b=2Cob@localhost,n=alice,r=abc', 'invalid-authzid'],
  ['a wrong escape', 'SCRAM-SHA-1', 'n,a==41,n=alice,r=abc', 'malformed-request'],
  ['no gs2 header', 'SCRAM-SHA-1', 'n=alice,r=abc', 'malformed-request'],
  ['no user', 'SCRAM-SHA-1', 'n,,n=,r=abc', 'malformed-request'],
  ['anything', 'EXTERNAL', 'whatever', undefined],
];

for (const [what, mechanism, message, expected] of messages) {
  test(`${mechanism} with ${what}: ${expected ?? 'passes'}`, () => {
    assert.is(relay().auth(auth(mechanism, base64(message))), expected);
  });

  test(`${mechanism} with ${what}, in the first response: ${expected ?? 'passes'}`, () => {
    const seen = relay();
    assert.is(seen.auth(auth(mechanism, '')), undefined);
    assert.is(seen.response(element('response', undefined, base64(message))), expected);
  });
}

const responses: [string, string | undefined][] = [
  ['username="alice",nonce="x",authzid="alice@localhost"', undefined],
  ['username="alice",nonce="x"', undefined],
  ['username="alice",authzid="bob@localhost"', 'invalid-authzid'],
  ['username="alice",AUTHZID=bob', 'invalid-authzid'],
  ['username="alice",authzid="alice",authzid="bob"', 'malformed-request'],
  ['nonsense', 'malformed-request'],
];

for (const [message, expected] of responses) {
  test(`DIGEST-MD5 ${message}: ${expected ?? 'passes'}`, () => {
    const seen = relay();
    assert.is(seen.auth(auth('DIGEST-MD5', '')), undefined);
    assert.is(seen.response(element('response', undefined, base64(message))), expected);
  });
}

test('the last message of SCRAM is not looked into', () => {
  const seen = relay();
  assert.is(seen.auth(auth('SCRAM-SHA-1', base64('n,,n=alice,r=abc'))), undefined);
  assert.is(seen.response(element('response', undefined, base64('c=biws,r=abcd,p=AAAA'))), undefined);
  assert.is(seen.userHint, 'alice');
  assert.is(seen.credentials, undefined);
});

const encodings: [string, string | undefined][] = [
  ['AGFsaWNlAHNlY3JldA==', undefined],
  [' AGFsaWNl\n AHNlY3JldA== ', undefined],
  ['AGFsaWNlAHNlY3JldA', 'incorrect-encoding'],
  ['AGFs!WNlAHNlY3JldA==', 'incorrect-encoding'],
  ['=AGFsaWNlAHNlY3JldA=', 'incorrect-encoding'],
  ['====', 'incorrect-encoding'],
  ['=', 'malformed-request'],
  ['AP8A/w==', 'malformed-request'],
  ['AGFsaWNl<x/>AHNlY3JldA==', 'malformed-request'],
];

for (const [content, expected] of encodings) {
  test(`PLAIN encoded as ${JSON.stringify(content)}: ${expected ?? 'passes'}`, () => {
    assert.is(relay().auth(auth('PLAIN', content)), expected);
  });
}

test('what shows a password does not pass where others may listen', () => {
  assert.is(relay(false).auth(auth('PLAIN', base64('\0alice\0secret'))), 'encryption-required');
  assert.is(relay(false).auth(auth('X-OAUTH2', base64('\0alice\0secret'))), 'encryption-required');
  assert.is(relay(false).auth(auth('SCRAM-SHA-1', base64('n,,n=alice,r=abc'))), undefined);
});

test('a mechanism that was not offered does not pass', () => {
  assert.is(relay().auth(auth('SCRAM-SHA-1-PLUS', base64('p=tls-unique,,n=alice,r=abc'))), 'invalid-mechanism');
  assert.is(relay(true, new Set(['PLAIN'])).auth(auth('SCRAM-SHA-1', '')), 'invalid-mechanism');
});

test('the password is known after PLAIN, and forgotten with the attempt', () => {
  const seen = relay();
  seen.auth(auth('PLAIN', base64('\0alice\0sécret')));
  assert.equal(seen.credentials, { username: 'alice', secret: 'sécret' });
  seen.forget();
  assert.is(seen.credentials, undefined);
  seen.auth(auth('PLAIN', base64('\0alice\0one')));
  seen.auth(auth('SCRAM-SHA-1', ''));
  assert.is(seen.credentials, undefined);
});

test('a token is not taken for a password', () => {
  const seen = relay();
  seen.auth(auth('X-OAUTH2', base64('\0alice\0token')));
  assert.is(seen.credentials, undefined);
  assert.is(seen.userHint, 'alice');
});

test.run();
