/** How durations, sizes, addresses and URLs are written in the configuration, and what they become. */
import { domainToUnicode } from 'node:url';

/** The longest time that a timer of Node takes; above it, it fires at once. */
export const maxTimerMs = 2 ** 31 - 1;

const unitMs: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  sec: 1000,
  min: 60_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};

const unitBytes: Readonly<Record<string, number>> = {
  b: 1,
  kb: 1000,
  mb: 1000 ** 2,
  gb: 1000 ** 3,
  kib: 1024,
  mib: 1024 ** 2,
  gib: 1024 ** 3,
};

/** Milliseconds of '500ms', '30 s', '5 min', '7d', '0'; `forever` is Infinity. Undefined: not a duration. */
export function parseDuration(value: string | number): number | undefined {
  if (value === 'forever') return Number.POSITIVE_INFINITY;
  return parseQuantity(value, unitMs);
}

/** Bytes of '512 B', '256 KiB', '1MB', '0'. Undefined: not a size. */
export function parseSize(value: string | number): number | undefined {
  return parseQuantity(value, unitBytes);
}

/** Zero needs no unit; everything else does. */
function parseQuantity(value: string | number, units: Readonly<Record<string, number>>): number | undefined {
  if (value === 0 || value === '0') return 0;
  const match = /^(\d+(?:\.\d+)?)\s*([a-z]+)$/i.exec(String(value).trim());
  const factor = units[match?.[2]?.toLowerCase() ?? ''];
  if (!match || factor === undefined) return undefined;
  const result = Math.round(Number(match[1]) * factor);
  return Number.isSafeInteger(result) ? result : undefined;
}

/** 'host:port', '[::1]:port'. Undefined: neither. Port 0 is allowed: the system chooses. */
export function parseAddress(value: string): { host: string; port: number } | undefined {
  const match = /^(?:\[([0-9a-f:.]+(?:%[\w.-]+)?)\]|([\w.-]+)):(\d{1,5})$/i.exec(value.trim());
  const port = Number(match?.[3]);
  const host = match?.[1] ?? match?.[2];
  if (host === undefined || port > 65_535) return undefined;
  return { host, port };
}

/** `host:port`, with brackets where needed. */
export function formatAddress(address: { readonly host: string; readonly port: number }): string {
  return `${address.host.includes(':') ? `[${address.host}]` : address.host}:${address.port}`;
}

/** Reachable from the same machine only: 127.0.0.0/8, ::1, localhost. */
export function isLoopback(host: string): boolean {
  return /^127\.\d+\.\d+\.\d+$/.test(host) || /^(::1|::ffff:127\.\d+\.\d+\.\d+|localhost)$/i.test(host);
}

/**
 * The key under which a domain is found in `Config.hosts`: lower case, Unicode form (RFC 7622 section 3.2.1), no trailing
 * dot. Takes any text, so that a stream header's `to` can be looked up as it is.
 */
export function hostKey(domain: string): string {
  const plain = domain.trim().replace(/\.$/, '').normalize('NFC').toLowerCase();
  if (!plain.includes('xn--')) return plain;
  return domainToUnicode(plain) || plain;
}

/** Whether a text can be an XMPP domain: a name or an address, nothing that would break an attribute or a URL. */
export function isDomain(domain: string): boolean {
  return (
    /^[^\s<>&"'@/\\:%?#[\]]+$/.test(domain) && domain.length <= 255 && !domain.startsWith('.') && !domain.includes('..')
  );
}

/** The parts of a URL that both listeners and upstreams use. */
export interface UrlParts {
  readonly scheme: string;
  readonly host: string;
  /** Undefined when the URL names none. */
  readonly port: number | undefined;
  /** Path with the query, '' when there is none. */
  readonly path: string;
}

/**
 * Takes `scheme://host[:port][/path][?query]` apart. Not by `URL`: that drops a port that is
 * its scheme's default, and accepts much more. Undefined: no such URL. User names and passwords have no place in these URLs.
 */
export function parseUrl(url: string): UrlParts | undefined {
  const match = /^([a-z][a-z0-9+.-]*):\/\/(?:\[([0-9a-f:.]+)\]|([\w.-]+))(?::(\d{1,5}))?([/?][^\s#]*)?$/i.exec(
    url.trim(),
  );
  const host = match?.[2] ?? match?.[3];
  const port = match?.[4] === undefined ? undefined : Number(match[4]);
  if (match?.[1] === undefined || host === undefined || (port ?? 0) > 65_535) return undefined;
  return { scheme: match[1].toLowerCase(), host, port, path: match[5] ?? '' };
}
