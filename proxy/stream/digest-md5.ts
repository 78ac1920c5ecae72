/** DIGEST-MD5 (RFC 2831), client side, quality of protection "auth": what servers of the jabberd2 kind have beside PLAIN. */
import { decodeUtf8 } from './base64.ts';
import {
  equalBytes,
  prepare,
  type SaslAccount,
  type SaslCrypto,
  SaslError,
  type SaslMechanism,
} from './sasl-mechanism.ts';

/** The values of one digest: what goes through the hashes (RFC 2831 section 2.1.2.1). */
interface DigestValues {
  readonly username: string;
  readonly realm: string;
  readonly password: string;
  readonly nonce: string;
  readonly cnonce: string;
  readonly uri: string;
}

const FIRST_COUNT = '00000001';

export class DigestMd5Client implements SaslMechanism {
  readonly name = 'DIGEST-MD5';
  readonly #crypto: SaslCrypto;
  readonly #account: SaslAccount;
  readonly #service: string;
  #expected: Buffer | undefined;
  #verified = false;

  /** `service` is the serv-type of the digest-uri; anything but 'xmpp' is there for the RFC's example. */
  constructor(account: SaslAccount, crypto: SaslCrypto, service = 'xmpp') {
    this.#account = account;
    this.#crypto = crypto;
    this.#service = service;
  }

  start(): undefined {
    return undefined;
  }

  async answer(challenge: Buffer): Promise<Buffer> {
    if (this.#expected !== undefined) {
      this.#verify(challenge);
      return Buffer.alloc(0);
    }
    const fields = read(challenge);
    const nonce = fields.get('nonce');
    if (nonce === undefined) throw new SaslError('no nonce');
    if (fields.get('algorithm') !== 'md5-sess') throw new SaslError('algorithm is not md5-sess');
    const protections = (fields.get('qop') ?? 'auth').split(',').map((one) => one.trim());
    if (!protections.includes('auth')) throw new SaslError('no quality of protection "auth"');
    const utf8 = fields.get('charset') === 'utf-8';
    const realm = fields.get('realm');
    const values: DigestValues = {
      username: prepare(this.#crypto, this.#account.username),
      realm: realm ?? '',
      password: prepare(this.#crypto, this.#account.password),
      nonce,
      cnonce: this.#crypto.nonce(),
      uri: `${this.#service}/${this.#account.domain}`,
    };
    this.#expected = Buffer.from(digest(this.#crypto, values, ''));
    const message = [
      ...(utf8 ? ['charset=utf-8'] : []),
      `username=${quoted(values.username)}`,
      ...(realm === undefined ? [] : [`realm=${quoted(realm)}`]),
      `nonce=${quoted(nonce)}`,
      `nc=${FIRST_COUNT}`,
      `cnonce=${quoted(values.cnonce)}`,
      `digest-uri=${quoted(values.uri)}`,
      `response=${digest(this.#crypto, values, 'AUTHENTICATE')}`,
      'qop=auth',
    ].join(',');
    return Buffer.from(message, utf8 ? 'utf8' : 'latin1');
  }

  finish(data: Buffer | undefined): void {
    if (data !== undefined && data.length > 0) this.#verify(data);
    if (!this.#verified) throw new SaslError('success without rspauth');
  }

  #verify(message: Buffer): void {
    const proof = Buffer.from(read(message).get('rspauth') ?? '');
    if (this.#expected === undefined || !equalBytes(proof, this.#expected)) throw new SaslError('wrong rspauth');
    this.#verified = true;
  }
}

/**
 * Reads the directives of a challenge or a response; names in lower case. Of several realms the first counts; any other
 * directive given twice, and whatever is not of the RFC's grammar, makes it undefined.
 */
export function readDirectives(message: string): Map<string, string> | undefined {
  const fields = new Map<string, string>();
  const directive =
    /[\t\n\r ]*(?:([!#$%&'*+\-.^_`|~0-9A-Za-z]+)=(?:"((?:[^"\\]|\\.)*)"|([^\t\n\r ",]+))[\t\n\r ]*)?(?:,|$)/suy;
  while (directive.lastIndex < message.length) {
    const match = directive.exec(message);
    if (match === null) return undefined;
    const name = match[1]?.toLowerCase();
    if (name === undefined) continue; // an empty element of the list is allowed
    const value = match[3] ?? (match[2] ?? '').replace(/\\(.)/gsu, '$1');
    if (!fields.has(name)) fields.set(name, value);
    else if (name !== 'realm') return undefined;
  }
  return fields;
}

function read(message: Buffer): Map<string, string> {
  const fields = readDirectives(decodeUtf8(message) ?? message.toString('latin1'));
  if (fields === undefined) throw new SaslError('malformed DIGEST-MD5 message');
  return fields;
}

function digest(crypto: SaslCrypto, values: DigestValues, method: 'AUTHENTICATE' | ''): string {
  const hex = (data: Buffer) => crypto.hash('md5', data).toString('hex');
  const secret = [values.username, values.realm, values.password].map(narrow);
  const user = crypto.hash('md5', join(secret));
  const a1 = hex(join([user, Buffer.from(values.nonce), Buffer.from(values.cnonce)]));
  const a2 = hex(Buffer.from(`${method}:${values.uri}`));
  return hex(Buffer.from(`${a1}:${values.nonce}:${FIRST_COUNT}:${values.cnonce}:auth:${a2}`));
}

/** ISO 8859-1 where all characters are in it, else UTF-8: that is what is hashed (RFC 2831 section 2.1.2.1). */
function narrow(text: string): Buffer {
  const isNarrow = [...text].every((character) => (character.codePointAt(0) ?? 0) < 0x100);
  return Buffer.from(text, isNarrow ? 'latin1' : 'utf8');
}

function join(parts: readonly Buffer[]): Buffer {
  const colon = Buffer.from(':');
  return Buffer.concat(parts.flatMap((part, at) => (at === 0 ? [part] : [colon, part])));
}

function quoted(text: string): string {
  return `"${text.replace(/["\\]/g, '\\$&')}"`;
}
