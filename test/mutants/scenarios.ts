/** All scenarios there are, by their titles. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { fromSources, runChild } from '../support/run-child.ts';
import { cellOf, type Promised, promiseOf } from './mutant.ts';

export const root = fileURLToPath(new URL('../..', import.meta.url));

/** Path below test/ of a file of scenarios. */
export function pathOf(file: string): string {
  return join('scenarios', `${file}.test.ts`);
}

/** Names of the files of scenarios, as mutants name them. */
export function scenarioFiles(): string[] {
  const names = readdirSync(join(root, 'test', 'scenarios')).filter((name) => name.endsWith('.test.ts'));
  return names.map((name) => name.slice(0, -'.test.ts'.length)).sort();
}

/** Reads the titles from the files themselves, which are loaded in a process of their own and not run. `folder`: for its report. */
export async function allPromises(folder: string): Promise<Promised[]> {
  const files = scenarioFiles().map(pathOf);
  const program = files.map((file) => `await import('./test/${file}');`).join('');
  const outcome = await runChild({
    label: 'titles',
    args: [...fromSources, '--input-type=module', '--eval', program],
    cwd: root,
    folder,
    files,
    limitMs: 60_000,
    env: { TEST_LIST: '1', TEST_CELLS: '' },
  });
  if (outcome.failed.length > 0) throw new Error(`${outcome.failed.join('\n')}\n${outcome.output}`);
  const found = new Map<string, Promised>();
  for (const { file, titles } of outcome.suites) {
    const name = file.slice('scenarios/'.length, -'.test.ts'.length);
    for (const one of titles) {
      const title = promiseOf(one);
      const cells = [...(found.get(`${name} ${title}`)?.cells ?? []), ...cellOf(one)];
      found.set(`${name} ${title}`, { file: name, title, cells });
    }
  }
  return [...found.values()];
}
