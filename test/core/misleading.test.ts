/** What is legal and misleads: prefixes of a presence, stamps and codes of occupants, marks of bridges, ids that come twice. */
import type { SessionId } from '../../proxy/core/state.ts';
import { NS } from '../../proxy/xml/names.ts';
import { assert, suite } from '../support/suite.ts';
import { ROOM, World } from './world.ts';

const test = suite('what misleads');

const capabilities = 'http://jabber.org/protocol/caps';

function inhabited(): { world: World; a: SessionId; b: SessionId } {
  const world = new World();
  const [a, b] = [world.bind(), world.bind()];
  world.join(a);
  world.join(b);
  world.settle();
  return { world, a, b };
}

/** An occupant's message arrives at the account. */
function arrives(world: World, session: SessionId, id: string, extra = '', body = `<body>${id}</body>`): void {
  const { carrier, jid } = world.client(session);
  const mark = `<stanza-id xmlns='${NS.stanzaId}' by='${ROOM}' id='s${id}'/>`;
  world.arrives(
    carrier,
    `<message type='groupchat' from='${ROOM}/bob' to='${jid}' id='${id}'>${body}${extra}${mark}</message>`,
  );
}

function bodies(world: World, session: SessionId): (string | undefined)[] {
  const told = world.client(session).told.filter(({ type, root }) => type === 'groupchat' && root.child('body'));
  return told.map(({ root }) => root.child('body')?.text());
}

function errors(world: World, session: SessionId): string[] {
  return world
    .client(session)
    .told.filter(({ type }) => type === 'error')
    .map(String);
}

test('prefixes that a presence declares for its children go with them: to the room, and where the account goes on', () => {
  const world = new World();
  const [a, b] = [world.bind(), world.bind()];
  world.join(a);
  world.settle();
  const show = `<show>chat</show><c:c node='n' ver='v' hash='sha-1'/>`;
  world.send(
    b,
    `<presence xmlns:c='${capabilities}' id='jb' to='${ROOM}/alice'><x xmlns='${NS.muc}'/>${show}</presence>`,
  );
  world.settle();
  const seen = world.sent.at(-1)?.stanza.root.child('c', capabilities);
  assert.is(seen?.attr('ver'), 'v', 'the room is shown them');
  const { carrier, jid } = world.client(a);
  const item = `<x xmlns='${NS.mucUser}'><item affiliation='none' role='participant'/><status code='110'/></x>`;
  const hats = `<hats xmlns='urn:xmpp:hats:0'><hat title='Teacher' uri='t'/></hats>`;
  world.arrives(
    carrier,
    `<presence xmlns:c='${capabilities}' from='${ROOM}/alice' to='${jid}'>${show}${hats}${item}</presence>`,
  );
  world.drop(a);
  world.settle();
  const join = world.sent.filter(({ stanza }) => stanza.root.child('x', NS.muc)).at(-1);
  assert.is(join?.stanza.root.child('c', capabilities)?.attr('ver'), 'v', 'the next stream comes in with them');
  assert.is(join?.stanza.root.child('hats'), undefined, 'and without what the room has added');
  assert.equal(
    [...world.state.carriers.values()].map(({ status }) => status),
    ['ready'],
  );
});

for (const year of ['1970', '2099']) {
  test(`a stamp of ${year} that an occupant has sent hides nothing from later sessions, nor from a rejoin`, () => {
    const { world, a, b } = inhabited();
    const start = new Date(world.now - 1000).toISOString();
    arrives(world, a, 'one');
    arrives(world, a, 'two', `<delay xmlns='${NS.delay}' from='${ROOM}' stamp='${year}-01-01T00:00:00Z'/>`);
    arrives(world, a, 'three', `<delay xmlns='${NS.delay}' stamp='${year}-01-01T00:00:00Z'/>`);
    arrives(world, a, 'four');
    const later = world.bind();
    world.join(later, 'alice', `<history since='${start}'/>`);
    world.settle();
    assert.equal(bodies(world, later), ['one', 'two', 'three', 'four']);
    world.now += 60_000;
    world.room.gone(world.client(a).jid);
    const missed = world.roomSays();
    world.now += 5000;
    world.lose(a);
    world.settle();
    assert.is(world.client(b).heard.at(-1), missed);
  });
}

test('codes in an occupant’s message say nothing about the room', () => {
  const { world, a } = inhabited();
  const x = `<x xmlns='${NS.mucUser}'><status code='172'/><status code='170'/></x>`;
  arrives(world, a, 'forged', x, '');
  const later = world.bind();
  world.join(later);
  world.settle();
  const own = world
    .client(later)
    .told.filter(({ name }) => name === 'presence')
    .at(-1);
  const codes = own?.root.child('x', NS.mucUser)?.children.filter(({ name }) => name === 'status');
  assert.equal(
    codes?.map((one) => one.attr('code')),
    ['110'],
  );
});

test('a first session that asks for a second of history leaves the room’s own stretch to the next one', () => {
  const world = new World();
  const said: string[] = [];
  for (let count = 0; count < 5; count += 1) {
    said.push(world.roomSays());
    world.now += 60_000;
  }
  const [a, b] = [world.bind(), world.bind()];
  world.join(a, 'alice', `<history since='${new Date(world.now - 1000).toISOString()}'/>`);
  world.settle();
  world.join(b);
  world.settle();
  assert.equal([bodies(world, a), bodies(world, b)], [[], said]);
});

test('a message that was delivered is not refused because a private one had its id', () => {
  const { world, a, b } = inhabited();
  world.send(b, `<message type='chat' id='1' to='${ROOM}/bob'><body>aside</body></message>`);
  world.send(b, `<message type='groupchat' id='1' to='${ROOM}'><body>hello</body></message>`);
  world.settle();
  world.drop(a);
  world.settle();
  while (world.fire() !== undefined) world.settle();
  assert.equal(errors(world, b), []);
});

test('an error without id from the room’s bare address is no answer to a join', () => {
  const world = new World();
  const a = world.bind();
  const { carrier, jid } = world.client(a);
  world.join(a);
  const error = `<error type='cancel'><service-unavailable xmlns='${NS.stanzaErrors}'/></error>`;
  world.arrives(carrier, `<presence type='error' from='${ROOM}' to='${jid}'>${error}</presence>`);
  world.settle();
  assert.is(world.client(a).place, 'in');
});

test('the same mark of a bridge on each message does not make them one', () => {
  const { world, a, b } = inhabited();
  const mark = `<stanza-id xmlns='${NS.stanzaId}' by='bridge.test' id='same'/>`;
  arrives(world, a, 'one', '', `<body>one</body>${mark}`);
  arrives(world, a, 'two', `<delay xmlns='${NS.delay}' stamp='2023-01-01T00:00:00Z'/>`, `<body>two</body>${mark}`);
  assert.equal(bodies(world, b), ['one', 'two']);
});

test('who has left may decline an invitation, though its stream carries the room for a sibling', () => {
  const { world, a } = inhabited();
  world.leave(a);
  world.settle();
  const reached: string[] = [];
  const take = world.room.take.bind(world.room);
  world.room.take = (from, stanza, now) => {
    reached.push(String(stanza));
    return take(from, stanza, now);
  };
  world.send(a, `<message to='${ROOM}'><x xmlns='${NS.mucUser}'><decline to='bob@test'/></x></message>`);
  world.settle();
  assert.equal(errors(world, a), []);
  assert.match(reached.join(), /<decline/);
});

test('an IQ of no type that exists is refused', () => {
  const { world, a } = inhabited();
  world.send(a, `<iq type='foo' id='q' to='${ROOM}'><query xmlns='${NS.discoInfo}'/></iq>`);
  assert.match(errors(world, a).join(), /id='q'.*bad-request/);
});

test('private messages kept for a session to come are bounded in bytes, and by the age of history', () => {
  const world = new World({ settings: { lingerMs: 30 * 86_400_000 } });
  const a = world.bind();
  world.input({ kind: 'credentials', known: true });
  world.join(a);
  world.accountStream(true);
  world.settle();
  world.drop(a);
  world.settle();
  const stream = [...world.state.carriers.values()].find(({ kind }) => kind === 'account-stream');
  const kept = (): number =>
    [...world.state.rooms.values()][0]?.kept.reduce((sum, one) => sum + one.stanza.length, 0) ?? 0;
  const body = 'x'.repeat(50_000);
  for (let count = 0; count < 20; count += 1) {
    const xml = `<message type='chat' from='${ROOM}/bob' to='${stream?.jid}'><body>${body}</body></message>`;
    if (stream) world.arrives(stream.id, xml);
  }
  assert.ok(kept() > 200_000 && kept() <= 256 * 1024, `${kept()} bytes are kept`);
  world.now += 20 * 86_400_000;
  const b = world.bind();
  world.join(b);
  world.settle();
  assert.equal(
    world.client(b).told.filter(({ type }) => type === 'chat'),
    [],
  );
});

test.run();
