/** The unit file is one that systemd takes, hardened, and gives a stop the time that it needs. */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { promisify } from 'node:util';
import { parse } from 'yaml';
import { parseConfig } from '../../proxy/config.ts';
import { ensurePackages, packagesOf } from '../servers/install.ts';
import { assert, suite } from '../support/suite.ts';
import { replaceAll, sample } from './balanced.ts';

const test = suite('systemd unit', { limitMs: 60_000 });

const run = promisify(execFile);
const unit = sample('systemd/minimix-proxy.service');

function setting(name: string): string {
  return new RegExp(`^${name}=(.*)$`, 'm').exec(unit)?.[1] ?? '';
}

test('systemd takes it, and finds it well hardened', async ({ after }) => {
  ensurePackages(packagesOf.systemd);
  const folder = mkdtempSync(join(tmpdir(), 'minimix-unit-'));
  after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'minimix-proxy.service');
  // Node.js may be anywhere on this machine.
  await writeFile(file, replaceAll(unit, [['/usr/bin/node', process.execPath]]));
  const verified = await run('systemd-analyze', ['verify', '--man=no', file]);
  assert.is(verified.stderr.trim(), '');
  // Exposure in tenths, of 100: exits with 1 above the threshold. A service with sockets cannot be at 0.
  await run('systemd-analyze', ['security', '--no-pager', '--offline=true', '--threshold=15', file]);
});

test('a stop has the time to drain and to close all streams', () => {
  const config = parseConfig(parse(sample('minimix-proxy.node.yaml')));
  if (Array.isArray(config)) throw new Error('the sample configuration is wrong');
  assert.ok(Number(setting('TimeoutStopSec')) * 1000 > config.drain.timeoutMs + 6000);
  assert.is(setting('KillSignal'), 'SIGTERM');
});

test('its user is the one that sysusers makes, and what it starts is the program', () => {
  const [, user] = /^u (\S+) /m.exec(sample('systemd/minimix-proxy.sysusers.conf')) ?? [];
  assert.is(setting('User'), user);
  const { bin } = JSON.parse(sample('../package.json')) as { bin: Record<string, string> };
  assert.match(setting('ExecStart'), ` ${bin['minimix-proxy']} --config `);
});

test.run();
