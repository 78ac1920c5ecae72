import process from 'node:process';
import fc from 'fast-check';
import type { CarrierId } from '../../proxy/core/state.ts';
import type { BareKey } from '../../proxy/xml/address.ts';
import { USUAL_DECLARATIONS } from '../../proxy/xml/declarations.ts';
import { parseStanza } from '../../proxy/xml/stanza.ts';
import { assert, suite } from '../support/suite.ts';
import { BARE, ROOM, World } from './world.ts';

const test = suite('parked streams', { limitMs: 60_000 });
const seed = Number(process.env.SEED ?? 20261127);

/** A session that is alone in the room. */
function alone(world = new World()): { world: World; desk: ReturnType<World['bind']> } {
  const desk = world.bind();
  world.join(desk);
  world.settle();
  return { world, desk };
}

function parked({ state }: World): number {
  return [...state.carriers.values()].filter(({ isParked }) => isParked).length;
}

test('a parked stream stays in the room, and the next session takes it over unseen', () => {
  const { world, desk } = alone();
  world.park(desk);
  const said = world.roomSays();
  world.settle();
  assert.is(parked(world), 1);
  const next = world.bind();
  world.join(next);
  world.settle();
  assert.is(parked(world), 0);
  assert.equal(world.client(next).heard, [said]);
  assert.is(world.room.witnessed, '+');
  assert.is(world.room.inside.size, 1);
});

test('a session that is gone again before it has taken the rooms over is parked, and the earlier stream ends', () => {
  const { world, desk } = alone();
  world.park(desk);
  const next = world.bind();
  world.arrive(true);
  world.park(next);
  world.settle();
  assert.is(parked(world), 1);
  assert.is(world.state.carriers.size, 1);
  assert.is(world.room.witnessed, '+');
});

test('no stream is parked for a session that is in no room, with linger 0, nor for one that the server pushes for', () => {
  const idle = new World();
  idle.park(idle.bind());
  assert.is(idle.state.carriers.size, 0);
  const { world: brief, desk } = alone(new World({ settings: { lingerMs: 0 } }));
  brief.park(desk);
  brief.settle();
  assert.is(brief.room.inside.size, 0);
  const { world, desk: phone } = alone();
  world.input({ kind: 'session-push', session: phone, enabled: true });
  world.park(phone);
  world.settle();
  assert.is(parked(world), 0);
  assert.is(world.room.inside.size, 0);
});

test('a stream whose session sleeps goes on when it may be parked, and its session hears the room', () => {
  const { world, desk } = alone();
  world.input({ kind: 'session-hibernates', session: desk, isDeaf: false, mayPark: true });
  const said = world.roomSays();
  world.settle();
  assert.equal(world.client(desk).heard, [said]);
  assert.not.ok(world.counted.some(({ kind }) => kind === 'suspend-carrier'));
  world.park(desk);
  world.settle();
  assert.is(parked(world), 1);
  assert.is(world.room.witnessed, '+');
});

test("one that the server may push for, or that somebody else can stand in for, is the server's to keep", () => {
  const suspended = ({ counted }: World): number => counted.filter(({ kind }) => kind === 'suspend-carrier').length;
  const { world: pushed, desk: phone } = alone();
  pushed.input({ kind: 'session-push', session: phone, enabled: true });
  pushed.input({ kind: 'session-hibernates', session: phone, isDeaf: false, mayPark: true });
  assert.is(suspended(pushed), 1);

  const { world, desk } = alone();
  world.input({ kind: 'session-hibernates', session: desk, isDeaf: false, mayPark: true });
  world.settle();
  const next = world.bind();
  world.settle();
  assert.is(suspended(world), 1);
  const said = world.roomSays();
  world.settle();
  // It has joined, and the room comes by the other one's stream.
  assert.equal([world.client(desk).heard, world.client(next).heard], [[said], []]);
  assert.is(world.room.witnessed, '+');
});

test('private messages that waited for somebody in a room are given to the next session when the parked stream is lost', () => {
  const { world, desk } = alone();
  const { carrier } = world.client(desk);
  world.park(desk);
  world.settle();
  const words = `<body>psst</body><x xmlns='http://jabber.org/protocol/muc#user'/>`;
  world.arrives(carrier, `<message type='chat' from='${ROOM}/bob' to='${BARE}/r1' id='psst'>${words}</message>`);
  world.loseHeld();
  world.settle();
  const next = world.bind();
  world.settle();
  assert.equal(
    world.client(next).told.map(({ id }) => id),
    ['psst'],
  );
});

test('a parked stream that is lost takes the account out of its rooms, and nothing is left', () => {
  const { world, desk } = alone();
  world.park(desk);
  world.settle();
  world.loseHeld();
  world.settle();
  assert.is(world.room.witnessed, '+-');
  assert.is(world.state.rooms.size + world.state.carriers.size, 0);
  assert.ok(world.isIdle);
});

test('a room that refuses the next session stays on the parked stream, that session is in it, and it is tried again', () => {
  const { world, desk } = alone();
  world.park(desk);
  world.room.refusal = 'resource-constraint';
  const next = world.bind();
  world.join(next);
  world.settle();
  assert.equal([parked(world), world.client(next).place, world.room.witnessed], [1, 'in', '+']);
  world.room.refusal = undefined;
  const before = world.now;
  while (world.fire('silence') !== `offer ${ROOM}`);
  assert.is(Math.round((world.now - before) / 1000), 60);
  world.settle();
  assert.equal([parked(world), world.client(next).place, world.room.witnessed], [0, 'in', '+']);
  const said = world.roomSays();
  world.settle();
  assert.equal(world.client(next).heard, [said]);
});

test('a room that does not answer the next session stays on the parked stream, and is taken over by the one after', () => {
  const { world, desk } = alone();
  world.park(desk);
  world.settle();
  const next = world.bind();
  while (world.fire('silence') !== `move ${ROOM}`);
  assert.is(parked(world), 1);
  const last = world.bind();
  world.settle();
  assert.equal([parked(world), world.room.inside.get(world.client(last).jid)], [0, 'alice']);
  world.park(next);
  world.settle();
  assert.equal([parked(world), world.room.witnessed], [0, '+']);
});

test('a nick that is refused to any other stream is kept by the parked one, where the service lets others share theirs', () => {
  for (const isOld of [true, false]) {
    const { world, desk } = alone(new World({ isShared: false }));
    if (!isOld) world.state.services.noteNickShared('muc.test', world.now);
    world.park(desk);
    const next = world.bind();
    world.join(next);
    world.settle();
    assert.equal([parked(world), world.client(next).place], [isOld ? 0 : 1, 'in']);
    assert.is(world.room.witnessed, isOld ? '+-+' : '+');
  }
});

/** Not with a sibling that its room has to be handed over to, and could refuse. */
function isParkedAlone({ state, sessions }: World, id: ReturnType<World['bind']>): boolean {
  const { carrier } = sessions.get(id) ?? {};
  return sessions.size === 1 || [...state.rooms.values()].every((room) => room.carrier !== carrier);
}

test('whatever a room refuses or leaves unanswered, an account whose devices only drop stays in it', () => {
  const event = fc.tuple(
    fc.constantFrom('bind', 'join', 'join', 'park', 'park', 'refuse', 'arrive', 'arrive', 'arrive', 'settle', 'fire'),
    fc.nat(9),
  );
  fc.assert(
    fc.property(fc.array(event, { maxLength: 60 }), (events) => {
      const { world } = alone(new World({ settings: { lingerMs: Number.POSITIVE_INFINITY } }));
      for (const [what, number] of events) {
        const ids = [...world.sessions.keys()];
        const id = ids[number % Math.max(1, ids.length)];
        if (what === 'bind' && ids.length < 4) world.bind();
        else if (what === 'refuse') world.room.refusal = number % 2 === 0 ? 'resource-constraint' : undefined;
        else if (what === 'arrive') world.arrive(number % 2 === 0, number >> 1);
        else if (what === 'settle') world.settle();
        else if (what === 'fire') world.fire('silence');
        else if (id !== undefined && what === 'join') world.join(id);
        else if (id !== undefined && what === 'park' && isParkedAlone(world, id)) world.park(id);
        assert.is(world.room.witnessed, '+');
      }
      world.room.refusal = undefined;
      for (let round = 0; round < 40; round += 1) {
        world.settle();
        world.fire('silence');
      }
      assert.is(world.room.witnessed, '+');
      assert.is(world.room.inside.size, 1);
      assert.ok(world.sessions.size > 0 || parked(world) === 1);
    }),
    { numRuns: 2000, seed },
  );
});

test('a parked stream that is lost, or not kept, leaves rooms to which an account stream comes back when it is opened again', () => {
  for (const way of ['parked', 'dropped', 'lost'] as const) {
    const world = new World();
    const desk = world.bind();
    world.input({ kind: 'credentials', known: true });
    world.join(desk);
    for (let time = 0; time < 2; time += 1) {
      world.accountStream(false);
      if (time === 0) assert.is(world.fire(), 'reopen');
    }
    world.settle();
    if (way === 'lost') world.lose(desk);
    else if (way === 'dropped') world.drop(desk);
    else {
      world.park(desk);
      world.settle();
      assert.is(parked(world), 1);
      world.loseHeld();
    }
    world.settle();
    assert.is(world.room.witnessed, '+-', way);
    while (world.fire('silence') !== 'reopen');
    world.accountStream(true);
    world.settle();
    assert.is(world.room.witnessed, '+-+', way);
    assert.ok(world.timers.has('linger'));
  }
});

const receipt = `<received xmlns='urn:xmpp:receipts' id='earlier'/>`;

/** Somebody writes to the full JID of a stream. */
function written(world: World, carrier: CarrierId, id: string, content = `<body>${id}</body>`): void {
  world.arrives(carrier, `<message type='chat' from='bob@test/x' to='${BARE}/r1' id='${id}'>${content}</message>`);
}

test('when no more letters can be kept receipts make way, and then who writes learns that nobody gets it: nothing is lost in silence', () => {
  const { world, desk } = alone();
  const { carrier } = world.client(desk);
  world.park(desk);
  world.settle();
  const start = world.sent.length;
  for (const id of ['r1', 'r2']) written(world, carrier, id, receipt);
  for (let count = 1; count <= 102; count += 1) written(world, carrier, `m${count}`);
  const full = world.counted.filter((effect) => effect.kind === 'drop' && effect.reason === 'letters-full');
  assert.is(full.length, 2);
  const errors = world.sent.slice(start).map(({ stanza }) => `${stanza.to} ${stanza.type} ${stanza.id}`);
  assert.equal(errors, ['bob@test/x error m101', 'bob@test/x error m102']);
  const next = world.bind();
  const kept = world.client(next).told.filter(({ from }) => from === 'bob@test/x');
  assert.equal([kept.length, kept[0]?.id, kept.at(-1)?.id], [100, 'm1', 'm100']);
});

test('a letter that can never be kept pushes out no receipt, and no receipt a letter', () => {
  const { world, desk } = alone();
  const { carrier } = world.client(desk);
  world.park(desk);
  world.settle();
  written(world, carrier, 'r1', receipt);
  written(world, carrier, 'large', `<body>${'x'.repeat(300_000)}</body>`);
  for (let count = 1; count <= 100; count += 1) written(world, carrier, `m${count}`);
  written(world, carrier, 'r2', receipt);
  const told = world.client(world.bind()).told.map(({ id }) => id);
  assert.equal([told.length, told[0], told.at(-1)], [100, 'm1', 'm100']);
  const errors = world.sent.filter(({ stanza }) => stanza.type === 'error').map(({ stanza }) => stanza.id);
  assert.equal(errors, ['large']);
});

test('private messages that outlast their room push out no letter, and are not given back to the room', () => {
  const { world, desk } = alone();
  const { carrier } = world.client(desk);
  world.park(desk);
  world.settle();
  for (let count = 1; count <= 100; count += 1) written(world, carrier, `m${count}`);
  const words = `<body>psst</body><x xmlns='http://jabber.org/protocol/muc#user'/>`;
  world.arrives(carrier, `<message type='chat' from='${ROOM}/bob' to='${BARE}/r1' id='psst'>${words}</message>`);
  world.loseHeld();
  world.settle();
  const told = world.client(world.bind()).told.map(({ id }) => id);
  assert.equal([told.length, told.includes('psst')], [100, false]);
});

test('what the client of a parked stream has not acknowledged is given to the next session, and what was asked is refused', () => {
  const { world, desk } = alone();
  const { carrier } = world.client(desk);
  world.park(desk);
  world.settle();
  const start = world.sent.length;
  const psst = `<body>psst</body><x xmlns='http://jabber.org/protocol/muc#user'/>`;
  const stanzas = [
    `<message type='chat' from='bob@test/x' id='one'><body>one</body></message>`,
    `<message type='chat' from='bob@test/x' id='two'>${receipt}</message>`,
    `<message type='chat' from='bob@test/x' id='three'><composing xmlns='http://jabber.org/protocol/chatstates'/></message>`,
    `<message type='chat' from='${ROOM}/bob' id='psst'>${psst}</message>`,
    `<iq type='get' from='bob@test/x' id='asked'><query xmlns='jabber:iq:version'/></iq>`,
  ].map((text) => parseStanza(text));
  world.input({ kind: 'parked-undelivered', carrier, stanzas });
  assert.equal(
    world.sent.slice(start).map(({ stanza }) => `${stanza.type} ${stanza.id}`),
    ['error asked'],
  );
  const next = world.bind();
  assert.equal(
    world.client(next).told.map(({ id }) => id),
    ['one', 'two'],
  );
  world.join(next);
  world.settle();
  assert.is(world.client(next).told.filter(({ id }) => id === 'psst').length, 1);
});

test('letters lie in the store until they are given to somebody, and a home that begins asks for them once', () => {
  const { world, desk } = alone(new World({ settings: { keepsLogs: true } }));
  const { carrier } = world.client(desk);
  const count = (kind: string): number => world.counted.filter((effect) => effect.kind === kind).length;
  assert.is(count('read-letters'), 1);
  world.input({ kind: 'log-read', room: ROOM as BareKey, entries: [], kept: [] });
  world.settle();
  world.park(desk);
  world.settle();
  written(world, carrier, 'one');
  assert.is(count('store-letters'), 1);
  const next = world.bind();
  assert.equal([count('store-letters'), count('read-letters')], [2, 1]);
  const text = Buffer.from(`<message type='chat' from='bob@test/x' id='before'><body>before</body></message>`);
  const letter = { text, source: USUAL_DECLARATIONS, at: 0, heardAt: 0, delayed: false };
  world.input({ kind: 'letters-read', letters: [letter] });
  const { told } = world.client(next);
  assert.equal(
    told.map(({ id }) => id),
    ['one', 'before'],
  );
  assert.match(told[1]?.root.child('delay')?.attr('stamp') ?? '', /^1970/);
  assert.is(count('store-letters'), 4);
  world.input({ kind: 'record' });
  assert.is(count('store-letters'), 4);
});

test('a home that has more to keep before anybody comes asks for what is there first, and writes both', () => {
  const { world, desk } = alone(new World({ settings: { keepsLogs: true } }));
  world.input({ kind: 'log-read', room: ROOM as BareKey, entries: [], kept: [] });
  world.settle();
  const { carrier } = world.client(desk);
  world.park(desk);
  world.settle();
  // As with a stream that comes to another home.
  world.state.letters = 'unasked';
  const start = world.counted.length;
  written(world, carrier, 'two');
  const text = Buffer.from(`<message type='chat' from='bob@test/x' id='one'><body>before</body></message>`);
  const letter = { text, source: USUAL_DECLARATIONS, at: 0, heardAt: 0, delayed: false };
  world.input({ kind: 'letters-read', letters: [letter] });
  world.input({ kind: 'record' });
  const kinds = world.counted.slice(start).map(({ kind }) => kind);
  assert.equal(
    kinds.filter((kind) => kind.endsWith('-letters')),
    ['store-letters', 'read-letters', 'store-letters', 'store-letters'],
  );
  assert.equal(
    world.client(world.bind()).told.map(({ id }) => id),
    ['one', 'two'],
  );
});

test.run();
