/** An account on its way from one home to the next (runtime/cluster/moving-house.ts). */
import { Services } from '../../../proxy/core/services.ts';
import { packHouse, unpackHouse } from '../../../proxy/runtime/cluster/moving-house.ts';
import { BARE, World } from '../../core/world.ts';
import { assert, suite } from '../../support/suite.ts';

const test = suite('an account that moves');

test('what its old home has learnt of the services of its rooms goes with it', () => {
  const world = new World();
  const [a, b] = [world.bind(), world.bind()];
  for (const id of [a, b]) world.join(id);
  world.settle();
  world.drop(a);
  world.settle();
  const { state, now } = world;
  state.services.noteNickRefused('elsewhere.test', now);
  const bytes = packHouse({ state, timers: [], guests: [] }, now);
  const services = new Services();
  const moved = unpackHouse(bytes, BARE, services, now);
  assert.is(moved.state.services, services);
  assert.equal(services.facts('muc.test').nickSharedUntil, state.services.facts('muc.test').nickSharedUntil);
  assert.ok(services.facts('muc.test').nickSharedUntil > now);
  assert.is(services.refusesSharedNick('elsewhere.test', now), false);
});

test.run();
