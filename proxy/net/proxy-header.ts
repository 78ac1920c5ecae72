/**
 * The PROXY protocol of HAProxy (proxy-protocol.txt of 2020), versions 1 and 2: what a balancer says in front of all else
 * about the client that it speaks for. Pure: bytes in, an answer out.
 */
import { isIPv4, isIPv6, SocketAddress } from 'node:net';
import { plainAddress } from './addresses.ts';

export interface Endpoint {
  /** IPv4 or IPv6, the latter in its short form; '' where it is not known. */
  readonly address: string;
  /** 0: not known. */
  readonly port: number;
}

/** The two ends of a client's connection, wherever it ends. */
export interface Route {
  readonly source: Endpoint;
  readonly destination: Endpoint;
}

export interface ProxyHeader {
  /** Undefined: the sender speaks for itself or for somebody whom it does not name (LOCAL, UNKNOWN, UNSPEC, AF_UNIX). */
  readonly route: Route | undefined;
  /** Bytes of the header; what follows is the client's. */
  readonly length: number;
}

/** A header longer than this is refused. Version 1 needs 107 bytes; the rest is room for the extensions of version 2. */
export const MOST_HEADER_BYTES = 4096;

const V1_MOST = 107;
const V1_START = Buffer.from('PROXY ');
const V2_START = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1');
const V2_FIXED = 16;

/**
 * What the bytes begin with, once enough of them are there. `malformed` comes as soon as no continuation could be a header;
 * `incomplete` never with more than `MOST_HEADER_BYTES`. Extensions (TLVs) are skipped unread.
 */
export function parseProxyHeader(bytes: Buffer): ProxyHeader | 'incomplete' | 'malformed' {
  if (begins(bytes, V2_START)) return bytes.length < V2_START.length ? 'incomplete' : parseV2(bytes);
  if (begins(bytes, V1_START)) return bytes.length < V1_START.length ? 'incomplete' : parseV1(bytes);
  return 'malformed';
}

/** As far as both go. */
function begins(bytes: Buffer, start: Buffer): boolean {
  const length = Math.min(bytes.length, start.length);
  return bytes.subarray(0, length).equals(start.subarray(0, length));
}

function parseV1(bytes: Buffer): ProxyHeader | 'incomplete' | 'malformed' {
  const end = bytes.subarray(0, V1_MOST).indexOf('\r\n');
  if (end < 0) {
    const isOver = bytes.length >= V1_MOST || !isLine(bytes);
    return isOver ? 'malformed' : 'incomplete';
  }
  const length = end + 2;
  const line = bytes.toString('latin1', V1_START.length, end);
  if (line === 'UNKNOWN' || line.startsWith('UNKNOWN ')) return { route: undefined, length };
  const route = readLine(line);
  return route === undefined ? 'malformed' : { route, length };
}

/** Whether the bytes so far can be the beginning of a line: printable, but for a line end that has just begun. */
function isLine(bytes: Buffer): boolean {
  const last = bytes.length - 1;
  return bytes.every((byte, index) => (byte >= 0x20 && byte < 0x7f) || (byte === 0x0d && index === last));
}

function readLine(line: string): Route | undefined {
  const [family, source = '', destination = '', sourcePort = '', destinationPort = '', ...more] = line.split(' ');
  const isAddress = family === 'TCP4' ? isIPv4 : family === 'TCP6' ? isPlainIPv6 : undefined;
  if (!isAddress?.(source) || !isAddress(destination) || more.length > 0) return undefined;
  const [from, to] = [readPort(sourcePort), readPort(destinationPort)];
  if (from === undefined || to === undefined) return undefined;
  return { source: endpoint(source, from), destination: endpoint(destination, to) };
}

/** Without a zone, which means nothing to anybody else. */
function isPlainIPv6(text: string): boolean {
  return isIPv6(text) && !text.includes('%');
}

function readPort(text: string): number | undefined {
  const port = /^(?:0|[1-9]\d{0,4})$/.test(text) ? Number(text) : Number.NaN;
  return port <= 65_535 ? port : undefined;
}

function endpoint(address: string, port: number): Endpoint {
  return { address: canonical(address), port };
}

/** The one way in which an address is written here, so that the same ones are equal. */
export function canonical(address: string): string {
  return isIPv6(address) ? plainAddress(new SocketAddress({ family: 'ipv6', address }).address) : address;
}

const LOCAL = 0x20;
const PROXY = 0x21;
const V2_ANY = 0x00;
const V2_TCP4 = 0x11;
const V2_TCP6 = 0x21;
const V2_UNIX = 0x31;
/** Bytes of the addresses of each kind of stream; datagrams cannot come over TCP. */
const V2_ADDRESSES: Readonly<Record<number, number>> = { [V2_ANY]: 0, [V2_TCP4]: 12, [V2_TCP6]: 36, [V2_UNIX]: 216 };

function parseV2(bytes: Buffer): ProxyHeader | 'incomplete' | 'malformed' {
  const [command, family] = [bytes[12], bytes[13]];
  if (command !== undefined && command !== LOCAL && command !== PROXY) return 'malformed';
  // Of a LOCAL header nothing else counts.
  const needed = command === LOCAL ? 0 : V2_ADDRESSES[family ?? V2_ANY];
  if (needed === undefined) return 'malformed';
  if (bytes.length < V2_FIXED) return 'incomplete';
  const size = bytes.readUInt16BE(14);
  const length = V2_FIXED + size;
  if (size < needed || length > MOST_HEADER_BYTES) return 'malformed';
  if (bytes.length < length) return 'incomplete';
  const isNamed = command === PROXY && (family === V2_TCP4 || family === V2_TCP6);
  return { route: isNamed ? readAddresses(bytes, family === V2_TCP4 ? 4 : 16) : undefined, length };
}

function readAddresses(bytes: Buffer, width: number): Route {
  const at = (place: number): string => addressOfBytes(bytes.subarray(place, place + width));
  const ports = V2_FIXED + 2 * width;
  return {
    source: { address: at(V2_FIXED), port: bytes.readUInt16BE(ports) },
    destination: { address: at(V2_FIXED + width), port: bytes.readUInt16BE(ports + 2) },
  };
}

function addressOfBytes(bytes: Buffer): string {
  if (bytes.length === 4) return bytes.join('.');
  const groups = Array.from({ length: 8 }, (_, index) => bytes.readUInt16BE(index * 2).toString(16));
  return canonical(groups.join(':'));
}

/**
 * The header to be sent for a client; without a route (a connection of our own), or where an address is not known, one that
 * names nobody: LOCAL, `UNKNOWN`.
 */
export function proxyHeader(version: 1 | 2, route: Route | undefined): Buffer {
  const known = route === undefined ? undefined : sameFamily(route);
  if (version === 1) return Buffer.from(known === undefined ? 'PROXY UNKNOWN\r\n' : lineOf(known));
  const body = known === undefined ? Buffer.alloc(0) : addressesOf(known);
  const head = Buffer.alloc(V2_FIXED);
  V2_START.copy(head);
  head[12] = known === undefined ? LOCAL : PROXY;
  head[13] = known === undefined ? V2_ANY : known.isIPv6 ? V2_TCP6 : V2_TCP4;
  head.writeUInt16BE(body.length, 14);
  return Buffer.concat([head, body]);
}

interface Written extends Route {
  readonly isIPv6: boolean;
}

/** Both ends in one family, as the header wants them: IPv4 as a mapped address where the other one is IPv6. */
function sameFamily({ source, destination }: Route): Written | undefined {
  const [from, to] = [withoutZone(source), withoutZone(destination)];
  if (isIPv4(from.address) && isIPv4(to.address)) return { source: from, destination: to, isIPv6: false };
  const [mappedFrom, mappedTo] = [mapped(from), mapped(to)];
  if (!isIPv6(mappedFrom.address) || !isIPv6(mappedTo.address)) return undefined;
  return { source: mappedFrom, destination: mappedTo, isIPv6: true };
}

function withoutZone({ address, port }: Endpoint): Endpoint {
  return { address: address.split('%', 1)[0] ?? '', port };
}

function mapped({ address, port }: Endpoint): Endpoint {
  return { address: isIPv4(address) ? `::ffff:${address}` : address, port };
}

function lineOf({ source, destination, isIPv6 }: Written): string {
  const family = isIPv6 ? 'TCP6' : 'TCP4';
  return `PROXY ${family} ${source.address} ${destination.address} ${source.port} ${destination.port}\r\n`;
}

function addressesOf({ source, destination }: Written): Buffer {
  const ports = Buffer.alloc(4);
  ports.writeUInt16BE(source.port, 0);
  ports.writeUInt16BE(destination.port, 2);
  return Buffer.concat([bytesOf(source.address), bytesOf(destination.address), ports]);
}

/** Of an address that is one. */
function bytesOf(address: string): Buffer {
  if (isIPv4(address)) return Buffer.from(address.split('.').map(Number));
  const tail = /(\d+\.\d+\.\d+\.\d+)$/.exec(address)?.[1];
  const hex =
    tail === undefined
      ? address
      : address.slice(0, -tail.length) + bytesOf(tail).toString('hex').replace(/^..../, '$&:');
  const [head = '', after] = hex.split('::');
  const left = head === '' ? [] : head.split(':');
  const right = after === undefined || after === '' ? [] : after.split(':');
  const zeros = Array.from({ length: 8 - left.length - right.length }, () => '0');
  const bytes = Buffer.alloc(16);
  for (const [index, group] of [...left, ...zeros, ...right].entries()) {
    bytes.writeUInt16BE(Number.parseInt(group, 16), index * 2);
  }
  return bytes;
}
