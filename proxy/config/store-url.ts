/** Where membership is kept, written as a URL. */
import { type Reader, Refusal } from './readers.ts';
import type { StoreConfig } from './types.ts';
import { parseAddress } from './values.ts';

/** What a store URL says; the rest of a `StoreConfig` has keys of its own. */
export type StoreAddress =
  | { readonly kind: 'memory' }
  | Omit<Extract<StoreConfig, { kind: 'redis' }>, 'prefix' | 'verify' | 'ca'>;

const allowed =
  'memory, redis://[USER:PASSWORD@]HOST[:PORT][/DATABASE], rediss:// (TLS), ' +
  'redis+cluster://[USER:PASSWORD@]HOST:PORT,HOST:PORT,..., rediss+cluster://, ' +
  'redis+sentinel://[USER:PASSWORD@]SENTINEL[:PORT],.../NAME, rediss+sentinel://; ' +
  'what is special in a URL stands in a password as %XX';

interface Scheme {
  readonly isCluster: boolean;
  readonly isTls: boolean;
  /** What stands behind the addresses is the name of a master. */
  readonly hasSentinels?: true;
}

const schemes: Readonly<Record<string, Scheme>> = {
  redis: { isCluster: false, isTls: false },
  rediss: { isCluster: false, isTls: true },
  'redis+cluster': { isCluster: true, isTls: false },
  'rediss+cluster': { isCluster: true, isTls: true },
  'redis+sentinel': { isCluster: false, isTls: false, hasSentinels: true },
  'rediss+sentinel': { isCluster: false, isTls: true, hasSentinels: true },
};

const url = /^([a-z+]+):\/\/(?:([^:@/?#\s]*)(?::([^:@/?#\s]*))?@)?([^@/?#\s]+)(?:\/([\w.-]{1,64})?)?$/i;
const database = /^\d{1,3}$/;
const defaultPort = 6379;
const defaultSentinelPort = 26379;

/** `memory` or a URL of Redis. */
export const storeUrl: Reader<StoreAddress> = (value) => {
  if (value === 'memory') return { kind: 'memory' };
  const refusal = new Refusal(allowed);
  const [, scheme = '', user, secret, hosts = '', path] = (typeof value === 'string' && url.exec(value.trim())) || [];
  const name = scheme.toLowerCase();
  const how = Object.hasOwn(schemes, name) ? schemes[name] : undefined;
  const nodes = hosts.split(',').map(addressOf(how?.hasSentinels ? defaultSentinelPort : defaultPort));
  const [username, password] = [plain(user), plain(secret)];
  if (!how || !nodes.every((node) => node !== undefined) || username === null || password === null) return refusal;
  // A user name without a password is what Redis itself would refuse.
  if (username !== undefined && password === undefined) return refusal;
  const { hasSentinels, ...kind } = how;
  const found = { kind: 'redis', ...kind, nodes, username, password } as const;
  if (hasSentinels) return path === undefined ? refusal : { ...found, sentinel: path, database: 0 };
  if (how.isCluster ? path !== undefined : nodes.length > 1) return refusal;
  if (path !== undefined && !database.test(path)) return refusal;
  return { ...found, database: Number(path ?? 0) };
};

function addressOf(port: number): (text: string) => { host: string; port: number } | undefined {
  return (text) => {
    const address = parseAddress(text) ?? parseAddress(`${text}:${port}`);
    return address?.port === 0 ? undefined : address;
  };
}

/** Undefined: nothing there; null: not well written. */
function plain(text: string | undefined): string | undefined | null {
  if (text === undefined || text === '') return undefined;
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}
