/** The list of mutants is sound. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { assert, suite } from '../support/suite.ts';
import { mutants } from './list/index.ts';
import { mutate, type Promised } from './mutant.ts';
import { allPromises, root } from './scenarios.ts';

const test = suite('mutants', { limitMs: 90_000, hookLimitMs: 90_000 });
let promises: readonly Promised[] = [];

test.before(async () => {
  const folder = mkdtempSync(join(tmpdir(), 'minimix-titles-'));
  try {
    promises = await allPromises(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

function named(file: string, beginning: string): readonly Promised[] {
  return promises.filter((one) => one.file === file && one.title.startsWith(beginning));
}

test('each mutant changes one place of one file, and has a name of its own', () => {
  const names = mutants.map(({ name }) => name);
  assert.equal(
    names.filter((name, index) => names.indexOf(name) !== index),
    [],
  );
  for (const mutant of mutants) mutate(readFileSync(join(root, 'proxy', mutant.file), 'utf8'), mutant);
});

test('each mutant names scenarios that exist', () => {
  const wrong = mutants.flatMap(({ name, kills }) => {
    const pairs = Object.entries(kills).flatMap(([file, titles]) => titles.map((title) => [file, title] as const));
    if (pairs.length === 0) return [`${name}: kills nothing`];
    return pairs
      .filter(([file, title]) => named(file, title).length === 0)
      .map((pair) => `${name}: ${pair.join(': ')}`);
  });
  assert.equal(wrong, []);
});

test.run();
