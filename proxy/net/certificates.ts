/**
 * The certificates that clients are shown: one for each host, chosen by SNI, read again on `reload()` without a connection
 * being dropped. A host that has none gets a self-signed one.
 */
import { readFile, stat } from 'node:fs/promises';
import { createSecureContext, type SecureContext } from 'node:tls';
import { domainToASCII } from 'node:url';
import type { Log } from '../ops/log.ts';
import { selfSigned } from './self-signed.ts';
import { MIN_VERSION, type ServerTls } from './tls.ts';

/** Paths of PEM files: the certificate with its chain, and its key. */
export interface CertificateFiles {
  readonly cert: string;
  readonly key: string;
}

export interface CertificatesOptions {
  /** By domain; the first host's certificate is shown to clients that name no host, or an unknown one. */
  readonly hosts: Readonly<Record<string, { readonly certificate?: CertificateFiles | undefined }>>;
  /** Where self-signed certificates are kept; in memory only, when there is none or it cannot be written. */
  readonly stateDirectory?: string | undefined;
  readonly log: Log;
}

/** A certificate and key in PEM. */
export interface KeyPair {
  readonly cert: string;
  readonly key: string;
}

interface Entry {
  readonly context: SecureContext;
  readonly pair: KeyPair;
  /** Modification times of the files; undefined for a self-signed one. */
  readonly stamp: string | undefined;
}

export class Certificates implements ServerTls {
  readonly side = 'server';
  readonly #options: CertificatesOptions;
  readonly #entries = new Map<string, Entry>();
  readonly #listeners = new Set<() => void>();
  #watch: NodeJS.Timeout | undefined;

  private constructor(options: CertificatesOptions) {
    this.#options = options;
  }

  /** Rejects when a configured file cannot be used, with an error that names the host. */
  static async load(options: CertificatesOptions): Promise<Certificates> {
    const certificates = new Certificates(options);
    for (const host of Object.keys(options.hosts)) {
      try {
        await certificates.#read(host);
      } catch (error) {
        throw new Error(`certificate of ${host}: ${messageOf(error)}`, { cause: error });
      }
    }
    return certificates;
  }

  defaultContext(): SecureContext {
    return this.#first().context;
  }

  /** The host's own certificate, or that of the closest configured parent domain (which may well be a wildcard). */
  contextFor(servername: string): SecureContext | undefined {
    let name = servername.toLowerCase();
    for (;;) {
      const entry = this.#entries.get(name);
      if (entry !== undefined) return entry.context;
      const dot = name.indexOf('.');
      if (dot < 0) return undefined;
      name = name.slice(dot + 1);
    }
  }

  /** The default certificate in PEM, for servers that keep a context of their own. */
  defaultPair(): KeyPair {
    return this.#first().pair;
  }

  /**
   * Reads all files again. A host whose files cannot be used keeps the certificate that it has, with an error in the log.
   * Connections that exist are not touched.
   */
  async reload(): Promise<void> {
    await this.#readAgain(() => true);
  }

  /** Reloads what has changed on disk, looking each `everyMs`; polls, as certificates often hide behind links. */
  watch(everyMs: number): void {
    this.unwatch();
    this.#watch = setInterval(() => void this.reloadChanged(), everyMs).unref();
  }

  unwatch(): void {
    clearInterval(this.#watch);
    this.#watch = undefined;
  }

  /** Reloads the hosts whose files are not those that were read last. */
  async reloadChanged(): Promise<void> {
    await this.#readAgain((stamp, host) => stamp !== this.#entries.get(host)?.stamp);
  }

  /** Calls back after each reload that changed something; returns how to stop that. */
  onReload(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async #readAgain(isWanted: (stamp: string, host: string) => boolean): Promise<void> {
    const { hosts, log } = this.#options;
    let hasChanged = false;
    for (const [host, { certificate }] of Object.entries(hosts)) {
      if (certificate === undefined) continue;
      try {
        if (!isWanted(await stampOf(certificate), host)) continue;
        await this.#read(host);
        hasChanged = true;
        log.info({ host }, 'certificate loaded');
      } catch (error) {
        log.error({ host, error }, 'certificate cannot be loaded; the one in use stays');
      }
    }
    if (hasChanged) for (const listener of this.#listeners) listener();
  }

  async #read(host: string): Promise<void> {
    const files = this.#options.hosts[host]?.certificate;
    const stamp = files === undefined ? undefined : await stampOf(files);
    const pair = files === undefined ? await selfSigned(host, this.#options) : await readPair(files);
    const context = createSecureContext({ ...pair, minVersion: MIN_VERSION });
    this.#entries.set(domainToASCII(host) || host, { context, pair, stamp });
  }

  #first(): Entry {
    const entry = this.#entries.values().next().value;
    if (entry === undefined) throw new Error('no host is configured');
    return entry;
  }
}

async function readPair(files: CertificateFiles): Promise<KeyPair> {
  const [cert, key] = await Promise.all([readFile(files.cert, 'utf8'), readFile(files.key, 'utf8')]);
  return { cert, key };
}

async function stampOf(files: CertificateFiles): Promise<string> {
  const stats = await Promise.all([stat(files.cert), stat(files.key)]);
  return stats.map(({ mtimeMs, ino, size }) => `${mtimeMs}/${ino}/${size}`).join(' ');
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
