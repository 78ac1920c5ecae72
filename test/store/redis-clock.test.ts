import { RedisClock } from '../../proxy/store/redis-clock.ts';
import { assert, suite } from '../support/suite.ts';

const test = suite('store/redis-clock');

test('the look with the least error counts, until it is a minute old', () => {
  const clock = new RedisClock();
  assert.is(clock.since(0, 0), undefined);
  clock.note(1000, 10, 12);
  assert.is(clock.since(1000, 21), 10);
  clock.note(5000, 20, 2020);
  assert.is(clock.since(1000, 21), 10);
  clock.note(2000, 1000, 1000);
  assert.is(clock.since(2000, 1005), 5);
  clock.note(90_000, 60_990, 61_010);
  assert.is(clock.since(90_000, 61_000), 0);
});

test('it is never later there than here', () => {
  const clock = new RedisClock();
  clock.note(1000, 0, 0);
  assert.is(clock.since(1001, 0), 0);
});

test.run();
