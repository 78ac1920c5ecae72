/** Whom a listener believes about where a client comes from: the load balancers and reverse proxies that stand in front of it. */
import { BlockList, isIP, isIPv4 } from 'node:net';
import { plainAddress } from './addresses.ts';
import { canonical } from './proxy-header.ts';

/** A set of addresses and networks. */
export class Balancers {
  readonly #list = new BlockList();

  /** Addresses, or networks such as `10.0.0.0/8` and `fd00::/8`. Throws a RangeError or TypeError for anything else. */
  constructor(entries: readonly string[]) {
    for (const entry of entries) {
      const [address = '', bits] = entry.split('/');
      const family = isIPv4(address) ? 'ipv4' : 'ipv6';
      if (bits === undefined) this.#list.addAddress(address, family);
      else this.#list.addSubnet(address, Number(bits), family);
    }
  }

  has(address: string): boolean {
    const [plain = ''] = address.split('%', 1);
    return isIP(plain) !== 0 && this.#list.check(plain, isIPv4(plain) ? 'ipv4' : 'ipv6');
  }
}

/**
 * The client's address by the `X-Forwarded-For` of a request that came from `peer`: from the right, the first address that is
 * none of the balancers'. What stands further left anybody can have written. Where an entry is no address nothing before it
 * can be believed: the address to the right of it is as much as is known.
 */
export function forwardedClient(header: string | undefined, peer: string, balancers: Balancers): string {
  let client = peer;
  if (header === undefined) return client;
  const entries = header.split(',');
  while (balancers.has(client)) {
    const entry = readEntry(entries.pop() ?? '');
    if (entry === undefined) return client;
    client = entry;
  }
  return client;
}

/** An address, as some write it with its port: `192.0.2.1:4711`, `[2001:db8::1]:4711`. */
function readEntry(entry: string): string | undefined {
  const text = entry.trim();
  const bracketed = /^\[([0-9a-f:.]+)\](?::\d{1,5})?$/i.exec(text)?.[1];
  const address = bracketed ?? text.replace(/^([\d.]+):\d{1,5}$/, '$1');
  return isIP(address) && !address.includes('%') ? plainAddress(canonical(address)) : undefined;
}
