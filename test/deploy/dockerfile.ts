/**
 * Plays a Dockerfile without a container engine: each stage is a folder, COPY and RUN do there what they say. Knows no more
 * instructions than ours has, and takes nothing that would reach outside its folder.
 */
import { execFile } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync } from 'node:fs';
import { basename, join, resolve, sep } from 'node:path';
import process from 'node:process';
import { promisify } from 'node:util';

const run = promisify(execFile);

interface Instruction {
  readonly name: string;
  readonly words: string;
}

/** What is left at the end: the last stage. */
export interface Image {
  /** In place of `/`. */
  readonly root: string;
  readonly workdir: string;
  readonly env: Readonly<Record<string, string>>;
  readonly user: string;
  readonly ports: readonly number[];
  readonly entrypoint: readonly string[];
  readonly command: readonly string[];
  readonly health: readonly string[];
  readonly stopSignal: string;
}

/** Instructions, with lines that go on joined and comments left out. */
export function readDockerfile(text: string): Instruction[] {
  const lines = text.replace(/^#.*\n/gm, '').replaceAll('\\\n', ' ');
  return lines
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => {
      const [, name = '', words = ''] = /^([A-Z]+) +(.*)$/.exec(line.trim()) ?? [];
      return { name, words: words.trim() };
    });
}

interface Stage {
  readonly root: string;
  readonly env: Record<string, string>;
  workdir: string;
  user: string;
  ports: number[];
  entrypoint: string[];
  command: string[];
  health: string[];
  stopSignal: string;
}

/** Plays it in `folder`, with `context` as the folder that COPY reads, less what `ignore` leaves out of it. */
export async function play(
  instructions: readonly Instruction[],
  context: string,
  ignore: string,
  folder: string,
): Promise<Image> {
  const stages = new Map<string, Stage>();
  let stage: Stage | undefined;
  for (const { name, words } of instructions) {
    if (name === 'ARG') continue;
    if (name === 'FROM') {
      const [, image = '', , as] = /^(\S+)( AS (\S+))?$/.exec(words) ?? [];
      if (!image.startsWith('node:')) throw new Error(`cannot play FROM ${words}`);
      stage = newStage(folder);
      if (as) stages.set(as, stage);
      continue;
    }
    if (!stage) throw new Error(`${name} stands before FROM`);
    await step(stage, name, words, { stages, context, kept: keptBy(ignore) });
  }
  if (!stage) throw new Error('there is no stage');
  return stage;
}

function newStage(folder: string): Stage {
  const root = mkdtempSync(join(folder, 'stage-'));
  const none: string[] = [];
  return {
    root,
    env: {},
    workdir: '/',
    user: 'root',
    ports: [],
    entrypoint: none,
    command: none,
    health: none,
    stopSignal: '',
  };
}

interface Around {
  readonly stages: ReadonlyMap<string, Stage>;
  readonly context: string;
  readonly kept: readonly string[];
}

async function step(stage: Stage, name: string, words: string, around: Around): Promise<void> {
  switch (name) {
    case 'WORKDIR':
      stage.workdir = words;
      mkdirSync(inside(stage, '.'), { recursive: true });
      return;
    case 'ENV': {
      const [key = '', value = ''] = words.split('=');
      stage.env[key] = value;
      return;
    }
    case 'COPY':
      copy(stage, words.split(/ +/), around);
      return;
    case 'RUN':
      await run('sh', ['-c', words], { cwd: inside(stage, '.'), env: { ...process.env, ...stage.env } });
      return;
    case 'USER':
      stage.user = words;
      return;
    case 'EXPOSE':
      stage.ports = words.split(/ +/).map(Number);
      return;
    case 'STOPSIGNAL':
      stage.stopSignal = words;
      return;
    case 'HEALTHCHECK':
      stage.health = JSON.parse(words.slice(words.indexOf('CMD ') + 4)) as string[];
      return;
    case 'ENTRYPOINT':
      stage.entrypoint = JSON.parse(words) as string[];
      return;
    case 'CMD':
      stage.command = JSON.parse(words) as string[];
      return;
    default:
      throw new Error(`cannot play ${name}`);
  }
}

/** A path of the stage; it must lie within. */
function inside({ root, workdir }: Stage, path: string): string {
  const found = join(root, resolve('/', workdir, path));
  if (found !== root && !found.startsWith(`${root}${sep}`)) throw new Error(`${path} leads out of the stage`);
  return found;
}

/** Files into a folder (a destination that ends with a slash, or several sources), else the one source as the destination. */
function copy(stage: Stage, words: string[], { stages, context, kept }: Around): void {
  const from = words[0]?.startsWith('--from=') ? words.shift()?.slice('--from='.length) : undefined;
  const to = words.pop() as string;
  const isFolder = to.endsWith('/') || words.length > 1;
  for (const word of words) {
    const source = sourceOf(word, from, stages, context, kept);
    if (!existsSync(source)) throw new Error(`COPY ${word}: there is no such file`);
    cpSync(source, isFolder ? join(inside(stage, to), basename(word)) : inside(stage, to), { recursive: true });
  }
}

function sourceOf(
  word: string,
  from: string | undefined,
  stages: ReadonlyMap<string, Stage>,
  context: string,
  kept: readonly string[],
): string {
  if (from === undefined) {
    if (!kept.includes(word.split('/')[0] as string)) throw new Error(`COPY ${word}: left out by .dockerignore`);
    return join(context, word);
  }
  const other = stages.get(from);
  if (!other) throw new Error(`there is no stage ${from}`);
  return inside(other, word);
}

/** Names at the top of the context that an ignore file of the form "nothing but these" lets through. */
function keptBy(ignore: string): string[] {
  const [first, ...others] = ignore.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  if (first !== '*' || others.some((line) => !line.startsWith('!'))) throw new Error('not of the form "nothing but"');
  return others.map((line) => line.slice(1));
}
