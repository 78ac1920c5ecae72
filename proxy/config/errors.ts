/** From what is wrong to words for the operator: key, value, what is allowed, where it came from. Secrets are masked. */
import type { z } from 'zod';
import { isSecretName, masked, maskMalformed } from '../ops/redact.ts';
import { listKeys, namesIn } from './keys.ts';
import type { ConfigError } from './types.ts';

/** Where a key is: names, and numbers for the places of a list. */
export type Path = readonly (string | number)[];

const maxShown = 80;

/** Puts an error together; `value` as it was given. */
export function configError(fault: {
  path: Path | string;
  value: unknown;
  allowed: string;
  source?: string | undefined;
}): ConfigError {
  const { allowed, source } = fault;
  const key = typeof fault.path === 'string' ? fault.path : formatPath(fault.path);
  const value = show(typeof fault.path === 'string' ? '' : String(fault.path.at(-1)), fault.value);
  const what = value === undefined ? `${key}: missing` : `${key}: ${value} is not allowed`;
  return { key, value, allowed, source, message: `${at(source)}${what}; allowed: ${allowed}` };
}

/** An error that no key's value is the reason for, such as a file that cannot be read. */
export function plainError(key: string, message: string, source?: string): ConfigError {
  return {
    key,
    value: undefined,
    allowed: message,
    source,
    message: `${at(source)}${key === '' ? '' : `${key}: `}${message}`,
  };
}

/** A key that does not exist. Its value is not shown: it may be anything. */
export function unknownKey(path: Path, source?: string): ConfigError {
  const names = namesIn(path.slice(0, -1));
  const name = String(path.at(-1));
  const hint = nearest(name, names) ?? keyElsewhere(name);
  const allowed = names.length > 0 ? `allowed here: ${names.join(', ')}` : 'nothing is allowed under this key';
  return plainError(
    formatPath(path),
    `unknown key${hint === undefined ? '' : `; did you mean ${hint}?`} (${allowed})`,
    source,
  );
}

/** All faults that the schema found in `raw`. */
export function schemaErrors(
  issues: readonly z.core.$ZodIssue[],
  raw: unknown,
  sourceOf: (path: Path) => string | undefined,
): ConfigError[] {
  return issues.flatMap((issue) => {
    const path = issue.path.filter((part) => typeof part !== 'symbol');
    if (issue.code === 'unrecognized_keys') {
      return issue.keys.map((name) => unknownKey([...path, name], sourceOf([...path, name])));
    }
    const allowed = issue.code === 'custom' ? issue.message : shapeOf(path, issue);
    return configError({ path, value: valueAt(raw, path), allowed, source: sourceOf(path) });
  });
}

/** `listeners[0].tls`, `hosts[example.org].upstream`: the form that `--set` takes too. */
export function formatPath(path: Path): string {
  let result = '';
  for (const part of path) {
    const isPlain = typeof part === 'string' && /^[\w-]+$/.test(part);
    result += isPlain ? `${result === '' ? '' : '.'}${part}` : `[${part}]`;
  }
  return result;
}

/** What stands at a path of a raw configuration. */
export function valueAt(raw: unknown, path: Path): unknown {
  let value = raw;
  for (const part of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, part)) return undefined;
    value = (value as Record<string | number, unknown>)[part];
  }
  return value;
}

/** The word among `known` that differs least from a mistyped one, if any is close. */
export function nearest(word: string, known: readonly string[]): string | undefined {
  const limit = Math.max(1, Math.floor(word.length / 3));
  const ranked = known.map((one) => ({ one, distance: distance(word, one) })).sort((a, b) => a.distance - b.distance);
  const best = ranked[0];
  return best && best.distance <= limit ? best.one : undefined;
}

/** `keepalive` stands elsewhere: the full path of a key that is called exactly so. */
function keyElsewhere(name: string): string | undefined {
  return listKeys()
    .find(({ path }) => path.at(-1) === name)
    ?.path.join('.');
}

function shapeOf(path: Path, issue: z.core.$ZodIssue): string {
  const names = namesIn(path);
  if (names.length > 0) return `a mapping with the keys ${names.join(', ')}`;
  return path[0] === 'listeners'
    ? 'a list of listeners'
    : path[0] === 'hosts'
      ? 'a mapping from domains to their settings'
      : issue.message;
}

function show(name: string, value: unknown): string | undefined {
  if (value === undefined) return undefined;
  if (isSecretName(name)) return masked;
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object' && value !== null) return 'a mapping';
  const text = typeof value === 'string' ? JSON.stringify(maskMalformed(value)) : String(value);
  return text.length > maxShown ? `${text.slice(0, maxShown)}…` : text;
}

function at(source: string | undefined): string {
  return source === undefined ? '' : `${source}: `;
}

/** Levenshtein. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (const [i, letter] of [...a].entries()) {
    const next = [i + 1];
    for (let j = 0; j < b.length; j++) {
      const replace = (row[j] ?? 0) + (letter === b[j] ? 0 : 1);
      next.push(Math.min(replace, (row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
