/** The program that tests start, compiled once for a run. */
import { spawnSync } from 'node:child_process';
import { copyFileSync, cpSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';

/** Whether a test file starts the proxy as a program. `file`: its path below test/. */
export function startsPrograms(root: string, file: string): boolean {
  return /\/(program|balanced|balancers)\.ts/.test(readFileSync(join(root, 'test', file), 'utf8'));
}

/** Compiles the program as it is run, which then starts in half the time; returns where it begins. */
export function buildProgram(root: string, to: string): string {
  const tsc = join(root, 'node_modules', '.bin', 'tsc');
  const { stdout, status } = spawnSync(tsc, ['-p', 'tsconfig.build.json', '--outDir', to], {
    cwd: root,
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(stdout);
  cpSync(join(root, 'proxy', 'store', 'scripts'), join(to, 'proxy', 'store', 'scripts'), { recursive: true });
  copyFileSync(join(root, 'package.json'), join(to, 'package.json'));
  symlinkSync(join(root, 'node_modules'), join(to, 'node_modules'));
  return join(to, 'proxy', 'main.js');
}
