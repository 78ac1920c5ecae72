/** An account that goes on without devices at another home (C2, L3): with what the store has of its rooms. */
import fc from 'fast-check';
import type { BareKey } from '../../proxy/xml/address.ts';
import { assert, suite } from '../support/suite.ts';
import { ROOM, settings, World } from './world.ts';

const test = suite('an account that is taken up');

const known = { key: ROOM as BareKey, name: ROOM, nick: 'alice', password: undefined };

function takenUp({ lingerMs = 40_000, isShared = true, password }: Options = {}): World {
  const world = new World({ isShared, room: { password } });
  const estate = { rooms: [{ ...known, password }], lingerMs };
  world.input({ kind: 'arrive', arrival: { sessions: [], carriers: [], watched: [], known: [], estate } });
  world.input({ kind: 'credentials', known: true });
  return world;
}

interface Options {
  readonly lingerMs?: number;
  readonly isShared?: boolean;
  readonly password?: string | undefined;
}

const phaseOf = ({ state }: World): string | undefined => state.rooms.get(ROOM as BareKey)?.phase;
const joins = (world: World) => world.sent.filter(({ stanza }) => stanza.name === 'presence' && !stanza.type);

test('it opens its stream, and joins as absent with what the room wants to know', () => {
  const world = takenUp({ password: "o'pen" });
  assert.ok(world.isOpening);
  world.accountStream(true);
  const [join] = joins(world);
  assert.match(`${join?.stanza}`, /<show>xa<\/show>/);
  assert.match(`${join?.stanza}`, /<password>o&apos;pen<\/password>/);
  assert.match(`${join?.stanza}`, /<history since='1970-01-01T00:00:00.000Z'\/>/);
  world.settle();
  assert.is(joins(world).length, 1);
  assert.ok(world.state.rooms.get(ROOM as BareKey)?.self);
});

test('it stays for as long as it had left, and no longer', () => {
  const world = takenUp();
  const began = world.now;
  world.accountStream(true);
  world.settle();
  while (!world.isIdle && world.fire()) world.settle();
  assert.ok(world.isIdle);
  assert.ok(Math.abs(world.now - began - 40_000) < 11_000, `${world.now - began}`);
});

test('without an end it stays', () => {
  const world = takenUp({ lingerMs: Number.POSITIVE_INFINITY });
  world.accountStream(true);
  world.settle();
  assert.not.ok(world.timers.has('linger'));
});

test('a password that the server refuses ends it', () => {
  const world = takenUp();
  world.accountStream(false, true);
  assert.ok(world.isIdle);
  assert.ok(world.counted.some(({ kind }) => kind === 'store-end'));
});

test('a server that cannot be reached does not', () => {
  const world = takenUp();
  world.accountStream(false);
  assert.is(phaseOf(world), 'joined');
  while (!world.isOpening) assert.ok(world.fire());
  world.accountStream(true);
  world.settle();
  assert.ok(world.state.rooms.get(ROOM as BareKey)?.carrier);
});

test('a device that a room is not known for is given the room in full: before, during and after the join', () => {
  for (const when of ['before the stream', 'before the answer', 'amid the answer', 'after']) {
    for (const isShared of [true, false]) {
      const world = takenUp({ isShared });
      const device = (): void => {
        const session = world.bind();
        world.join(session);
        assert.is(world.client(session).place, when === 'after' ? 'in' : 'asking', when);
      };
      if (when === 'before the stream') device();
      world.accountStream(true);
      if (when === 'before the answer') device();
      world.arrive(true);
      world.arrive(false);
      if (when === 'amid the answer') device();
      world.settle();
      if (when === 'after') device();
      const [client] = [...world.sessions.values()];
      assert.is(client?.place, 'in', when);
      const told = client?.told ?? [];
      const places = [
        told.findIndex(({ from }) => from === `${ROOM}/bob`),
        told.findIndex(({ name, from }) => name === 'presence' && from === `${ROOM}/alice`),
        told.findIndex(({ name, root }) => name === 'message' && root.child('subject') !== undefined),
      ];
      assert.ok(places[0] !== -1 && places.every((at, index) => index === 0 || at > (places[index - 1] ?? 0)), when);
      assert.equal(
        world.sent.filter(({ stanza }) => stanza.type === 'unavailable'),
        [],
      );
      assert.is(client?.errors, 0, when);
    }
  }
});

test('a device that joins while the account comes back needs no password, however often it asks', () => {
  for (const when of ['before the stream', 'before the answer', 'amid the answer']) {
    for (const times of [1, 2]) {
      const world = takenUp({ password: 'secret' });
      if (when !== 'before the stream') world.accountStream(true);
      if (when === 'amid the answer') assert.ok(world.arrive(true) && world.arrive(false));
      const session = world.bind();
      for (let time = 0; time < times; time += 1) world.join(session);
      if (when === 'before the stream') world.accountStream(true);
      world.settle();
      assert.is(world.client(session).place, 'in', `${when} ${times}`);
      assert.is(world.client(session).errors, 0, `${when} ${times}`);
      assert.is(world.state.rooms.get(ROOM as BareKey)?.password, 'secret');
      // It goes as it came, and comes back so.
      world.leave(session);
      world.join(session);
      assert.is(world.client(session).place, 'in', `${when} ${times}, again`);
    }
  }
});

test('a device that gives a password of its own is let in or refused for that', () => {
  const world = takenUp({ password: 'secret' });
  const session = world.bind();
  world.join(session, 'alice', '<password>wrong</password>');
  world.accountStream(true);
  world.settle();
  assert.is(world.client(session).errors, 1);
});

test('a room that does not answer keeps a device waiting for no longer than a join may take', () => {
  const world = takenUp();
  world.accountStream(true);
  const session = world.bind();
  const asked = world.now;
  world.join(session);
  // Nothing of what is on its way arrives.
  while (world.client(session).errors === 0 && world.fire());
  assert.is(world.client(session).errors, 1);
  assert.ok(world.now - asked <= settings.joinTimeoutMs + 11_000, `${world.now - asked}`);
});

test('rooms that the home knows are not touched', () => {
  const world = new World();
  const session = world.bind();
  world.join(session);
  world.settle();
  const before = joins(world).length;
  const estate = { rooms: [{ ...known, nick: 'other' }], lingerMs: 1000 };
  world.input({ kind: 'arrive', arrival: { sessions: [], carriers: [], watched: [], known: [], estate } });
  world.settle();
  assert.is(joins(world).length, before);
  assert.is(world.state.rooms.get(ROOM as BareKey)?.nick, 'alice');
});

test('whatever happens in whatever order, a device ends up in the room, and hears what is said from then on, once', () => {
  const act = fc.constantFrom('open', 'fail', 'lose', 'bind', 'join', 'up', 'down', 'say', 'fire', 'drop');
  fc.assert(
    fc.property(fc.array(act, { maxLength: 60 }), fc.boolean(), (acts, isShared) => {
      const world = takenUp({ isShared, lingerMs: Number.POSITIVE_INFINITY });
      const last = () => [...world.sessions.keys()].at(-1);
      for (const one of acts) {
        const session = last();
        if (one === 'open') world.accountStream(true);
        else if (one === 'fail') world.accountStream(false);
        else if (one === 'lose') world.loseAccountStream();
        else if (one === 'bind') world.bind();
        else if (one === 'join' && session && world.client(session).place === 'out') world.join(session);
        else if (one === 'up') world.arrive(true);
        else if (one === 'down') world.arrive(false);
        else if (one === 'say') world.roomSays();
        else if (one === 'fire') world.fire();
        else if (one === 'drop' && session) world.drop(session);
      }
      const session = world.bind();
      for (let round = 0; round < 50 && world.client(session).place !== 'in'; round += 1) {
        world.accountStream(true);
        if (world.client(session).place === 'out') world.join(session);
        world.settle();
        if (world.client(session).place !== 'in') world.fire();
      }
      assert.is(world.client(session).place, 'in');
      world.settle();
      const said = world.roomSays();
      world.settle();
      assert.is(world.client(session).heard.filter((body) => body === said).length, 1);
    }),
    { numRuns: 500 },
  );
});

test.run();
