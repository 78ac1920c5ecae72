/**
 * Seals what may lie in the store only so that nobody but this service can read it (X4): AES-256-GCM (NIST SP 800-38D) with a random
 * nonce. Account and purpose are authenticated with it, so that what was sealed for one account is no good under another.
 */
import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  createSecretKey,
  type KeyObject,
  randomBytes,
} from 'node:crypto';

/** Bytes of a key. */
export const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const VERSION = 'v1';

/** Whose text it is, and what for. */
export interface SealedFor {
  /** Bare JID. */
  readonly account: string;
  /** A word, such as `password`. */
  readonly purpose: string;
}

/**
 * - `opened`: the text as it was sealed.
 * - `unknown-key`: it was sealed with a key that is none of these.
 * - `broken`: it is not what was sealed, for this account and purpose, with the key that it names.
 */
export type Opened =
  | { readonly result: 'opened'; readonly text: string }
  | { readonly result: 'unknown-key' | 'broken' };

interface Key {
  /** Made from the key itself, so that another key has another name. */
  readonly id: string;
  readonly key: KeyObject;
}

export class Seal {
  readonly #first: Key;
  readonly #keys: ReadonlyMap<string, Key>;

  /** The first key seals, all of them open. The bytes are wiped. @throws RangeError without a key, or with one of another size */
  constructor(keys: readonly Buffer[]) {
    const made = keys.map(keyOf);
    const [first] = made;
    if (!first) throw new RangeError('no key');
    this.#first = first;
    this.#keys = new Map(made.map((one) => [one.id, one]));
  }

  /** What may be known of the keys by anybody: their names. */
  get ids(): readonly string[] {
    return [...this.#keys.keys()];
  }

  /** `v1.KEY.DATA`, in letters that fit anywhere. Two calls never give the same. */
  seal(text: string, { account, purpose }: SealedFor): string {
    const { id, key } = this.#first;
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES });
    cipher.setAAD(contextOf(id, account, purpose));
    const body = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
    return `${VERSION}.${id}.${Buffer.concat([nonce, body, cipher.getAuthTag()]).toString('base64url')}`;
  }

  /** The name of the key with which it was sealed; undefined: it was not. */
  static keyOf(sealed: string): string | undefined {
    return /^v1\.([0-9a-f]+)\./.exec(sealed)?.[1];
  }

  open(sealed: string, { account, purpose }: SealedFor): Opened {
    const match = /^v1\.([0-9a-f]+)\.([\w-]+)$/.exec(sealed);
    if (!match) return { result: 'broken' };
    const [, id = '', data = ''] = match;
    const key = this.#keys.get(id)?.key;
    if (!key) return { result: 'unknown-key' };
    const bytes = Buffer.from(data, 'base64url');
    // Of the ways to write the same bytes one is right.
    if (bytes.length < NONCE_BYTES + TAG_BYTES || bytes.toString('base64url') !== data) return { result: 'broken' };
    const nonce = bytes.subarray(0, NONCE_BYTES);
    const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES });
    decipher.setAAD(contextOf(id, account, purpose));
    decipher.setAuthTag(bytes.subarray(-TAG_BYTES));
    const head = decipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES));
    try {
      return { result: 'opened', text: Buffer.concat([head, decipher.final()]).toString('utf8') };
    } catch {
      // The one way in which it fails: the tag is not that of this text.
      return { result: 'broken' };
    }
  }
}

function keyOf(bytes: Buffer): Key {
  if (bytes.length !== KEY_BYTES) throw new RangeError(`a key of ${bytes.length} bytes`);
  const id = createHmac('sha256', bytes).update('minimix-proxy: name of a key').digest('hex').slice(0, 16);
  const key = createSecretKey(bytes);
  bytes.fill(0);
  return { id, key };
}

/** No two different contexts are written alike. */
function contextOf(id: string, account: string, purpose: string): Buffer {
  return Buffer.from(JSON.stringify([VERSION, id, purpose, account]));
}
