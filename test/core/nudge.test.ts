/** Push for rooms: which sleeping sessions are nudged, when, and through which stream (core/nudge.ts). */
import { isNudge } from '../../proxy/core/nudge.ts';
import type { SessionId } from '../../proxy/core/state.ts';
import { parseStanza, type Stanza } from '../../proxy/xml/stanza.ts';
import { assert, suite } from '../support/suite.ts';
import { BARE, ROOM, World } from './world.ts';

const test = suite('nudges');

/** A phone that has push and a sibling, both in the room; the sibling's stream carries it. */
function stage({ hasPush = true } = {}) {
  const world = new World();
  const [desk, phone] = [world.bind(), world.bind()];
  world.join(desk);
  world.settle();
  world.join(phone);
  world.settle();
  if (hasPush) world.input({ kind: 'session-push', session: phone, enabled: true });
  return { world, desk, phone };
}

function sleep(world: World, session: SessionId): void {
  world.input({ kind: 'session-hibernates', session, isDeaf: false });
  world.settle();
}

/** The room says this, live. */
function says(world: World, xml: string, carrier = [...world.state.rooms.values()][0]?.carrier): void {
  if (carrier) world.arrives(carrier, xml.replace('<message', `<message from='${ROOM}/bo'`));
}

function nudges(world: World): { through: string; to: string | undefined; text: string | undefined }[] {
  const { state } = world;
  const isOne = (stanza: Stanza) => stanza.name === 'message' && stanza.id?.startsWith(state.idPrefix) === true;
  return world.sent
    .filter(({ stanza }) => isOne(stanza))
    .map(({ carrier, stanza }) => ({ through: carrier, to: stanza.to, text: stanza.root.child('body')?.text() }));
}

const word = (text: string) => `<message type='groupchat'><body>${text}</body></message>`;

test('a session that sleeps is nudged through the stream that hears the room, with the text', () => {
  const { world, desk, phone } = stage();
  says(world, word('awake'));
  sleep(world, phone);
  says(world, word('you &amp; me'));
  assert.equal(nudges(world), [{ through: world.client(desk).carrier, to: world.client(phone).jid, text: 'you & me' }]);
});

test('the account stream goes first', () => {
  const { world, phone } = stage();
  world.input({ kind: 'credentials', known: true });
  world.accountStream(true);
  world.settle();
  sleep(world, phone);
  says(world, word('hello'));
  assert.equal(
    nudges(world).map(({ through }) => world.state.carriers.get(through as never)?.kind),
    ['account-stream'],
  );
});

for (const [what, xml] of [
  ['a subject', `<message type='groupchat'><subject>now</subject></message>`],
  ['a chat state', `<message type='groupchat'><composing xmlns='http://jabber.org/protocol/chatstates'/></message>`],
  ['an empty text', word('')],
  [
    'history',
    `<message type='groupchat'><body>old</body><delay xmlns='urn:xmpp:delay' stamp='2026-01-01T00:00:00Z'/></message>`,
  ],
  ['presence', `<presence from='${ROOM}/bo'><show>away</show></presence>`],
] as const) {
  test(`${what} wakes nobody`, () => {
    const { world, phone } = stage();
    sleep(world, phone);
    says(world, xml);
    assert.equal(nudges(world), []);
  });
}

test('a private message does', () => {
  const { world, phone } = stage();
  sleep(world, phone);
  says(world, `<message type='chat'><body>psst</body></message>`);
  assert.equal(
    nudges(world).map(({ text }) => text),
    ['psst'],
  );
});

test('nobody is nudged for whom the server does not push, or does so no more', () => {
  const { world, phone } = stage({ hasPush: false });
  sleep(world, phone);
  says(world, word('one'));
  const other = stage();
  other.world.input({ kind: 'session-push', session: other.phone, enabled: false });
  sleep(other.world, other.phone);
  says(other.world, word('one'));
  assert.equal([...nudges(world), ...nudges(other.world)], []);
});

test('the server itself pushes for a session that has its place by its own stream', () => {
  const world = new World();
  const phone = world.bind();
  world.join(phone);
  world.settle();
  world.input({ kind: 'session-push', session: phone, enabled: true });
  sleep(world, phone);
  const desk = world.bind();
  world.join(desk);
  // Its leave waits in the stream that sleeps.
  while ([...world.state.rooms.values()][0]?.carrier !== world.client(desk).carrier) world.arrive(true);
  says(world, word('to both'));
  assert.ok(world.client(desk).heard.includes('to both'));
  assert.equal(nudges(world), []);
});

test('what is said while the stream of the sleeping session is freed of the room is told of when that is done', () => {
  const world = new World();
  const [phone, desk] = [world.bind(), world.bind()];
  world.join(phone);
  world.settle();
  world.join(desk);
  world.settle();
  world.input({ kind: 'session-push', session: phone, enabled: true });
  world.input({ kind: 'session-hibernates', session: phone, isDeaf: false });
  says(world, word('in between'));
  assert.equal(nudges(world), []);
  world.settle();
  assert.equal(nudges(world), [
    { through: world.client(desk).carrier, to: world.client(phone).jid, text: 'in between' },
  ]);
});

test('what its client had been sent and had not acknowledged is told of when it falls asleep, one whose server broke too', () => {
  for (const isDeaf of [false, true]) {
    const { world, desk, phone } = stage();
    world.input({ kind: 'session-hibernates', session: phone, isDeaf, unheard: 'on its way' });
    world.settle();
    assert.equal(nudges(world), [
      { through: world.client(desk).carrier, to: world.client(phone).jid, text: 'on its way' },
    ]);
  }
});

test('many messages make one nudge in five seconds, the last one the text; two hundred in all', () => {
  const { world, phone } = stage();
  sleep(world, phone);
  for (const text of ['a', 'b', 'c']) says(world, word(text));
  assert.equal(
    nudges(world).map(({ text }) => text),
    ['a'],
  );
  assert.is(world.fire(), `nudge ${phone}`);
  assert.equal(
    nudges(world).map(({ text }) => text),
    ['a', 'c'],
  );
  for (let count = 0; count < 400; count += 1) {
    world.now += 5000;
    says(world, word('more'));
  }
  assert.is(nudges(world).length, 200);
});

test('awake, or gone, nothing is owed to it; asleep again it is told anew', () => {
  const { world, phone } = stage();
  sleep(world, phone);
  for (const text of ['a', 'b']) says(world, word(text));
  assert.ok(world.timers.has(`nudge ${phone}`));
  world.input({ kind: 'session-awakes', session: phone });
  assert.not.ok(world.timers.has(`nudge ${phone}`));
  says(world, word('c'));
  sleep(world, phone);
  says(world, word('d'));
  says(world, word('e'));
  assert.equal(
    nudges(world).map(({ text }) => text),
    ['a', 'd'],
  );
  world.drop(phone);
  assert.not.ok(world.timers.has(`nudge ${phone}`));
});

test('a nudge is known when it comes, and nothing else is taken for one', () => {
  const { world, phone } = stage();
  const { jid } = world.client(phone);
  const come = (from: string, id: string) =>
    parseStanza(`<message type='groupchat' from='${from}' to='${jid}' id='${id}'/>`);
  assert.not.ok(isNudge(come(`${BARE}/desk`, 'm-1'), new World().state), 'none can have been sent');
  sleep(world, phone);
  says(world, word('a'));
  const id = world.sent.at(-1)?.stanza.id ?? '';
  assert.ok(isNudge(come(`${BARE}/desk`, id), world.state));
  assert.not.ok(isNudge(come(`mallory@test/x`, id), world.state));
  assert.not.ok(isNudge(come(`${BARE}/desk`, 'x'), world.state));
});

test('a long text is cut, between characters', () => {
  const { world, phone } = stage();
  sleep(world, phone);
  says(world, word(`${'x'.repeat(499)}\u{1F600}${'y'.repeat(900)}`));
  assert.equal(
    nudges(world).map(({ text }) => text),
    ['x'.repeat(499)],
  );
});

test.run();
