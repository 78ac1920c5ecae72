/** The judge of mutants cannot be deceived: by a scenario that was not played, by another one's failure, by a broken program. */
import { assert, suite } from '../support/suite.ts';
import { judge, judgeUnmutated } from './verdict.ts';

const test = suite('verdict on mutants');

function outcome(titles: string[], failed: string[] = [], output = '') {
  const report = { suite: 'x', file: 'x', registered: titles.length, titles, passed: titles.length - failed.length };
  return { suites: [{ ...report, failed, faults: [] }], failed, output };
}

test('a promise that fails in one of its cells kills', () => {
  const titles = ['J1 one [prosody, account, tcp]', 'J1 one [prosody, borrowed, tcp]'];
  assert.equal(judge(['J1 o'], outcome(titles, [titles[1] as string])).survived, []);
  assert.equal(judge(['J1 o'], outcome(titles)).survived, ['"J1 one" passed']);
});

test('each promise with that beginning must fail', () => {
  const titles = ['J1 one [prosody]', 'J1 other [prosody]'];
  assert.equal(judge(['J1 o'], outcome(titles, ['J1 one [prosody]'])).survived, ['"J1 other" passed']);
});

test('a scenario that was not played kills nothing', () => {
  assert.equal(judge(['J1'], outcome(['L1 one'], ['L1 one'])).survived, ['"J1" was not played']);
  assert.equal(judge(['J1'], { suites: [], output: '' }).survived, ['"J1" was not played']);
});

test('a file that ended before its scenarios did kills nothing', () => {
  const early = outcome(['J1 one', 'J1 two'], ['J1 one', 'J1 two']);
  const suites = early.suites.map((one) => ({ ...one, titles: [...one.titles, 'J2 three'] }));
  assert.equal(judge(['J1'], { ...early, suites }).survived, ['x was not played to its end']);
});

test('a program that is broken is no mutant', () => {
  const { survived } = judge(['J1'], outcome(['J1 one'], ['J1 one'], 'ReferenceError: nothing is not defined'));
  assert.equal(survived, ['the program is broken: ReferenceError: nothing is not defined']);
});

test('with the rule in place everything must be played and pass', () => {
  assert.equal(judgeUnmutated(['J1'], outcome(['J1 one'])), []);
  assert.equal(judgeUnmutated(['J1', 'J2'], outcome(['J1 one'], ['J1 one'])), ['J1 one', '"J2" was not played']);
});

test.run();
