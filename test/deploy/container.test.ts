/** The steps of the Dockerfile, played in a folder: the image starts as another user than root, answers its own health check and ends well. */
import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { parse } from 'yaml';
import { freePorts, until } from '../servers/process.ts';
import { assert, suite } from '../support/suite.ts';
import { replaceAll, sample } from './balanced.ts';
import { type Image, play, readDockerfile } from './dockerfile.ts';

const test = suite('container image', { limitMs: 60_000, hookLimitMs: 240_000 });

const instructions = readDockerfile(sample('container/Dockerfile'));
let folder: string;
let image: Image;

test.before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'minimix-image-'));
  // The user of the image must be able to go in.
  chmodSync(folder, 0o755);
  // What the tests' own installation has fetched need not be fetched again.
  process.env.npm_config_prefer_offline = 'true';
  image = await play(instructions, '.', sample('container/Dockerfile.dockerignore'), folder);
  chmodSync(image.root, 0o755);
});
test.after(() => rmSync(folder, { recursive: true, force: true }));

/** How a command is started in the image, by the user that the image names where that can be. */
function inImage(commands: readonly string[]) {
  const [uid = 0, gid = 0] = image.user.split(':').map(Number);
  const who = process.getuid?.() === 0 ? { uid, gid } : {};
  const [program, ...args] = commands.map((word) => (word === 'node' ? process.execPath : word));
  const env = { PATH: process.env.PATH, ...image.env };
  const cwd = join(image.root, image.workdir);
  return { program: program as string, args, options: { cwd, env, ...who } };
}

test('it holds the built program and what that needs, nothing of the tests, and no root', () => {
  assert.equal(readdirSync(join(image.root, image.workdir)).sort(), [
    'LICENSE',
    'dist',
    'node_modules',
    'package.json',
  ]);
  const modules = readdirSync(join(image.root, image.workdir, 'node_modules'));
  const { dependencies, devDependencies } = JSON.parse(sample('../package.json')) as Record<string, object>;
  for (const name of Object.keys(dependencies as object))
    assert.ok(modules.includes(name.split('/')[0] as string), name);
  for (const name of ['typescript', 'tsx', 'uvu', 'fast-check']) {
    assert.ok(name in (devDependencies as object), name);
    assert.not.ok(modules.includes(name), name);
  }
  const [uid] = image.user.split(':').map(Number);
  assert.ok(uid !== undefined && uid > 0, image.user);
});

test('its user, ports and time to stop are those of compose and Kubernetes', () => {
  const { spec } = parse(sample('kubernetes/deployment.yaml')).spec.template;
  const { runAsUser, runAsGroup } = spec.securityContext;
  assert.is(image.user, `${runAsUser}:${runAsGroup}`);
  const ports = spec.containers[0].ports.map(({ containerPort }: { containerPort: number }) => containerPort);
  assert.equal([...image.ports], ports);
  assert.is(image.stopSignal, 'SIGTERM');
  assert.match(image.command.join(' '), '--config /etc/minimix/minimix-proxy.yaml');
});

test('it starts with its entry point, answers its health check, and ends with 0 on its signal', async ({ after }) => {
  const server = createServer((socket) => socket.on('error', () => {}).resume());
  const [upstream, starttls, http] = (await freePorts(3)) as [number, number, number];
  await new Promise<void>((resolve) => server.listen(upstream, '127.0.0.1', resolve));
  after(() => server.close());
  const file = join(folder, 'minimix-proxy.yaml');
  const config = {
    listeners: [`tcp://127.0.0.1:${starttls}`],
    hosts: { localhost: { upstream: `xmpp://127.0.0.1:${upstream}` } },
    http: `127.0.0.1:${http}`,
  };
  await writeFile(file, JSON.stringify(config));
  const command = image.command.map((word) => word.replace('/etc/minimix/minimix-proxy.yaml', file));
  const { program, args, options } = inImage([...image.entrypoint, ...command]);
  const child = spawn(program, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
  after(() => child.kill('SIGKILL'));
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  }
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  const isHealthy = (): boolean => {
    const words = image.health.map((word) => replaceAllIf(word, ':9090/', `:${http}/`));
    const check = inImage(words);
    return spawnSync(check.program, check.args, check.options).status === 0;
  };
  assert.not.ok(isHealthy());
  await until('it to start', 20_000, () => output.includes('"msg":"started"') || child.exitCode !== null);
  assert.is(child.exitCode, null, output);
  assert.ok(isHealthy(), output);
  child.kill(image.stopSignal as NodeJS.Signals);
  assert.is(await ended, 0);
});

/** The health check asks a port of the sample; in no other word it may be missing unseen. */
function replaceAllIf(word: string, what: string, by: string): string {
  return word.includes('http://') ? replaceAll(word, [[what, by]]) : word;
}

test.run();
