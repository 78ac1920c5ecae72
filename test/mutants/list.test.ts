/** The list of mutants is sound, and no scenario is without a mutant: none can be added that cannot fail. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { assert, suite } from '../support/suite.ts';
import { exceptions } from './exceptions.ts';
import { mutants } from './list/index.ts';
import { cellsOf, change, changesOf, isPlayedIn, type Promised } from './mutant.ts';
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

test('what each mutant changes stands once in its file, and each has a name of its own', () => {
  const names = mutants.map(({ name }) => name);
  assert.equal(
    names.filter((name, index) => names.indexOf(name) !== index),
    [],
  );
  const faults = mutants.flatMap(changesOf).flatMap((one) => {
    try {
      change(readFileSync(join(root, 'proxy', one.file), 'utf8'), one);
      return [];
    } catch (error) {
      return [(error as Error).message];
    }
  });
  assert.equal(faults, []);
});

test('each mutant names scenarios that exist, and are played in its cells', () => {
  const wrong = mutants.flatMap((mutant) => {
    const { name, kills } = mutant;
    const cells = cellsOf(mutant);
    const pairs = Object.entries(kills).flatMap(([file, titles]) => titles.map((title) => [file, title] as const));
    if (pairs.length === 0) return [`${name}: kills nothing`];
    return pairs
      .filter(([file, title]) => !named(file, title).some((one) => isPlayedIn(one, cells)))
      .map((pair) => `${name}: ${pair.join(': ')}`);
  });
  assert.equal(wrong, []);
});

test('each scenario is seen to fail by a mutant, or is excepted with a reason', () => {
  const seen = new Set<Promised>();
  for (const { kills } of mutants) {
    for (const [file, titles] of Object.entries(kills)) {
      for (const title of titles) for (const one of named(file, title)) seen.add(one);
    }
  }
  const excepted = new Set(exceptions.flatMap(({ file, title = '' }) => named(file, title)));
  const unproved = promises.filter((one) => !seen.has(one) && !excepted.has(one));
  assert.equal(
    unproved.map(({ file, title }) => `${file}: ${title}`),
    [],
  );
  assert.equal(
    [...excepted].filter((one) => seen.has(one)).map(({ title }) => title),
    [],
  );
});

test.run();
