/** What a mutant is: the proxy with one rule taken out, and the scenarios that must notice. */

import { serverNames } from '../servers/index.ts';

/** One place of one file. */
export interface Change {
  /** Below proxy/. */
  readonly file: string;
  /** Stands in the file exactly once. */
  readonly find: string;
  /** What stands there instead. */
  readonly put: string;
}

export interface Mutant extends Change {
  /** What the proxy does without the rule that is taken out. */
  readonly name: string;
  /** Where two places see to one rule: the others. */
  readonly and?: readonly Change[];
  /** Which cells are played, in the terms of `TEST_CELLS`: the fewest that show it. */
  readonly cells?: string;
  /**
   * The scenarios that must fail: file below test/scenarios/ without `.test.ts`, to beginnings of titles. Each promise that
   * begins so and is played in these cells must fail in one of them at least.
   */
  readonly kills: Readonly<Record<string, readonly string[]>>;
}

/** A scenario without its cells. */
export interface Promised {
  /** Name of the file, as in `Mutant.kills`. */
  readonly file: string;
  readonly title: string;
  /** The cells that it is played in, as they stand at the end of its titles; none: it has no cells. */
  readonly cells: readonly string[];
}

/** Most rules hold alike in all cells. */
export const USUAL_CELLS = 'prosody,borrowed,tcp';

export function cellsOf(mutant: Mutant): string {
  return mutant.cells ?? USUAL_CELLS;
}

/** A test's title without the cell at its end. */
export function promiseOf(title: string): string {
  return title.replace(/ \[[^[\]]*\]$/, '');
}

/** The cell at a title's end, if there is one: a real server, carrier and transport. Scripted rooms are played whatever is asked for. */
export function cellOf(title: string): string[] {
  const cell = title.match(/ \[(\w+, \w+, \w+)\]$/)?.[1];
  return cell !== undefined && serverNames.some((name) => cell.startsWith(name)) ? [cell] : [];
}

/** Whether the promise is played in cells that have all of these, in the terms of `TEST_CELLS`. */
export function isPlayedIn({ cells }: Promised, wanted: string): boolean {
  const words = wanted.split(',');
  return cells.length === 0 || cells.some((cell) => words.every((word) => cell.split(', ').includes(word)));
}

export function changesOf({ file, find, put, and = [] }: Mutant): Change[] {
  return [{ file, find, put }, ...and];
}

/** The source with the change made. Throws when the text to be replaced is not there exactly once. */
export function change(source: string, { file, find, put }: Change): string {
  const parts = source.split(find);
  if (parts.length !== 2) throw new Error(`proxy/${file} has ${parts.length - 1} times: ${find}`);
  if (find === put) throw new Error(`proxy/${file}: nothing changes in: ${find}`);
  return parts.join(put);
}
