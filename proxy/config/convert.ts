/** From the file's names to the program's, and the checks that concern more than one key. */
import type { Settings } from './schema.ts';
import type {
  Config,
  HostConfig,
  LimitsConfig,
  ListenerConfig,
  RateLimit,
  SealingConfig,
  StoreConfig,
} from './types.ts';
import { defaultPath } from './urls.ts';
import { formatAddress, hostKey, isDomain, isLoopback } from './values.ts';

/** A fault that shows only when keys are seen together. */
export interface Conflict {
  readonly path: readonly (string | number)[];
  readonly allowed: string;
}

/** The frozen configuration, or everything that does not fit together. */
export function convert(settings: Settings): Config | Conflict[] {
  const conflicts: Conflict[] = [];
  const { balancers } = settings;
  const listeners = settings.listeners.map((one, index) => toListener(one, index, balancers, conflicts));
  checkAddresses(listeners, conflicts);
  const hosts = toHosts(settings.hosts, conflicts);
  const limits = toLimits(settings.limits);
  checkLimits(limits, conflicts);
  if (settings.workers > 1 && settings.store.kind === 'memory') {
    const allowed =
      '1 with store: memory, which no other process can see; more with a store such as redis://127.0.0.1:6379';
    conflicts.push({ path: ['workers'], allowed });
  }
  if (settings.sealing['key-file'] !== undefined && settings.sealing['secret-key'] !== undefined) {
    conflicts.push({ path: ['sealing', 'key-file'], allowed: 'off where sealing.secret-key is given' });
  }
  if (conflicts.length > 0) return conflicts;
  return deepFreeze<Config>({
    listeners,
    hosts,
    store: toStore(settings),
    sealing: toSealing(settings.sealing),
    workers: settings.workers,
    http: settings.http,
    sasl: settings.sasl,
    lingerMs: settings.linger,
    parking: settings.parking,
    leave: { graceMs: settings.leave.grace, when: settings.leave.when },
    archive: settings.archive === 'on',
    nick: settings.nick,
    bookmarks: { autojoin: settings.bookmarks.autojoin, pollMs: settings.bookmarks.poll },
    presence: { absent: settings.presence.absent, pauseMs: settings.presence.pause },
    streamManagement: settings['stream-management'],
    hibernation: { timeMs: settings.hibernation.time },
    join: { timeoutMs: settings.join.timeout },
    iq: { timeoutMs: settings.iq.timeout },
    cluster: { lifeMs: settings.cluster.lease },
    drain: { timeoutMs: settings.drain.timeout },
    history: {
      stanzas: settings.history.stanzas,
      ageMs: settings.history.age,
      bytes: settings.history.bytes,
      defaultStanzas: settings.history.default,
      isStored: settings.history.stored,
    },
    exclude: settings.rooms.exclude,
    rooms: { healMs: settings.rooms.heal, selfPingMs: settings.rooms['self-ping'] },
    limits,
    rate: {
      stanzas: toRate(settings.rate.stanzas),
      bytes: toRate(settings.rate.bytes),
      carrier: toRate(settings.rate.carrier),
    },
    log: settings.log,
    stateDirectory: settings['state-directory'],
  });
}

/** What is allowed but probably not meant, a sentence each. */
export function warningsFor(config: Config): string[] {
  const warnings: string[] = [];
  let isSelfSigned = false;
  const bare = Object.values(config.hosts).filter((host) => host.certificate === undefined);
  for (const [index, listener] of config.listeners.entries()) {
    const where = `listeners[${index}] (${formatAddress(listener)})`;
    if (listener.tls === 'none' && !listener.trusted) {
      warnings.push(`${where} has no TLS and is not trusted: clients cannot send passwords (SASL PLAIN) there`);
    }
    // On a trusted listener STARTTLS is a mere offer: nobody minds its certificate.
    if (listener.tls === 'none' || (listener.tls === 'starttls' && listener.trusted)) continue;
    isSelfSigned ||= bare.length > 0;
    for (const host of bare) {
      warnings.push(`hosts[${host.name}].certificate is not set: clients of ${where} are shown a self-signed one`);
    }
  }
  if (config.workers > 1 && config.stateDirectory === undefined && isSelfSigned) {
    warnings.push('each worker makes self-signed certificates of its own; with state-directory they share them');
  }
  warnings.push(...storeWarnings(config.store));
  if (config.sealing && config.store.kind === 'memory') {
    warnings.push('sealing has no effect: with store: memory nothing outlives this process');
  }
  for (const { name, upstream } of Object.values(config.hosts)) {
    const isTls = upstream.scheme !== 'xmpp' && upstream.scheme !== 'ws';
    if (!isTls && (!upstream.verify || upstream.ca !== undefined)) {
      warnings.push(`hosts[${name}].upstream-tls has no effect: ${upstream.scheme}:// uses no TLS`);
    }
    if (isTls && !upstream.verify)
      warnings.push(`hosts[${name}].upstream-tls.verify is off: anybody can be that server`);
  }
  return warnings;
}

function storeWarnings(store: StoreConfig): string[] {
  if (store.kind === 'memory') return [];
  const warnings: string[] = [];
  const isFar = store.nodes.some(({ host }) => !isLoopback(host));
  if (!store.isTls && (!store.verify || store.ca !== undefined)) {
    warnings.push('store-tls has no effect: the store is reached without TLS');
  }
  if (!store.isTls && isFar && store.password !== undefined) {
    warnings.push('the password of the store goes over the network in the clear; rediss:// uses TLS');
  }
  if (store.isTls && !store.verify) warnings.push('store-tls.verify is off: anybody can be that Redis');
  return warnings;
}

function toStore(settings: Settings): StoreConfig {
  const { store, 'store-prefix': prefix, 'store-tls': tls } = settings;
  return store.kind === 'memory' ? store : { ...store, prefix, ...tls };
}

function toSealing({ 'key-file': keyFile, 'secret-key': keys }: Settings['sealing']): SealingConfig | undefined {
  if (keyFile !== undefined) return { keyFile };
  return keys === undefined ? undefined : { keys };
}

function toListener(
  one: Settings['listeners'][number],
  index: number,
  everywhere: string[],
  conflicts: Conflict[],
): ListenerConfig {
  const { kind, address, path, trusted } = one;
  const tls = one.tls ?? (kind === 'tcp' ? 'starttls' : 'none');
  if (kind === 'websocket' && tls === 'starttls') {
    conflicts.push({ path: ['listeners', index, 'tls'], allowed: 'direct, none (a WebSocket knows no STARTTLS)' });
  }
  if (kind === 'tcp' && path !== undefined) {
    conflicts.push({ path: ['listeners', index, 'path'], allowed: 'no path: only kind websocket has one' });
  }
  const { 'proxy-protocol': proxyProtocol } = one;
  const balancers = one.balancers.length > 0 ? one.balancers : everywhere;
  if (proxyProtocol && balancers.length === 0) {
    const allowed = 'false, or true with balancers that say whose header is believed, such as balancers: [10.0.0.7]';
    conflicts.push({ path: ['listeners', index, 'proxy-protocol'], allowed });
  }
  return {
    kind,
    host: address.host,
    port: address.port,
    path: kind === 'websocket' ? (path ?? defaultPath) : '',
    tls,
    trusted: trusted ?? isLoopback(address.host),
    proxyProtocol,
    balancers,
  };
}

function checkAddresses(listeners: ListenerConfig[], conflicts: Conflict[]): void {
  if (listeners.length === 0) {
    const allowed = 'at least one, such as --listen tcp://127.0.0.1:5222, or the same in the file under listeners';
    conflicts.push({ path: ['listeners'], allowed });
  }
  const seen = new Map<string, number>();
  for (const [index, listener] of listeners.entries()) {
    const address = formatAddress(listener);
    const first = seen.get(address);
    if (first !== undefined && listener.port !== 0) {
      conflicts.push({ path: ['listeners', index], allowed: `an address that listeners[${first}] does not use` });
    }
    seen.set(address, first ?? index);
  }
}

function toHosts(settings: Settings['hosts'], conflicts: Conflict[]): Record<string, HostConfig> {
  // Looked up with names that strangers choose: nothing may be inherited.
  const hosts: Record<string, HostConfig> = Object.create(null);
  for (const [given, one] of Object.entries(settings)) {
    const name = hostKey(given);
    if (!isDomain(name)) conflicts.push({ path: ['hosts', given], allowed: 'a domain, such as example.org' });
    const { 'client-address': clientAddress } = one;
    if (clientAddress === 'x-forwarded-for' && !one.upstream.scheme.startsWith('ws')) {
      const allowed = `off, proxy-v1, proxy-v2 (${one.upstream.scheme}:// has no HTTP header)`;
      conflicts.push({ path: ['hosts', given, 'client-address'], allowed });
    }
    if (name in hosts) conflicts.push({ path: ['hosts', given], allowed: `${name} only once` });
    hosts[name] = {
      name,
      upstream: { ...one.upstream, verify: one['upstream-tls'].verify, ca: one['upstream-tls'].ca, clientAddress },
      certificate: one.certificate,
      carrierStanzaBytes: one['carrier-stanza-size'],
      accountStreams: one['account-streams'],
    };
  }
  if (Object.keys(hosts).length === 0) {
    const allowed =
      'at least one, such as --host example.org --upstream xmpp://10.0.0.5:5222, or in the file under hosts';
    conflicts.push({ path: ['hosts'], allowed });
  }
  return hosts;
}

function toLimits(settings: Settings['limits']): LimitsConfig {
  return {
    stanzaBytes: settings['stanza-size'],
    preAuthStanzaBytes: settings['pre-auth-stanza-size'],
    depth: settings.depth,
    attributes: settings.attributes,
    upstream: {
      stanzaBytes: settings.upstream['stanza-size'],
      depth: settings.upstream.depth,
      attributes: settings.upstream.attributes,
    },
    outboxBytes: settings.outbox,
    authTimeoutMs: settings['auth-time'],
    handshakeTimeoutMs: settings['handshake-time'],
    closeTimeoutMs: settings['close-time'],
    pingMs: settings.ping,
    idleMs: settings.idle,
    silenceMs: settings.silence,
    connectionsPerAddress: settings['connections-per-address'],
  };
}

function checkLimits(limits: LimitsConfig, conflicts: Conflict[]): void {
  const atMost = (key: string, value: number, other: string, most: number): void => {
    if (value > most)
      conflicts.push({ path: ['limits', key], allowed: `no more than limits.${other} (${most} bytes)` });
  };
  atMost('pre-auth-stanza-size', limits.preAuthStanzaBytes, 'stanza-size', limits.stanzaBytes);
  atMost('stanza-size', limits.stanzaBytes, 'outbox', limits.outboxBytes);
  atMost('stanza-size', limits.stanzaBytes, 'upstream.stanza-size', limits.upstream.stanzaBytes);
  if (limits.pingMs * 2 > limits.idleMs) {
    conflicts.push({ path: ['limits', 'idle'], allowed: 'at least twice limits.ping, so that a peer can answer' });
  }
}

function toRate(settings: { 'per-second': number; burst: number }): RateLimit | undefined {
  if (settings['per-second'] === 0) return undefined;
  // A bucket that holds less than a second's worth would never allow the rate.
  return { perSecond: settings['per-second'], burst: Math.max(settings.burst, settings['per-second']) };
}

function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  for (const inner of Object.values(value)) deepFreeze(inner);
  return Object.freeze(value);
}
