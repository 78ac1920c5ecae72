/**
 * The kinds of values that keys take. A reader accepts what YAML gives and the text of a flag or an environment variable;
 * it returns what the program uses, or a Refusal that says what is allowed.
 */
import { isIP } from 'node:net';
import { maxTimerMs, parseAddress, parseDuration, parseSize } from './values.ts';

/** Why a value is refused. */
export class Refusal {
  /** What would be allowed instead. */
  readonly allowed: string;

  constructor(allowed: string) {
    this.allowed = allowed;
  }
}

export type Reader<T> = (value: unknown) => T | Refusal;

/** One of several words. */
export function choice<const W extends string>(...words: W[]): Reader<W> {
  const refusal = new Refusal(words.join(', '));
  return (value) => words.find((word) => word === value) ?? refusal;
}

/** true or false. */
export const flag: Reader<boolean> = (value) => {
  if (value === true || value === 'true') return true;
  return value === false || value === 'false' ? false : new Refusal('true, false');
};

/** A whole number. */
export function integer(min: number, max: number): Reader<number> {
  const refusal = new Refusal(`a whole number from ${min} to ${max}`);
  return (value) => {
    const result = typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : value;
    const isGood = typeof result === 'number' && Number.isInteger(result) && result >= min && result <= max;
    return isGood ? result : refusal;
  };
}

/** A time in milliseconds, fit for a timer. The limits are inclusive and written as in the configuration. */
export function duration(min = '0', max = '24 days'): Reader<number> {
  const [least = 0, most = maxTimerMs] = [parseDuration(min), parseDuration(max)];
  const refusal = new Refusal(`a time with its unit, such as 500ms, 30s, 5min, from ${min} to ${max}`);
  return (value) => within(isScalar(value) ? parseDuration(value) : undefined, least, most) ?? refusal;
}

/** A time in milliseconds that may be endless (Infinity), or too long for a timer. */
export const longDuration: Reader<number> = (value) =>
  (isScalar(value) ? parseDuration(value) : undefined) ??
  new Refusal("a time with its unit, such as 30s, 12h, 7d; 0; 'forever'");

/** A size in bytes. The limits are inclusive and written as in the configuration. */
export function size(min: string, max: string): Reader<number> {
  const [least = 0, most = 0] = [parseSize(min), parseSize(max)];
  const refusal = new Refusal(`a size with its unit, such as 64 KiB, 1 MB, from ${min} to ${max}`);
  return (value) => within(isScalar(value) ? parseSize(value) : undefined, least, most) ?? refusal;
}

/** Text that is not empty, such as the name of a file. */
export function text(what: string): Reader<string> {
  return (value) => (typeof value === 'string' && value.trim() !== '' ? value : new Refusal(what));
}

/** Text of a certain form. */
export function matching(form: RegExp, what: string): Reader<string> {
  return (value) => (typeof value === 'string' && form.test(value) ? value : new Refusal(what));
}

/** Path of an HTTP endpoint. */
export const path: Reader<string> = (value) =>
  typeof value === 'string' && /^\/[^\s?#]*$/.test(value) ? value : new Refusal('a path that begins with /');

/** An address to listen on. */
export const address: Reader<{ host: string; port: number }> = (value) =>
  (typeof value === 'string' ? parseAddress(value) : undefined) ??
  new Refusal('ADDRESS:PORT, such as 127.0.0.1:9090 or [::1]:9090');

/** What `inner` reads, or undefined for the word that says that there is none. */
export function optional<T>(none: string, inner: Reader<T>): Reader<T | undefined> {
  return (value) => {
    if (value === none) return undefined;
    const result = inner(value);
    return result instanceof Refusal ? new Refusal(`${result.allowed}, or ${none}`) : result;
  };
}

/** Words in a list, or in one text with commas or spaces between; lower case. */
export function words(what: string, isWord: (word: string) => boolean): Reader<string[]> {
  return (value) => {
    const list: unknown = typeof value === 'string' ? value.split(/[\s,]+/).filter((word) => word !== '') : value;
    const isGood = Array.isArray(list) && list.every((word) => typeof word === 'string' && isWord(word));
    return isGood ? (list as string[]).map((word) => word.toLowerCase()) : new Refusal(what);
  };
}

/** Addresses and networks (CIDR), as a list or in one text. */
export const networks: Reader<string[]> = words(
  'addresses and networks, such as 10.0.0.7, 10.0.0.0/8, fd00::/8',
  isNetwork,
);

function isNetwork(word: string): boolean {
  const [address = '', bits, ...more] = word.split('/');
  const version = address.includes('%') ? 0 : isIP(address);
  const isBits = bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (version === 4 ? 32 : 128));
  return version !== 0 && isBits && more.length === 0;
}

function isScalar(value: unknown): value is string | number {
  return typeof value === 'string' || typeof value === 'number';
}

function within(value: number | undefined, least: number, most: number): number | undefined {
  return value !== undefined && value >= least && value <= most ? value : undefined;
}
