import { parseStanza } from '../../proxy/xml/stanza.ts';
import { assert, suite } from '../support/suite.ts';
import { ROOM, World } from './world.ts';

const test = suite('the rules of an account');

test('two sessions that join in one round trip are one join at the room, and both are in', () => {
  const world = new World();
  const [a, b] = [world.bind(), world.bind()];
  world.join(a);
  world.join(b);
  world.settle();
  assert.is(world.room.witnessed, '+');
  assert.is(world.room.inside.size, 1);
  assert.equal([world.client(a).place, world.client(b).place], ['in', 'in']);
});

test('a hand-over to a sibling shows the room no leave, and each message arrives once', () => {
  const world = new World();
  const [a, b] = [world.bind(), world.bind()];
  world.join(a);
  world.join(b);
  world.settle();
  world.drop(a);
  const said = [world.roomSays(), world.roomSays()];
  world.settle();
  said.push(world.roomSays());
  world.settle();
  assert.is(world.room.witnessed, '+');
  assert.is(world.room.inside.size, 1);
  assert.equal(world.client(b).heard, said);
});

test('what was said while the only session slept in a room that had been silent is there for the next one', () => {
  const world = new World();
  const phone = world.bind();
  world.join(phone);
  world.settle();
  world.now += 60_000;
  world.sleep(phone);
  world.settle();
  const said = world.roomSays();
  world.now += 60_000;
  const next = world.bind();
  world.lose(phone);
  world.settle();
  world.join(next);
  world.settle();
  assert.equal(world.client(next).heard, [said]);
});

test('what was said on a stream that is lost in mid-hand-over, and is shown behind the join, is not refused', () => {
  const world = new World();
  const [a, b] = [world.bind(), world.bind()];
  world.join(a);
  world.join(b);
  world.settle();
  world.drop(a);
  world.arrive(true);
  world.arrive(true);
  world.speak(b);
  world.arrive(true);
  world.loseHeld();
  world.settle();
  const { heard, told, spoken } = world.client(b);
  assert.is(heard.length, 1);
  assert.is(spoken.size, 0);
  assert.ok(told.every(({ type }) => type !== 'error'));
});

test('where a nick cannot be shared the account leaves and comes back, and its sessions do not notice', () => {
  const world = new World({ isShared: false });
  const [a, b] = [world.bind(), world.bind()];
  world.join(a);
  world.join(b);
  world.settle();
  world.drop(a);
  world.settle();
  const said = world.roomSays();
  world.settle();
  assert.is(world.room.witnessed, '+-+');
  assert.equal(world.client(b), { ...world.client(b), place: 'in', heard: [said] });
});

test('an account stream keeps the account in its rooms until linger is over, then nothing is left', () => {
  const world = new World();
  const a = world.bind();
  world.input({ kind: 'credentials', known: true });
  world.join(a);
  world.accountStream(true);
  world.settle();
  world.drop(a);
  world.settle();
  assert.is(world.room.witnessed, '+');
  assert.is(world.isIdle, false);
  while (!world.isIdle && world.fire() !== undefined) world.settle();
  assert.is(world.room.witnessed, '+-');
  assert.is(world.isIdle, true);
  assert.is(world.state.rooms.size + world.state.carriers.size, 0);
});

test('an account stream that is refused at once is tried once more, and joins wait for that, and no longer', () => {
  for (const [then, carrier] of [
    ['opens', 'account-stream'],
    ['is refused', 'borrowed'],
    ['was slow', 'borrowed'],
  ] as const) {
    const world = new World({ isShared: false });
    const a = world.bind();
    world.input({ kind: 'credentials', known: true });
    world.join(a);
    if (then === 'was slow') world.now += 5000;
    world.accountStream(false);
    if (then !== 'was slow') {
      assert.is(world.room.inside.size + world.sent.length, 0);
      const since = world.now;
      assert.is(world.fire(), 'reopen');
      assert.ok(world.now - since < 200);
      assert.ok(world.isOpening);
      world.accountStream(then === 'opens');
    }
    world.settle();
    assert.is(world.client(a).place, 'in', then);
    const [room] = world.state.rooms.values();
    assert.is(room?.carrier && world.state.carriers.get(room.carrier)?.kind, carrier, then);
    assert.is(world.state.accountStream, then === 'opens' ? 'ready' : 'waiting', then);
  }
});

test('a logout is not kept back for an account stream that is to be tried again later', () => {
  const world = new World();
  const a = world.bind();
  world.input({ kind: 'credentials', known: true });
  world.join(a);
  for (let time = 0; time < 2; time += 1) {
    world.accountStream(false);
    if (time === 0) assert.is(world.fire(), 'reopen');
  }
  world.settle();
  assert.is(world.room.witnessed, '+');
  world.blink(a);
  world.settle();
  // It is available again, and the account comes back by it.
  assert.is(world.room.witnessed, '+-+');
});

test('what one session makes wait for a silent room is bounded in bytes, and the rest is told so (X3)', () => {
  const world = new World();
  const a = world.bind();
  world.join(a);
  for (let k = 0; k < 40; k++) world.say(a, 'x'.repeat(25_000));
  const refused = world.counted.filter((effect) => effect.kind === 'drop' && effect.reason === 'queue-full').length;
  assert.ok(refused > 15 && refused < 40, `${refused} refused`);
  const waiting = [...world.state.rooms.values()][0]?.waiting[0]?.behind ?? [];
  assert.ok(waiting.reduce((sum, { stanza }) => sum + stanza.source.length, 0) <= 512 * 1024);
});

test('what an occupant asks of the account is bounded, and answered when it is too much', () => {
  const world = new World();
  const a = world.bind();
  world.join(a);
  world.settle();
  const [room] = world.state.rooms.values();
  const carrier = room?.carrier;
  if (carrier === undefined) throw new Error('no carrier');
  const ask = (k: number) =>
    parseStanza(`<iq type='get' id='q${k}' from='${ROOM}/bob' to='x'><q xmlns='urn:q'>${'x'.repeat(5000)}</q></iq>`);
  for (let k = 0; k < 1000; k++) world.input({ kind: 'carrier-stanza', carrier, stanza: ask(k) });
  assert.is(world.state.inbound.size, 256);
  for (const { stanza } of world.state.inbound.values()) assert.ok(stanza.length < 200);
});

test.run();
