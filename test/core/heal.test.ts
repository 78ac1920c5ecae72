/** Places that are lost without anybody's will, and taken again (L5). */
import { isTechnical } from '../../proxy/core/rules/heal.ts';
import type { SessionId, Settings } from '../../proxy/core/state.ts';
import { NS } from '../../proxy/xml/names.ts';
import { parseStanza, type Stanza } from '../../proxy/xml/stanza.ts';
import { assert, suite } from '../support/suite.ts';
import { ROOM, World } from './world.ts';

const test = suite('places that are taken again');

/** Two sessions in the room, carried by the first one's stream; what they were told of that is forgotten. */
function inside(settings: Partial<Settings> = {}): { world: World; a: SessionId; b: SessionId } {
  const world = new World({ settings });
  const [a, b] = [world.bind(), world.bind()];
  world.join(a);
  world.join(b);
  world.settle();
  for (const id of [a, b]) world.client(id).told.length = 0;
  return { world, a, b };
}

/** What happens within that time. */
function pass(world: World, ms: number): void {
  const end = world.now + ms;
  for (;;) {
    world.settle();
    const next = Math.min(...world.timers.values());
    if (next > end) break;
    world.fire();
  }
  world.now = end;
}

const joins = (world: World): number =>
  world.sent.filter(({ stanza }) => stanza.name === 'presence' && stanza.root.child('x', NS.muc)).length;

/** Codes of the own `unavailable` presences that a session was told. */
const ends = (world: World, id: SessionId): string[] =>
  world
    .client(id)
    .told.filter(({ name, type }) => name === 'presence' && type === 'unavailable')
    .map(({ root }) =>
      (root.child('x', NS.mucUser)?.children ?? [])
        .map((one) => one.attr('code') ?? '')
        .join(' ')
        .trim(),
    );

const told = (world: World, id: SessionId): string[] => world.client(id).told.map(({ name }: Stanza) => name);

test('what is nobody’s will, by what the room says', () => {
  const cases: [string, boolean][] = [
    ["<status code='110'/><status code='332'/>", true],
    ["<status code='110'/><status code='333'/>", true],
    ["<status code='110'/><status code='307'/><status code='333'/>", true],
    ["<status code='110'/>", true],
    ['', true],
    ["<status code='110'/><status code='307'/>", false],
    ["<status code='110'/><status code='301'/><status code='333'/>", false],
    ["<status code='110'/><status code='321'/>", false],
    ["<status code='110'/><status code='322'/>", false],
    ['<destroy/>', false],
    ["<destroy/><status code='332'/>", false],
  ];
  for (const [content, expected] of cases) {
    const xml = `<presence type='unavailable' from='${ROOM}/alice'><x xmlns='${NS.mucUser}'><item role='none'/>${content}</x></presence>`;
    assert.is(isTechnical(parseStanza(xml)), expected, content);
  }
});

test('an account that is thrown out comes back, and its sessions see what has changed only', () => {
  const { world, a, b } = inside();
  world.throwOut();
  world.room.other('bob', false);
  world.room.other('carol', true);
  const missed = world.roomSays();
  world.settle();
  world.say(b, 'meanwhile');
  for (const id of [a, b]) assert.equal(told(world, id), [], 'nothing is told before the account is back');
  pass(world, 1000);
  assert.is(world.room.inside.size, 1);
  assert.equal(world.room.said, ['meanwhile']);
  for (const id of [a, b]) {
    assert.equal(ends(world, id), [''], 'bob has gone');
    assert.equal(told(world, id), ['presence', 'presence', 'message', 'message']);
    assert.equal(world.client(id).heard, [missed, 'meanwhile']);
  }
});

test('a status and a nick change that the room has not shown before are stated again', () => {
  const { world, b } = inside();
  world.throwOut();
  world.send(b, `<presence to='${ROOM}/allie'/>`);
  world.settle();
  pass(world, 1000);
  assert.equal([...world.room.inside.values()], ['allie']);
});

test('with healing off a technical removal is told at once', () => {
  const { world, a, b } = inside({ healMs: 0 });
  world.throwOut();
  world.settle();
  for (const id of [a, b]) assert.equal(ends(world, id), ['110 333']);
  assert.is(joins(world), 1);
});

test('a room that is away is tried at growing intervals, and when its time is over the sessions are told, once', () => {
  const { world, a, b } = inside();
  world.throwOut();
  world.room.refusal = 'remote-server-not-found';
  pass(world, 290_000);
  for (const id of [a, b]) assert.equal(told(world, id), []);
  const tries = joins(world);
  assert.ok(tries > 8 && tries < 30, `${tries} tries`);
  pass(world, 60_000);
  for (const id of [a, b]) assert.equal(ends(world, id), ['110 333']);
  const last = joins(world);
  pass(world, 600_000);
  assert.is(joins(world), last);
});

test('a room that lets the account in no more is not asked again', () => {
  // What is forbidden is believed the second time.
  for (const [refusal, tries] of [
    ['registration-required', 1],
    ['forbidden', 2],
  ] as const) {
    const { world, a } = inside();
    world.throwOut();
    world.room.refusal = refusal;
    pass(world, 10_000);
    assert.equal(ends(world, a), ['110 333'], refusal);
    assert.is(joins(world), 1 + tries);
  }
});

test('a service that is just being started and forbids all for a moment has the account back, each time', () => {
  const { world, a, b } = inside();
  for (let round = 0; round < 2; round += 1) {
    world.throwOut();
    world.room.refusal = 'forbidden';
    const before = joins(world);
    world.settle();
    while (joins(world) === before && world.fire() !== undefined) world.settle();
    world.room.refusal = undefined;
    pass(world, 10_000);
  }
  for (const id of [a, b]) assert.equal([ends(world, id), world.client(id).place], [[], 'in']);
});

test('a room that throws the account out again and again does so for a bounded time', () => {
  const { world, a } = inside();
  for (let round = 0; round < 1000 && ends(world, a).length === 0; round += 1) {
    world.throwOut();
    pass(world, 1000);
  }
  assert.equal(ends(world, a), ['110 333']);
  assert.ok(joins(world) < 40, `${joins(world)} joins`);
});

test('one that has kept it for a while has time again', () => {
  const { world, a } = inside();
  for (let round = 0; round < 20; round += 1) {
    world.throwOut();
    pass(world, 120_000);
    assert.is(world.room.inside.size, 1);
  }
  assert.equal(told(world, a), []);
});

test('a kick that meets the way back is a kick', () => {
  const { world, a, b } = inside();
  world.throwOut();
  pass(world, 1000);
  world.kick();
  world.settle();
  for (const id of [a, b]) assert.equal(ends(world, id), ['110 307']);
  pass(world, 60_000);
  assert.is(world.room.inside.size, 0);
});

test('a room that has ended is not created anew behind the clients’ backs', () => {
  const { world, a, b } = inside();
  world.throwOut();
  world.room.isEnded = true;
  pass(world, 20_000);
  for (const id of [a, b]) assert.equal(ends(world, id), ['110 333']);
  assert.is(world.room.inside.size, 0);
});

test('a stream that has lost its place goes when its client goes, and another one brings the account back', () => {
  const { world, a, b } = inside();
  world.throwOut();
  world.settle();
  const { carrier } = world.client(a);
  world.drop(a);
  assert.is(world.state.carriers.has(carrier), false);
  pass(world, 1000);
  assert.equal([...world.room.inside.keys()], [world.client(b).jid]);
  assert.equal(ends(world, b), []);
});

test('the last session leaves while the account is out: nobody comes back', () => {
  const { world, a, b } = inside({ graceMs: 0 });
  world.throwOut();
  world.settle();
  for (const id of [a, b]) world.leave(id);
  pass(world, 60_000);
  assert.is(world.room.inside.size, 0);
  assert.is(world.state.rooms.size, 0);
});

test('accounts that are thrown out in one moment do not come back in one', () => {
  const { world } = inside();
  const due = new Set<number>();
  for (let number = 0; number < 50; number += 1) {
    const other = new World({ prefix: `m${number}-` });
    other.join(other.bind());
    other.settle();
    other.throwOut();
    other.settle();
    due.add(Math.round(((other.timers.get(`retry ${ROOM}`) ?? 0) - other.now) / 50));
  }
  assert.ok(due.size >= 6, `${due.size} different times`);
  assert.ok(Math.min(...due) >= 4 && Math.max(...due) <= 15);
  assert.is(world.timers.has(`retry ${ROOM}`), false);
});

test('a status that a room which has forgotten the account takes for a join shows sessions what has changed, and no more', () => {
  for (const isChanged of [false, true]) {
    const world = new World({ room: { knowsOld: true } });
    world.room.others.add('carol');
    const earlier = world.bind();
    world.input({ kind: 'session-presence', session: earlier, available: false, show: '', priority: 0 });
    const [a, b] = [world.bind(), world.bind()];
    for (const one of [a, b]) world.join(one);
    world.settle();
    world.send(b, `<presence to='${ROOM}/alice'><show>xa</show></presence>`);
    world.settle();
    // The stream that came first would be the choice now.
    world.input({ kind: 'session-presence', session: earlier, available: true, show: '', priority: 0 });
    const before = world.roomSays();
    world.settle();
    world.room.forget();
    if (isChanged) {
      world.room.others.delete('carol');
      world.room.others.add('dave');
      world.roomSays();
    }
    world.now += 60_000;
    for (const id of [a, b]) world.client(id).told.length = 0;
    world.send(a, `<presence id='away' to='${ROOM}/alice'><show>away</show></presence>`);
    world.settle();
    assert.is(world.sent.filter(({ stanza }) => stanza.id === 'away').length > 0, true, 'it goes to the room');
    const others = (id: SessionId): string[] =>
      world
        .client(id)
        .told.filter(({ name, from }) => name === 'presence' && from !== `${ROOM}/alice`)
        .map(({ from = '', type = '' }) => `${from.slice(ROOM.length + 1)} ${type}`.trim());
    for (const id of [a, b]) {
      assert.equal(others(id), isChanged ? ['carol unavailable', 'dave'] : [], `${isChanged}`);
      assert.equal(world.client(id).heard, isChanged ? [before, '2'] : [before]);
      assert.is(world.client(id).told.filter(({ root }) => root.child('subject')).length, 0, 'subject');
      assert.equal(
        ends(world, id).filter((codes) => codes.includes('110')),
        [],
      );
      assert.is(world.client(id).place, 'in');
    }
    const [seen] = world.client(a).told.filter(({ id }) => id === 'away');
    assert.ok(seen, 'the asker sees its status');
    world.speak(a);
    const said = world.roomSays();
    world.settle();
    assert.is(world.client(a).spoken.size, 0);
    for (const id of [a, b]) assert.is(world.client(id).heard.filter((body) => body === said).length, 1);
    assert.is(world.room.inside.size, 1);
  }
});

test('a service that repeats all that it shows to each status is joined again once in a while only', () => {
  const world = new World({ room: { knowsOld: true } });
  const a = world.bind();
  world.join(a);
  world.settle();
  for (const show of ['xa', 'away', 'dnd', 'xa']) {
    world.room.forget();
    world.now += 6000;
    world.send(a, `<presence to='${ROOM}/alice'><show>${show}</show></presence>`);
    world.settle();
  }
  assert.is(joins(world), 2);
  assert.is(world.client(a).place, 'in');
  assert.is(world.room.inside.size, 1);
  world.speak(a);
  world.settle();
  assert.is(world.client(a).spoken.size, 0);
});

test('an occupant who shows the same again while nothing is on its way is shown again', () => {
  const { world, a } = inside();
  const item = "<item affiliation='owner' role='moderator'/>";
  world.arrives(
    world.client(a).carrier,
    `<presence from='${ROOM}/bob' to='x'><x xmlns='${NS.mucUser}'>${item}</x></presence>`,
  );
  assert.equal(told(world, a), ['presence']);
  assert.is(joins(world), 1);
});

test('a status that a room has refused for not knowing the account is shown there when the account is back', () => {
  const { world, a, b } = inside();
  world.send(b, `<presence to='${ROOM}/alice'><show>xa</show></presence>`);
  pass(world, 60_000);
  world.room.forget();
  world.send(a, `<presence id='away' to='${ROOM}/alice'><show>chat</show></presence>`);
  const before = world.sent.length;
  pass(world, 15_000);
  const shows = world.sent
    .slice(before)
    .filter(({ stanza }) => stanza.name === 'presence')
    .map(({ stanza }) => stanza.root.child('show')?.text());
  assert.equal(shows, [undefined, 'chat']);
  assert.ok(world.client(a).told.some(({ id, type }) => id === 'away' && type === undefined));
});

test('a nick change that crosses the end of the place, and that the room takes for a join, leaves no stream behind', () => {
  for (const end of ['throw-out', 'kick'] as const) {
    const world = new World({ room: { knowsOld: true } });
    const [a, b] = [world.bind(), world.bind()];
    for (const one of [a, b]) world.join(one);
    world.settle();
    world.rename(a, 'nick0');
    if (end === 'throw-out') world.throwOut();
    world.input({ kind: 'credentials', known: true });
    world.accountStream(true);
    if (end === 'kick') world.kick();
    pass(world, 15_000);
    assert.is(world.room.inside.size, end === 'kick' ? 0 : 1, end);
    for (const id of [a, b]) assert.is(world.client(id).place, end === 'kick' ? 'out' : 'in', end);
  }
});

test.run();
