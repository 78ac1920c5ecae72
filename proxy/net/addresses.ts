/** How many connections one address may hold (X1), and how addresses are written. */
import type { Socket } from 'node:net';
import { isIPv6 } from 'node:net';

/** The peer's address; an IPv4 address that came in by an IPv6 socket is written as IPv4. */
export function addressOf(socket: Socket): string {
  return plainAddress(socket.remoteAddress ?? '');
}

export function plainAddress(address: string): string {
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address;
}

/** Loopback connections come from tunnels, balancers and tests on this machine: many clients may be behind one. */
export function isLoopback(address: string): boolean {
  return address.startsWith('127.') || address === '::1';
}

/** What is counted as one peer: an IPv4 address, or an IPv6 /64, as any single host may hold a whole /64. */
export function addressKey(address: string): string {
  if (!isIPv6(address)) return address;
  const [head = '', tail] = address.split('%')[0]?.split('::') ?? [];
  const groups = head === '' ? [] : head.split(':');
  if (tail !== undefined) {
    const after = tail === '' ? [] : tail.split(':');
    while (groups.length + after.length < 8) groups.push('0');
    groups.push(...after);
  }
  return `${groups
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':')}::/64`;
}

/** Counts connections by address while they are open. */
export class AddressLimit {
  readonly #limit: number;
  readonly #isLoopbackLimited: boolean;
  readonly #open = new Map<string, number>();

  /** 0: no limit, nothing is counted. */
  constructor(limit: number, isLoopbackLimited = false) {
    this.#limit = limit;
    this.#isLoopbackLimited = isLoopbackLimited;
  }

  /** False when the address has its share already; else the connection counts until its socket closes. */
  admit(socket: Socket, address = addressOf(socket)): boolean {
    if (this.#limit === 0 || (isLoopback(address) && !this.#isLoopbackLimited)) return true;
    const key = addressKey(address);
    const open = this.#open.get(key) ?? 0;
    if (open >= this.#limit) return false;
    this.#open.set(key, open + 1);
    socket.once('close', () => this.#leave(key));
    return true;
  }

  #leave(key: string): void {
    const open = (this.#open.get(key) ?? 1) - 1;
    if (open > 0) this.#open.set(key, open);
    else this.#open.delete(key);
  }
}
