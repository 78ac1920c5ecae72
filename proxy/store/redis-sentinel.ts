/**
 * The Redis that sentinels say is the master (Redis Sentinel). They are asked before the first connection, again and again while the master
 * cannot be reached, and now and then besides: one that was replaced may still answer.
 */
import type { Client, ClientEvents } from './redis-client.ts';

export interface Address {
  readonly host: string;
  readonly port: number;
}

export interface SentinelOptions {
  readonly sentinels: readonly Address[];
  /** Asks one sentinel; undefined: it knows no such master. Rejects when it does not answer. */
  readonly ask: (sentinel: Address) => Promise<Address | undefined>;
  /** Starts to connect to a Redis. */
  readonly open: (master: Address, events: ClientEvents) => Client;
}

/** Between two questions (ms): while the master is there, and while it is not. */
const SCAN_MS = 5000;
const SEEK_MS = 500;

/** Follows the master, until it is destroyed. */
export function followMaster({ sentinels, ask, open }: SentinelOptions, events: ClientEvents): Client {
  const order = [...sentinels];
  let current: { readonly name: string; readonly client: Client } | undefined;
  let isReady = false;
  let isDestroyed = false;
  let wake = (): void => {};

  const connect = (master: Address, name: string): void => {
    current?.client.destroy();
    const isCurrent = (): boolean => !isDestroyed && current?.client === client;
    const client = open(master, {
      ready: () => {
        if (!isCurrent()) return;
        isReady = true;
        events.ready();
      },
      down: (error) => {
        if (!isCurrent()) return;
        isReady = false;
        events.down(error);
        wake();
      },
    });
    current = { name, client };
  };
  const seek = async (): Promise<void> => {
    const master = await firstAnswer(order, ask);
    const name = `${master.host}:${master.port}`;
    if (isDestroyed || name === current?.name) return;
    isReady = false;
    connect(master, name);
  };
  const pause = (ms: number): Promise<void> =>
    new Promise((resolve) => {
      const timer = setTimeout(resolve, ms).unref();
      wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  const follow = async (): Promise<void> => {
    while (!isDestroyed) {
      await seek().catch((error) => {
        // The connection that there is knows better whether Redis is there.
        if (!isReady && !isDestroyed) events.down(error);
      });
      if (isReady) await pause(SCAN_MS);
      // No faster, however often a connection is tried.
      await pause(SEEK_MS);
    }
  };
  void follow();
  return {
    send: (...command) => current?.client.send(...command) ?? Promise.reject(new Error('the master is not known yet')),
    destroy: () => {
      isDestroyed = true;
      current?.client.destroy();
      wake();
    },
  };
}

/** The first sentinel that knows the master; it is asked first the next time. */
async function firstAnswer(order: Address[], ask: SentinelOptions['ask']): Promise<Address> {
  let last: unknown = new Error('no sentinel knows this master');
  for (const [index, sentinel] of [...order].entries()) {
    try {
      const master = await ask(sentinel);
      if (!master) continue;
      order.splice(index, 1);
      order.unshift(sentinel);
      return master;
    } catch (error) {
      last = error;
    }
  }
  throw last;
}
