/** Private messages, and sessions that go on at another node (rules/travellers.ts): each is given them once, whatever comes first. */
import { knownRoom } from '../../proxy/core/arrival.ts';
import { presentationOf } from '../../proxy/core/rules/join.ts';
import { Services } from '../../proxy/core/services.ts';
import type { SessionId } from '../../proxy/core/state.ts';
import { factsOf, watchedRoom } from '../../proxy/core/watch.ts';
import { parseStanza } from '../../proxy/xml/stanza.ts';
import { assert, suite } from '../support/suite.ts';
import { ROOM, settings, World } from './world.ts';

const test = suite('sessions that travel');

/** An account stream in the room, and as many sessions. */
function inside(count: number): { world: World; ids: SessionId[] } {
  const world = new World();
  const ids = Array.from({ length: count }, () => world.bind());
  world.input({ kind: 'credentials', known: true });
  for (const id of ids) world.join(id);
  world.accountStream(true);
  world.settle();
  return { world, ids };
}

function writes(world: World, body: string): void {
  const [carrier] = [...world.state.carriers.values()].filter(({ kind }) => kind === 'account-stream');
  world.arrives(
    carrier?.id as never,
    `<message type='chat' id='${body}' from='${ROOM}/bob' to='${carrier?.jid}'><body>${body}</body></message>`,
  );
}

/** It comes from the other node, in the room as it was. */
function arrives(world: World, former: SessionId, id = world.bind()): SessionId {
  const session = world.state.sessions.get(id);
  const carrier = session && world.state.carriers.get(session.carrier);
  const room = [...world.state.rooms.values()][0];
  if (!session || !carrier || !room) throw new Error('no session');
  const facts = factsOf(room, new Services().facts(''));
  const watched = watchedRoom(facts, settings);
  const presentation = presentationOf(parseStanza(`<presence to='${ROOM}/alice'/>`), world.now);
  watched.members.set(id, { asked: 'alice', presentation, lag: undefined });
  const known = knownRoom(watched, facts, new Set(), undefined, world.now);
  const arrival = {
    sessions: [{ ...session, former, available: true }],
    carriers: [carrier],
    watched: [],
    known: [known],
  };
  world.input({ kind: 'arrive', arrival });
  return id;
}

/** Bodies of private messages, in order; `+` where it is said that they are late. */
function letters(world: World, id: SessionId): string[] {
  const all = world.client(id).told.filter(({ name, type }) => name === 'message' && type === 'chat');
  const isLate = (one: (typeof all)[number]): boolean => one.root.child('delay', 'urn:xmpp:delay') !== undefined;
  return all.map((one) => `${one.root.child('body')?.text()}${isLate(one) ? '+' : ''}`);
}

test('what is written meanwhile is given to who has stayed at once, and to who comes when it is there', () => {
  const { world, ids } = inside(2);
  const [traveller, stays] = ids as [SessionId, SessionId];
  writes(world, 'before');
  world.setOut(traveller);
  writes(world, 'first');
  writes(world, 'second');
  const id = arrives(world, traveller);
  writes(world, 'after');
  assert.equal(letters(world, stays), ['before', 'first', 'second', 'after']);
  assert.equal(letters(world, id), ['first+', 'second+', 'after']);
  assert.equal(letters(world, arrives(world, traveller)), []);
  assert.is(world.state.travellers.size, 0);
});

test('what nobody was there to take each that comes is given once: of two that travel, both', () => {
  const { world, ids } = inside(2);
  const [one, other] = ids as [SessionId, SessionId];
  world.setOut(one);
  writes(world, 'to the other');
  world.setOut(other);
  writes(world, 'to nobody');
  const first = arrives(world, one);
  const second = arrives(world, other);
  assert.equal(letters(world, first), ['to the other+', 'to nobody+']);
  assert.equal(letters(world, second), ['to nobody+']);
  assert.equal([...world.state.rooms.values()][0]?.kept, []);
});

for (const when of ['before', 'after'] as const) {
  test(`what the node that it has left gives back ${when} its coming is given to it`, () => {
    const { world, ids } = inside(2);
    const [traveller, stays] = ids as [SessionId, SessionId];
    world.setOut(traveller);
    const stanza = parseStanza(
      `<message type='chat' id='m' from='${ROOM}/bob' to='x'><body>on its way</body></message>`,
    );
    if (when === 'before') world.input({ kind: 'sessions-missed', sessions: [traveller], stanza });
    const id = arrives(world, traveller);
    if (when === 'after') world.input({ kind: 'sessions-missed', sessions: [traveller], stanza });
    assert.equal(letters(world, id), ['on its way+']);
    assert.equal(letters(world, stays), []);
  });
}

/** A private message comes back from a node that had these sessions. */
function comesBack(world: World, body: string, ...sessions: SessionId[]): void {
  const xml = `<message type='chat' id='${body}' from='${ROOM}/bob' to='x'><body>${body}</body></message>`;
  world.input({ kind: 'sessions-missed', sessions, stanza: parseStanza(xml) });
}

test('what was on its way to sessions that have ended for good is for the next one that joins, once', () => {
  const { world, ids } = inside(3);
  const [one, two, three] = ids as [SessionId, SessionId, SessionId];
  for (const id of ids) world.input({ kind: 'session-gone', session: id });
  // Two of them on one node, the third on another.
  comesBack(world, 'first', one, two);
  comesBack(world, 'second', one, two);
  comesBack(world, 'first', three);
  comesBack(world, 'second', three);
  // The very same words once more are another message.
  comesBack(world, 'second', one);
  const next = world.bind();
  world.join(next);
  world.settle();
  assert.equal(letters(world, next), ['first+', 'second+', 'second+']);
  assert.is(world.counted.filter(({ kind }) => kind === 'drop').length, 0);
});

test('where another device is in the room it has been given that already', () => {
  const { world, ids } = inside(2);
  const [gone, stays] = ids as [SessionId, SessionId];
  world.input({ kind: 'session-gone', session: gone });
  comesBack(world, 'to both', gone);
  world.drop(stays);
  const next = world.bind();
  world.join(next);
  world.settle();
  assert.equal(letters(world, next), []);
});

test('where the account was removed meanwhile, who was in the room then has been given it already', () => {
  const { world, ids } = inside(3);
  const [gone, second, third] = ids as [SessionId, SessionId, SessionId];
  // One that takes nothing, but for which the account goes on.
  const away = world.bind();
  world.input({ kind: 'session-presence', session: away, available: false, show: '', priority: 0 });
  world.input({ kind: 'session-gone', session: gone });
  world.kick();
  world.settle();
  comesBack(world, 'to all', gone);
  assert.equal(
    [second, third].flatMap((id) => letters(world, id)),
    [],
  );
  // Where it was on its way to these too nobody has it.
  world.drop(second);
  world.drop(third);
  comesBack(world, 'to all', second);
  comesBack(world, 'to all', third);
  assert.equal(letters(world, world.bind()), ['to all+']);
});

for (const isFirst of [true, false]) {
  test(`where nobody was it is one letter, removed ${isFirst ? 'before' : 'between'} what two nodes give back`, () => {
    const { world, ids } = inside(2);
    const [one, other] = ids as [SessionId, SessionId];
    for (const id of ids) world.input({ kind: 'session-gone', session: id });
    if (!isFirst) comesBack(world, 'to both', one);
    world.kick();
    world.settle();
    if (isFirst) comesBack(world, 'to both', one);
    comesBack(world, 'to both', other);
    assert.is(world.state.kept.length, 1);
    comesBack(world, 'to both', one);
    assert.equal(letters(world, world.bind()), ['to both+', 'to both+'], 'the very same words once more are another');
    assert.is(world.counted.filter(({ kind }) => kind === 'drop').length, 0);
  });
}

for (const isBack of [true, false]) {
  test(`what ${isBack ? 'comes back for' : 'was kept for'} one that travels is no letter when that has come`, () => {
    const { world, ids } = inside(1);
    const [traveller] = ids as [SessionId];
    const id = world.bind();
    world.input({ kind: 'session-presence', session: id, available: false, show: '', priority: 0 });
    world.setOut(traveller);
    if (!isBack) writes(world, 'to nobody');
    world.kick();
    world.settle();
    if (isBack) comesBack(world, 'to nobody', traveller);
    assert.is(world.state.kept.length, 1);
    arrives(world, traveller, id);
    assert.equal(letters(world, id), ['to nobody+']);
    world.input({ kind: 'session-awakes', session: id });
    assert.equal(letters(world, id), ['to nobody+']);
    assert.equal(world.state.kept, []);
  });
}

test('what was kept for one that comes and is in the room no more, or does not come, is counted where it is of use to nobody', () => {
  const { world, ids } = inside(3);
  const [one, two, stays] = ids as [SessionId, SessionId, SessionId];
  const id = world.bind();
  const drops = (): number => world.counted.filter((one) => one.kind === 'drop' && one.reason === 'no-session').length;
  const [carrier] = [...world.state.carriers.values()].filter(({ kind }) => kind === 'account-stream');
  world.setOut(one);
  world.setOut(two);
  writes(world, 'a letter');
  const receipt = "<received xmlns='urn:xmpp:receipts' id='r'/>";
  world.arrives(
    carrier?.id as never,
    `<message type='chat' from='${ROOM}/bob' to='${carrier?.jid}'>${receipt}</message>`,
  );
  assert.is(letters(world, stays).length, 2);
  world.input({ kind: 'timer', key: `travels ${one}` });
  assert.is(drops(), 1);
  const session = world.state.sessions.get(id);
  const arrival = { sessions: [{ ...session, former: two } as never], carriers: [], watched: [], known: [] };
  world.input({ kind: 'arrive', arrival });
  assert.is(drops(), 3);
});

test('where the account has left the room meanwhile it is a letter', () => {
  const { world, ids } = inside(1);
  const [gone] = ids as [SessionId];
  world.leave(gone);
  world.input({ kind: 'session-gone', session: gone });
  world.now += settings.graceMs;
  world.input({ kind: 'timer', key: `grace ${ROOM}` });
  world.settle();
  assert.equal([...world.room.inside], []);
  comesBack(world, 'too late', gone);
  assert.equal(letters(world, world.bind()), ['too late+']);
});

test('one for a session that does not come to the other node is for the next one', () => {
  const { world, ids } = inside(1);
  const [traveller] = ids as [SessionId];
  world.setOut(traveller);
  comesBack(world, 'on its way', traveller);
  world.input({ kind: 'timer', key: `travels ${traveller}` });
  const next = world.bind();
  world.join(next);
  world.settle();
  assert.equal(letters(world, next), ['on its way+']);
});

test('one that comes before its earlier node has said that it is gone is given nothing twice', () => {
  const { world, ids } = inside(1);
  const [traveller] = ids as [SessionId];
  const id = arrives(world, traveller);
  writes(world, 'there already');
  world.setOut(traveller);
  writes(world, 'more');
  assert.equal(letters(world, id), ['there already', 'more']);
  assert.equal(letters(world, traveller), []);
  assert.is(world.state.travellers.size, 0);
});

test('for one that does not come in time nothing is kept, and of too much the oldest goes and is counted', () => {
  const { world, ids } = inside(2);
  const [traveller] = ids as [SessionId];
  world.setOut(traveller);
  for (let count = 0; count < 103; count += 1) writes(world, `letter ${count}`);
  assert.is(world.state.travellers.get(traveller)?.letters.length, 100);
  assert.is(world.counted.filter((one) => one.kind === 'drop' && one.reason === 'queue-full').length, 3);
  assert.is(world.timers.get(`travels ${traveller}`) !== undefined, true);
  world.input({ kind: 'timer', key: `travels ${traveller}` });
  assert.is(world.state.travellers.size, 0);
  assert.equal(letters(world, arrives(world, traveller)), []);
});

test('chat states are not kept', () => {
  const { world, ids } = inside(2);
  const [traveller] = ids as [SessionId];
  world.setOut(traveller);
  const [carrier] = [...world.state.carriers.values()].filter(({ kind }) => kind === 'account-stream');
  const composing = "<composing xmlns='http://jabber.org/protocol/chatstates'/>";
  world.arrives(
    carrier?.id as never,
    `<message type='chat' from='${ROOM}/bob' to='${carrier?.jid}'>${composing}</message>`,
  );
  assert.equal(world.state.travellers.get(traveller)?.letters, []);
});

test.run();
