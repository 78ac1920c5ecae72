/** What an earlier home has left in the store of a room's log (M6): where it is taken up, and where not. */
import fc from 'fast-check';
import type { Input } from '../../proxy/core/inputs.ts';
import { entryStanza, type LogEntry } from '../../proxy/core/log-entry.ts';
import { StanzaLog } from '../../proxy/core/stanza-log.ts';
import type { SessionId } from '../../proxy/core/state.ts';
import { readEntry, writeEntry } from '../../proxy/core/stored-log.ts';
import type { BareKey } from '../../proxy/xml/address.ts';
import { parseStanza } from '../../proxy/xml/stanza.ts';
import { assert, suite } from '../support/suite.ts';
import { ROOM, World } from './world.ts';

const test = suite('what was heard before');
const limits = { stanzas: 50, ageMs: Number.POSITIVE_INFINITY, bytes: 1 << 20 };
const say = (id: string, body = id) =>
  parseStanza(`<message type='groupchat' from='${ROOM}/bob' to='a@test/r' id='${id}'><body>${body}</body></message>`);

function logOf(ids: readonly string[], at = 0): StanzaLog {
  const log = new StanzaLog(limits);
  for (const id of ids) log.add(say(id), at);
  return log;
}

const idsOf = (log: StanzaLog): string[] => log.entries(1).map((entry) => entryStanza(entry).id ?? '');

test('tables: what comes before, and in which order', () => {
  const never = (): boolean => false;
  const always = (): boolean => true;
  const cases: [past: string[], own: string[], isSure: () => boolean, result: string[]][] = [
    [[], ['c'], always, ['c']],
    [['a', 'b'], ['b', 'c'], never, ['a', 'b', 'c']],
    [['a', 'b', 'x'], ['b', 'c'], never, ['a', 'b', 'c']],
    [['a', 'b'], ['c'], never, ['c']],
    [['a', 'b'], ['c'], always, ['a', 'b', 'c']],
    [['a', 'b'], [], always, ['a', 'b']],
    [['b'], ['a', 'b'], always, ['a', 'b']],
  ];
  for (const [past, own, isSure, result] of cases) {
    const log = logOf(own);
    const { end } = log;
    log.precede(logOf(past).entries(1), 1, isSure);
    assert.equal(idsOf(log), result);
    assert.is(log.end, end, 'places stay');
    assert.is(log.size, result.length);
  }
});

test('what was taken back then is so now, though the room tells it again', () => {
  const before = logOf(['a', 'b']);
  before.add(
    parseStanza(
      `<message type='groupchat' from='${ROOM}/bob' id='r'><retract xmlns='urn:xmpp:message-retract:1' id='b'/></message>`,
    ),
    0,
  );
  const log = logOf(['b', 'c']);
  log.precede(before.entries(1), 1, () => false);
  assert.equal(idsOf(log), ['a', 'b', 'c']);
  assert.equal(
    log.entries(1).map((entry) => entryStanza(entry).root.child('body')?.text()),
    ['a', undefined, 'c'],
  );
});

test('bounds hold for both together', () => {
  const log = new StanzaLog({ ...limits, stanzas: 3 });
  for (const id of ['c', 'd']) log.add(say(id), 0);
  log.precede(logOf(['a', 'b', 'c']).entries(1), 1, () => false);
  assert.equal(idsOf(log), ['b', 'c', 'd']);
  log.add(say('e'), 1);
  assert.equal(idsOf(log), ['c', 'd', 'e']);
});

test('an entry comes out of the store as it went in, whatever stands in it', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.nat(), fc.boolean(), fc.boolean(), (body, at, delayed, hasKeys) => {
      const text = body.replace(/[^\w\n é"\\{}]/g, '');
      const stanza = parseStanza(`<message xmlns='jabber:client' id='1'><body>${text}</body></message>`);
      const keys = hasKeys ? { keys: { content: text, message: `${text}\n` } } : {};
      const entry: LogEntry = {
        text: Buffer.from(stanza.bytes),
        source: stanza.declarations,
        at,
        heardAt: at + 1,
        delayed,
        ...keys,
      };
      assert.equal(readEntry(writeEntry(entry)), { ...entry, isUnlabelled: true });
    }),
  );
  const declarations = new Map([['x', 'urn:x']]);
  const [entry] = new StanzaLogOf(declarations).entries;
  assert.ok(entry);
  assert.match(readEntry(writeEntry(entry)).text.toString(), "xmlns:x='urn:x'");
  for (const bad of ['', '{}', '[1,2,0]\n<message>', '[1,2,0]\n<a/><b/>'])
    assert.throws(() => readEntry(Buffer.from(bad)));
});

/** One entry from a stream that declares these. */
class StanzaLogOf {
  readonly entries: readonly LogEntry[];

  constructor(declarations: ReadonlyMap<string, string>) {
    const log = new StanzaLog(limits);
    log.add(parseStanza("<message xmlns='jabber:client'><x:y/></message>", declarations), 0);
    this.entries = log.entries(0);
  }
}

/** A session that has asked to join, with what the rules have asked the store for. */
function asked(): { world: World; a: SessionId } {
  const world = new World({ settings: { keepsLogs: true } });
  const a = world.bind();
  world.join(a);
  world.settle();
  return { world, a };
}

const read = (ids: string[], at: number, more: { kept?: string[]; isLate?: true } = {}): Input => ({
  kind: 'log-read',
  room: ROOM as BareKey,
  entries: logOf(ids, at).entries(at),
  ...more,
  kept: logOf(more.kept ?? [], at).entries(at),
});

test('a join is answered when the store has answered, and what was heard before is history', () => {
  const { world, a } = asked();
  assert.is(world.client(a).place, 'asking');
  world.input(read(['a', 'b'], world.now));
  world.settle();
  assert.is(world.client(a).place, 'in');
  assert.equal(world.client(a).heard, ['a', 'b']);
});

test('what was heard live before is history now: as the session wishes, with a delay', () => {
  const world = new World({ settings: { keepsLogs: true } });
  const [a, b] = [world.bind(), world.bind()];
  world.join(a);
  world.join(b, 'alice', "<history maxstanzas='0'/>");
  world.input(read(['a'], world.now));
  world.settle();
  assert.equal(world.client(b).heard, []);
  const [message] = world.client(a).told.filter(({ id }) => id === 'a');
  assert.ok(message?.root.child('delay'));
});

test('a store that answers before the room, or has nothing, holds nothing up; an answer that nobody waits for is nothing', () => {
  const world = new World({ settings: { keepsLogs: true } });
  const a = world.bind();
  world.join(a);
  world.input(read([], world.now));
  world.settle();
  assert.is(world.client(a).place, 'in');
  world.leave(a);
  world.input(read(['x'], world.now));
  world.settle();
  assert.equal(world.client(a).heard, []);
});

test('a home that begins with sessions takes no message for known that they may not have', () => {
  const { world, a } = asked();
  world.input(read([], world.now));
  world.settle();
  world.input(read(['recent'], world.now));
  const b = world.bind();
  world.join(b);
  world.settle();
  assert.equal(world.client(b).heard, []);
  world.input(read(['old'], world.now - 120_000));
  const c = world.bind();
  world.join(c);
  world.settle();
  assert.equal(world.client(c).heard, ['old']);
  assert.equal(world.client(a).heard, []);
});

test('what a store that was away says when it is back goes before what was heard, unless some is missing between', () => {
  const { world, a } = asked();
  world.input(read([], world.now));
  world.settle();
  const history = (): string[] => {
    const b = world.bind();
    world.join(b);
    world.settle();
    return world.client(b).heard;
  };
  world.input(read(['a'], world.now - 120_000, { isLate: true }));
  assert.equal(history(), ['a']);
  world.input(read(['x', 'y'], world.now - 120_000, { isLate: true }));
  assert.equal(history(), ['a'], 'nothing is in both');
  assert.equal(world.client(a).heard, []);
});

test('private messages that it has are given to those who are in, once, with the time of their coming', () => {
  const { world, a } = asked();
  world.input(read([], world.now));
  world.settle();
  const told = (session: SessionId) => world.client(session).told.filter(({ id }) => id === 'p');
  assert.is(told(a).length, 0);
  world.input(read([], world.now, { kept: ['p'], isLate: true }));
  world.settle();
  assert.is(told(a).length, 1);
  assert.ok(told(a)[0]?.root.child('delay'));
  const b = world.bind();
  world.join(b);
  world.settle();
  assert.is(told(b).length, 0);
});

test('of a room that nobody has joined all is taken up, however lately it was heard', () => {
  const world = new World({ settings: { keepsLogs: true } });
  const estate = {
    rooms: [{ key: ROOM as BareKey, name: ROOM, nick: 'alice', password: undefined }],
    lingerMs: 60_000,
  };
  world.input({ kind: 'arrive', arrival: { sessions: [], carriers: [], watched: [], known: [], estate } });
  world.input(read(['a', 'b'], world.now));
  const room = world.state.rooms.get(ROOM as BareKey);
  assert.ok(room);
  assert.equal(idsOf(room.log), ['a', 'b']);
});

test('what a lost home has heard last is told before the account comes back, and is not said again', () => {
  const { world, a } = asked();
  world.input(read([], world.now));
  world.settle();
  const room = world.state.rooms.get(ROOM as BareKey);
  assert.ok(room);
  room.log.add(say('known'), world.now);
  room.carrier = undefined;
  room.retryAt = world.now + 3000;
  const own = parseStanza(`<message type='groupchat' from='${ROOM}/alice' id='mine'><body>mine</body></message>`);
  const before = logOf(['old', 'known', 'new'], world.now);
  before.add(own, world.now);
  world.client(a).told.length = 0;
  const queued = parseStanza(`<message type='groupchat' to='${ROOM}' id='mine'><body>mine</body></message>`);
  world.input({ kind: 'session-stanza', session: a, stanza: queued, isUnsure: true });
  world.input({ kind: 'log-read', room: ROOM as BareKey, entries: before.entries(world.now), kept: [] });
  world.settle();
  const told = world.client(a).told.filter(({ name }) => name === 'message');
  assert.equal(
    told.map(({ id }) => id),
    ['new', 'mine'],
  );
  assert.equal(idsOf(room.log), ['old', 'known', 'new', 'mine']);
  assert.ok(room.carrier !== undefined);
  assert.equal(
    world.sent.filter(({ stanza }) => stanza.id === 'mine'),
    [],
  );
});

for (const isWhole of [true, false]) {
  test(`what a lost home may have sent is ${isWhole ? 'sent' : 'refused'} where the history of the room ${isWhole ? 'goes on from' : 'leaves a gap behind'} what is known`, () => {
    const { world, a } = asked();
    world.input(read([], world.now));
    const b = world.bind();
    world.join(b);
    world.settle();
    world.roomSays();
    world.settle();
    const room = world.state.rooms.get(ROOM as BareKey);
    assert.ok(room);
    if (!isWhole) {
      room.log = new StanzaLog(limits);
      room.log.add(say('long ago'), world.now);
    }
    room.retryAt = world.now + 3000;
    world.lose(world.client(a).carrier === room.carrier ? a : b);
    const left = world.sessions.has(a) ? a : b;
    const queued = parseStanza(`<message type='groupchat' to='${ROOM}' id='mine'><body>mine</body></message>`);
    world.input({ kind: 'session-stanza', session: left, stanza: queued, isUnsure: true });
    world.input(read([], world.now));
    world.settle();
    assert.is(world.sent.filter(({ stanza }) => stanza.id === 'mine').length, isWhole ? 1 : 0);
    const errors = world.client(left).told.filter(({ id, type }) => id === 'mine' && type === 'error');
    assert.is(errors.length, isWhole ? 0 : 1);
  });
}

test.run();
