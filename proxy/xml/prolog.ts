/** What may stand before a stream header: the XML declaration. */
import { INCOMPLETE } from './chars.ts';
import { malformed, restricted, tooMuch, ViolationError } from './violation.ts';

/** Real ones have some 40 bytes. It bounds what is read again while one is coming in byte by byte. */
const MAX_BYTES = 512;
const START = '<?xml';
const GRAMMAR =
  /^<\?xml[ \t\r\n]+version[ \t\r\n]*=[ \t\r\n]*(?:'1\.[0-9]+'|"1\.[0-9]+")(?:[ \t\r\n]+encoding[ \t\r\n]*=[ \t\r\n]*(?:'([A-Za-z][A-Za-z0-9._-]*)'|"([A-Za-z][A-Za-z0-9._-]*)"))?(?:[ \t\r\n]+standalone[ \t\r\n]*=[ \t\r\n]*(?:'(?:yes|no)'|"(?:yes|no)"))?[ \t\r\n]*\?>$/;

/**
 * Reads the XML declaration that starts at `from` (a `<?`); returns the position behind it, or INCOMPLETE.
 * @throws ViolationError `restricted-xml` for any other processing instruction, `unsupported-encoding` if not UTF-8
 */
export function xmlDeclaration(b: Buffer, from: number, end: number): number {
  const text = b.toString('latin1', from, Math.min(end, from + MAX_BYTES));
  const head = text.slice(0, START.length + 1);
  if (!START.startsWith(head) && !/^<\?xml[ \t\r\n?]/.test(head)) throw restricted('a processing instruction');
  const close = text.indexOf('?>');
  if (close < 0) {
    if (text.length >= MAX_BYTES) throw tooMuch('an XML declaration of excessive length');
    return INCOMPLETE;
  }
  const match = GRAMMAR.exec(text.slice(0, close + 2));
  if (match === null) throw malformed('a bad XML declaration');
  const encoding = match[1] ?? match[2] ?? 'UTF-8';
  if (!/^utf-?8$/i.test(encoding)) {
    throw new ViolationError({ condition: 'unsupported-encoding', text: 'only UTF-8 is supported' });
  }
  return from + close + 2;
}
