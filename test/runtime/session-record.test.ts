/** A session on its way between two nodes (S9): as text and back, under other names, and what comes back for its old ones. */
import { step } from '../../proxy/core/account.ts';
import { lastHeard } from '../../proxy/core/arrival.ts';
import { passageOf, renamed, shownOf, unfinishedOf } from '../../proxy/core/passage.ts';
import { Services } from '../../proxy/core/services.ts';
import { StanzaLog } from '../../proxy/core/stanza-log.ts';
import { type CarrierId, createAccountState, type Occupancy, type SessionId } from '../../proxy/core/state.ts';
import { factsOf } from '../../proxy/core/watch.ts';
import { readLegs, readRecord, type SessionRecord, writeRecord } from '../../proxy/runtime/session-record.ts';
import { type RouteView, routeDown } from '../../proxy/runtime/session-routes.ts';
import type { LegsSnapshot } from '../../proxy/runtime/session-snapshot.ts';
import type { BareKey } from '../../proxy/xml/address.ts';
import { NS } from '../../proxy/xml/names.ts';
import { parseStanza } from '../../proxy/xml/stanza.ts';
import { BARE, ROOM, settings, World } from '../core/world.ts';
import { assert, suite } from '../support/suite.ts';

const test = suite('records of sessions');

const legs: LegsSnapshot = {
  managed: {
    version: NS.sm3,
    previd: 'p',
    resumableMs: 60_000,
    counters: {
      fromClient: { handled: 3, entries: [] },
      toServer: { acknowledged: 3, queue: [] },
      fromServer: { handled: 5, entries: [{ isSafe: false, mark: 'message 1 bob' }] },
      toClient: { acknowledged: 5, queue: [5, Buffer.from("<message id='é'/>")] },
      told: [[6, 6]],
    },
    again: [],
  },
  forServer: [Buffer.from('<presence/>')],
};

/** Two devices in the room, on the first one's stream; the first one's record. */
function departed(id = 's1' as SessionId) {
  const world = new World();
  const [first, second] = [world.bind('phone'), world.bind()];
  world.join(first);
  world.settle();
  world.join(second);
  world.settle();
  world.say(first, 'hello');
  world.settle();
  const passage = passageOf(world.state, id, unfinishedOf(world.state, id));
  assert.ok(passage);
  const record: SessionRecord = {
    jid: `${BARE}/r1`,
    asked: 'r1',
    device: 'phone',
    shown: '<presence><show>dnd</show></presence>',
    idPrefixes: ['m1-'],
    legs,
    passage,
  };
  return { world, record, text: writeRecord(record, world.now) };
}

test('L5 a session that was removed from a room takes no place in it along', () => {
  const world = new World();
  const id = world.bind();
  world.join(id);
  world.settle();
  world.kick();
  world.settle();
  const passage = passageOf(world.state, id, unfinishedOf(world.state, id));
  assert.equal(passage?.rooms, []);
  assert.is(passage?.carrier.rooms.size, 0);
});

test('a record is read as it was written', () => {
  const { record, text, world } = departed();
  const read = readRecord(text, settings);
  assert.equal(read.legs, legs);
  assert.equal(readLegs(text), legs);
  assert.equal({ ...read, legs: 0, passage: 0 }, { ...record, legs: 0, passage: 0 });
  const [room] = read.passage.rooms;
  const known = world.state.rooms.get(room?.key ?? ('' as never));
  assert.ok(room && known);
  assert.equal([...room.roster.keys()], [...known.roster.keys()]);
  assert.is(`${room.self}`, `${known.self}`);
  assert.is(room.log.size, known.log.size);
  assert.equal([...room.members.keys()], ['s1'], 'the session alone');
});

test('whoever reads a record of another kind is told so', () => {
  assert.throws(() => readRecord('{"items":[],"lengths":[]}\n', settings), /no session/);
  assert.throws(() => readRecord('', settings));
});

test('a session that carries its room goes on in it without a word to the room', () => {
  const { text, world } = departed();
  const passage = renamed(readRecord(text, settings).passage, 'n1' as SessionId, 'n2' as CarrierId);
  const state = createAccountState(BARE, 'x-', settings, new Services());
  const { session, carrier, rooms, requests } = passage;
  const arrival = { sessions: [session], carriers: [carrier], watched: rooms, known: [], requests };
  const effects = [
    ...step(state, { kind: 'arrive', arrival }, world.now),
    ...step(state, { kind: 'session-awakes', session: session.id }, world.now),
  ];
  assert.equal(
    effects.filter(({ kind }) => kind === 'to-carrier' || kind === 'fork' || kind === 'to-session'),
    [],
  );
  const [room] = state.rooms.values();
  assert.is(room?.carrier, 'n2');
  assert.equal([...(room?.members.keys() ?? [])], ['n1']);
  assert.equal([...state.sessions.keys()], ['n1']);
});

test('one whose sibling carries its room comes to a home that knows it, and is told what it lacks and no more', () => {
  const { text, world } = departed('s2' as SessionId);
  world.say('s1' as SessionId, 'meanwhile');
  world.settle();
  const passage = renamed(readRecord(text, settings).passage, 'n1' as SessionId, 'n2' as CarrierId);
  const { session, carrier, rooms } = passage;
  const known = rooms.map((room) =>
    shownOf(room, factsOf(room, new Services().facts('')), { own: new Set(), before: undefined, now: world.now }),
  );
  const arrival = { sessions: [session], carriers: [carrier], watched: [], known };
  const effects = step(world.state, { kind: 'arrive', arrival }, world.now);
  const told = effects.flatMap((effect) =>
    effect.kind === 'fork' && effect.sessions.includes(session.id) && effect.stanza.name === 'message'
      ? [effect.stanza.root.child('body')?.text()]
      : [],
  );
  assert.equal(told, ['meanwhile']);
});

test('one that has just said something has no error for it: the home has sent it, and the room shows it or has no need to', () => {
  const { world } = departed();
  const id = 's2' as SessionId;
  world.say(id, 'on its way');
  world.send(id, `<message type='chat' id='p1' to='${ROOM}/bob'><body>psst</body></message>`);
  const passage = passageOf(world.state, id, unfinishedOf(world.state, id));
  assert.ok(passage);
  assert.equal(
    [...passage.own],
    [...world.state.carriers.values()].map(({ jid }) => jid),
  );
  world.drop(id);
  const { session, carrier, rooms, own } = renamed(passage, 'n1' as SessionId, 'n2' as CarrierId);
  const about = { own: new Set(own), before: undefined, now: world.now };
  const known = rooms.map((room) => shownOf(room, factsOf(room, new Services().facts('')), about));
  const arrival = { sessions: [session], carriers: [carrier], watched: [], known };
  const effects = step(world.state, { kind: 'arrive', arrival }, world.now);
  assert.equal(
    effects.flatMap((effect) => (effect.kind === 'to-session' ? [`${effect.xml}`] : [])),
    [],
  );
  const [room] = world.state.rooms.values();
  const awaited = room?.sent.filter(({ isGroupchat, isStranded }) => isGroupchat && !isStranded);
  assert.equal(
    awaited?.map(({ session: sender }) => sender),
    [session.id],
    'an error of the room would reach it',
  );
});

test('one that has heard nothing since it came in is told nothing of what was said before', () => {
  const { world } = departed();
  for (const word of ['one', 'two']) {
    world.say('s1' as SessionId, word);
    world.settle();
  }
  const late = world.bind();
  const before = lastHeard(world.state.rooms.get(ROOM as BareKey) as Occupancy, world.now);
  world.join(late, 'alice', "<history maxstanzas='0'/>");
  world.settle();
  const passage = passageOf(world.state, late, unfinishedOf(world.state, late));
  assert.ok(passage);
  world.say('s1' as SessionId, 'meanwhile');
  world.settle();
  const { session, carrier, rooms } = renamed(passage, 'n1' as SessionId, 'n2' as CarrierId);
  const known = rooms.map((room) => {
    // A node that is not the home has heard nothing of the room but what its session has.
    const watched = { ...room, log: new StanzaLog({ stanzas: 10, ageMs: 60_000, bytes: 10_000 }) };
    return shownOf(watched, factsOf(room, new Services().facts('')), { own: new Set(), before, now: world.now });
  });
  const arrival = { sessions: [session], carriers: [carrier], watched: [], known };
  const effects = step(world.state, { kind: 'arrive', arrival }, world.now);
  const told = effects.flatMap((effect) =>
    effect.kind === 'fork' && effect.sessions.includes(session.id) && effect.stanza.name === 'message'
      ? [effect.stanza.root.child('body')?.text()]
      : [],
  );
  assert.equal(told, ['meanwhile']);
});

test('what the proxy has sent under another name of its own is nobody’s to hear', () => {
  const { record, world } = departed();
  const { session, carrier } = record.passage;
  const view: RouteView = { seat: { account: world.state, session, carrier }, exclude: [], idPrefixes: ['old-'] };
  const nudge = parseStanza(
    `<message type='groupchat' id='old-1' from='${BARE}/r2' to='${BARE}/r1'><body>x</body></message>`,
  );
  assert.is(routeDown(nudge, view, false), 'overlap');
  assert.is(routeDown(nudge, { ...view, idPrefixes: [] }, false), 'relay');
  assert.is(routeDown(parseStanza(`<iq type='result' id='old-2' from='bob@test'/>`), view, false), 'overlap');
  assert.is(routeDown(parseStanza(`<message id='old-3' from='bob@test/x'><body/></message>`), view, false), 'relay');
});

test.run();
