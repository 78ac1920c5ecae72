/** What the servers' own tools say of their samples. */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { promisify } from 'node:util';
import { parse } from 'yaml';
import { z } from 'zod';
import { ensurePackages, packagesOf } from '../servers/install.ts';
import { assert, suite } from '../support/suite.ts';
import { sample } from './balanced.ts';
import { prosodyConfiguration } from './servers.ts';

const test = suite('server samples', { limitMs: 60_000 });

const run = promisify(execFile);

test('prosodyctl has nothing to say against the Prosody sample', async ({ after }) => {
  ensurePackages(packagesOf.prosody);
  const folder = mkdtempSync(join(tmpdir(), 'minimix-prosody-'));
  after(() => rmSync(folder, { recursive: true }));
  const file = await prosodyConfiguration(folder, 15222);
  const { stdout } = await run('prosodyctl', [
    '--config',
    file,
    ...(process.getuid?.() === 0 ? ['--root'] : []),
    'check',
    'config',
  ]);
  assert.match(stdout, 'All checks passed');
});

const ejabberd = z.object({
  listen: z.array(z.object({ port: z.number(), module: z.string(), shaper: z.string() })),
  shaper_rules: z.object({ max_user_sessions: z.number() }),
  modules: z.object({ mod_muc: z.object({ max_user_conferences: z.number(), history_size: z.number() }) }),
});

test('ejabberd has its limits raised above its defaults, and the rate of the proxy is not shaped', () => {
  const { listen, shaper_rules: rules, modules } = ejabberd.parse(parse(sample('ejabberd/ejabberd.yml')));
  assert.is(listen.find(({ module }) => module === 'ejabberd_c2s')?.shaper, 'none');
  // Defaults of 23.01: 10 sessions, 100 rooms, 20 messages.
  assert.ok(rules.max_user_sessions >= 20);
  assert.ok(modules.mod_muc.max_user_conferences >= 200);
  assert.ok(modules.mod_muc.history_size > 20);
});

test.run();
