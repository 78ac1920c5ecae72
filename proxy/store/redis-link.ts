/**
 * The store's way to Redis: commands and scripts with a time limit, measured, and with every failure told as a StoreError
 * `unavailable`. Whether Redis can be reached is known at any time; nothing waits for it to come back.
 */
import type { Log } from '../ops/log.ts';
import type { Metrics } from '../ops/metrics.ts';
import { type Client, openClient, type RedisTarget } from './redis-client.ts';
import { CommandTimeout, type FailureReason, failureOf, sentenceOf, storeErrorOf } from './redis-errors.ts';
import type { Script } from './redis-scripts.ts';
import { StoreError } from './store.ts';

export interface LinkOptions {
  readonly target: RedisTarget;
  readonly log: Log;
  readonly metrics: Pick<Metrics, 'redisSeconds' | 'redisErrors'>;
  /** How long a command may take (ms). */
  readonly timeoutMs: number;
  /** Whether its commands wait in Redis: then the time that they take says nothing. */
  readonly isWaiting?: boolean;
}

export type Argument = string | Buffer;

/** How soon after one another a connection may be given up for being one to a replica (ms). */
const REPLACE_MS = 1000;

export class RedisLink {
  readonly #options: LinkOptions;
  #client: Client;
  #isClosed = false;
  /** Why the connection is down; undefined while it is up. */
  #down: FailureReason | undefined = 'offline';
  /** Why the last command failed; undefined when it did not. */
  #refusal: FailureReason | undefined;
  /** What the log was told last of why it is down. */
  #told: FailureReason | undefined;
  readonly #waiters: (() => void)[] = [];
  #replacedAt = Number.NEGATIVE_INFINITY;

  /** Connects at once, in the background. */
  constructor(options: LinkOptions) {
    this.#options = options;
    this.#client = this.#open();
  }

  /** Another connection of the same kind, for commands that wait in Redis. */
  fork(timeoutMs: number): RedisLink {
    return new RedisLink({ ...this.#options, timeoutMs, isWaiting: true });
  }

  /** Undefined: Redis is there, and did what it was last asked. Else why not, in a sentence without secrets. */
  get trouble(): string | undefined {
    const reason = this.#down ?? this.#refusal;
    return reason && sentenceOf(reason);
  }

  /** Resolves when the connection is up, or closed for good. */
  connected(): Promise<void> {
    if (!this.#down || this.#isClosed) return Promise.resolve();
    return new Promise((resolve) => this.#waiters.push(resolve));
  }

  /** Runs an atomic step. All of its keys lie in one slot. Text comes back as text, or as bytes if asked for. */
  async run(script: Script, keys: readonly string[], args: readonly Argument[], asBytes = false): Promise<unknown> {
    const [first = ''] = keys;
    const rest = [String(keys.length), ...keys, ...args];
    return this.#measured(script.name, async () => {
      try {
        return await this.#limited(first, ['EVALSHA', script.sha, ...rest], asBytes);
      } catch (error) {
        // The first time, and after a restart, a fail-over or a script flush.
        if (!isUnknownScript(error)) throw error;
        return this.#limited(first, ['EVAL', script.source, ...rest], asBytes);
      }
    });
  }

  /** Sends one command, all of whose keys lie in the slot of `key`. */
  send(key: string, args: readonly [string, ...Argument[]], asBytes = false): Promise<unknown> {
    return this.#measured(args[0].toLowerCase(), () => this.#limited(key, args, asBytes));
  }

  /** What is under way fails. */
  close(): void {
    this.#isClosed = true;
    this.#client.destroy();
    this.#wake();
  }

  #wake(): void {
    for (const resolve of this.#waiters.splice(0)) resolve();
  }

  async #measured(command: string, work: () => Promise<unknown>): Promise<unknown> {
    const { metrics, isWaiting } = this.#options;
    const started = performance.now();
    try {
      const reply = await work();
      if (!isWaiting) metrics.redisSeconds.observe({ command }, (performance.now() - started) / 1000);
      this.#refusal = undefined;
      return reply;
    } catch (error) {
      const reason = failureOf(error);
      metrics.redisErrors.inc({ reason });
      this.#refusal = reason;
      if (reason === 'read-only') this.#replace();
      throw storeErrorOf(error, reason);
    }
  }

  async #limited(key: string, args: readonly Argument[], asBytes = false): Promise<unknown> {
    if (this.#isClosed) throw new StoreError('unavailable', 'the store is closed');
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      const { timeoutMs } = this.#options;
      timer = setTimeout(() => reject(new CommandTimeout(`no answer in ${timeoutMs} ms`)), timeoutMs);
    });
    try {
      return await Promise.race([this.#client.send(key, args, asBytes), late]);
    } finally {
      clearTimeout(timer);
    }
  }

  #open(): Client {
    const { target, log } = this.#options;
    const redis = target.nodes.map(({ host, port }) => `${host}:${port}`).join(',');
    const client = openClient(target, {
      ready: () => {
        if (client !== this.#client || this.#isClosed) return;
        if (this.#down) log.info({ redis }, 'redis is connected');
        this.#down = undefined;
        this.#refusal = undefined;
        this.#told = undefined;
        this.#wake();
      },
      down: (error) => {
        if (client !== this.#client || this.#isClosed) return;
        this.#down = failureOf(error);
        // Once for each reason: it tries again every few seconds.
        if (this.#told !== this.#down) log.warn({ redis, error }, 'redis cannot be reached');
        this.#told = this.#down;
      },
    });
    return client;
  }

  /** A fail-over that moves a name to another server leaves old connections where they were: on what is a replica now. */
  #replace(): void {
    const now = performance.now();
    if (this.#isClosed || now - this.#replacedAt < REPLACE_MS) return;
    this.#replacedAt = now;
    this.#client.destroy();
    this.#down = 'read-only';
    this.#client = this.#open();
  }
}

function isUnknownScript(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith('NOSCRIPT');
}
