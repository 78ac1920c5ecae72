/** An account's state as plain data: who goes on with it notices nothing. */
import fc from 'fast-check';
import { fromPortable, toPortable } from '../../proxy/core/portable.ts';
import { RoomSet } from '../../proxy/core/room-set.ts';
import type { CarrierId, Occupancy } from '../../proxy/core/state.ts';
import { assert, suite } from '../support/suite.ts';
import { ROOM, World } from './world.ts';

const test = suite('the state of an account on its way', { limitMs: 120_000 });

/** Through JSON and back. */
function carry(world: World): void {
  const texts: Buffer[] = [];
  const put = (text: Buffer): number => texts.push(Buffer.from(text)) - 1;
  const written = JSON.stringify(toPortable(world.state, { put }, world.now));
  const { bare, settings, services } = world.state;
  const get = (ref: number): Buffer => texts[ref] ?? Buffer.alloc(0);
  const state = fromPortable(JSON.parse(written), { get }, { bare, settings, services });
  Object.assign(world, { state });
}

const event = fc.tuple(
  fc.constantFrom(
    ...[
      'bind',
      'join',
      'join',
      'leave',
      'drop',
      'lose',
      'blink',
      'say',
      'rename',
      'ask',
      'kick',
      'hear',
      'fire',
      'settle',
    ],
    ...['password', 'open', 'lose-stream', ...Array.from({ length: 12 }, () => 'arrive')],
  ),
  fc.nat(9),
);

function play(world: World, [kind, choice]: [string, number]): void {
  const ids = [...world.sessions.keys()];
  const session = ids[choice % Math.max(1, ids.length)];
  if (kind === 'bind' && ids.length < 4) world.bind();
  else if (kind === 'hear') world.roomSays();
  else if (kind === 'arrive') world.arrive(choice % 2 === 0, choice);
  else if (kind === 'settle') world.settle();
  else if (kind === 'fire') world.fire();
  else if (kind === 'kick') world.kick();
  else if (kind === 'password') world.input({ kind: 'credentials', known: true });
  else if (kind === 'open') world.accountStream(choice > 2);
  else if (kind === 'lose-stream') world.loseAccountStream();
  else if (session === undefined) return;
  else if (kind === 'join') world.join(session);
  else if (kind === 'leave') world.leave(session);
  else if (kind === 'drop') world.drop(session);
  else if (kind === 'lose') world.lose(session);
  else if (kind === 'blink') world.blink(session);
  else if (kind === 'say') world.say(session, `said ${world.now}`);
  else if (kind === 'rename') world.rename(session, `nick${choice}`);
  else if (kind === 'ask') world.ask(session);
}

/** All that clients and the room have been shown. */
function shown(world: World): unknown {
  const clients = [...world.sessions].map(([id, { told, place }]) => [id, place, told.map(String)]);
  return {
    clients,
    room: world.room.witnessed,
    inside: [...world.room.inside],
    timers: [...world.timers.keys()].sort(),
  };
}

test('an account whose state is carried over at any moment goes on as if it had not been', () => {
  fc.assert(
    fc.property(fc.array(event, { maxLength: 80, size: 'max' }), fc.nat(20), (events, every) => {
      const [stays, moves] = [new World(), new World()];
      for (const [index, one] of events.entries()) {
        play(stays, one);
        play(moves, one);
        if (index % (every + 1) === 0) carry(moves);
      }
      assert.equal(shown(moves), shown(stays));
    }),
    { numRuns: 150, seed: 20261127 },
  );
});

test('what is one thing stays one thing, and rooms know that they change', () => {
  const world = new World();
  world.join(world.bind());
  carry(world);
  const [room] = world.state.rooms.values();
  assert.is(room?.attempt?.roster, room?.roster);
  for (const { rooms } of [...world.state.sessions.values(), ...world.state.carriers.values()]) {
    assert.instance(rooms, RoomSet);
  }
});

test('what an occupant says twice is two messages also where the account moves behind a hand-over that is over', () => {
  const world = new World({ room: { givesIds: false } });
  const [a, b] = [world.bind(), world.bind()];
  for (const one of [a, b]) world.join(one);
  world.settle();
  const [old, next] = [a, b].map((id) => world.client(id).carrier) as [CarrierId, CarrierId];
  const ok = `<message type='groupchat' from='${ROOM}/bob' to='x'><body>ok</body></message>`;
  world.drop(a);
  world.arrives(old, ok);
  world.settle();
  const room = (): Occupancy | undefined => [...world.state.rooms.values()][0];
  assert.is(room()?.carrier, next);
  while (room()?.overlap?.isOver === false) world.fire();
  assert.ok(room()?.overlap);
  carry(world);
  assert.is(room()?.overlap?.isOver, true);
  world.arrives(next, ok);
  assert.equal(world.client(b).heard, ['ok', 'ok']);
});

test('what nobody has written is refused', () => {
  const { bare, settings, services } = new World().state;
  const get = (): Buffer => Buffer.alloc(0);
  const portable = { root: { r: 0 }, things: [['nonsense', 1]] };
  assert.throws(() => fromPortable(portable, { get }, { bare, settings, services }), /not a part of an account/);
});

test.run();
