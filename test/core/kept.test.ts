/** Private messages that came while nobody was in the room (M6), and a place there that ends: the account's next session has them, once. */
import type { LogEntry } from '../../proxy/core/log-entry.ts';
import type { SessionId } from '../../proxy/core/state.ts';
import type { BareKey } from '../../proxy/xml/address.ts';
import { USUAL_DECLARATIONS } from '../../proxy/xml/declarations.ts';
import { assert, suite } from '../support/suite.ts';
import { ROOM, World } from './world.ts';

const test = suite('kept private messages of a room that ends');

const pm = (id: string): string =>
  `<message type='chat' from='${ROOM}/bob' id='${id}'><body>psst ${id}</body></message>`;

/** The account is in the room through that session's stream, or its own, with nobody to hear it; one private message has come. */
function alone({ keepsLogs = false, stream = 'account', settings = {} }: Options = {}): { world: World; a: SessionId } {
  const world = new World({ settings: { keepsLogs, ...settings } });
  const a = world.bind();
  if (stream === 'account') {
    world.input({ kind: 'credentials', known: true });
    world.join(a);
    world.accountStream(true);
  } else world.join(a);
  if (keepsLogs) world.input({ kind: 'log-read', room: ROOM as BareKey, entries: [], kept: [] });
  world.settle();
  if (keepsLogs) world.input({ kind: 'log-read', room: ROOM as BareKey, entries: [], kept: [] });
  if (keepsLogs) world.input({ kind: 'letters-read', letters: [] });
  assert.is(world.client(a).place, 'in');
  world.leave(a);
  world.settle();
  const carrier = world.state.rooms.get(ROOM as BareKey)?.carrier;
  assert.ok(carrier);
  world.arrives(carrier, pm('p'));
  return { world, a };
}

interface Options {
  readonly keepsLogs?: boolean;
  readonly stream?: 'account' | 'own';
  readonly settings?: { readonly graceMs?: number; readonly lingerMs?: number };
}

/** How often the sessions of the account are given the message from now on, with one that comes and joins. */
function timesGiven(world: World): number {
  const next = world.bind();
  world.join(next);
  world.accountStream(true);
  for (let round = 0; round < 5 && world.client(next).place !== 'in'; round += 1) {
    world.settle();
    world.input({ kind: 'log-read', room: ROOM as BareKey, entries: [], kept: [] });
    if (world.client(next).place !== 'in') world.fire();
  }
  assert.is(world.client(next).place, 'in');
  const told = [...world.sessions.values()].flatMap((one) => one.told);
  return told.filter(({ id }) => id === 'p').length;
}

const fireUntilOut = (world: World): void => {
  while (world.room.inside.size > 0 && world.fire()) world.settle();
  world.settle();
};

const ends: Record<string, { readonly stream?: 'own'; readonly end: (world: World, a: SessionId) => void }> = {
  'the grace is over': { end: (world) => fireUntilOut(world) },
  'a kick': { end: (world) => world.kick() },
  'its last device logs out, and linger passes': {
    end: (world, a) => {
      world.drop(a);
      fireUntilOut(world);
    },
  },
  'the only stream goes, and nobody can take the room over': { stream: 'own', end: (world, a) => world.drop(a) },
  'the only stream is lost': { stream: 'own', end: (world, a) => world.lose(a) },
  'the server takes the password no more': {
    end: (world, a) => {
      world.drop(a);
      world.loseAccountStream();
      while (!world.isOpening) assert.ok(world.fire());
      world.accountStream(false, true);
    },
  },
};

for (const [what, { stream = 'account', end }] of Object.entries(ends)) {
  for (const keepsLogs of [false, true]) {
    test(`${what}${keepsLogs ? ', with a store' : ''}: the next session is given them, once`, () => {
      const { world, a } = alone({ keepsLogs, stream });
      end(world, a);
      world.settle();
      assert.is(timesGiven(world), 1);
      assert.is(world.state.kept.length, 0);
    });
  }
}

test('the home stops: the store has them for the next home, and nobody twice', () => {
  for (const keepsLogs of [true, false]) {
    const { world, a } = alone({ keepsLogs, stream: 'own' });
    world.state.isStopping = true;
    world.drop(a);
    world.settle();
    assert.is(world.state.kept.length, keepsLogs ? 0 : 1);
  }
});

test('who waits to be let in anew is given them with the join', () => {
  const { world, a } = alone();
  world.join(a, 'other');
  world.settle();
  assert.is(world.client(a).place, 'in');
  assert.is(world.client(a).told.filter(({ id }) => id === 'p').length, 1);
  assert.is(world.state.kept.length, 0);
});

test('what the store says of them when a device is in the room already is for that one', () => {
  const { world } = alone({ keepsLogs: true });
  const next = world.bind();
  world.join(next);
  world.settle();
  const text = Buffer.from(pm('q'));
  const stored: LogEntry = { text, source: USUAL_DECLARATIONS, at: world.now, heardAt: world.now, delayed: false };
  world.input({ kind: 'log-read', room: ROOM as BareKey, entries: [], kept: [stored] });
  world.settle();
  const told = world.client(next).told.filter(({ from }) => from === `${ROOM}/bob`);
  assert.equal(
    told.filter(({ name }) => name === 'message').map(({ id }) => id),
    ['p', 'q'],
  );
  assert.is(world.state.rooms.get(ROOM as BareKey)?.kept.length, 0);
});

test('a room that does not let it in anew: the next session is given what came here, the store keeps what it has', () => {
  const { world, a } = alone({ keepsLogs: true });
  world.room.refusal = 'forbidden';
  world.join(a, 'other');
  const stored: LogEntry = {
    text: Buffer.from(pm('q')),
    source: USUAL_DECLARATIONS,
    at: 1,
    heardAt: 1,
    delayed: false,
  };
  world.arrive(true);
  world.arrive(false);
  world.input({ kind: 'log-read', room: ROOM as BareKey, entries: [], kept: [stored] });
  world.settle();
  assert.is(world.client(a).place, 'out');
  assert.equal(
    world.state.kept.map(({ stanza }) => stanza.id),
    ['p'],
  );
});

test.run();
