/** What a mutant is: the proxy with one rule taken out, and the scenarios that must notice. */

export interface Mutant {
  /** Says which rule is taken out, or what the proxy does in its absence. */
  readonly name: string;
  /** Below proxy/. */
  readonly file: string;
  /** Stands in the file exactly once. */
  readonly find: string;
  /** What stands there instead. */
  readonly put: string;
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

/** The file with the rule taken out. Throws when the text to be replaced is not there exactly once. */
export function mutate(source: string, { name, file, find, put }: Mutant): string {
  const parts = source.split(find);
  if (parts.length !== 2) throw new Error(`${name}: its text stands ${parts.length - 1} times in proxy/${file}`);
  if (find === put) throw new Error(`${name}: changes nothing`);
  return parts.join(put);
}
