/** The matcher is the judge of every scenario: what it must not let pass is tested first. */
import { parseAll, parseOne } from './element.ts';
import { Inbox } from './inbox.ts';
import { allOf, exactly, matches, without } from './match.ts';
import { assert, suite } from './suite.ts';

const test = suite('match');
const stanza = parseOne(
  `<message from='r@c/n' id='1' type='groupchat'><body>hi</body><x xmlns='a'><s c='1'/><s c='2'/></x></message>`,
);

const met = [
  `<message type='groupchat'/>`,
  `<message type='{any}' id='{any}'/>`,
  `<message type='groupchat' to='{none}'><body>hi</body></message>`,
  `<message type='groupchat'><body>{any}</body></message>`,
  `<message type='groupchat'><x xmlns='a'><s c='2'/><s c='1'/></x></message>`,
  `<m:message xmlns:m='jabber:client' type='groupchat'/>`,
];
const unmet = [
  `<presence type='groupchat'/>`,
  `<message/>`,
  `<message xmlns='b' type='groupchat'/>`,
  `<message type='chat'/>`,
  `<message type='groupchat' from='{none}'/>`,
  `<message type='groupchat' to='{any}'/>`,
  `<message type='groupchat'><body>h</body></message>`,
  `<message type='groupchat'><subject>{any}</subject></message>`,
  `<message type='groupchat'><x/></message>`,
  `<message type='groupchat'><x xmlns='a'><s c='1'/><s c='1'/></x></message>`,
  `<message type='groupchat'><x xmlns='a'><s/><s/><s/></x></message>`,
];

test('a stanza is met by what it holds', () => {
  for (const matcher of met) assert.ok(matches(stanza, matcher), matcher);
});

test('a stanza is not met by what it does not hold, another type or another namespace', () => {
  for (const matcher of unmet) assert.not.ok(matches(stanza, matcher), matcher);
});

test('exactly refuses what is beyond the statement, at every level', () => {
  assert.ok(matches(stanza, exactly(stanza.print())));
  assert.not.ok(matches(stanza, exactly(`<message from='r@c/n' id='1' type='groupchat'><body>hi</body></message>`)));
  assert.not.ok(matches(stanza, exactly(stanza.print().replace(`<s c='2'/>`, ''))));
  assert.not.ok(matches(stanza, exactly(stanza.print().replace(` id='1'`, ''))));
});

test('without and allOf narrow a statement', () => {
  assert.ok(matches(stanza, without(`<message type='groupchat'/>`, 'delay')));
  assert.not.ok(matches(stanza, without(`<message type='groupchat'/>`, 'body')));
  assert.not.ok(
    matches(
      stanza,
      allOf(`<message type='groupchat'/>`, () => false),
    ),
  );
});

test('an inbox gives in order, and says what stands there when something else was wanted', async () => {
  const inbox = new Inbox('alice');
  for (const one of parseAll('<message/><presence/>')) inbox.add(one);
  const error = await inbox.next('<presence/>', 50).catch((thrown) => thrown);
  assert.match(error.message, /^alice: what comes next is something else.*<presence\/>.*<message\/>/s);
  await inbox.next('<message/>', 50);
  await inbox.next('<presence/>', 50);
  assert.is(inbox.pending.length, 0);
});

test('in any order: each wanted element once, a stranger in between is a failure', async () => {
  const inbox = new Inbox('alice');
  for (const one of parseAll(`<message id='1'/><message id='2'/>`)) inbox.add(one);
  const found = await inbox.nextInAnyOrder(['<message/>', `<message id='1'/>`], 50);
  assert.equal(
    found.map((one) => one.id),
    ['2', '1'],
  );
  for (const one of parseAll(`<message id='1'/><presence/>`)) inbox.add(one);
  const error = await inbox.nextInAnyOrder(['<message/>', '<message/>'], 50).catch((thrown) => thrown);
  assert.match(error.message, 'number 2');
});

test('who waits fails at its limit and when the stream ends, with the line of the test in the stack', async () => {
  const inbox = new Inbox('alice');
  const late = await inbox.next('<message/>', 20).catch((thrown) => thrown);
  assert.match(late.message, 'within 20 ms');
  assert.match(late.stack, 'match.test.ts');
  const waiting = inbox.next('<message/>', 5_000).catch((thrown) => thrown);
  inbox.end('the stream has ended');
  assert.match((await waiting).message, 'the stream has ended');
  assert.match((await inbox.next('<message/>', 5_000).catch((thrown) => thrown)).message, 'the stream has ended');
});

test('text that is not well-formed, undeclared prefixes and comments are refused', () => {
  for (const xml of ['<a><b></a>', '<x:a/>', '<a b="1" b="2"/>', '<a>&nope;</a>', '<a><!-- --></a>', '<a/><b']) {
    assert.throws(() => parseAll(`${xml}`), undefined, xml);
  }
});

test.run();
