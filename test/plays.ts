/** What a run plays: test files, those on real servers in parts that need not wait for each other, some over several nodes. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { inEveryRun, isSpread, type Way, ways } from './over-nodes.ts';
import { serverNames } from './servers/index.ts';

/** A test file, or those of its tests that have `part` in their titles (`-`: have it not). */
export interface Play {
  readonly file: string;
  readonly part: string;
  /** The file, and what is special. */
  readonly label: string;
  /** What the file's process is told besides. */
  readonly env: Readonly<Record<string, string>>;
}

export interface PlaysOptions {
  /** The project's folder. */
  readonly root: string;
  /** Below test/. */
  readonly files: readonly string[];
  /** Each file that can be over nodes, in each way, and nothing else. */
  readonly isOverNodes: boolean;
  /** All there is: what is also played over nodes in every run is among it. */
  readonly isWhole: boolean;
}

/** What is played on servers that need time and little of the processor: beside the rest. In the titles of such tests. */
const slow = '[jabberd2';

/** What takes longest begins first: none of it should be left when all else is done. */
const longest = [
  'residue-rounds',
  'isolation',
  'nodes-program',
  'workers',
  'resume-nodes-program',
  'bookmarks',
  'resume-ends',
  'push',
  'resume-cut',
  'resume-expiry',
  'resume-nodes',
  'resume-slow',
  'servers',
].map((name) => `/${name}.test.ts`);

export function isSlow({ part }: Play): boolean {
  return part === slow;
}

export function playsOf({ root, files, isOverNodes, isWhole }: PlaysOptions): Play[] {
  const wanted = process.env.TEST_CELLS ?? '';
  if (isOverNodes) {
    const spread = files.filter(isSpread);
    return Object.values(ways).flatMap((way) => spread.flatMap((file) => partsOf(root, file, wanted, way)));
  }
  const inOrder = files.toSorted((one, other) => rankOf(one) - rankOf(other));
  const plays = inOrder.flatMap((file) => partsOf(root, file, wanted));
  if (!isWhole || wanted !== '' || process.env.TEST_NODES !== undefined) return plays;
  const over = inEveryRun.flatMap(({ way, cells, files: names }) =>
    names.flatMap((name) => partsOf(root, `scenarios/${name}.test.ts`, cells, way)),
  );
  return [...over, ...plays];
}

function rankOf(file: string): number {
  const rank = longest.findIndex((name) => file.endsWith(name));
  return rank < 0 ? longest.length : rank;
}

function partsOf(root: string, file: string, cells: string, way?: Way): Play[] {
  const isOnServers = /support\/(scenario|stage)\.ts/.test(readFileSync(join(root, 'test', file), 'utf8'));
  const parts = isOnServers ? [`-${slow}`, slow].filter((part) => isNamed(part, cells)) : [''];
  const env = { ...way?.env, ...(cells === '' ? {} : { TEST_CELLS: cells }) };
  return parts.map((part) => {
    const label = [file, part === slow && 'on jabberd2', way?.label].filter(Boolean).join(' ');
    return { file, part, label, env: { ...env, TEST_PART: part } };
  });
}

/** Whether anything of that part is among the cells. */
function isNamed(part: string, cells: string): boolean {
  const words = cells.split(',');
  const named = serverNames.filter((name) => words.includes(name));
  return named.length === 0 || named.some((name) => slow.includes(name) === (part === slow));
}
