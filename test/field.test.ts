/** Each of the hardest cases is shown by scenarios that there are. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hardCases } from './field.ts';
import { allPromises } from './mutants/scenarios.ts';
import { assert, suite } from './support/suite.ts';

const test = suite('hard cases', { limitMs: 90_000 });

test('each of the 25 hard cases is shown by scenarios', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'minimix-titles-'));
  const promises = await allPromises(folder).finally(() => rmSync(folder, { recursive: true }));
  assert.is(hardCases.length, 25);
  const faults = hardCases.flatMap(({ what, shownBy }) => {
    const named = Object.entries(shownBy).flatMap(([file, titles]) => titles.map((title) => ({ file, title })));
    if (named.length === 0) return [`${what}: shown by nothing`];
    return named
      .filter((one) => !promises.some(({ file, title }) => file === one.file && title.startsWith(one.title)))
      .map(({ file, title }) => `${what}: ${file} has no "${title}"`);
  });
  assert.equal(faults, []);
});

test.run();
