/**
 * Every key of the configuration, with its default as it would be written. What each key means stands in
 * deploy/minimix-proxy.example.yaml; what the program gets, in types.ts.
 */
import { z } from 'zod';
import {
  address,
  choice,
  duration,
  flag,
  integer,
  longDuration,
  matching,
  networks,
  optional,
  path,
  type Reader,
  Refusal,
  size,
  text,
  words,
} from './readers.ts';
import { sealKeys } from './seal-keys.ts';
import { storeUrl } from './store-url.ts';
import { listenerUrl, upstreamUrl } from './urls.ts';

const listener = z.preprocess(
  (value, context) => (typeof value === 'string' ? read(listenerUrl, value, context) : value),
  z.strictObject({
    kind: key(choice('tcp', 'websocket')),
    address: key(address),
    path: key(path).optional(),
    tls: key(choice('starttls', 'direct', 'none')).optional(),
    trusted: key(optional('auto', flag), 'auto'),
    'proxy-protocol': key(flag, false),
    balancers: key(networks, []),
  }),
);

const host = z.strictObject({
  upstream: key(upstreamUrl),
  'upstream-tls': section({
    verify: key(flag, true),
    ca: key(optional('system', text('a PEM file')), 'system'),
  }),
  'client-address': key(optional('off', choice('proxy-v1', 'proxy-v2', 'x-forwarded-for')), 'off'),
  certificate: z.strictObject({ cert: key(text('a PEM file')), key: key(text('a PEM file')) }).optional(),
  'account-streams': key(flag, true),
  'carrier-stanza-size': key(optional('auto', size('1 KiB', '1 GiB')), 'auto'),
});

/** The file's form; parsing it gives values in the program's units, under the file's names. */
export const schema = z.strictObject({
  listeners: z.array(listener).prefault([]),
  balancers: key(networks, []),
  hosts: z.record(z.string(), host).prefault({}),
  store: key(storeUrl, 'memory'),
  'store-prefix': key(matching(/^[\w.:/-]{1,64}$/, 'up to 64 letters, digits and . : / _ -'), 'minimix:'),
  'store-tls': section({
    verify: key(flag, true),
    ca: key(optional('system', text('a PEM file')), 'system'),
  }),
  sealing: section({
    'key-file': key(optional('off', text('a file with keys')), 'off'),
    'secret-key': key(optional('off', sealKeys), 'off'),
  }),
  workers: key(integer(1, 64), 1),
  http: key(optional('off', address), 'off'),
  'state-directory': key(optional('off', text('a directory')), 'off'),
  sasl: section({ mode: key(choice('relay', 'plain-only'), 'relay') }),
  linger: key(longDuration, '7d'),
  parking: z
    .preprocess(
      (value) => (value === 'off' || value === false ? { dropped: false } : value),
      section({
        dropped: key(flag, true),
        logout: key(flag, false),
        streams: key(integer(0, 1_000_000), 10_000),
      }),
    )
    .prefault({}),
  leave: section({
    grace: key(duration(), '10s'),
    when: key(choice('auto', 'last-session', 'never'), 'auto'),
  }),
  archive: key(choice('off', 'on'), 'off'),
  nick: key(choice('account', 'follow'), 'account'),
  bookmarks: section({ autojoin: key(flag, false), poll: key(duration('0', '1d'), '10min') }),
  presence: section({ absent: key(choice('xa', 'last'), 'xa'), pause: key(duration('0', '10 min'), '5s') }),
  'stream-management': key(flag, true),
  hibernation: section({ time: key(duration('1s', '7d'), '5min') }),
  join: section({ timeout: key(duration('1s', '10 min'), '30s') }),
  iq: section({ timeout: key(duration('1s', '1h'), '60s') }),
  cluster: section({ lease: key(duration('500ms', '5 min'), '10s') }),
  drain: section({ timeout: key(duration('0', '10 min'), '25s') }),
  history: section({
    stanzas: key(integer(0, 1_000_000), 500),
    age: key(longDuration, '7d'),
    bytes: key(size('0', '1 GiB'), '1 MiB'),
    default: key(integer(0, 1_000_000), 20),
    stored: key(flag, true),
  }),
  rooms: section({
    exclude: key(
      words('domains of services, or rooms as name@service', (word) => /^([^\s@/]+@)?[^\s@/]+$/.test(word)),
      [],
    ),
    heal: key(duration('0', '1d'), '5min'),
    'self-ping': key(duration('0', '1d'), '10min'),
  }),
  limits: section({
    // RFC 6120 section 13.12: nobody may refuse stanzas below 10000 bytes for their size.
    'stanza-size': key(size('10000 B', '1 GiB'), '1 MiB'),
    'pre-auth-stanza-size': key(size('10000 B', '1 GiB'), '64 KiB'),
    depth: key(integer(16, 65_536), 256),
    attributes: key(integer(16, 65_536), 1000),
    upstream: section({
      'stanza-size': key(size('10000 B', '1 GiB'), '16 MiB'),
      depth: key(integer(16, 1_000_000), 65536),
      attributes: key(integer(16, 1_000_000), 65536),
    }),
    outbox: key(size('64 KiB', '1 GiB'), '4 MiB'),
    // Not below what servers allow themselves (ejabberd 2 min, Prosody 5 min): a connection may serve registration (XEP-0077) alone.
    'auth-time': key(duration('1s', '1h'), '5min'),
    'handshake-time': key(duration('100ms', '5 min'), '10s'),
    'close-time': key(duration('0', '5 min'), '5s'),
    ping: key(duration('1s', '1d'), '5min'),
    idle: key(duration('2s', '7d'), '10min'),
    silence: key(duration('1s', '7d'), '1min'),
    'connections-per-address': key(integer(0, 1_000_000), 0),
  }),
  rate: section({
    stanzas: bucket(integer(0, 1_000_000), 0, 200),
    bytes: bucket(size('0', '1 GiB'), 0, '1 MiB'),
    carrier: bucket(integer(0, 1_000_000), 200, 1000),
  }),
  log: section({
    level: key(choice('debug', 'info', 'warn', 'error', 'silent'), 'info'),
    format: key(choice('json', 'pretty'), 'json'),
  }),
});

/** What parsing gives. */
export type Settings = z.output<typeof schema>;

/** A default, as it would be written. */
type Preset = string | number | boolean | string[];

/** A key with one value. Without a default it must be given, unless it is made optional. */
function key<T>(reader: Reader<T>, preset?: Preset) {
  const type = z.unknown().transform((value, context) => read(reader, value, context));
  return preset === undefined ? type : type.prefault(preset);
}

/** Keys that belong together; all of them have defaults, and with nothing under it the section counts as absent. */
function section<S extends z.core.$ZodLooseShape>(shape: S) {
  return z.preprocess((value) => value ?? {}, z.strictObject(shape)).prefault({});
}

/** A rate; 0 per second switches it off. */
function bucket(reader: Reader<number>, perSecond: Preset, burst: Preset) {
  return section({ 'per-second': key(reader, perSecond), burst: key(reader, burst) });
}

function read<T>(reader: Reader<T>, value: unknown, context: z.core.$RefinementCtx): T {
  const result = reader(value);
  if (!(result instanceof Refusal)) return result;
  context.addIssue({ code: 'custom', message: result.allowed, input: value });
  return z.NEVER;
}
