/** Keys that seal what lies in the store: how they are written. What is told of a fault never quotes them. */
import { type Reader, Refusal } from './readers.ts';

const KEY_BYTES = 32;
const MOST_KEYS = 16;

/** What a key looks like, for error messages. */
export const keyForm =
  '32 random bytes in base64 or hexadecimal, as from "openssl rand -base64 32"; several with spaces between';

/** The keys of a text: separated by spaces, commas or line ends; `#` begins a comment. Else what is wrong, in words. */
export function parseSealKeys(text: string): Buffer[] | string {
  const words = text
    .replace(/#.*$/gm, '')
    .split(/[\s,]+/)
    .filter((word) => word !== '');
  if (words.length === 0) return 'there is no key';
  if (words.length > MOST_KEYS) return `there are more than ${MOST_KEYS} keys`;
  const keys: Buffer[] = [];
  for (const [index, word] of words.entries()) {
    const key = parseKey(word);
    if (!key) return `key ${index + 1} is not ${KEY_BYTES} bytes in base64 or hexadecimal`;
    keys.push(key);
  }
  return keys;
}

function parseKey(word: string): Buffer | undefined {
  const isHex = new RegExp(`^[0-9a-fA-F]{${KEY_BYTES * 2}}$`).test(word);
  if (!isHex && !/^[\w+/-]{43}=?$/.test(word)) return undefined;
  const key = Buffer.from(word, isHex ? 'hex' : 'base64');
  return key.length === KEY_BYTES ? key : undefined;
}

/** A text of keys, as it is written. */
export const sealKeys: Reader<string> = (value) =>
  typeof value === 'string' && typeof parseSealKeys(value) !== 'string' ? value : new Refusal(keyForm);
