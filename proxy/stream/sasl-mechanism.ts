/** What the client side of a SASL mechanism of our own looks like, and what it is given from outside. */

export type HashName = 'md5' | 'sha1' | 'sha256' | 'sha512';

/** Cryptography and randomness, handed in so that exchanges can be repeated from the RFCs' examples. */
export interface SaslCrypto {
  hash(algorithm: HashName, data: Buffer): Buffer;
  hmac(algorithm: HashName, key: Buffer, data: Buffer): Buffer;
  /** Asynchronous: servers ask for tens of thousands of rounds. */
  pbkdf2(algorithm: HashName, password: Buffer, salt: Buffer, iterations: number, length: number): Promise<Buffer>;
  /** Printable ASCII without a comma, at least 128 bits of it, new at each call. */
  nonce(): string;
  /** SASLprep (RFC 4013); throws where the text is not allowed. */
  saslprep(text: string): string;
}

export interface SaslAccount {
  readonly username: string;
  readonly password: string;
  readonly domain: string;
}

/** One exchange from our side. Throws SaslError where the server does not keep to the mechanism. */
export interface SaslMechanism {
  readonly name: string;
  /** The initial response; undefined where the server speaks first. */
  start(): Buffer | undefined;
  answer(challenge: Buffer): Promise<Buffer>;
  /** The server says success, with this data if any. Throws when it has not proved that it knows the password. */
  finish(data: Buffer | undefined): void;
}

/** The server broke the rules of the mechanism, or its signature is wrong. */
export class SaslError extends Error {
  override readonly name = 'SaslError';
}

/** SASLprep where it is defined; a text that it forbids goes as it is, as the user's own client will have sent it. */
export function prepare(crypto: SaslCrypto, text: string): string {
  try {
    return crypto.saslprep(text);
  } catch {
    return text;
  }
}

/** Compares without telling by its time where the difference is. */
export function equalBytes(one: Buffer, other: Buffer): boolean {
  if (one.length !== other.length) return false;
  let difference = 0;
  for (let at = 0; at < one.length; at++) difference |= (one[at] ?? 0) ^ (other[at] ?? 0);
  return difference === 0;
}
