/** Bookmarks that change at any time, among all else that may happen: sessions and room agree in the end, and nothing is left over. */
import fc from 'fast-check';
import { createBookmarkState } from '../../proxy/core/bookmark-state.ts';
import type { SessionId } from '../../proxy/core/state.ts';
import { NS } from '../../proxy/xml/names.ts';
import { assert, suite } from '../support/suite.ts';
import { rest } from './model.ts';
import { ROOM, World } from './world.ts';

const test = suite('bookmarks at any time', { limitMs: 60_000 });

const seed = 20_261_127;

const event = fc.oneof(
  { weight: 2, arbitrary: fc.constant(['bind', 0] as const) },
  { weight: 4, arbitrary: fc.tuple(fc.constant('join' as const), fc.nat(9)) },
  { weight: 3, arbitrary: fc.tuple(fc.constant('leave' as const), fc.nat(9)) },
  { weight: 2, arbitrary: fc.tuple(fc.constant('drop' as const), fc.nat(9)) },
  { weight: 1, arbitrary: fc.tuple(fc.constant('lose' as const), fc.nat(9)) },
  { weight: 1, arbitrary: fc.tuple(fc.constant('unavailable' as const), fc.nat(9)) },
  { weight: 1, arbitrary: fc.tuple(fc.constant('credentials' as const), fc.nat(1)) },
  { weight: 2, arbitrary: fc.tuple(fc.constant('account-stream' as const), fc.nat(2)) },
  { weight: 1, arbitrary: fc.tuple(fc.constant('lose-account-stream' as const), fc.nat(2)) },
  { weight: 1, arbitrary: fc.tuple(fc.constant('kick' as const), fc.nat(1)) },
  { weight: 1, arbitrary: fc.tuple(fc.constant('rename' as const), fc.nat(9)) },
  { weight: 3, arbitrary: fc.tuple(fc.constant('speak' as const), fc.nat(9)) },
  { weight: 6, arbitrary: fc.tuple(fc.constant('mark' as const), fc.nat(11)) },
  { weight: 6, arbitrary: fc.tuple(fc.constant('fire' as const), fc.nat(1)) },
  { weight: 15, arbitrary: fc.tuple(fc.constant('arrive' as const), fc.nat(9)) },
  { weight: 3, arbitrary: fc.tuple(fc.constant('settle' as const), fc.nat(1)) },
);

class Marked extends World {
  /** The bookmark of the room as the server has it. */
  mark: { readonly autojoin: boolean; readonly nick: string } | undefined;

  constructor(autojoin: boolean, isShared: boolean) {
    super({ isShared, settings: { lingerMs: 1000, bookmarks: { autojoin, pollMs: 0, exclude: [] } } });
    this.answerForAccount = () => {
      const { mark } = this;
      const conference = mark
        ? `<item id='${ROOM}'><conference xmlns='${NS.bookmarks}' autojoin='${mark.autojoin}'><nick>${mark.nick}</nick></conference></item>`
        : '';
      return `<pubsub xmlns='${NS.pubsub}'><items node='${NS.bookmarks}'>${conference}</items></pubsub>`;
    };
  }

  /** Who has been forgotten begins anew. */
  override bind(): SessionId {
    if (this.isIdle) Object.assign(this.state.bookmarks, createBookmarkState());
    return super.bind();
  }

  happen([what, number]: readonly [string, number]): void {
    const ids = [...this.sessions.keys()];
    const id = ids[number % Math.max(1, ids.length)];
    if (what === 'bind' && ids.length < 4) this.bind();
    else if (what === 'credentials') this.input({ kind: 'credentials', known: true });
    else if (what === 'account-stream') this.accountStream(number > 0, number === 0);
    else if (what === 'lose-account-stream') this.loseAccountStream();
    else if (what === 'arrive') this.arrive(number % 2 === 0, number >> 1);
    else if (what === 'kick') this.kick();
    else if (what === 'fire') this.#later();
    else if (what === 'settle') this.settle();
    else if (id === undefined) return;
    else if (what === 'join') this.join(id);
    else if (what === 'leave') this.leave(id);
    else if (what === 'speak') this.speak(id);
    else if (what === 'rename') this.rename(id, `nick${number % 3}`);
    else if (what === 'drop') this.drop(id);
    else if (what === 'lose') this.lose(id);
    else if (what === 'unavailable') this.blink(id);
    else if (what === 'mark') {
      this.mark = number < 3 ? undefined : { autojoin: number % 3 > 0, nick: `nick${number % 4}` };
      this.input({ kind: 'bookmarks-changed', session: id });
    }
  }

  /** Time passes. Rooms and servers answer in time: those that do not are the matter of account.test.ts. */
  #later(): void {
    this.settle();
    this.fire();
  }
}

const scene = fc.tuple(fc.boolean(), fc.boolean(), fc.array(event, { maxLength: 60 }));

test('sessions and room agree in the end, and every join is answered', () => {
  fc.assert(
    fc.property(scene, ([autojoin, isShared, events]) => {
      const world = new Marked(autojoin, isShared);
      for (const id of [world.bind(), world.bind()]) world.join(id);
      for (const one of events) world.happen(one);
      rest(world);
      const places = [...world.sessions.values()].map(({ place }) => place);
      assert.ok(!places.includes('asking'), 'a join was never answered');
      if (places.includes('in')) assert.ok(world.room.inside.size > 0, 'a session believes to be in');
      assert.ok(world.room.inside.size <= 1, 'the account is in the room by several streams');
      const last = world.roomSays();
      world.settle();
      for (const { heard, place } of world.sessions.values()) assert.is(heard.at(-1) === last, place === 'in');
      const { asking, isStale, due } = world.state.bookmarks;
      if (world.sessions.size === 0) return;
      assert.equal([asking, isStale, due.size], [undefined, false, 0], 'something is still to be read or joined');
    }),
    { numRuns: 3000, seed },
  );
});

test('a bookmark that goes takes the account out, whatever has happened before', () => {
  fc.assert(
    fc.property(scene, ([autojoin, isShared, events]) => {
      const world = new Marked(autojoin, isShared);
      const id = world.bind();
      for (const one of events) world.happen(one);
      const session = world.sessions.has(id) ? id : world.bind();
      rest(world);
      world.mark = { autojoin: true, nick: 'nick1' };
      world.input({ kind: 'bookmarks-changed', session });
      world.join(session);
      rest(world);
      world.input({ kind: 'bookmarks-changed', session });
      rest(world);
      assert.is(world.room.inside.size, 1);
      world.mark = undefined;
      world.input({ kind: 'bookmarks-changed', session });
      rest(world);
      assert.is(world.room.inside.size, 0, 'the account is still there');
      for (const { place } of world.sessions.values()) assert.is(place, 'out');
    }),
    { numRuns: 1500, seed },
  );
});

test('nothing is left when all have gone', () => {
  fc.assert(
    fc.property(scene, ([autojoin, isShared, events]) => {
      const world = new Marked(autojoin, isShared);
      for (const id of [world.bind(), world.bind()]) world.join(id);
      for (const one of events) world.happen(one);
      for (const id of [...world.sessions.keys()]) world.drop(id);
      for (let round = 0; round < 300 && !world.isIdle; round += 1) {
        world.settle();
        world.accountStream(false, true);
        world.fire();
      }
      assert.is(world.room.inside.size, 0, 'the room still knows the account');
      assert.is(world.state.rooms.size, 0);
      assert.is(world.timers.size, 0);
    }),
    { numRuns: 1500, seed },
  );
});

test.run();
