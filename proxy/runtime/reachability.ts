/**
 * Whether each host's server can be reached: as the last connection to it went, and, where no client makes any, as the proxy finds
 * when it looks. A balancer that sends nobody here must learn that the server is back, and one that does, that it has gone.
 */
import type { HostConfig } from '../config/types.ts';
import { DialError } from '../net/dial.ts';
import type { Leg } from '../net/leg.ts';
import type { Log } from '../ops/log.ts';

export interface ReachabilityOptions {
  readonly hosts: readonly HostConfig[];
  readonly dial: (host: HostConfig) => Promise<Leg>;
  readonly log: Log;
  /** How often a server is looked for that cannot be reached, and one that nobody has connected to for so long (ms). */
  readonly awayMs?: number;
  readonly quietMs?: number;
}

export class Reachability {
  readonly #options: ReachabilityOptions;
  /** Hosts whose server could not be reached when last tried, with the reason. */
  readonly #unreachable = new Map<string, string>();
  /** When each host's server was last tried (monotonic ms). */
  readonly #triedAt = new Map<string, number>();
  readonly #looking = new Set<string>();
  #timer: NodeJS.Timeout | undefined;

  constructor(options: ReachabilityOptions) {
    this.#options = options;
  }

  /** Looks for each server, so that an operator sees at once what will fail; and from then on now and then, until `stop`. */
  async start(): Promise<void> {
    const { hosts, awayMs = 2000 } = this.#options;
    for (const host of hosts) await this.#look(host);
    this.#timer = setInterval(() => this.#tick(), awayMs);
    this.#timer.unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** A connection to the host's server was made, or not. One that nobody wanted any more says nothing. */
  async note(host: HostConfig, connecting: Promise<Leg>): Promise<Leg> {
    try {
      const leg = await connecting;
      this.#triedAt.set(host.name, performance.now());
      this.#unreachable.delete(host.name);
      return leg;
    } catch (error) {
      const code = error instanceof DialError ? error.code : 'unreachable';
      if (code !== 'aborted') {
        this.#triedAt.set(host.name, performance.now());
        this.#unreachable.set(host.name, code);
      }
      throw error;
    }
  }

  /** What an operator is told; nothing when all servers can be reached. */
  get troubles(): string[] {
    return [...this.#unreachable].map(([host, reason]) => `The server of ${host} could not be reached: ${reason}.`);
  }

  #tick(): void {
    const { hosts, quietMs = 30_000 } = this.#options;
    const now = performance.now();
    for (const host of hosts) {
      const isQuiet = now - (this.#triedAt.get(host.name) ?? 0) >= quietMs;
      if (isQuiet || this.#unreachable.has(host.name)) void this.#look(host);
    }
  }

  async #look(host: HostConfig): Promise<void> {
    if (this.#looking.has(host.name)) return;
    this.#looking.add(host.name);
    const wasUnreachable = this.#unreachable.has(host.name);
    const { scheme, host: name, port } = host.upstream;
    const facts = { host: host.name, upstream: `${scheme}://${name}:${port}` };
    try {
      (await this.#options.dial(host)).destroy();
      if (wasUnreachable) this.#options.log.info(facts, 'the server can be reached again');
    } catch (error) {
      if (!wasUnreachable) this.#options.log.warn({ ...facts, error }, 'the server cannot be reached');
    } finally {
      this.#looking.delete(host.name);
    }
  }
}
