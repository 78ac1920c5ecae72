/** Keys of `sealing` (X4, O1): how they are given, and what is said when they are wrong, without a word of them. */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openSeal } from '../../proxy/app-seal.ts';
import { parseSealKeys } from '../../proxy/config/seal-keys.ts';
import { formatEffective, loadAll, parseArguments } from '../../proxy/config.ts';
import { KEY_BYTES, Seal } from '../../proxy/store/seal.ts';
import { assert, suite } from '../support/suite.ts';

const test = suite('keys that seal');

const minimal = ['--listen', 'tcp://127.0.0.1:0', '--host', 'a', '--upstream', 'xmpp://b', '--store', 'redis://c'];
const bytes = Buffer.from(Array.from({ length: KEY_BYTES }, (_, index) => index * 7 + 250));
const other = Buffer.alloc(KEY_BYTES, 'x');

function load(more: readonly string[], env: Record<string, string> = {}) {
  return loadAll({ env, readFile: () => '' }, parseArguments([...minimal, ...more]));
}

function messages(more: readonly string[], env: Record<string, string> = {}): string {
  const result = load(more, env);
  return Array.isArray(result) ? result.map(({ message }) => message).join('\n') : '';
}

test('a key is written in base64, base64url or hexadecimal', () => {
  for (const form of ['base64', 'base64url', 'hex'] as const)
    assert.equal(parseSealKeys(bytes.toString(form)), [bytes]);
  assert.equal(parseSealKeys(bytes.toString('hex').toUpperCase()), [bytes]);
});

test('several have spaces, commas or line ends between, and notes behind #', () => {
  const [one, two] = [bytes.toString('base64'), other.toString('hex')];
  for (const text of [`${one} ${two}`, `${one},${two}\n`, `# new\n${one} # of May\n\n${two}\r\n`]) {
    assert.equal(parseSealKeys(text), [bytes, other]);
  }
});

test('what is no key is told by its place', () => {
  assert.is(parseSealKeys(''), 'there is no key');
  assert.is(parseSealKeys('# nothing\n'), 'there is no key');
  assert.match(String(parseSealKeys(`${bytes.toString('hex')} secret`)), /^key 2 is not 32 bytes/);
  assert.match(String(parseSealKeys(bytes.subarray(1).toString('base64'))), /^key 1/);
  assert.match(String(parseSealKeys(Buffer.alloc(33).toString('base64'))), /^key 1/);
});

test('the environment gives keys or a file, and the settings show no key', () => {
  const key = bytes.toString('base64');
  const given = load([], { MINIMIX_SEALING_SECRET_KEY: key });
  if (Array.isArray(given)) throw new Error(given[0]?.message);
  assert.equal(given.config.sealing, { keys: key });
  assert.not.match(formatEffective(given.effective), key);
  const file = load([], { MINIMIX_SEALING_KEY_FILE: '/etc/minimix/seal.key' });
  assert.equal(Array.isArray(file) ? file : file.config.sealing, { keyFile: '/etc/minimix/seal.key' });
  const none = load([]);
  assert.is(Array.isArray(none) ? none : none.config.sealing, undefined);
});

test('errors name the key and what is allowed, and quote nothing', () => {
  const wrong = messages([], { MINIMIX_SEALING_SECRET_KEY: 'geheim' });
  assert.match(wrong, 'MINIMIX_SEALING_SECRET_KEY');
  assert.match(wrong, 'sealing.secret-key');
  assert.match(wrong, '32 random bytes');
  assert.not.match(wrong, 'geheim');
  const key = bytes.toString('hex');
  const both = messages(['--set', `sealing.secret-key=${key}`, '--set', 'sealing.key-file=/x']);
  assert.match(both, 'sealing.key-file');
  assert.not.match(both, key);
});

test('with nothing that outlives the process a warning says so', () => {
  const loaded = load(['--store', 'memory', '--set', 'sealing.key-file=/x']);
  assert.match(Array.isArray(loaded) ? '' : loaded.warnings.join(), 'sealing has no effect');
});

test('a file is read, and one that others may read is told of', () => {
  const folder = mkdtempSync(join(tmpdir(), 'minimix-seal-'));
  try {
    const keyFile = join(folder, 'seal.key');
    const warned: string[] = [];
    const log = { warn: (_: object, message: string) => void warned.push(message) };
    writeFileSync(keyFile, `${bytes.toString('base64')}\n${other.toString('base64')}\n`, { mode: 0o400 });
    const seal = openSeal({ keyFile }, log);
    assert.equal(seal?.ids, new Seal([Buffer.from(bytes), Buffer.from(other)]).ids);
    assert.equal(warned, []);
    chmodSync(keyFile, 0o644);
    openSeal({ keyFile }, log);
    assert.is(warned.length, 1);
    assert.throws(
      () => openSeal({ keyFile: join(folder, 'none') }, log),
      /sealing\.key-file: cannot read .*no such file/,
    );
    writeFileSync(join(folder, 'bad'), 'geheim');
    assert.throws(
      () => openSeal({ keyFile: join(folder, 'bad') }, log),
      (error: Error) => /sealing\.key-file: .*bad: key 1/.test(error.message) && !error.message.includes('geheim'),
    );
    assert.is(openSeal(undefined, log), undefined);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test.run();
