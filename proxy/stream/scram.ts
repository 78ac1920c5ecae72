/** SCRAM (RFC 5802, RFC 7677), client side, without channel binding. */
import { decodeBase64, decodeUtf8 } from './base64.ts';
import {
  equalBytes,
  type HashName,
  prepare,
  type SaslAccount,
  type SaslCrypto,
  SaslError,
  type SaslMechanism,
} from './sasl-mechanism.ts';

/** We could bind to no channel that a client could check: flag `n`, no authorisation identity (RFC 5802 section 6). */
const GS2_HEADER = 'n,,';
const KEY_LENGTH: Readonly<Record<HashName, number>> = { md5: 16, sha1: 20, sha256: 32, sha512: 64 };
/** Above this a server (or somebody in its place) would keep us computing for seconds. */
const MAX_ITERATIONS = 2_000_000;

export class ScramClient implements SaslMechanism {
  readonly name: string;
  readonly #hash: HashName;
  readonly #crypto: SaslCrypto;
  readonly #nonce: string;
  readonly #clientFirst: string;
  #password: string;
  #signature: Buffer | undefined;
  #verified = false;

  constructor(name: string, hash: HashName, account: SaslAccount, crypto: SaslCrypto) {
    this.name = name;
    this.#hash = hash;
    this.#crypto = crypto;
    this.#nonce = crypto.nonce();
    this.#clientFirst = `n=${escapeName(prepare(crypto, account.username))},r=${this.#nonce}`;
    this.#password = prepare(crypto, account.password);
  }

  start(): Buffer {
    return Buffer.from(GS2_HEADER + this.#clientFirst);
  }

  async answer(challenge: Buffer): Promise<Buffer> {
    if (this.#signature !== undefined) {
      this.#verify(challenge);
      return Buffer.alloc(0);
    }
    const serverFirst = text(challenge);
    const { nonce, salt, iterations } = readServerFirst(serverFirst, this.#nonce);
    const salted = await this.#crypto.pbkdf2(
      this.#hash,
      Buffer.from(this.#password),
      salt,
      iterations,
      KEY_LENGTH[this.#hash],
    );
    this.#password = '';
    const withoutProof = `c=${Buffer.from(GS2_HEADER).toString('base64')},r=${nonce}`;
    const signed = Buffer.from(`${this.#clientFirst},${serverFirst},${withoutProof}`);
    const clientKey = this.#hmac(salted, 'Client Key');
    const clientSignature = this.#hmac(this.#crypto.hash(this.#hash, clientKey), signed);
    this.#signature = this.#hmac(this.#hmac(salted, 'Server Key'), signed);
    return Buffer.from(`${withoutProof},p=${xor(clientKey, clientSignature).toString('base64')}`);
  }

  finish(data: Buffer | undefined): void {
    if (data !== undefined && data.length > 0) this.#verify(data);
    if (!this.#verified) throw new SaslError('success without the server signature');
  }

  #verify(message: Buffer): void {
    const fields = readFields(text(message));
    const error = fields.get('e');
    if (error !== undefined) throw new SaslError(`server-error ${error}`);
    const signature = decodeBase64(fields.get('v') ?? '');
    if (signature === undefined || this.#signature === undefined || !equalBytes(signature, this.#signature)) {
      throw new SaslError('wrong server signature');
    }
    this.#verified = true;
  }

  #hmac(key: Buffer, data: Buffer | string): Buffer {
    return this.#crypto.hmac(this.#hash, key, Buffer.from(data));
  }
}

function readServerFirst(message: string, clientNonce: string): { nonce: string; salt: Buffer; iterations: number } {
  const fields = readFields(message);
  if (fields.has('m')) throw new SaslError('mandatory extension that we do not know');
  const nonce = fields.get('r') ?? '';
  if (!nonce.startsWith(clientNonce) || nonce.length === clientNonce.length) throw new SaslError('nonce is not ours');
  const salt = decodeBase64(fields.get('s') ?? '');
  if (salt === undefined || salt.length === 0) throw new SaslError('no salt');
  const count = fields.get('i') ?? '';
  const iterations = /^[1-9][0-9]{0,8}$/.test(count) ? Number(count) : 0;
  if (iterations === 0 || iterations > MAX_ITERATIONS) throw new SaslError(`iteration count ${count}`);
  return { nonce, salt, iterations };
}

function readFields(message: string): Map<string, string> {
  const fields = new Map<string, string>();
  for (const field of message.split(',')) {
    if (field[1] !== '=') throw new SaslError('malformed SCRAM message');
    fields.set(field.slice(0, 1), field.slice(2));
  }
  return fields;
}

function text(data: Buffer): string {
  const decoded = decodeUtf8(data);
  if (decoded === undefined) throw new SaslError('SCRAM message is not UTF-8');
  return decoded;
}

function escapeName(name: string): string {
  return name.replaceAll('=', '=3D').replaceAll(',', '=2C');
}

function xor(one: Buffer, other: Buffer): Buffer {
  return Buffer.from(one.map((byte, at) => byte ^ (other[at] ?? 0)));
}
