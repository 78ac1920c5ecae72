/** What a run of scenarios says of a mutant. */
import type { Outcome } from '../support/run-child.ts';
import { promiseOf } from './mutant.ts';

export interface Verdict {
  /** What should have failed and did not, or failed for a reason that has nothing to do with the rule. */
  readonly survived: string[];
  /** The first words of each failure. */
  readonly words: string[];
}

/** Errors of a program that is broken, and not of one that lacks a rule. */
const BROKEN = /\b(ReferenceError|SyntaxError|TransformError|ERR_MODULE_NOT_FOUND)\b.*/;

/** The titles that were played, by promise, with those that failed. */
function played(outcome: Pick<Outcome, 'suites'>): Map<string, { title: string; isFailed: boolean }[]> {
  const all = new Map<string, { title: string; isFailed: boolean }[]>();
  for (const { titles, failed } of outcome.suites) {
    for (const title of titles) {
      const promise = promiseOf(title);
      const cells = all.get(promise) ?? [];
      cells.push({ title, isFailed: failed.includes(title) });
      all.set(promise, cells);
    }
  }
  return all;
}

/** Each promise that begins with one of these must have been played, and have failed in one cell at least. */
export function judge(beginnings: readonly string[], outcome: Pick<Outcome, 'suites' | 'output'>): Verdict {
  const all = played(outcome);
  const survived: string[] = [];
  for (const beginning of beginnings) {
    const promises = [...all].filter(([promise]) => promise.startsWith(beginning));
    if (promises.length === 0) survived.push(`"${beginning}" was not played`);
    for (const [promise, cells] of promises) {
      if (!cells.some(({ isFailed }) => isFailed)) survived.push(`"${promise}" passed`);
    }
  }
  for (const { suite, titles, passed, failed } of outcome.suites) {
    if (passed + failed.length < titles.length) survived.push(`${suite} was not played to its end`);
  }
  const broken = BROKEN.exec(outcome.output);
  if (broken) survived.push(`the program is broken: ${broken[0]}`);
  return { survived, words: wordsOf(outcome.output) };
}

/** With all rules in place each must have been played and have passed. */
export function judgeUnmutated(beginnings: readonly string[], outcome: Pick<Outcome, 'suites' | 'failed'>): string[] {
  const all = [...played(outcome).keys()];
  const missing = beginnings.filter((beginning) => !all.some((promise) => promise.startsWith(beginning)));
  return [...outcome.failed, ...missing.map((one) => `"${one}" was not played`)];
}

function wordsOf(output: string): string[] {
  const words: string[] = [];
  const lines = output.split('\n');
  for (const [index, line] of lines.entries()) {
    if (/^\s*FAIL\s/.test(line))
      words.push(
        `${line.trim()}: ${lines
          .slice(index + 1, index + 9)
          .map((one) => one.trim())
          .join(' | ')}`,
      );
  }
  return words.map((one) => one.slice(0, 600));
}
