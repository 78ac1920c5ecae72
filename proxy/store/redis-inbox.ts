/**
 * The reading end of a node's inbox: reads on a connection of its own, hands over in order, once, and tells where something
 * was lost. How a loss is seen:
 * - each envelope carries its place in the inbox: a jump says that the inbox was full in between;
 * - the inbox is not there any more, or Redis is another process than before: what had been put in last may be gone.
 * Envelopes of one sender carry their place in its order too: what comes after a later one (a step of which the sender has
 * given up hope) is not handed over.
 */
import type { Log } from '../ops/log.ts';
import type { Metrics } from '../ops/metrics.ts';
import type { Inbox, InboxHandler } from './bus.ts';
import { RedisClock } from './redis-clock.ts';
import type { Keys } from './redis-keys.ts';
import type { RedisLink } from './redis-link.ts';
import type { Scripts } from './redis-scripts.ts';

export interface RedisBusOptions {
  readonly link: RedisLink;
  readonly scripts: Scripts;
  readonly keys: Keys;
  readonly log: Log;
  readonly metrics: Pick<Metrics, 'busLag'>;
}

/** How long an inbox is kept that nobody reads (ms). Its reader says every few seconds that it is there. */
export const INBOX_KEEP_MS = 600_000;

export interface RedisInboxOptions extends RedisBusOptions {
  readonly node: string;
  readonly handler: InboxHandler;
  readonly onClosed: () => void;
}

/** How long a read waits for something to come (ms). */
const BLOCK_MS = 2000;
const READ_TIMEOUT_MS = BLOCK_MS + 3000;
const READ_ENVELOPES = 200;
/** What was read is taken out of Redis after so many, or when this time has passed (ms). */
const KEEP_AFTER = 1000;
const KEEP_AFTER_MS = 1000;
/** How often the reader says that it is there when nothing comes (ms). */
const KEEP_EVERY_MS = 20_000;
const RETRY_MS = 200;
/** Senders whose place is remembered. */
const MOST_SENDERS = 1000;

type Entry = [id: Buffer, fields: Buffer[]];

export class RedisInbox implements Inbox {
  readonly #options: RedisInboxOptions;
  readonly #reader: RedisLink;
  readonly #keys: [stream: string, count: string];
  /** Place of the last envelope of each sender, in its order. */
  readonly #heard = new Map<string, number>();
  readonly #clock = new RedisClock();
  /** Id of the last entry that was handed over. */
  #last = NOTHING;
  /** Its place in the inbox; undefined: not known, the next one may be any. */
  #place: number | undefined = 0;
  /** The Redis process that was read last. */
  #run: string | undefined;
  /** Entries up to this one may have a loss behind them: the gap is told behind it. */
  #gapBehind: string | undefined;
  #unkept = 0;
  #keptAt = 0;
  #isClosed = false;

  constructor(options: RedisInboxOptions) {
    this.#options = options;
    this.#reader = options.link.fork(READ_TIMEOUT_MS);
    this.#keys = options.keys.inbox(options.node);
  }

  /** Makes the inbox and begins to read. */
  async start(): Promise<void> {
    try {
      await this.#create();
    } catch (error) {
      this.abandon();
      throw error;
    }
    void this.#read();
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.abandon();
    const [stream, count] = this.#keys;
    await this.#options.link.send(count, ['DEL', count, stream]);
  }

  async pending(): Promise<number> {
    const [stream] = this.#keys;
    const reply = await this.#options.link.send(stream, ['XREVRANGE', stream, '+', '-', 'COUNT', '1']);
    const [newest] = reply as Entry[];
    if (newest === undefined || !isLater(String(newest[0]), this.#last)) return 0;
    // Where some may have been lost, that there are any is all that is known.
    return this.#place === undefined ? 1 : Math.max(1, Number(newest[1][1]) - this.#place);
  }

  /** Stops reading and leaves the inbox as it is. */
  abandon(): void {
    this.#isClosed = true;
    this.#reader.close();
    this.#options.onClosed();
  }

  async #create(): Promise<void> {
    const { link, scripts } = this.#options;
    const asked = performance.now();
    const now = await link.run(scripts.openInbox, this.#keys, [String(INBOX_KEEP_MS)]);
    this.#clock.note(Number(now), asked, performance.now());
    this.#last = NOTHING;
    this.#place = 0;
    this.#gapBehind = undefined;
    this.#keptAt = performance.now();
  }

  async #read(): Promise<void> {
    let isSame = false;
    while (!this.#isClosed) {
      try {
        await this.#reader.connected();
        if (!isSame) await this.#begin();
        isSame = true;
        this.#unkept += await this.#readOnce();
        if (this.#isKeepDue()) await this.#keep();
      } catch (error) {
        if (this.#isClosed) return;
        const { node, log } = this.#options;
        if (isSame) log.warn({ node, error }, 'the inbox cannot be read for the time being');
        isSame = false;
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      }
    }
  }

  /** On a new connection: whether it leads to the same Redis, and whether the inbox is still there. */
  async #begin(): Promise<void> {
    const found = await this.#keep('look');
    // Made anew, with its gap told: all that is left to know is where.
    const reply = found ?? (await this.#keep('look'));
    if (!Array.isArray(reply)) return;
    const [, run, newest] = reply as [number, string, string];
    const isOther = found !== undefined && this.#run !== undefined && run !== this.#run;
    this.#run = run;
    if (!isOther) return;
    // What had been put in last may have been lost, and who has sent it was told that it is there.
    this.#place = undefined;
    if (isLater(newest, this.#last)) {
      this.#gapBehind = newest;
      return;
    }
    // All that waits has been handed over before. What comes may have lower ids, if the clock of this Redis is behind.
    this.#last = newest;
    this.#tellGap();
  }

  #isKeepDue(): boolean {
    const waited = performance.now() - this.#keptAt;
    return this.#unkept >= KEEP_AFTER || waited > (this.#unkept > 0 ? KEEP_AFTER_MS : KEEP_EVERY_MS);
  }

  async #keep(look = ''): Promise<unknown> {
    const { scripts } = this.#options;
    const args = [String(INBOX_KEEP_MS), following(this.#last), look];
    const asked = performance.now();
    const reply = await this.#reader.run(scripts.keepInbox, this.#keys, args);
    if (Array.isArray(reply)) this.#clock.note(Number(reply[0]), asked, performance.now());
    this.#keptAt = performance.now();
    this.#unkept = 0;
    if (reply !== null || this.#isClosed) return reply;
    // Expired, or Redis has lost its data.
    await this.#create();
    this.#tellGap();
    return undefined;
  }

  async #readOnce(): Promise<number> {
    const [stream] = this.#keys;
    const how = ['COUNT', String(READ_ENVELOPES), 'BLOCK', String(BLOCK_MS)];
    const reply = await this.#reader.send(stream, ['XREAD', ...how, 'STREAMS', stream, this.#last], true);
    const entries = (reply as [unknown, Entry[]][] | null)?.[0]?.[1] ?? [];
    for (const entry of entries) this.#take(entry);
    return entries.length;
  }

  /** Fields in the order in which scripts/send.lua writes them. */
  #take([idBytes, [, place, , sender, , order, , body]]: Entry): void {
    if (this.#isClosed || !sender || !body) return;
    const id = idBytes.toString();
    const isUnsure = this.#gapBehind !== undefined;
    const isJump = this.#place !== undefined && Number(place) !== this.#place + 1;
    if (isUnsure ? isLater(id, this.#gapBehind ?? '') : isJump) this.#tellGap();
    this.#last = id;
    this.#place = Number(place);
    const name = sender.toString();
    if (this.#isNext(name, Number(order))) {
      const from = name.slice(name.indexOf(' ') + 1);
      this.#handOver(() => this.#options.handler.envelope({ from, body }));
      this.#measure(id);
    }
    if (id === this.#gapBehind) this.#tellGap();
  }

  /** From when it was written to when it was handled. */
  #measure(id: string): void {
    const lagMs = this.#clock.since(Number.parseInt(id, 10), performance.now());
    if (lagMs !== undefined) this.#options.metrics.busLag.observe({}, lagMs / 1000);
  }

  #isNext(sender: string, order: number): boolean {
    const before = this.#heard.get(sender);
    if (before !== undefined && order <= before) return false;
    const [oldest] = this.#heard.keys();
    if (before === undefined && this.#heard.size >= MOST_SENDERS && oldest !== undefined) this.#heard.delete(oldest);
    this.#heard.set(sender, order);
    return true;
  }

  #tellGap(): void {
    this.#gapBehind = undefined;
    this.#handOver(() => this.#options.handler.gap());
  }

  #handOver(work: () => void): void {
    if (this.#isClosed) return;
    try {
      work();
    } catch (error) {
      const { node, log } = this.#options;
      log.error({ node, error }, 'what came into the inbox could not be handled');
    }
  }
}

/** Below all ids. */
const NOTHING = '0-0';

function partsOf(id: string): [ms: number, serial: number] {
  const [ms, serial] = id.split('-').map(Number);
  return [ms ?? 0, serial ?? 0];
}

function isLater(id: string, other: string): boolean {
  const [ms, serial] = partsOf(id);
  const [otherMs, otherSerial] = partsOf(other);
  return ms > otherMs || (ms === otherMs && serial > otherSerial);
}

/** The lowest id above one. */
function following(id: string): string {
  const [ms, serial] = partsOf(id);
  return `${ms}-${serial + 1}`;
}
