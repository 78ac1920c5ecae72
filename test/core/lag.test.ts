/** What a device has missed: sessions that hibernate for long, and devices that come back without a resumption. */
import type { Effect } from '../../proxy/core/effects.ts';
import { passageOf, unfinishedOf } from '../../proxy/core/passage.ts';
import type { Cursor, SessionId } from '../../proxy/core/state.ts';
import type { BareKey } from '../../proxy/xml/address.ts';
import { assert, suite } from '../support/suite.ts';
import { ROOM, World } from './world.ts';

const test = suite('what a device has missed', { limitMs: 60_000 });
const key = ROOM as BareKey;

/** The account is in the room by its own stream; both sessions have joined. */
function twoInside(settings = {}): { world: World; a: SessionId; b: SessionId } {
  const world = new World({ settings });
  const [a, b] = [world.bind('phone'), world.bind('desk')];
  world.input({ kind: 'credentials', known: true });
  world.join(a);
  world.join(b);
  world.accountStream(true);
  world.settle();
  return { world, a, b };
}

function say(world: World, count: number): string[] {
  const said: string[] = [];
  for (let index = 0; index < count; index += 1) {
    said.push(world.roomSays());
    world.settle();
  }
  return said;
}

function lag(world: World, session: SessionId): void {
  world.input({ kind: 'session-hibernates', session, isDeaf: false });
  world.input({ kind: 'session-lags', session });
}

test('a session that lags is told nothing while it sleeps, and all of it in order when it is resumed', () => {
  const { world, a, b } = twoInside();
  const before = say(world, 2);
  lag(world, a);
  const told = world.client(a).told.length;
  const missed = say(world, 5);
  assert.is(world.client(a).told.length, told);
  world.input({ kind: 'session-awakes', session: a });
  const after = say(world, 1);
  assert.equal(world.client(a).heard, [...before, ...missed, ...after]);
  assert.equal(world.client(b).heard, [...before, ...missed, ...after]);
});

test('who came and went while a session lagged is told as a difference', () => {
  const { world, a } = twoInside();
  const carrier = [...world.state.carriers.values()].find(({ kind }) => kind === 'account-stream');
  assert.ok(carrier);
  const presence = (nick: string, type = ''): void =>
    world.arrives(
      carrier.id,
      `<presence from='${ROOM}/${nick}' to='${carrier.jid}'${type}><x xmlns='http://jabber.org/protocol/muc#user'>` +
        `<item affiliation='none' role='${type === '' ? 'participant' : 'none'}'/></x></presence>`,
    );
  presence('stays');
  presence('goes');
  lag(world, a);
  const told = world.client(a).told.length;
  presence('goes', " type='unavailable'");
  presence('comes');
  presence('passes');
  presence('passes', " type='unavailable'");
  assert.is(world.client(a).told.length, told);
  world.input({ kind: 'session-awakes', session: a });
  const seen = world
    .client(a)
    .told.slice(told)
    .filter(({ name }) => name === 'presence');
  assert.equal(
    seen.map(({ from, type }) => [from, type]),
    [
      [`${ROOM}/goes`, 'unavailable'],
      [`${ROOM}/comes`, undefined],
    ],
  );
});

test('a session whose log has lost something cannot be resumed without a loss, and that is known', () => {
  const { world, a } = twoInside({ historyStanzas: 3 });
  lag(world, a);
  const isBehind = (): boolean => world.counted.some((one) => one.kind === 'session-behind' && one.session === a);
  say(world, 3);
  assert.is(isBehind(), false);
  say(world, 1);
  assert.is(isBehind(), true);
});

test('a kick reaches a session that lags behind all that was said before', () => {
  const { world, a } = twoInside();
  lag(world, a);
  const missed = say(world, 2);
  world.kick();
  world.settle();
  assert.equal([world.client(a).place, world.client(a).heard], ['out', missed]);
  const last = world.client(a).told.at(-1);
  assert.is(last?.type, 'unavailable');
});

function cursorsOf(world: World): ReadonlyMap<BareKey, Cursor> {
  const noted = world.counted.filter(
    (one): one is Extract<Effect, { kind: 'store-cursors' }> => one.kind === 'store-cursors',
  );
  const last = noted.at(-1);
  assert.ok(last);
  return last.cursors;
}

test('a device that comes back gets all that it had not acknowledged, however much, and no less than is usual', () => {
  for (const [unseen, missed, expected] of [
    [2, 30, 32],
    [0, 30, 30],
    [0, 3, 20],
    [25, 0, 25],
  ] as const) {
    const { world, a } = twoInside();
    say(world, 30);
    const { told } = world.client(a);
    const messages = told.filter(({ type }) => type === 'groupchat');
    world.sessions.delete(a);
    world.input({ kind: 'session-gone', session: a, unseen: messages.slice(messages.length - unseen) });
    const cursors = cursorsOf(world);
    assert.is(cursors.has(key), true);
    say(world, missed);
    const again = world.bind('phone');
    world.input({ kind: 'session-cursors', session: again, cursors });
    world.join(again);
    world.settle();
    assert.is(world.client(again).heard.length, expected, `${unseen} not acknowledged, ${missed} said since`);
    // Once: a further join is like any other.
    world.join(again);
    world.settle();
    assert.is(world.client(again).heard.length, 20);
  }
});

/** The phone comes back, and joins, while its earlier session is told to go at another node. */
function twice(unseen: number): { world: World; old: SessionId; again: SessionId; gone(): void } {
  const world = new World();
  world.input({ kind: 'credentials', known: true });
  const [old, desk] = [world.bind('phone', 'phone'), world.bind('desk')];
  world.accountStream(true);
  for (const one of [old, desk]) world.join(one);
  world.settle();
  say(world, 30);
  const messages = world.client(old).told.filter(({ type }) => type === 'groupchat');
  const again = world.bind('phone', 'phone');
  world.join(again);
  world.say(again, 'behind');
  world.settle();
  const gone = (): void => {
    world.sessions.delete(old);
    world.input({ kind: 'session-gone', session: old, unseen: messages.slice(messages.length - unseen) });
    world.settle();
  };
  return { world, old, again, gone };
}

test('a device that comes back before its earlier session has ended elsewhere is answered when that one has', () => {
  const { world, again, gone } = twice(25);
  assert.equal(world.client(again).told, []);
  gone();
  assert.is(world.client(again).heard.length, 26);
  assert.is(world.client(again).heard.at(-1), 'behind');
  assert.is([...world.timers.keys()].filter((name) => name.startsWith('ghost')).length, 0);
  // What the store knew when it bound is older.
  const later = twice(25);
  const cursors = new Map([[key, { key: '', at: 0 }]]);
  later.world.input({ kind: 'session-cursors', session: later.again, cursors });
  later.gone();
  assert.is(later.world.client(later.again).heard.length, 26);
});

test('an earlier session that does not end is waited for a short time', () => {
  const { world, again } = twice(25);
  world.now += 2000;
  world.input({ kind: 'timer', key: `ghost ${again}` });
  world.settle();
  assert.is(world.client(again).heard.length, 21);
});

test('what waits for an earlier session is said when its own client goes, and goes along when it goes elsewhere', () => {
  const { world, old, again } = twice(25);
  const asked = unfinishedOf(world.state, again).asked.map(({ name }) => name);
  assert.equal(asked, ['presence', 'message']);
  assert.is(passageOf(world.state, again, unfinishedOf(world.state, again))?.session.held, undefined);
  world.sessions.delete(again);
  world.input({ kind: 'session-gone', session: again, unseen: [] });
  world.settle();
  assert.is(world.client(old).heard.at(-1), 'behind');
  assert.is(world.state.sessions.has(again), false);
});

test('a wish of the device itself counts more than what it has missed', () => {
  const { world, a } = twoInside();
  world.sessions.delete(a);
  world.input({ kind: 'session-gone', session: a, unseen: [] });
  const cursors = cursorsOf(world);
  say(world, 30);
  const again = world.bind('phone');
  world.input({ kind: 'session-cursors', session: again, cursors });
  world.join(again, 'alice', "<history maxstanzas='1'/>");
  world.settle();
  assert.is(world.client(again).heard.length, 1);
});

test('nothing is noted of a client that acknowledges nothing, nor of one that has no name for its device', () => {
  for (const [device, unseen] of [
    ['phone', undefined],
    [undefined, []],
  ] as const) {
    const world = new World();
    const session = world.bind(device);
    world.join(session);
    world.settle();
    world.sessions.delete(session);
    world.input({ kind: 'session-gone', session, unseen });
    assert.equal(
      world.counted.filter(({ kind }) => kind === 'store-cursors'),
      [],
    );
  }
});

test('the account asks the room for all that it gives when the device that makes it join has missed something', () => {
  const world = new World();
  const session = world.bind('phone');
  world.input({ kind: 'session-cursors', session, cursors: new Map([[key, { key: 's b1', at: world.now }]]) });
  world.join(session);
  const join = world.sent.find(({ stanza }) => stanza.name === 'presence')?.stanza;
  const history = join?.root.children[0]?.child('history');
  assert.is(history?.attr('maxstanzas'), '500');
});

test.run();
