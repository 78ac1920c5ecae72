/** Starts the proxy in this process, in front of a server. */
import { type App, type AppAddress, createApp } from '../../proxy/app.ts';
import { parseConfig } from '../../proxy/config.ts';
import { createLog } from '../../proxy/ops/log.ts';
import type { Store } from '../../proxy/store/store.ts';
import type { Access, Server } from '../servers/index.ts';
import type { Target } from './client.ts';

/** How a client reaches the proxy. */
export type Transport = 'tcp' | 'websocket';

/** What a configuration file would hold, as an object. */
export type ConfigFile = Record<string, unknown>;

export interface ProxyOptions {
  /** The server behind it, or the URL of one. */
  upstream: Pick<Server, 'upstream'> | string;
  /** How the proxy reaches the server; plain TCP unless told. Certificates are not checked. */
  access?: Access;
  /** Keys of the configuration file that are added, or that replace what stands there. */
  config?: ConfigFile;
  /** Shared with other proxies of this process: they are nodes of one service. */
  store?: Store;
  /** Adds listeners with TLS (STARTTLS, direct, wss) that use this certificate. */
  certificate?: { cert: string; key: string };
}

/** A proxy that runs. */
export interface TestProxy {
  /** Where a client connects. `tls` takes the listener with STARTTLS or `wss`, where there is one. */
  target(transport: Transport, options?: { tls?: boolean }): Target;
  /** The same by the kind of listener; those with TLS need a certificate. */
  at(access: Access): Target;
  /** Lines of its log, JSON, debug level included unless the configuration says otherwise. */
  readonly log: readonly string[];
  /** For what a client cannot see: metrics, what is held. */
  readonly app: App;
  /** Fails when the log tells of a fault in the proxy's own code. */
  stop(): Promise<void>;
}

/** Starts a proxy on free ports of 127.0.0.1. Its listeners without TLS are trusted. */
export async function startProxy(options: ProxyOptions): Promise<TestProxy> {
  const config = parseConfig(configFile(options));
  if (Array.isArray(config)) throw new Error(config.map((error) => error.message).join('\n'));
  const lines: string[] = [];
  const log = createLog({ level: config.log.level, destination: { write: (line) => void lines.push(line.trimEnd()) } });
  const app = createApp(config, { log, store: options.store });
  await app.start();
  return {
    target: (transport, { tls = false } = {}) => targetAt(app.addresses, accessOf(transport, tls)),
    at: (access) => targetAt(app.addresses, access),
    log: lines,
    app,
    async stop() {
      await app.stop();
      // Contained in its place, a fault of ours could pass unseen.
      const fault = lines.find((line) => /"msg":"fault in/.test(line));
      if (fault !== undefined) throw new Error(fault);
    },
  };
}

function configFile({ upstream, access, config = {}, certificate }: ProxyOptions): ConfigFile {
  const url = typeof upstream === 'string' ? upstream : upstream.upstream(access);
  const open = { address: '127.0.0.1:0', tls: 'none', trusted: true };
  const listeners: object[] = [
    { kind: 'tcp', ...open },
    { kind: 'websocket', ...open, path: '/xmpp-websocket' },
  ];
  if (certificate) {
    listeners.push({ kind: 'tcp', address: '127.0.0.1:0', tls: 'starttls' });
    listeners.push({ kind: 'tcp', address: '127.0.0.1:0', tls: 'direct' });
    listeners.push({ kind: 'websocket', address: '127.0.0.1:0', tls: 'direct', path: '/xmpp-websocket' });
  }
  const host = {
    upstream: url,
    'upstream-tls': { verify: false },
    ...(certificate ? { certificate: { cert: certificate.cert, key: certificate.key } } : {}),
  };
  return { listeners, hosts: { localhost: host }, log: { level: 'debug' }, ...config };
}

function accessOf(transport: Transport, isTls: boolean): Access {
  if (transport === 'websocket') return isTls ? 'wss' : 'ws';
  return isTls ? 'starttls' : 'tcp';
}

const listenerOf = {
  tcp: { kind: 'tcp', tls: 'none' },
  starttls: { kind: 'tcp', tls: 'starttls' },
  tls: { kind: 'tcp', tls: 'direct' },
  ws: { kind: 'websocket', tls: 'none' },
  wss: { kind: 'websocket', tls: 'direct' },
} as const;

function targetAt(addresses: readonly AppAddress[], access: Access): Target {
  const { kind, tls } = listenerOf[access];
  const address = addresses.find((one) => one.kind === kind && one.tls === tls);
  if (!address) throw new Error(`the proxy has no ${kind} listener with tls: ${tls}`);
  return { access, port: address.port, ...(kind === 'websocket' ? { path: address.path } : {}) };
}
