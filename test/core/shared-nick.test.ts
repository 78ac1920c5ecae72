/** What is made of a nick that is refused to a second stream of the account: believed for a while, and only as far as it goes. */
import { Services } from '../../proxy/core/services.ts';
import type { SessionId } from '../../proxy/core/state.ts';
import { assert, suite } from '../support/suite.ts';
import { World } from './world.ts';

const test = suite('refused nicks');
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

function joined(count: number, world: World): SessionId[] {
  const ids = Array.from({ length: count }, () => world.bind());
  for (const id of ids) world.join(id);
  world.settle();
  return ids;
}

test('a refusal is believed for ten minutes, then for twice as long each time, up to a day', () => {
  const services = new Services();
  let now = 1;
  const periods: number[] = [];
  for (let count = 0; count < 10; count += 1) {
    services.noteNickRefused('muc.test', now);
    // Rooms that are handed over together are refused together.
    services.noteNickRefused('muc.test', now + 5);
    const from = now;
    while (services.refusesSharedNick('muc.test', now)) now += MINUTE;
    periods.push((now - from) / MINUTE);
  }
  assert.equal(periods, [10, 20, 40, 80, 160, 320, 640, 1280, 1440, 1440]);
  assert.is(services.refusesSharedNick('other.test', 1), false);
});

/** What another node tells of the service, with the times until which it holds. */
function hear(services: Services, domain: string, { refused = 0, shared = 0 }, now: number): void {
  services.hearNicks(domain, { nickRefusedUntil: refused, nickSharedUntil: shared }, now);
}

test('where two streams have shared a nick a refusal says nothing of the service, for a day', () => {
  const services = new Services();
  services.noteNickRefused('muc.test', 1);
  services.noteNickShared('muc.test', 2);
  assert.is(services.refusesSharedNick('muc.test', 3), false);
  services.noteNickRefused('muc.test', 23 * HOUR);
  hear(services, 'muc.test', { refused: 30 * HOUR }, 23 * HOUR);
  assert.is(services.refusesSharedNick('muc.test', 23 * HOUR), false);
  services.noteNickRefused('muc.test', 25 * HOUR);
  assert.is(services.refusesSharedNick('muc.test', 25 * HOUR), true);
});

test('what another node has found out is believed no longer than there', () => {
  const services = new Services();
  hear(services, 'muc.test', { refused: 5 * HOUR }, HOUR);
  hear(services, 'muc.test', { refused: 3 * HOUR }, HOUR);
  assert.equal(
    [2, 4, 6].map((hours) => services.refusesSharedNick('muc.test', hours * HOUR)),
    [true, true, false],
  );
  hear(services, 'late.test', { refused: HOUR }, 2 * HOUR);
  assert.is(services.refusesSharedNick('late.test', 2 * HOUR), false);
});

test('that a nick was shared is believed, too, as there, and not for longer than a day', () => {
  const services = new Services();
  services.noteNickRefused('muc.test', 1);
  hear(services, 'muc.test', { shared: 5 * HOUR }, 2);
  hear(services, 'muc.test', { shared: 3 * HOUR }, 2);
  assert.is(services.refusesSharedNick('muc.test', 3), false);
  services.noteNickRefused('muc.test', 4 * HOUR);
  assert.is(services.refusesSharedNick('muc.test', 4 * HOUR), false);
  hear(services, 'muc.test', { shared: 5 * HOUR }, 6 * HOUR);
  services.noteNickRefused('muc.test', 6 * HOUR);
  assert.is(services.refusesSharedNick('muc.test', 6 * HOUR), true);
  hear(services, 'other.test', { shared: 100 * HOUR }, 0);
  services.noteNickRefused('other.test', 25 * HOUR);
  assert.is(services.refusesSharedNick('other.test', 25 * HOUR), true);
});

test('what an address does with nicks does not make it a service of rooms', () => {
  const services = new Services();
  services.noteNickRefused('users.test', 1);
  services.noteNickShared('users.test', 1);
  hear(services, 'users.test', { refused: 5 }, 1);
  assert.is(services.isMuc('users.test'), false);
  services.learn('users.test');
  assert.is(services.isMuc('users.test'), true);
});

test('a nick that is refused although the account has left had another claimant: the next hand-over is seamless again', () => {
  const world = new World();
  const [a, , c] = joined(3, world) as [SessionId, SessionId, SessionId];
  world.room.refusal = 'conflict';
  world.drop(a);
  world.settle();
  assert.is(world.room.witnessed, '+-');
  assert.is(world.state.services.refusesSharedNick('muc.test', world.now), false);
  world.room.refusal = undefined;
  while (world.room.inside.size === 0 && world.fire() !== undefined) world.settle();
  assert.is(world.room.witnessed, '+-+');
  const carrier = [...world.state.rooms.values()][0]?.carrier;
  world.drop([...world.sessions].find(([, one]) => one.carrier === carrier)?.[0] as SessionId);
  world.settle();
  assert.is(world.room.witnessed, '+-+');
  assert.is(world.client(c).place, 'in');
});

test('before the account is in again, which has left for it, a refusal says nothing of the service', () => {
  for (const refusal of ['conflict', undefined] as const) {
    const world = new World({ isShared: false });
    const [a] = joined(2, world) as [SessionId, SessionId];
    world.room.refusal = refusal;
    world.drop(a);
    while (world.room.witnessed === '+') world.arrive(true);
    // Another account's places at this time.
    assert.is(world.state.services.refusesSharedNick('muc.test', world.now), false);
    world.settle();
    assert.is(world.room.witnessed, refusal ? '+-' : '+-+');
    assert.is(world.state.services.refusesSharedNick('muc.test', world.now), refusal === undefined);
  }
});

test('an account that has left for want of a stream, and was refused nothing, says nothing of the service when it is back', () => {
  const world = new World();
  const [a] = joined(1, world) as [SessionId];
  world.input({ kind: 'credentials', known: true });
  for (let turns = 0; turns < 5 && world.state.accountStream !== 'waiting'; turns += 1) {
    if (!world.isOpening) world.fire();
    world.accountStream(false);
  }
  world.drop(a);
  world.settle();
  assert.is(world.room.witnessed, '+-');
  while (world.room.witnessed === '+-' && world.fire() !== undefined) {
    world.accountStream(true);
    world.settle();
  }
  assert.is(world.room.witnessed, '+-+');
  assert.is(world.state.services.refusesSharedNick('muc.test', world.now), false);
});

test('one room that refuses the nick, where others have shared it, makes no other room pay for it', () => {
  const world = new World();
  const [a, b] = joined(3, world) as [SessionId, SessionId, SessionId];
  world.drop(a);
  world.settle();
  world.room.refusal = 'conflict';
  world.drop(b);
  world.settle();
  assert.is(world.room.witnessed, '+-');
  assert.is(world.state.services.refusesSharedNick('muc.test', world.now), false);
});

test('a service that refuses is asked anew after a while, and nobody sees that', () => {
  const world = new World({ isShared: false });
  const [a] = joined(1, world) as [SessionId];
  world.input({ kind: 'credentials', known: true });
  world.accountStream(true);
  world.settle();
  const joins = () => world.sent.filter(({ stanza }) => stanza.name === 'presence' && stanza.type === undefined).length;
  assert.is(joins(), 2);
  for (const [minutes, tries] of [
    [9, 2],
    [2, 3],
    [10, 3],
    [11, 4],
  ] as const) {
    world.now += minutes * MINUTE;
    // Whatever happens to the account's streams makes it look for better ones.
    world.drop(world.bind());
    world.settle();
    assert.is(joins(), tries, `${minutes} minutes later`);
  }
  assert.is(world.room.witnessed, '+');
  assert.is(world.client(a).place, 'in');
});

test.run();
