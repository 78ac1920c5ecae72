import fc from 'fast-check';
import { accountKey, bareKey, bareOf, fullKey, nickKey, resourceOf, splitJid } from '../../proxy/xml/address.ts';
import { assert, suite } from '../support/suite.ts';

const test = suite('addresses');

test('an address is split at the first slash, then at the first @ before it', () => {
  const rows: readonly [string, string, string, string][] = [
    ['a@b/c', 'a', 'b', 'c'],
    ['b', '', 'b', ''],
    ['b/c', '', 'b', 'c'],
    ['b/c@d/e', '', 'b', 'c@d/e'],
    ['a@b/', 'a', 'b', ''],
    ['a@b@c', 'a', 'b@c', ''],
    ['Ä@B/ C ', 'Ä', 'B', ' C '],
    ['', '', '', ''],
  ];
  for (const [jid, local, domain, resource] of rows) {
    assert.equal(splitJid(jid), { local, domain, resource });
    assert.is(bareOf(jid), local === '' ? domain : `${local}@${domain}`);
    assert.is(resourceOf(jid), resource);
  }
});

test('addresses of the same thing have the same key', () => {
  const rows: readonly [string, string][] = [
    ['Room@Conference.LOCALHOST/x', 'room@conference.localhost'],
    ['room@conference.localhost/X', 'room@conference.localhost'],
    ['room@conference.localhost', 'room@conference.localhost'],
    ['CONFERENCE.localhost', 'conference.localhost'],
    ['conference.localhost/a@b', 'conference.localhost'],
    ['room@example.org.', 'room@example.org'],
    ['ÉCOLE@bücher.example', 'école@bücher.example'],
    ['e\u0301cole@x', 'école@x'],
    ['ｒｏｏｍ@x', 'room@x'],
    ['Straße@x', 'strasse@x'],
    ['ΣΑΣ@x', 'σασ@x'],
    ['ro\u00adom@x', 'room@x'],
    ['room@a。b', 'room@a.b'],
    ['#irc%freenode.org@biboumi.example', '#irc%freenode.org@biboumi.example'],
    ['a\\20b@x', 'a\\20b@x'],
    ['a@[::1]', 'a@[::1]'],
    ['room@conference.localhost/', 'room@conference.localhost'],
  ];
  for (const [jid, key] of rows) assert.is(bareKey(jid), key, jid);
});

test('a malformed address has no key', () => {
  const rows = [
    '',
    '/x',
    '@',
    '@x',
    'a@',
    'a@/x',
    'a@b@c',
    'a b@c',
    'a@b c',
    'a"b@c',
    'a&b@c',
    `o'hara@c`,
    'a:b@c',
    'a<b@c',
  ];
  rows.push('a\u0000@b', 'a\u00a0b@c', 'a\ud800@b', 'a\ufffe@b', 'a@b\\c', 'a@.', '\u00ad@x');
  rows.push(`${'a'.repeat(1024)}@b`, `a@${'b'.repeat(1024)}`, `${'é'.repeat(512)}@b`);
  for (const jid of rows) assert.is(bareKey(jid), undefined, jid);
});

test('each part may have 1023 bytes', () => {
  const part = 'a'.repeat(1023);
  assert.is(fullKey(`${part}@${part}/${part}`), `${part}@${part}/${part}`);
  assert.is(fullKey(`a@b/${'a'.repeat(1024)}`), undefined);
  assert.ok(bareKey(`${'é'.repeat(511)}@b`));
});

test('in a full key the case of the resource counts, and compatible characters are the same', () => {
  assert.is(fullKey('Room@X/Nick'), 'room@x/Nick');
  assert.is.not(fullKey('room@x/nick'), fullKey('room@x/Nick'));
  assert.is(fullKey('room@x/a\u00a0b'), 'room@x/a b');
  assert.is(fullKey('room@x'), 'room@x');
  assert.is(fullKey('room@x/'), undefined);
  assert.is(fullKey('@x/a'), undefined);
  assert.is(fullKey('room@x/a\u0007'), undefined);
});

test('a nick is normalised, and refused if it is empty or has control characters', () => {
  assert.is(nickKey('Ｎｉｃｋ'), 'Nick');
  assert.is(nickKey('e\u0301'), 'é');
  assert.is(nickKey('a/b@c 😀'), 'a/b@c 😀');
  for (const nick of ['', '\u200b', 'a\u0000', 'a\nb', 'a\u007f', 'a\u0085', '\ud800', 'x'.repeat(1024)]) {
    assert.is(nickKey(nick), undefined, JSON.stringify(nick));
  }
});

test('a key is its own key', () => {
  const jid = fc.string({
    unit: fc.oneof(fc.constantFrom(...'aBß.@/ \u00adéÉΣ。'), fc.string({ unit: 'binary', maxLength: 1 })),
  });
  fc.assert(
    fc.property(jid, (text) => {
      const bare = bareKey(text);
      if (bare !== undefined) assert.is(bareKey(bare), bare);
      const nick = nickKey(text);
      if (nick !== undefined) assert.is(nickKey(nick), nick);
    }),
    { numRuns: 3000 },
  );
});

test('accounts that a server may tell apart have different keys; the case of ASCII letters does not count', () => {
  assert.is(accountKey('Alice@Example.ORG/x'), accountKey('alice@example.org'));
  assert.is(accountKey('m\u00fcller@localhost'), bareKey('m\u00fcller@localhost'));
  for (const [one, other] of [
    // A capital since Unicode 5.1: unknown to stringprep.
    ['stra\u1e9ee@localhost', 'strasse@localhost'],
    // One account by stringprep, two by PRECIS.
    ['stra\u00dfe@localhost', 'strasse@localhost'],
    ['\u023alice@localhost', '\u2c65lice@localhost'],
    ['\uff41lice@localhost', 'alice@localhost'],
    ['ali\u00adce@localhost', 'alice@localhost'],
  ] as const) {
    assert.is(bareKey(one), bareKey(other));
    assert.is.not(accountKey(one), accountKey(other));
  }
});

test.run();
