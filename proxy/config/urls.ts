/** Listeners and upstreams written as URLs. */
import { type Reader, Refusal } from './readers.ts';
import type { UpstreamConfig } from './types.ts';
import { formatAddress, parseUrl } from './values.ts';

/** Path of the WebSocket endpoint where none is given, ours and the server's. */
export const defaultPath = '/xmpp-websocket';

const listenUrls =
  'tcp://ADDRESS:PORT, tls://ADDRESS:PORT, ws://ADDRESS:PORT/PATH, wss://ADDRESS:PORT/PATH, ' +
  'with ?trusted=true|false, ?proxy-protocol=true|false and, for tcp, ?tls=none|starttls|direct';

const listenSchemes: Readonly<Record<string, { kind: 'tcp' | 'websocket'; tls?: 'direct' | 'none' }>> = {
  tcp: { kind: 'tcp' },
  tls: { kind: 'tcp', tls: 'direct' },
  ws: { kind: 'websocket', tls: 'none' },
  wss: { kind: 'websocket', tls: 'direct' },
};

/** A listener in the form of its keys, as it could stand in the file. */
export const listenerUrl: Reader<Record<string, unknown>> = (value) => {
  const refusal = new Refusal(listenUrls);
  const parts = typeof value === 'string' ? parseUrl(value) : undefined;
  const scheme = Object.hasOwn(listenSchemes, parts?.scheme ?? '') ? listenSchemes[parts?.scheme ?? ''] : undefined;
  if (!parts || parts.port === undefined || !scheme) return refusal;
  const [path = '', query = ''] = parts.path.split('?', 2);
  const common = ['trusted', 'proxy-protocol'];
  const options = readOptions(query, scheme.tls === undefined ? ['tls', ...common] : common);
  if (!options || (scheme.kind === 'tcp' && path !== '' && path !== '/')) return refusal;
  const address = formatAddress({ host: parts.host, port: parts.port });
  return { ...scheme, address, ...(path === '' || scheme.kind === 'tcp' ? {} : { path }), ...options };
};

/** The options behind the question mark; undefined when one is not known or stands there twice. */
function readOptions(query: string, known: string[]): Record<string, string> | undefined {
  const options: Record<string, string> = {};
  for (const [name, value] of new URLSearchParams(query)) {
    if (!known.includes(name) || Object.hasOwn(options, name)) return undefined;
    options[name] = value;
  }
  return options;
}

/** Scheme, default port, default path. */
const upstreamSchemes: readonly (readonly [UpstreamConfig['scheme'], number, string])[] = [
  ['xmpp', 5222, ''],
  ['xmpp+starttls', 5222, ''],
  ['xmpps', 5223, ''],
  ['ws', 80, defaultPath],
  ['wss', 443, defaultPath],
];

/** The server behind a host. */
export const upstreamUrl: Reader<Pick<UpstreamConfig, 'scheme' | 'host' | 'port' | 'path'>> = (value) => {
  const parts = typeof value === 'string' ? parseUrl(value) : undefined;
  const known = upstreamSchemes.find(([scheme]) => scheme === parts?.scheme);
  const refusal = new Refusal(
    'xmpp://HOST:PORT (no TLS), xmpp+starttls://HOST:PORT, xmpps://HOST:PORT, ws://HOST:PORT/PATH, wss://HOST:PORT/PATH; ' +
      'no user name or password',
  );
  if (!parts || !known || parts.port === 0) return refusal;
  const [scheme, port, path] = known;
  const given = parts.path === '/' && path === '' ? '' : parts.path;
  if (path === '' && given !== '') return refusal;
  return {
    scheme,
    host: parts.host,
    port: parts.port ?? port,
    path: given.startsWith('?') ? path + given : given || path,
  };
};
