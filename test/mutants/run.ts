/**
 * Takes one rule after the other out of a copy of the proxy, and plays the scenarios that must notice: first with the rule, then
 * without it. A mutant that survives fails the run, and so does one that breaks in another way than its scenarios say.
 *
 *   run.ts [--jobs=N] [--show] [--unproved] [THEME | PART OF A NAME OR FILE]...
 *
 * --jobs: test processes at a time (2). --show: with what words the scenarios failed. --unproved: does not play the scenarios
 * with the rule first, to be quick while writing a mutant.
 */
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { describeServers, sharedNames, startServers } from '../servers/index.ts';
import { fromSources, type Outcome, runChild } from '../support/run-child.ts';
import { mutants, themes } from './list/index.ts';
import { type Change, cellsOf, change, changesOf, type Mutant } from './mutant.ts';
import { pathOf, root } from './scenarios.ts';
import { judge, judgeUnmutated } from './verdict.ts';

/** What a file of scenarios may take. */
const LIMIT_MS = 300_000;

const flags = process.argv.slice(2).filter((argument) => argument.startsWith('--'));
const parts = process.argv.slice(2).filter((argument) => !argument.startsWith('--'));
const jobs = Number(flags.find((flag) => flag.startsWith('--jobs='))?.slice('--jobs='.length) ?? 2);
const isShown = flags.includes('--show');
// Death by a signal skips the clean-up that ends servers and test processes; an exit does not.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(1));
process.exitCode = await main();

async function main(): Promise<number> {
  const wanted = mutants.filter((one) => parts.length === 0 || parts.some((part) => isMeant(part, one)));
  if (wanted.length === 0) throw new Error('there is no such mutant');
  const folder = mkdtempSync(join(tmpdir(), 'minimix-mutants-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  const servers = await startServers(sharedNames.filter((name) => wanted.some((one) => isPlayed(name, one))));
  const facts = join(folder, 'servers.json');
  writeFileSync(facts, describeServers(servers));
  const trees = Array.from({ length: Math.max(1, jobs) }, (_, index) => copyTree(join(folder, `tree-${index}`)));
  const play = (tree: string, { file, cells, titles }: Play): Promise<Outcome> =>
    runChild({
      label: file,
      args: [...fromSources, join('test', pathOf(file))],
      cwd: tree,
      folder,
      files: [pathOf(file)],
      limitMs: LIMIT_MS,
      env: { TEST_SERVERS: facts, TEST_CELLS: cells, TEST_TITLES: JSON.stringify(titles) },
    });
  try {
    console.log(`${wanted.length} mutants`);
    const unsound = flags.includes('--unproved') ? [] : await each(trees, together(wanted), proveOne(play));
    const survivors = await each(trees, wanted, tryOne(play));
    return summarise(wanted.length, unsound.flat(), survivors.flat());
  } finally {
    await Promise.all(servers.map((server) => server.stop()));
  }
}

/** By theme, or part of the name or file of what is changed or played. */
function isMeant(part: string, mutant: Mutant): boolean {
  const { name, file, kills } = mutant;
  if (themes[part]) return themes[part].includes(mutant);
  return [name, file, ...Object.keys(kills)].some((text) => text.includes(part));
}

/** Scenarios of one file in the same cells. */
interface Play {
  readonly file: string;
  readonly cells: string;
  readonly titles: readonly string[];
}

type Player = (tree: string, play: Play) => Promise<Outcome>;

function isPlayed(server: string, mutant: Mutant): boolean {
  const words = cellsOf(mutant).split(',');
  const named = ['prosody', 'ejabberd', 'jabberd2'].filter((name) => words.includes(name));
  return named.length === 0 || named.includes(server);
}

function copyTree(tree: string): string {
  for (const part of ['proxy', 'test', 'deploy', 'package.json', 'tsconfig.json']) {
    cpSync(join(root, part), join(tree, part), { recursive: true });
  }
  symlinkSync(join(root, 'node_modules'), join(tree, 'node_modules'));
  return tree;
}

function playsOf(mutant: Mutant): Play[] {
  return Object.entries(mutant.kills).map(([file, titles]) => ({ file, cells: cellsOf(mutant), titles }));
}

/** All that is to be played, each scenario once. */
function together(wanted: readonly Mutant[]): Play[] {
  const all = new Map<string, Play>();
  for (const { file, cells, titles } of wanted.flatMap(playsOf)) {
    const key = `${file} ${cells}`;
    const before = all.get(key)?.titles ?? [];
    all.set(key, { file, cells, titles: [...new Set([...before, ...titles])] });
  }
  return [...all.values()];
}

/** Plays scenarios with all rules in place; real servers have races of their own, so that one failure is none. */
function proveOne(play: Player): (tree: string, what: Play) => Promise<string[]> {
  return async (tree, what) => {
    let faults: string[] = [];
    for (let attempt = 0; attempt < 2; attempt++) {
      const outcome = await play(tree, what);
      faults = judgeUnmutated(what.titles, outcome);
      if (faults.length === 0) break;
      if (attempt > 0) console.log(outcome.output);
    }
    for (const fault of faults) console.log(`FAILS WITH THE RULE ${what.file} [${what.cells}]: ${fault}`);
    return faults.map((fault) => `${what.file} [${what.cells}]: ${fault}`);
  };
}

/** Plays the scenarios without the rule; returns what did not fail as it must. */
function tryOne(play: Player): (tree: string, mutant: Mutant) => Promise<string[]> {
  return async (tree, mutant) => {
    const started = Date.now();
    const alive: string[] = [];
    const restore = changesOf(mutant).map((one) => makeChange(tree, one));
    try {
      for (const what of playsOf(mutant)) {
        const outcome = await play(tree, what);
        const { survived, words } = judge(what.titles, outcome);
        alive.push(...survived.map((one) => `${what.file}: ${one}`));
        if (isShown) for (const word of words) console.log(`    ${what.file}: ${word}`);
      }
    } finally {
      for (const undo of restore.reverse()) undo();
    }
    const seconds = `(${((Date.now() - started) / 1000).toFixed(1)} s)`;
    console.log(`${alive.length === 0 ? 'killed  ' : 'SURVIVED'} ${mutant.name} ${seconds}`);
    for (const one of alive) console.log(`    ${one}`);
    return alive.map((one) => `${mutant.name}: ${one}`);
  };
}

/** Returns what undoes it. */
function makeChange(tree: string, one: Change): () => void {
  const file = join(tree, 'proxy', one.file);
  const source = readFileSync(file, 'utf8');
  writeFileSync(file, change(source, one));
  return () => writeFileSync(file, source);
}

/** Does the work for each item, as many at a time as there are trees. */
async function each<Item, Result>(
  trees: readonly string[],
  items: readonly Item[],
  work: (tree: string, item: Item) => Promise<Result>,
): Promise<Result[]> {
  const queue = [...items];
  const results: Result[] = [];
  const run = async (tree: string): Promise<void> => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) results.push(await work(tree, item));
  };
  await Promise.all(trees.map(run));
  return results;
}

function summarise(count: number, unsound: readonly string[], survivors: readonly string[]): number {
  for (const one of unsound) console.log(`fails with the rule: ${one}`);
  for (const one of survivors) console.log(`survived: ${one}`);
  const alive = new Set(survivors.map((one) => mutants.find(({ name }) => one.startsWith(`${name}: `))?.name)).size;
  console.log(`${count - alive} mutants killed, ${alive} survived`);
  return unsound.length + survivors.length === 0 ? 0 : 1;
}
