/** How long an account stays when its last session has left a room, and what is no rejoin (core/rules/grace.ts). */
import { Effects } from '../../proxy/core/effects.ts';
import { createOccupancy, noteOccupant } from '../../proxy/core/occupancy.ts';
import { graceOf, mayEnd, noteLasting } from '../../proxy/core/rules/grace.ts';
import { NS } from '../../proxy/xml/names.ts';
import { parseStanza } from '../../proxy/xml/stanza.ts';
import { assert, suite } from '../support/suite.ts';
import { ROOM, World } from './world.ts';

const test = suite('the grace');

const info = (...features: string[]) =>
  parseStanza(
    `<iq type='result' from='${ROOM}'><query xmlns='${NS.discoInfo}'>${features.map((one) => `<feature var='${one}'/>`).join('')}</query></iq>`,
  );

test('there is none in a temporary room in which the account is alone, as far as is known', () => {
  const cases: [features: string[], others: string[], hasGrace: boolean, mayEnd: boolean][] = [
    [['muc_temporary'], [], false, true],
    [['muc_temporary'], [''], true, false],
    [['muc_temporary'], [" type='unavailable'"], false, true],
    [['muc_persistent'], [], true, false],
    [[], [], true, true],
    [[], [''], true, false],
  ];
  for (const [features, others, hasGrace, ends] of cases) {
    const { state } = new World();
    const turn = { state, out: new Effects(), now: 0 };
    const room = createOccupancy(ROOM as never, ROOM, 'alice', state.settings);
    noteLasting(room, info(...features));
    for (const type of others) {
      noteOccupant(room.roster, parseStanza(`<presence from='${ROOM}/bob'/>`));
      const bob = parseStanza(`<presence from='${ROOM}/bob'${type}/>`);
      if (type !== '') room.roster.set('bob' as never, { nick: 'bob', presence: bob });
    }
    const what = `${features} ${others}`;
    assert.is(graceOf(turn, room), hasGrace ? state.settings.graceMs : 0, what);
    assert.is(mayEnd(room), ends, what);
  }
});

test('what a room says last of how long it lasts holds, and an error says nothing', () => {
  const room = createOccupancy(ROOM as never, ROOM, 'alice', new World().state.settings);
  noteLasting(room, info('muc_temporary'));
  noteLasting(room, parseStanza(`<iq type='error' from='${ROOM}'/>`));
  assert.is(room.isTemporary, true);
  noteLasting(room, info('muc_persistent'));
  assert.is(room.isTemporary, false);
});

test('who comes back as the account was is seen by nobody, under another nick by everybody', () => {
  for (const [nick, seen] of [
    ['alice', '+'],
    ['al', '+-+'],
  ] as const) {
    const world = new World();
    const a = world.bind();
    world.join(a);
    world.settle();
    world.leave(a);
    world.join(a, nick);
    world.settle();
    assert.is(world.client(a).place, 'in', nick);
    assert.is(world.room.witnessed, seen, nick);
  }
});

test('a nick that was asked for in vain before is no other wish', () => {
  const world = new World();
  const [a, b] = [world.bind(), world.bind()];
  world.join(a);
  world.settle();
  world.join(b, 'second');
  world.settle();
  world.leave(a);
  world.leave(b);
  world.join(b, 'second');
  world.settle();
  assert.is(world.client(b).place, 'in');
  assert.is(world.room.witnessed, '+');
});

const pass = (word: string): string => `<password>${word}</password>`;

test('who was let in without the password of the room, or with another, comes back as it went', () => {
  for (const [given, again, seen] of [
    ['', '', '+'],
    ['', pass('secret'), '+'],
    [pass('old'), pass('old'), '+'],
    [pass('old'), '', '+-'],
    ['', pass('old'), '+-'],
  ] as const) {
    const world = new World({ room: { password: 'secret' } });
    const [a, b] = [world.bind(), world.bind()];
    world.join(a, 'alice', pass('secret'));
    world.settle();
    world.join(b, 'alice', given);
    world.leave(a);
    world.leave(b);
    world.join(b, 'alice', again);
    world.settle();
    const what = `${given} ${again}`;
    assert.is(world.room.witnessed, seen, what);
    assert.is(world.client(b).place, seen === '+' ? 'in' : 'out', what);
  }
});

test('a room that says that it has been configured may last from then on; an occupant who says so may not', () => {
  for (const [from, hasGrace] of [
    [ROOM, true],
    [`${ROOM}/bob`, false],
  ] as const) {
    const world = new World({ room: { info: "<feature var='muc_temporary'/>" } });
    world.room.others.clear();
    const a = world.bind();
    world.join(a);
    world.settle();
    const [room] = world.state.rooms.values();
    assert.is(room?.isTemporary, true);
    const changed = `<x xmlns='${NS.mucUser}'><status code='104'/></x>`;
    world.arrives(world.client(a).carrier, `<message type='groupchat' from='${from}'>${changed}</message>`);
    world.leave(a);
    world.settle();
    assert.is(world.room.witnessed, hasGrace ? '+' : '+-', from);
  }
});

test('with nick: follow the account is renamed as ever', () => {
  const world = new World({ settings: { nickPolicy: 'follow' } });
  const a = world.bind();
  world.join(a);
  world.settle();
  world.leave(a);
  world.join(a, 'al');
  world.settle();
  assert.not.ok(world.room.witnessed.includes('-'));
});

test.run();
