/** The import table of the layers (biome.json, `overrides`) is only worth something if each of its rules fires. */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { assert, suite } from './suite.ts';

interface Diagnostic {
  category: string;
  location: { path: string };
}

/** [importing file, what it imports] */
const forbidden: [string, string][] = [
  ...refused('proxy/xml/a.ts', 'node:fs', 'ws', 'redis', 'zod', 'uvu', '../core/x.ts', '../net/x.ts', '../ops/log.ts'),
  ...refused('proxy/xml/b.ts', '../stream/x.ts', '../store/x.ts', '../runtime/x.ts', '../config.ts', '../app.ts'),
  ...refused('proxy/core/a.ts', 'node:crypto', 'ws', 'redis', 'ltx', 'pino', '../stream/x.ts', '../net/x.ts', 'uvu'),
  ...refused('proxy/core/b.ts', '../store/x.ts', '../ops/log.ts', '../runtime/x.ts', '../config.ts', '../app.ts'),
  ...refused('proxy/core/rules/a.ts', 'node:fs', 'ws', 'redis', '../../net/x.ts', '../../ops/log.ts', '../../app.ts'),
  ...refused('proxy/stream/a.ts', 'node:crypto', 'ws', 'redis', '../core/x.ts', '../net/x.ts', '../store/x.ts'),
  ...refused('proxy/stream/b.ts', '../ops/log.ts', '../runtime/x.ts', '../config.ts', '../main.ts', 'uvu'),
  ...refused('proxy/net/a.ts', 'redis', '../core/x.ts', '../stream/x.ts', '../store/x.ts', '../runtime/x.ts'),
  ...refused('proxy/net/b.ts', '../config.ts', '../app.ts', '../main.ts', '../../test/support/x.ts', 'uvu'),
  ...refused('proxy/store/a.ts', 'ws', '../net/x.ts', '../runtime/x.ts', '../stream/x.ts', '../app.ts', 'uvu'),
  ...refused('proxy/ops/a.ts', 'ws', 'redis', '../xml/x.ts', '../core/x.ts', '../store/x.ts', '../runtime/x.ts', 'uvu'),
  ...refused('proxy/config/a.ts', 'ws', 'redis', '../net/x.ts', '../runtime/x.ts', '../app.ts', 'uvu'),
  ...refused('proxy/net/d.ts', '../config/types.ts'),
  ...refused('proxy/runtime/a.ts', 'ws', 'redis', '../app.ts', '../main.ts', '../../test/support/x.ts', 'uvu'),
  ...refused('proxy/app.ts', 'ws', 'redis', 'uvu', '../test/support/x.ts'),
  ...refused('proxy/workers/a.ts', 'ws', 'redis', 'uvu', '../../test/support/x.ts'),
  ...refused('test/core/a.test.ts', 'uvu', 'uvu/assert'),
  ...refused('test/scenarios/a.test.ts', 'uvu'),
];

const allowed: [string, string][] = [
  ...refused('proxy/xml/c.ts', 'ltx', '@xmpp/jid', './names.ts'),
  ...refused('proxy/core/c.ts', './room.ts', './rules/join.ts', '../xml/stanza.ts'),
  ...refused('proxy/core/rules/c.ts', '../room.ts', './leave.ts', '../../xml/stanza.ts'),
  ...refused('proxy/stream/c.ts', './sasl.ts', '../xml/stanza.ts'),
  ...refused('proxy/net/c.ts', 'ws', 'node:net', '../xml/framer.ts', '../ops/log.ts'),
  ...refused('proxy/store/c.ts', 'redis', 'node:fs', '../core/effects.ts', '../ops/log.ts'),
  ...refused('proxy/ops/c.ts', 'pino', 'prom-client', 'node:http'),
  ...refused('proxy/config/c.ts', 'zod', 'yaml', '../xml/address.ts'),
  ...refused('proxy/runtime/c.ts', '../core/account.ts', '../net/dial.ts', '../store/store.ts', '../config.ts'),
  ...refused('proxy/workers/b.ts', '../app.ts', '../config.ts', '../ops/log.ts', 'node:cluster'),
  ...refused('proxy/main.ts', './app.ts', './config.ts', 'node:process'),
  ...refused('test/net/c.test.ts', 'ws', 'redis', 'ltx', '../../proxy/app.ts'),
  ...refused('test/support/suite.ts', 'uvu', 'uvu/assert'),
];

const test = suite('layers', { limitMs: 30_000 });

test('every import that the layers forbid is an error, every one that they grant is none', async ({ after }) => {
  const folder = await mkdtemp(join(tmpdir(), 'minimix-layers-'));
  after(() => rm(folder, { recursive: true }));
  const config = JSON.parse(await readFile('biome.json', 'utf8'));
  config.vcs = { enabled: false };
  await writeFile(join(folder, 'biome.json'), JSON.stringify(config));

  const expected = new Map<string, boolean>();
  for (const [isError, cases] of [
    [true, forbidden],
    [false, allowed],
  ] as const) {
    for (const [index, [file, source]] of cases.entries()) {
      const path = fixturePath(file, `${isError ? 'no' : 'yes'}${index}`);
      expected.set(path, isError);
      await mkdir(dirname(join(folder, path)), { recursive: true });
      await writeFile(join(folder, path), `import { x } from '${source}';\n\nx();\n`);
    }
  }

  const flagged = new Set(await restricted(folder));
  const describe = (path: string) => `${path} ${isKept(path) ? allowed[indexOf(path)] : forbidden[indexOf(path)]}`;
  const silent = [...expected]
    .filter(([path, isError]) => isError && !flagged.has(path))
    .map(([path]) => describe(path));
  const loud = [...expected].filter(([path, isError]) => !isError && flagged.has(path)).map(([path]) => describe(path));
  assert.equal(silent, [], 'these imports should be errors');
  assert.equal(loud, [], 'these imports should be allowed');
});

test.run();

function refused(file: string, ...sources: string[]): [string, string][] {
  return sources.map((source) => [file, source]);
}

/** A name of its own for each case, in the folder that the rule is about; files that a rule names stay what they are. */
function fixturePath(file: string, label: string): string {
  if (file === 'test/support/suite.ts') return file;
  return file.replace(/[^/]+$/, (name) => `${name.split('.')[0]}-${label}.ts`);
}

function isKept(path: string): boolean {
  return !path.includes('-no');
}

function indexOf(path: string): number {
  return Number(/(\d+)\.ts$/.exec(path)?.[1] ?? -1);
}

/** Paths, relative to `folder`, in which the linter found a forbidden import. */
function restricted(folder: string): Promise<string[]> {
  const biome = join('node_modules', '@biomejs', 'biome', 'bin', 'biome');
  const args = [biome, 'lint', '--only=style/noRestrictedImports', '--reporter=json', '--max-diagnostics=none'];
  return new Promise((resolve, reject) => {
    execFile(process.execPath, [...args, `--config-path=${folder}`, folder], (_, stdout, stderr) => {
      if (!stdout.includes('"diagnostics"')) return reject(new Error(`biome said: ${stdout}${stderr}`));
      const report = JSON.parse(stdout.slice(stdout.indexOf('{'))) as { diagnostics: Diagnostic[] };
      const found = report.diagnostics.filter((one) => one.category === 'lint/style/noRestrictedImports');
      resolve(found.map((one) => one.location.path.replace(`${folder}/`, '')));
    });
  });
}
