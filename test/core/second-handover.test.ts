/** Hand-overs that follow one another (core/overlap.ts). */
import type { CarrierId, SessionId } from '../../proxy/core/state.ts';
import { assert, suite } from '../support/suite.ts';
import { ROOM, World } from './world.ts';

const test = suite('a hand-over behind another');

test('of two equal messages without ids each is told, where hand-overs follow one another and each is told by one stream only', () => {
  for (const pause of [20_000, 80_000]) {
    const world = new World();
    const [a, b, c] = [world.bind(), world.bind(), world.bind()] as [SessionId, SessionId, SessionId];
    for (const id of [a, b, c]) world.join(id);
    world.settle();
    const [room] = world.state.rooms.values();
    const says = (carrier: CarrierId) =>
      world.arrives(carrier, `<message type='chat' from='${ROOM}/bob' to='x/y'><body>ok</body></message>`);
    const first = world.client(a).carrier;
    world.drop(a);
    says(first);
    world.settle();
    const end = world.now + pause;
    while (Math.min(...world.timers.values()) <= end) {
      world.fire();
      world.settle();
    }
    world.now = end;
    const second = room?.carrier as CarrierId;
    const [drops, stays] = world.client(b).carrier === second ? [b, c] : [c, b];
    world.drop(drops);
    says(second);
    world.settle();
    const heard = world.client(stays).told.filter(({ root }) => root.child('body')?.text() === 'ok');
    assert.is(heard.length, 2, `${pause}`);
  }
});

test.run();
