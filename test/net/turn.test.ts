import { type Flushable, Turn } from '../../proxy/net/turn.ts';
import { assert, suite } from '../support/suite.ts';

const test = suite('turn');

const leg = (flushed: string[], name: string): Flushable => ({ flush: () => void flushed.push(name) });

test('legs are flushed at the end of the turn, each once for each time that it was added, in order', () => {
  const turn = new Turn();
  const flushed: string[] = [];
  assert.is(turn.begin(), true);
  assert.is(turn.add(leg(flushed, 'one')), true);
  assert.is(turn.add(leg(flushed, 'other')), true);
  assert.equal(flushed, []);
  turn.end();
  assert.equal(flushed, ['one', 'other']);
  turn.begin();
  turn.end();
  assert.equal(flushed, ['one', 'other']);
});

test('outside of a turn nothing is taken', () => {
  const turn = new Turn();
  const flushed: string[] = [];
  assert.is(turn.add(leg(flushed, 'one')), false);
  turn.begin();
  turn.end();
  assert.is(turn.add(leg(flushed, 'one')), false);
  assert.equal(flushed, []);
});

test('a turn within a turn is the same turn', () => {
  const turn = new Turn();
  assert.is(turn.begin(), true);
  assert.is(turn.begin(), false);
  turn.end();
  assert.is(turn.begin(), true);
});

test('what is added by a flush waits for no turn', () => {
  const turn = new Turn();
  const taken: boolean[] = [];
  turn.begin();
  turn.add({ flush: () => void taken.push(turn.add(leg([], 'late'))) });
  turn.end();
  assert.equal(taken, [false]);
});

test.run();
