/** What tests run, compiled once for all: each of a run's many processes then begins with a third of the work. */
import { spawnSync } from 'node:child_process';
import { cpSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';

/** A compiled tree, shaped as the project is. */
export interface Compiled {
  /** The program, as it is run. */
  readonly program: string;
  /** What stands for a test file; `file`: its path below test/. */
  testOf(file: string): string;
}

const folders = ['proxy', 'test'];

/** Compiles program and tests into `to`, an empty folder. Types are not checked: that is the linter's neighbour's work, and has no result here. */
export function compile(root: string, to: string): Compiled {
  const tsc = join(root, 'node_modules', '.bin', 'tsc');
  const args = ['-p', 'tsconfig.json', '--noEmit', 'false', '--noCheck', '--rootDir', '.', '--outDir', to];
  const { stdout, status } = spawnSync(tsc, args, { cwd: root, encoding: 'utf8' });
  if (status !== 0) throw new Error(stdout);
  for (const folder of folders)
    cpSync(join(root, folder), join(to, folder), { recursive: true, filter: (path) => !path.endsWith('.ts') });
  for (const name of ['node_modules', 'package.json']) symlinkSync(join(root, name), join(to, name));
  return {
    program: join(to, 'proxy', 'main.js'),
    testOf: (file) => join(to, 'test', file.replace(/\.ts$/, '.js')),
  };
}
