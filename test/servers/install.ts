/**
 * Debian packages that the tests need: installed where that is possible, else named in an error. A test that cannot have
 * its server fails; nothing is skipped. Run as a program, it installs all of them.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

/** What each kind of server needs. */
export const packagesOf = {
  prosody: ['prosody', 'lua-event', 'lua-sec', 'lua-unbound', 'prosody-modules', 'openssl'],
  ejabberd: ['ejabberd', 'openssl'],
  jabberd2: ['jabberd2', 'jabber-muc', 'sqlite3', 'openssl'],
  redis: ['redis-server', 'openssl'],
  /** What deploy/ has samples for. */
  balancers: ['haproxy', 'nginx-light', 'libnginx-mod-stream', 'openssl'],
  /** For `systemd-analyze`; on nearly every machine already. */
  systemd: ['systemd'],
  /** A client library in Python, which some tests play with. */
  slixmpp: ['python3-slixmpp'],
  /** A client for the terminal, and one that runs in a browser. */
  profanity: ['profanity'],
  browser: ['chromium'],
} as const;

// biome-ignore lint/suspicious/noTemplateCurlyInString: placeholders of dpkg-query.
const statusFormat = '${Package} ${db:Status-Status}\n';
const policyFile = '/usr/sbin/policy-rc.d';

/**
 * Makes sure that the packages are there: installs them as root on Debian, and where that cannot be (or must not:
 * `mayInstall`) throws an error that names the missing ones and the command to install them.
 */
export function ensurePackages(packages: readonly string[], mayInstall = true): void {
  const missing = missingOf(packages);
  if (missing.length === 0) return;
  const command = `apt-get install --no-install-recommends ${missing.join(' ')}`;
  if (!mayInstall || process.getuid?.() !== 0 || !exists('apt-get')) {
    throw new Error(`missing Debian packages: ${missing.join(', ')}. Install them as root: ${command}`);
  }
  console.error(`installing ${missing.join(' ')}`);
  withoutServices(() => {
    apt('update');
    apt('install', '-y', '--no-install-recommends', ...missing);
  });
  const still = missingOf(packages);
  if (still.length > 0) throw new Error(`not installed although apt-get succeeded: ${still.join(', ')}`);
}

function missingOf(packages: readonly string[]): string[] {
  const query = spawnSync('dpkg-query', ['-W', '-f', statusFormat, ...packages], {
    encoding: 'utf8',
  });
  if (query.error)
    throw new Error(`dpkg-query cannot be run, the tests' servers are Debian packages: ${packages.join(', ')}`);
  const installed = new Set(query.stdout.split('\n').filter((line) => line.endsWith(' installed')));
  return packages.filter((name) => !installed.has(`${name} installed`));
}

function exists(program: string): boolean {
  return spawnSync(program, ['--version'], { stdio: 'ignore' }).error === undefined;
}

function apt(...args: string[]): void {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const options = ['-q', '-o', 'Dpkg::Options::=--force-confold', '-o', 'DPkg::Lock::Timeout=120'];
  const run = spawnSync('apt-get', [...options, ...args], { env, encoding: 'utf8' });
  if (run.status !== 0) throw new Error(`apt-get ${args.join(' ')} failed:\n${run.stdout}${run.stderr}`);
}

/** Three servers of the distribution would be started on one port; ours run with their own configuration. */
function withoutServices(install: () => void): void {
  const isOurs = !existsSync(policyFile);
  if (isOurs) writeFileSync(policyFile, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  try {
    install();
  } finally {
    if (isOurs) rmSync(policyFile);
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  ensurePackages([...new Set(Object.values(packagesOf).flat())]);
}
