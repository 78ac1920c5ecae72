import { Pauses } from '../../proxy/workers/pauses.ts';
import { assert, suite } from '../support/suite.ts';

const test = suite('workers/pauses');

test('they double up to half a minute while a worker ends soon, and begin anew when it has lived', () => {
  const pauses = new Pauses();
  const soon = Array.from({ length: 8 }, () => pauses.next(59_999));
  assert.equal(soon, [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
  assert.is(pauses.next(60_000), 500);
  assert.is(pauses.next(0), 1000);
});

test.run();
