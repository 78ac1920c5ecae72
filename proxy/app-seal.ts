/** The keys that the configuration names, read. */
import { readFileSync, statSync } from 'node:fs';
import { parseSealKeys } from './config/seal-keys.ts';
import type { SealingConfig } from './config.ts';
import type { Log } from './ops/log.ts';
import type { Metrics } from './ops/metrics.ts';
import { Sealing } from './runtime/sealing.ts';
import { Seal } from './store/seal.ts';
import type { Vault } from './store/vault.ts';

/** Who else than the owner's group may read or write a file. */
const OTHERS = 0o007;

/** The keys cannot be had. Its message names the key of the configuration and the problem, and no secret. */
export class SealKeyError extends Error {
  override readonly name = 'SealKeyError';
  /** What went wrong is the operator's to mend: no stack is shown. */
  readonly code = 'seal-keys';
}

/** For the accounts of an app; as `openSeal`. */
export function openSealing(
  config: SealingConfig | undefined,
  vault: Vault,
  log: Log,
  metrics: Pick<Metrics, 'sealed'>,
): Sealing | undefined {
  const seal = openSeal(config, log);
  return seal && new Sealing({ seal, vault, log, metrics });
}

/** Reads the keys again. Those that cannot be had, which is logged and counted, leave the ones that there are in use. */
export function reloadKeys(sealing: Sealing, config: SealingConfig, log: Log, metrics: Pick<Metrics, 'sealed'>): void {
  try {
    const seal = openSeal(config, log);
    if (seal) sealing.useKeys(seal);
    log.info({ keys: sealing.opens }, 'keys for sealing loaded');
  } catch (error) {
    if (!(error instanceof SealKeyError)) throw error;
    metrics.sealed.inc({ event: 'keys-unread' });
    log.error({ error }, 'keys for sealing cannot be loaded; those in use stay');
  }
}

/** Undefined: no keys are configured, nothing is sealed. @throws SealKeyError */
export function openSeal(config: SealingConfig | undefined, log: Pick<Log, 'warn'>): Seal | undefined {
  if (!config) return undefined;
  if (config.keys !== undefined) return sealOf('sealing.secret-key', config.keys);
  const { keyFile } = config;
  const name = `sealing.key-file: ${keyFile}`;
  let text: string;
  let mode: number;
  try {
    text = readFileSync(keyFile, 'utf8');
    mode = statSync(keyFile).mode;
  } catch (error) {
    throw new SealKeyError(`sealing.key-file: cannot read ${keyFile}: ${reasonOf(error)}`);
  }
  const seal = sealOf(name, text);
  if ((mode & OTHERS) !== 0)
    log.warn({ file: keyFile }, 'the file of sealing.key-file is open to all users of this machine');
  return seal;
}

function sealOf(name: string, text: string): Seal {
  const keys = parseSealKeys(text);
  if (typeof keys === 'string') throw new SealKeyError(`${name}: ${keys}`);
  return new Seal(keys);
}

function reasonOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT') return 'no such file';
  return code === 'EACCES' ? 'permission denied' : message;
}
