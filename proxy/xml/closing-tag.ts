/** The closing tag of a stream (RFC 6120 section 4.4), which may come in pieces. */
import { CLASS, SPACE } from './chars.ts';
import { GT } from './tokens.ts';
import { malformed, type ViolationError } from './violation.ts';

export const COMPLETE = -1;

/**
 * Reads `</name   >`, which begins at `start` and of which `read` bytes need not be read again. Returns COMPLETE, or how many bytes
 * of it need not be read again when there are more than up to `end`.
 * @throws ViolationError where another tag is closed
 */
export function closingTag(bytes: Buffer, start: number, end: number, name: string, read: number): number {
  const wanted = Buffer.from(name);
  const nameStart = start + 2;
  const nameEnd = Math.min(nameStart + wanted.length, end);
  if (read === 0 && wanted.compare(bytes, nameStart, nameEnd, 0, nameEnd - nameStart) !== 0) throw mismatch();
  if (nameEnd - nameStart < wanted.length) return read;
  let at = Math.max(nameEnd, start + read);
  while (at < end && ((CLASS[bytes[at] as number] as number) & SPACE) !== 0) at++;
  if (at === end) return at - start;
  if (bytes[at] !== GT) throw mismatch();
  return COMPLETE;
}

function mismatch(): ViolationError {
  return malformed('tags do not match');
}
