/** What tests run, bundled once for all: each of a run's many processes then begins with a third of the work. */
import { readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build, type Plugin } from 'esbuild';

/** A bundled tree, shaped as the project is. */
export interface Compiled {
  /** The program, as it is run. */
  readonly program: string;
  /** What stands for a test file; `file`: its path below test/. */
  testOf(file: string): string;
}

/**
 * Bundles the program and the test files `files` (paths below test/) into `to`, an empty folder, with the packages that they use. Types are
 * not checked: that has a command of its own. What an operator runs is built otherwise; test/redis/program.test.ts plays that.
 */
export async function compile(root: string, files: readonly string[], to: string): Promise<Compiled> {
  const program = join('proxy', 'main.ts');
  await build({
    entryPoints: [program, ...files.map((file) => join('test', file))].map((file) => join(root, file)),
    outdir: to,
    outbase: root,
    bundle: true,
    external: ['redis'],
    splitting: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    // Packages of the older kind call it for Node's own modules.
    banner: {
      js: `import { createRequire as requireOf } from 'node:module'; const require = requireOf(${place(join(root, 'package.json'))});`,
    },
    plugins: [asWhereTheyStand(root)],
  });
  for (const name of ['node_modules', 'package.json']) symlinkSync(join(root, name), join(to, name));
  const bundleOf = (path: string): string => join(to, path.replace(/\.ts$/, '.js'));
  return { program: bundleOf(program), testOf: (file) => bundleOf(join('test', file)) };
}

/** Modules find the files beside them as if they were run from their own places. */
function asWhereTheyStand(root: string): Plugin {
  const filter = new RegExp(`^${root.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}(proxy|test)/.*\\.ts$`);
  return {
    name: 'places',
    setup: ({ onLoad }) =>
      onLoad({ filter }, ({ path }) => {
        const contents = readFileSync(path, 'utf8').replaceAll('import.meta.url', place(path));
        if (/import\.meta\.(dirname|filename)/.test(contents))
          throw new Error(`${path}: of a module's place only its URL is known`);
        return { contents, loader: 'ts' };
      }),
  };
}

/** The URL of a file, as a literal. */
function place(path: string): string {
  return JSON.stringify(pathToFileURL(path).href);
}
