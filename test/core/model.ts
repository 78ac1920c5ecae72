/**
 * The model of an account in a room: what can happen to its sessions, streams and room in any order, and what must hold when all has come
 * to rest.
 */
import fc from 'fast-check';
import type { Settings } from '../../proxy/core/state.ts';
import { assert } from '../support/suite.ts';
import type { Believes } from './model-client.ts';
import type { RoomOptions } from './model-room.ts';
import { World } from './world.ts';

/** One thing that can happen; numbers choose among what there is. */
export const event = fc.oneof(
  { weight: 3, arbitrary: fc.constant(['bind', 0] as const) },
  { weight: 5, arbitrary: fc.tuple(fc.constant('join' as const), fc.nat(9)) },
  { weight: 2, arbitrary: fc.tuple(fc.constant('leave' as const), fc.nat(9)) },
  { weight: 2, arbitrary: fc.tuple(fc.constant('drop' as const), fc.nat(9)) },
  { weight: 2, arbitrary: fc.tuple(fc.constant('park' as const), fc.nat(9)) },
  { weight: 1, arbitrary: fc.tuple(fc.constant('lose' as const), fc.nat(9)) },
  { weight: 1, arbitrary: fc.tuple(fc.constant('unavailable' as const), fc.nat(9)) },
  { weight: 1, arbitrary: fc.tuple(fc.constant('credentials' as const), fc.nat(1)) },
  { weight: 2, arbitrary: fc.tuple(fc.constant('account-stream' as const), fc.nat(2)) },
  { weight: 1, arbitrary: fc.tuple(fc.constant('lose-account-stream' as const), fc.nat(2)) },
  { weight: 2, arbitrary: fc.tuple(fc.constant('lose-held' as const), fc.nat(1)) },
  { weight: 2, arbitrary: fc.tuple(fc.constant('farewell' as const), fc.nat(9)) },
  { weight: 6, arbitrary: fc.tuple(fc.constant('speak' as const), fc.nat(9)) },
  { weight: 6, arbitrary: fc.tuple(fc.constant('say' as const), fc.nat(9)) },
  { weight: 20, arbitrary: fc.tuple(fc.constant('arrive' as const), fc.nat(9)) },
  { weight: 1, arbitrary: fc.tuple(fc.constant('kick' as const), fc.nat(1)) },
  { weight: 1, arbitrary: fc.tuple(fc.constant('throw-out' as const), fc.nat(1)) },
  { weight: 1, arbitrary: fc.tuple(fc.constant('forget' as const), fc.nat(1)) },
  { weight: 2, arbitrary: fc.tuple(fc.constant('refuse' as const), fc.nat(3)) },
  { weight: 1, arbitrary: fc.tuple(fc.constant('rename' as const), fc.nat(9)) },
  { weight: 1, arbitrary: fc.tuple(fc.constant('join-as' as const), fc.nat(9)) },
  { weight: 2, arbitrary: fc.tuple(fc.constant('status' as const), fc.nat(29)) },
  { weight: 2, arbitrary: fc.tuple(fc.constant('others' as const), fc.nat(3)) },
  { weight: 2, arbitrary: fc.tuple(fc.constant('whisper' as const), fc.nat(1)) },
  { weight: 2, arbitrary: fc.tuple(fc.constant('subject' as const), fc.nat(1)) },
  { weight: 3, arbitrary: fc.tuple(fc.constant('ask' as const), fc.nat(9)) },
  { weight: 2, arbitrary: fc.tuple(fc.constant('fire' as const), fc.nat(1)) },
  { weight: 3, arbitrary: fc.tuple(fc.constant('settle' as const), fc.nat(1)) },
);

export type Happening = readonly [string, number];

const SHOWS = ['', 'away', 'dnd'] as const;

export function happen(world: World, [what, number]: Happening): void {
  const ids = [...world.sessions.keys()];
  const id = ids[number % Math.max(1, ids.length)];
  if (what === 'bind' && ids.length < 5) world.bind();
  else if (what === 'credentials') world.input({ kind: 'credentials', known: true });
  else if (what === 'account-stream') world.accountStream(number > 0, number === 0);
  else if (what === 'lose-account-stream') world.loseAccountStream((['nothing', 'doubtful', 'all'] as const)[number]);
  else if (what === 'lose-held') world.loseHeld();
  else if (what === 'arrive') world.arrive(number % 2 === 0, number >> 1);
  else if (what === 'kick') world.kick();
  else if (what === 'throw-out') world.throwOut();
  else if (what === 'forget') world.room.forget();
  else if (what === 'refuse') world.room.refusal = number === 0 ? 'resource-constraint' : undefined;
  // What is on its way does not take as long as a room may be silent, or messages are kept.
  else if (what === 'fire') world.fire('silence', 'kept');
  else if (what === 'settle') world.settle();
  else if (what === 'say') world.roomSays();
  else if (what === 'others') world.others(number < 2 ? 'carol' : 'dave', number % 2 === 0);
  else if (what === 'whisper') world.whisper();
  else if (what === 'subject') world.changeSubject();
  else if (id === undefined) return;
  else if (what === 'join') world.join(id);
  else if (what === 'leave') world.leave(id);
  else if (what === 'speak') world.speak(id);
  else if (what === 'farewell') world.farewell(id, number % 2 === 0);
  else if (what === 'status') world.status(id, SHOWS[Math.floor(number / 10)] ?? '');
  else if (what === 'rename') world.rename(id, `nick${number % 3}`);
  else if (what === 'join-as') world.joinAs(id, `nick${number % 3}`);
  else if (what === 'ask') world.ask(id);
  else if (what === 'drop') world.drop(id);
  else if (what === 'park') world.park(id);
  else if (what === 'lose') world.lose(id);
  else if (what === 'unavailable') world.blink(id);
}

/** Two sessions are in the room, so that what follows has something to break. */
export function inhabited(world: World): World {
  for (const id of [world.bind(), world.bind()]) world.join(id);
  world.settle();
  return world;
}

const LONG: ReadonlySet<string> = new Set(['linger', 'reopen', 'silence', 'kept']);

/** Lets everything come to rest: all stanzas arrive, account streams open, and the short timers run out. */
export function rest(world: World): void {
  world.room.refusal = undefined;
  for (let round = 0; round < 60; round += 1) {
    world.settle();
    world.accountStream(true);
    world.settle();
    const isLong = (key: string): boolean => LONG.has(key);
    if ([...world.timers.keys()].every(isLong)) return;
    const long = [...world.timers].filter(([key]) => isLong(key));
    for (const [key] of long) world.timers.delete(key);
    world.fire();
    for (const [key, at] of long) world.timers.set(key, at);
  }
  throw new Error(`does not come to rest: ${[...world.timers.keys()].join(', ')}`);
}

/** Rooms are silent until the account asks whether it is still in. */
export function notice(world: World): void {
  for (let look = 0; look < 6; look += 1) {
    world.now += 30_000;
    if (world.timers.delete('silence')) world.input({ kind: 'timer', key: 'silence' });
    rest(world);
  }
}

/** Ways of services. */
export interface Service extends Pick<RoomOptions, 'knowsOld'> {
  readonly isShared: boolean;
}

function worldOf({ isShared, ...room }: Service, settings: Partial<Settings>): World {
  return inhabited(new World({ isShared, settings, room }));
}

/** In the end sessions and room agree, everything that was asked or said has come to something, and nothing came twice. */
export function checkAgreement(service: Service, events: readonly Happening[]): void {
  const world = worldOf(service, { selfPingMs: 60_000 });
  for (const one of events) happen(world, one);
  rest(world);
  notice(world);
  const joined = [...world.sessions.values()].filter(({ place }) => place === 'in');
  assert.ok(
    [...world.sessions.values()].every(({ place }) => place !== 'asking'),
    'a join was never answered',
  );
  if (joined.length > 0)
    assert.ok(world.room.inside.size > 0, 'a session believes to be in, the room knows nothing of it');
  assert.ok(world.room.inside.size <= 1, 'the account is in the room by several streams');
  for (const { asked, told } of world.sessions.values()) {
    const answered = new Set(told.filter(({ name }) => name === 'iq').map(({ id }) => id));
    assert.equal(
      asked.filter((id) => !answered.has(id)),
      [],
      'a request was never answered',
    );
  }
  assert.equal(
    [...world.sessions.values()].flatMap(({ spoken }) => [...spoken]),
    [],
    'a message was neither seen nor refused',
  );
  const missed = [...world.sessions.values()].flatMap(({ missing }) => [...missing]);
  if (!world.isSlow) assert.equal(missed, [], 'a message of somebody else was missed');
  for (const { told, heard, givenUp } of world.sessions.values()) {
    const refused = told
      .filter(({ name, type }) => name === 'message' && type === 'error')
      .flatMap(({ id = '' }) => (givenUp.has(id) ? [] : [id]));
    assert.equal(
      refused.filter((id) => heard.includes(id)),
      [],
      'a message was seen, and refused',
    );
  }
  checkSights(world);
  checkWhispers(world);
  const [last, secret] = [world.roomSays(), world.whisper()];
  world.settle();
  for (const { heard, place, whispered } of world.sessions.values()) {
    assert.is(whispered.at(-1) === secret, place === 'in', 'a joined session is told in private, another is not');
    assert.is(heard.at(-1) === last, place === 'in', 'a joined session hears the room, another does not');
    assert.equal(heard, [...new Set(heard)], 'each message once');
    const others = heard.filter((body) => /^\d/.test(body));
    if (world.isSlow) continue;
    assert.equal(
      others,
      others.toSorted((a, b) => Number(a) - Number(b)),
      'order',
    );
  }
}

/** What each joined session was shown of the room is what is there, and the room is shown the most available of them. */
function checkSights(world: World): void {
  const [[stream, nick] = ['', '']] = world.room.inside;
  const joined = [...world.sessions.values()].filter(({ place }) => place === 'in');
  for (const client of joined) {
    assert.equal([...client.sees].toSorted(), [...world.room.others].toSorted(), 'other occupants');
    assert.is(client.nick, nick, 'the own nick');
    assert.is(client.subject, world.room.subject, 'the subject');
  }
  for (const room of world.state.rooms.values())
    assert.is(room.roster.has(room.nick), false, 'the account is no other occupant of its own');
  const rank = ({ show }: Believes): number => ['away', 'dnd', ''].indexOf(show);
  const [best] = joined.toSorted((a, b) => rank(b) - rank(a) || b.statedAt - a.statedAt);
  if (best) assert.is(world.room.shows.get(stream), best.show, 'what the room is shown');
}

/** What was said in private and has come to the account is told to each session once, and to the next one where none was there. */
function checkWhispers(world: World): void {
  for (const { whispered } of world.isSlow ? [] : world.sessions.values())
    assert.equal(whispered, [...new Set(whispered)], 'a private message once');
  const untold = [...world.arrived].filter((body) => !world.whispered.has(body));
  const kept = [...world.state.rooms.values()].flatMap(({ kept }) => kept.map(({ stanza }) => stanza.id ?? ''));
  const letters = world.state.kept.map(({ stanza }) => stanza.id ?? '');
  assert.equal(
    untold.filter((body) => !kept.includes(body) && !letters.includes(body)),
    [],
    'a private message is told or kept',
  );
}

/** When all sessions have gone, nothing is left of the account. */
export function checkEnd(service: Service, events: readonly Happening[]): void {
  const world = worldOf(service, { lingerMs: 1000 });
  for (const one of events) happen(world, one);
  for (const [index, id] of [...world.sessions.keys()].entries()) index % 2 ? world.drop(id) : world.park(id);
  for (let round = 0; round < 200 && !(world.isIdle || isUnused(world)); round += 1) {
    world.settle();
    world.accountStream(false, true);
    world.fire();
  }
  assert.is(world.room.inside.size, 0, 'the room still knows the account');
  assert.is(world.state.rooms.size, 0);
  assert.is(world.state.carriers.size, 0);
  assert.is(world.timers.size, 0);
}

/** Nobody has ever been there. */
function isUnused(world: World): boolean {
  return world.state.rooms.size + world.state.carriers.size + world.timers.size === 0;
}
