/** Connections by the `redis` package, to one Redis, to the one that sentinels name, or to a Redis Cluster, behind one small interface. */
import { setTimeout as delay } from 'node:timers/promises';
import { type Address, followMaster } from './redis-sentinel.ts';

/** How Redis is reached. */
export interface RedisTarget {
  /** One address; for a cluster any number of its nodes, the others are found through them; or sentinels. */
  readonly nodes: readonly Address[];
  readonly isCluster: boolean;
  /** The name of the master that `nodes`, which are sentinels then, watch. They are asked without a user's name. */
  readonly sentinel?: string | undefined;
  /** Undefined: no TLS. `ca` holds PEM text; without it the system's authorities are trusted. */
  readonly tls: { readonly verify: boolean; readonly ca: string | undefined } | undefined;
  readonly username: string | undefined;
  readonly password: string | undefined;
  /** Number of the database; always 0 in a cluster. */
  readonly database: number;
}

export interface ClientEvents {
  /** Commands can be sent. */
  ready(): void;
  /** They cannot (any more), for the time being: it tries again by itself. */
  down(error: unknown): void;
}

/** Connects by itself, again and again, until it is destroyed. Commands fail at once while it is not connected. */
export interface Client {
  /** Sends one command; `key` decides the slot. Text comes back as text, or as bytes if asked for. */
  send(key: string, args: readonly (string | Buffer)[], asBytes?: boolean): Promise<unknown>;
  destroy(): void;
}

/** The most commands that wait for one Redis to answer. */
const MOST_WAITING = 50_000;
/** A silent Redis is asked for a sign of life after the first, and given up after the second of these times (ms). */
const PING_MS = 2000;
const SILENCE_MS = 6000;
const CONNECT_MS = 5000;
const FIRST_RETRY_MS = 50;
const LAST_RETRY_MS = 3000;
/** How long a sentinel may take to be connected to, and to answer (ms). */
const ASK_MS = 1000;
/** How long a node of a cluster may be away before the others are asked who serves its slots now (ms). */
const REDISCOVER_MS = 1000;

type Redis = typeof import('redis');

/** Starts to connect. */
export function openClient(target: RedisTarget, events: ClientEvents): Client {
  let client: Client | undefined;
  let isDestroyed = false;
  const open = (redis: Redis): void => {
    if (isDestroyed) return;
    if (target.isCluster) client = openCluster(redis, target, events);
    else if (target.sentinel !== undefined) client = openSentinels(redis, target, target.sentinel, events);
    else client = openSingle(redis, target, events);
  };
  // Loaded only now: it takes 20 MB, which a proxy without Redis is to be spared.
  import('redis').then(open).catch(events.down);
  return {
    send: (...command) => client?.send(...command) ?? Promise.reject(new Error('not connected yet')),
    destroy: () => {
      isDestroyed = true;
      client?.destroy();
    },
  };
}

function retryMs(retries: number): number {
  const wait = Math.min(FIRST_RETRY_MS * 2 ** Math.min(retries, 10), LAST_RETRY_MS);
  // Spread, so that all nodes of the proxy do not come back at the same instant.
  return wait / 2 + Math.random() * (wait / 2);
}

function shared({ tls, username, password }: RedisTarget) {
  return {
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    // RESP 2 is all that is needed, and what every Redis and every proxy in front of one speaks.
    RESP: 2 as const,
    maintNotifications: 'disabled' as const,
    disableClientInfo: true,
    disableOfflineQueue: true,
    commandsQueueMaxLength: MOST_WAITING,
    pingInterval: PING_MS,
    socket: {
      connectTimeout: CONNECT_MS,
      socketTimeout: SILENCE_MS,
      reconnectStrategy: retryMs,
      ...(tls && { tls: true as const, rejectUnauthorized: tls.verify, ...(tls.ca && { ca: tls.ca }) }),
    },
  };
}

// The package's own limit would end when the command is written, and costs a signal for each: the link has its own.
const commandOptions = { timeout: 0 };

function openSingle(redis: Redis, target: RedisTarget, events: ClientEvents): Client {
  const [{ host, port } = { host: '127.0.0.1', port: 6379 }] = target.nodes;
  const base = shared(target);
  const client = redis.createClient({
    ...base,
    commandOptions,
    database: target.database,
    // A name for SNI and for the check of the certificate; an address has none.
    socket: { ...base.socket, host, port },
  });
  const bytes = { typeMapping: { [redis.RESP_TYPES.BLOB_STRING]: Buffer } };
  let isDestroyed = false;
  // COMPAT: redis 6.3.1 does not stop a connection attempt that is under way when it is destroyed.
  client.on('ready', () => (isDestroyed ? client.destroy() : events.ready()));
  client.on('error', events.down);
  // It never gives up by itself; it rejects when it is destroyed before it was connected.
  client.connect().catch(events.down);
  return {
    send: (_, args, asBytes) => client.sendCommand([...args], asBytes ? bytes : undefined),
    destroy: () => {
      isDestroyed = true;
      client.destroy();
    },
  };
}

function openSentinels(redis: Redis, target: RedisTarget, name: string, events: ClientEvents): Client {
  const { username: _, password: __, ...base } = shared(target);
  const ask = async ({ host, port }: Address): Promise<Address | undefined> => {
    const socket = { ...base.socket, host, port, connectTimeout: ASK_MS, reconnectStrategy: false as const };
    const client = redis.createClient({ ...base, pingInterval: 0, commandOptions: { timeout: ASK_MS }, socket });
    client.on('error', () => {}); // what is asked for rejects too
    try {
      await client.connect();
      const reply = await client.sendCommand(['SENTINEL', 'GET-MASTER-ADDR-BY-NAME', name]);
      const [at, number] = Array.isArray(reply) ? reply.map(String) : [];
      return at === undefined ? undefined : { host: at, port: Number(number) };
    } finally {
      if (client.isOpen) client.destroy();
    }
  };
  const open = (master: Address, own: ClientEvents) => openSingle(redis, { ...target, nodes: [master] }, own);
  return followMaster({ sentinels: target.nodes, ask, open }, events);
}

function openCluster(redis: Redis, target: RedisTarget, events: ClientEvents): Client {
  const cluster = redis.createCluster({
    RESP: 2,
    rootNodes: target.nodes.map(({ host, port }) => ({ socket: { host, port } })),
    defaults: shared(target),
    commandOptions,
    // Connected to as they are needed: one master that is away keeps nobody from the others.
    minimizeConnections: true,
    topologyRefreshOnReconnectionAttemptStrategy: REDISCOVER_MS,
  });
  const bytes = { typeMapping: { [redis.RESP_TYPES.BLOB_STRING]: Buffer } };
  const away = new Map<string, unknown>();
  let isConnected = false;
  let isDestroyed = false;
  const tell = (error?: unknown): void => {
    const [first] = away.values();
    if (isConnected && away.size === 0) events.ready();
    else events.down(error ?? first);
  };
  const nameOf = ({ host, port }: { host: string; port: number }): string => `${host}:${port}`;
  cluster.on('node-error', (error, node) => {
    away.set(nameOf(node), error);
    tell(error);
  });
  for (const event of ['node-ready', 'node-disconnect'] as const) {
    cluster.on(event, (node) => {
      if (away.delete(nameOf(node))) tell();
    });
  }
  // Of finding out who serves what; the next attempt may be luckier.
  cluster.on('error', (error) => {
    if (!isConnected) events.down(error);
  });
  const connect = async (): Promise<void> => {
    for (let retries = 0; !isDestroyed; retries += 1) {
      try {
        await cluster.connect();
        isConnected = true;
        return tell();
      } catch (error) {
        if (!isDestroyed) events.down(error);
        await delay(retryMs(retries), undefined, { ref: false });
      }
    }
  };
  void connect();
  return {
    send: (key, args, asBytes) => cluster.sendCommand(key, false, [...args], asBytes ? bytes : undefined),
    destroy: () => {
      isDestroyed = true;
      const clients = [...cluster.nodeByAddress.values()].map((node) => node.client);
      cluster.destroy();
      // COMPAT: as above.
      for (const client of clients) client?.once('ready', () => client.destroy());
    },
  };
}
