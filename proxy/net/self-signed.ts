/** Certificates that we make ourselves, so that a first try needs no preparation. */
import { randomBytes, X509Certificate } from 'node:crypto';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { join } from 'node:path';
import { domainToASCII } from 'node:url';
import type { Log } from '../ops/log.ts';

interface Pair {
  readonly cert: string;
  readonly key: string;
}

export interface SelfSignedOptions {
  readonly stateDirectory?: string | undefined;
  readonly log: Log;
}

const DAY_MS = 86_400_000;
const VALID_DAYS = 825;
/** One that would expire sooner than this is replaced at the next start. */
const RENEW_DAYS = 30;

/**
 * The self-signed certificate of a host: the one made at an earlier start, else a new one, which is then kept (key file with
 * mode 0600). Says in the log that clients cannot verify it.
 */
export async function selfSigned(host: string, options: SelfSignedOptions): Promise<Pair> {
  const { stateDirectory, log } = options;
  const name = domainToASCII(host) || host;
  const folder = stateDirectory === undefined ? undefined : join(stateDirectory, 'self-signed');
  const kept = folder === undefined ? undefined : await readKept(folder, name);
  const pair = kept ?? (await make(name));
  if (folder !== undefined && kept === undefined) await keep(folder, name, pair, log);
  const { fingerprint256: sha256 } = new X509Certificate(pair.cert);
  log.warn(
    { host, sha256 },
    'SELF-SIGNED CERTIFICATE in use: clients cannot verify this host; configure a certificate',
  );
  return pair;
}

async function readKept(folder: string, name: string): Promise<Pair | undefined> {
  try {
    const [cert, key] = await Promise.all([
      readFile(join(folder, `${fileName(name)}.crt`), 'utf8'),
      readFile(join(folder, `${fileName(name)}.key`), 'utf8'),
    ]);
    const expires = Date.parse(new X509Certificate(cert).validTo);
    return expires - Date.now() > RENEW_DAYS * DAY_MS ? { cert, key } : undefined;
  } catch {
    // Not there yet, or not what we wrote: a new one takes its place.
    return undefined;
  }
}

async function keep(folder: string, name: string, pair: Pair, log: Log): Promise<void> {
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await replace(join(folder, `${fileName(name)}.key`), pair.key, 0o600);
    await replace(join(folder, `${fileName(name)}.crt`), pair.cert, 0o644);
  } catch (error) {
    log.warn({ host: name, folder, error }, 'self-signed certificate is kept in memory only: it changes at each start');
  }
}

/** Another process never reads half a file. */
async function replace(path: string, text: string, mode: number): Promise<void> {
  const temporary = `${path}.${randomBytes(6).toString('hex')}`;
  // Nothing that is there already is written to: it would keep its own mode, or be a link.
  await writeFile(temporary, text, { mode, flag: 'wx' });
  await rename(temporary, path);
}

/** Host names are checked where the configuration is read; an IPv6 address still has colons. */
function fileName(name: string): string {
  return name.replace(/[^a-z0-9.-]/gi, '_');
}

async function make(name: string): Promise<Pair> {
  // Large, and seldom needed: not loaded before.
  const { generate } = await import('selfsigned');
  const now = Date.now();
  const address = isIP(name) ? { type: 7 as const, ip: name } : { type: 2 as const, value: name };
  const made = await generate([{ name: 'commonName', value: name }], {
    keyType: 'ec',
    algorithm: 'sha256',
    notBeforeDate: new Date(now - DAY_MS),
    notAfterDate: new Date(now + VALID_DAYS * DAY_MS),
    extensions: [
      { name: 'basicConstraints', cA: false, critical: true },
      { name: 'keyUsage', digitalSignature: true, critical: true },
      { name: 'extKeyUsage', serverAuth: true },
      { name: 'subjectAltName', altNames: [address] },
    ],
  });
  return { cert: made.cert, key: made.private };
}
