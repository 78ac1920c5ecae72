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
  'redis+cluster://[USER:PASSWORD@]HOST:PORT,HOST:PORT,..., rediss+cluster://; ' +
  'what is special in a URL stands in a password as %XX';

const schemes: Readonly<Record<string, { isCluster: boolean; isTls: boolean }>> = {
  redis: { isCluster: false, isTls: false },
  rediss: { isCluster: false, isTls: true },
  'redis+cluster': { isCluster: true, isTls: false },
  'rediss+cluster': { isCluster: true, isTls: true },
};

const url = /^([a-z+]+):\/\/(?:([^:@/?#\s]*)(?::([^:@/?#\s]*))?@)?([^@/?#\s]+)(?:\/(\d{1,3})?)?$/i;
const defaultPort = 6379;

/** `memory` or a URL of Redis. */
export const storeUrl: Reader<StoreAddress> = (value) => {
  if (value === 'memory') return { kind: 'memory' };
  const refusal = new Refusal(allowed);
  const [, scheme = '', user, secret, hosts = '', database] =
    (typeof value === 'string' && url.exec(value.trim())) || [];
  const name = scheme.toLowerCase();
  const how = Object.hasOwn(schemes, name) ? schemes[name] : undefined;
  const nodes = hosts.split(',').map(addressOf);
  const [username, password] = [plain(user), plain(secret)];
  if (!how || !nodes.every((node) => node !== undefined) || username === null || password === null) return refusal;
  if (how.isCluster ? database !== undefined : nodes.length > 1) return refusal;
  // A user name without a password is what Redis itself would refuse.
  if (username !== undefined && password === undefined) return refusal;
  return { kind: 'redis', ...how, nodes, username, password, database: Number(database ?? 0) };
};

function addressOf(text: string): { host: string; port: number } | undefined {
  const address = parseAddress(text) ?? parseAddress(`${text}:${defaultPort}`);
  return address?.port === 0 ? undefined : address;
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
