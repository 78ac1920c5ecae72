/** The cryptography for our own side of SASL, from Node's library. */
import { createHash, createHmac, pbkdf2, randomBytes } from 'node:crypto';
import { promisify } from 'node:util';
import { saslprep } from '@mongodb-js/saslprep';
import type { SaslCrypto } from '../stream/sasl-mechanism.ts';

const derive = promisify(pbkdf2);

export const saslCrypto: SaslCrypto = Object.freeze({
  hash: (algorithm, data) => createHash(algorithm).update(data).digest(),
  hmac: (algorithm, key, data) => createHmac(algorithm, key).update(data).digest(),
  pbkdf2: (algorithm, password, salt, iterations, length) => derive(password, salt, iterations, length, algorithm),
  nonce: () => randomBytes(24).toString('base64url'),
  saslprep: (text) => saslprep(text),
} satisfies SaslCrypto);
