/** Scenarios that no mutant can make fail, each with the reason. To be kept tiny. */

export interface Exception {
  /** Name of the file, as in `Mutant.kills`. */
  readonly file: string;
  /** Beginning of the title; undefined: the whole file. */
  readonly title?: string;
  readonly reason: string;
}

export const exceptions: readonly Exception[] = [
  { file: 'direct', reason: 'plays the test client straight at each server: the proxy has no part in it' },
];
