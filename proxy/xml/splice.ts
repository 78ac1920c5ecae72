/** Replacing parts of a text, all in one pass and one allocation. */
import { CLASS, SPACE } from './chars.ts';

export interface Splice {
  readonly start: number;
  /** `start` for a mere insertion. */
  readonly end: number;
  readonly text: string | Buffer;
}

/** `source[start, end)` with the splices made. Of two that overlap the later-starting one is inside a removed part: it is dropped. */
export function splice(source: Buffer, start: number, end: number, splices: readonly Splice[]): Buffer {
  const ordered = isOrdered(splices) ? splices : [...splices].sort((a, b) => a.start - b.start || a.end - b.end);
  let size = end - start;
  let from = start;
  for (const { start: at, end: to, text } of ordered) {
    if (at < from) continue;
    size += (typeof text === 'string' ? Buffer.byteLength(text) : text.length) - (to - at);
    from = to;
  }
  const result = Buffer.allocUnsafe(size);
  let p = 0;
  from = start;
  for (const { start: at, end: to, text } of ordered) {
    if (at < from) continue;
    p += source.copy(result, p, from, at);
    p += typeof text === 'string' ? result.write(text, p) : text.copy(result, p);
    from = to;
  }
  source.copy(result, p, from, end);
  return result;
}

function isOrdered(splices: readonly Splice[]): boolean {
  let last: Splice | undefined;
  for (const one of splices) {
    if (last !== undefined && (one.start < last.start || (one.start === last.start && one.end < last.end)))
      return false;
    last = one;
  }
  return true;
}

/** Where the white space before an attribute begins: an attribute is removed from there. */
export function spaceBefore(source: Buffer, at: number): number {
  let p = at;
  while (((CLASS[source[p - 1] as number] as number) & SPACE) !== 0) p--;
  return p;
}
