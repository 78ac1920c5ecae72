/** The client's side of SASL, written against the RFCs and with the server's proof checked. */
import { createHash, createHmac, pbkdf2Sync, randomBytes, timingSafeEqual } from 'node:crypto';

/** One exchange. Payloads are without base64. */
export interface SaslExchange {
  readonly mechanism: string;
  /** Initial response; undefined where the mechanism has none. */
  initial(): string | undefined;
  /** Answers a challenge. */
  respond(challenge: string): string;
  /** Checks what came with `<success/>`; throws when the server has not proved itself. */
  finish(additional: string): void;
}

export interface Credentials {
  user: string;
  password: string;
  domain: string;
  /** Another identity to act as, `user@domain`. */
  authzid?: string;
  /** SCRAM's channel binding flag: `n` does not know it, `y` knows it but was not offered it. */
  gs2?: 'n' | 'y';
}

/** Starts an exchange; X-TEST is the fake server's own, it takes any name. Throws for a mechanism that is not implemented here. */
export function saslExchange(mechanism: string, credentials: Credentials): SaslExchange {
  if (mechanism === 'PLAIN') return plain(credentials);
  if (mechanism === 'SCRAM-SHA-1') return scram(mechanism, 'sha1', credentials);
  if (mechanism === 'SCRAM-SHA-256') return scram(mechanism, 'sha256', credentials);
  if (mechanism === 'SCRAM-SHA-512') return scram(mechanism, 'sha512', credentials);
  if (mechanism === 'DIGEST-MD5') return digestMd5(credentials);
  if (mechanism === 'X-TEST') return { ...plain(credentials), mechanism, initial: () => credentials.user };
  throw new Error(`the test client does not know ${mechanism}`);
}

function plain({ user, password, authzid = '' }: Credentials): SaslExchange {
  return {
    mechanism: 'PLAIN',
    initial: () => `${authzid}\0${user}\0${password}`,
    respond: () => `${authzid}\0${user}\0${password}`,
    finish: () => {},
  };
}

/** RFC 5802, RFC 7677. */
function scram(mechanism: string, hash: 'sha1' | 'sha256' | 'sha512', credentials: Credentials): SaslExchange {
  const { user, password, authzid, gs2 = 'n' } = credentials;
  const saslName = (text: string) => text.replaceAll('=', '=3D').replaceAll(',', '=2C');
  const nonce = randomBytes(18).toString('base64');
  const header = `${gs2},${authzid ? `a=${saslName(authzid)}` : ''},`;
  const bare = `n=${saslName(user)},r=${nonce}`;
  const hmac = (key: Buffer, data: string) => createHmac(hash, key).update(data).digest();
  let expected: Buffer | undefined;
  let isVerified = false;
  const verify = (message: string): void => {
    const signature = Buffer.from(fieldsOf(message).get('v') ?? '', 'base64');
    if (!expected || signature.length !== expected.length || !timingSafeEqual(signature, expected)) {
      throw new Error(`the server did not prove that it knows the password: ${message}`);
    }
    isVerified = true;
  };
  return {
    mechanism,
    initial: () => header + bare,
    respond(challenge) {
      if (expected) {
        verify(challenge);
        return '';
      }
      const fields = fieldsOf(challenge);
      const combined = fields.get('r') ?? '';
      if (!combined.startsWith(nonce) || combined === nonce) throw new Error(`wrong nonce: ${challenge}`);
      const salt = Buffer.from(fields.get('s') ?? '', 'base64');
      const salted = pbkdf2Sync(password.normalize('NFKC'), salt, Number(fields.get('i')), digestBytes[hash], hash);
      const clientKey = hmac(salted, 'Client Key');
      const storedKey = createHash(hash).update(clientKey).digest();
      const final = `c=${Buffer.from(header).toString('base64')},r=${combined}`;
      const authMessage = `${bare},${challenge},${final}`;
      const signature = hmac(storedKey, authMessage);
      const proof = clientKey.map((byte, index) => byte ^ (signature[index] as number));
      expected = hmac(hmac(salted, 'Server Key'), authMessage);
      return `${final},p=${Buffer.from(proof).toString('base64')}`;
    },
    finish(additional) {
      if (!isVerified) verify(additional);
    },
  };
}

const digestBytes = { sha1: 20, sha256: 32, sha512: 64 } as const;

function fieldsOf(message: string): Map<string, string> {
  return new Map(message.split(',').map((field) => [field.slice(0, 1), field.slice(2)]));
}

/** RFC 2831, quality of protection `auth` only. */
function digestMd5({ user, password, domain, authzid }: Credentials): SaslExchange {
  const md5 = (data: string | Buffer) => createHash('md5').update(data).digest();
  let proof: string | undefined;
  return {
    mechanism: 'DIGEST-MD5',
    initial: () => undefined,
    respond(challenge) {
      const given = directivesOf(challenge);
      if (proof !== undefined) {
        if (given.get('rspauth') !== proof) throw new Error(`wrong rspauth: ${challenge}`);
        return '';
      }
      const realm = given.get('realm') ?? domain;
      const nonce = given.get('nonce') ?? '';
      const cnonce = randomBytes(12).toString('hex');
      const uri = `xmpp/${domain}`;
      const identity = authzid ? `:${authzid}` : '';
      const start = Buffer.concat([md5(`${user}:${realm}:${password}`), Buffer.from(`:${nonce}:${cnonce}${identity}`)]);
      const secret = md5(start).toString('hex');
      const digest = (method: string) =>
        md5(`${secret}:${nonce}:00000001:${cnonce}:auth:${md5(`${method}:${uri}`).toString('hex')}`).toString('hex');
      proof = digest('');
      const quoted = { username: user, realm, nonce, cnonce, 'digest-uri': uri, ...(authzid ? { authzid } : {}) };
      const fields = Object.entries(quoted).map(([name, value]) => `${name}="${value.replace(/["\\]/g, '\\$&')}"`);
      return [...fields, 'nc=00000001', 'qop=auth', `response=${digest('AUTHENTICATE')}`, 'charset=utf-8'].join(',');
    },
    finish(additional) {
      if (additional && directivesOf(additional).get('rspauth') !== proof)
        throw new Error(`wrong rspauth: ${additional}`);
    },
  };
}

function directivesOf(text: string): Map<string, string> {
  const found = text.matchAll(/([a-z-]+)=(?:"((?:[^"\\]|\\.)*)"|([^,]*))/g);
  return new Map([...found].map(([, name, quoted, bare]) => [name as string, quoted ?? bare ?? '']));
}
