/**
 * The bus on Redis Streams: one stream for each node's inbox. Senders put in batches, one at a time for each inbox, so that
 * the order holds whatever happens to a connection; a redirected or late batch is never overtaken.
 */
import { randomBytes } from 'node:crypto';
import { type Bus, MOST_WAITING_ENVELOPES } from './bus.ts';
import { INBOX_KEEP_MS, type RedisBusOptions, RedisInbox } from './redis-inbox.ts';
import { StoreError } from './store.ts';

const BATCH_ENVELOPES = 200;
const BATCH_BYTES = 1024 * 1024;
/** What may wait here for one inbox, while Redis is slow; more is refused. */
const MOST_QUEUED = 100_000;
const MOST_QUEUED_BYTES = 64 * 1024 * 1024;

interface Queued {
  readonly from: string;
  readonly place: number;
  readonly body: Buffer;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** What waits for one inbox. Gone as soon as nothing does. */
interface Outgoing {
  queue: Queued[];
  bytes: number;
}

export interface RedisBus extends Bus {
  /** Stops reading all inboxes; they stay for whoever cleans up, and end by themselves. */
  close(): void;
}

export function createRedisBus(options: RedisBusOptions): RedisBus {
  const { link, scripts, keys } = options;
  // Told apart from another life of the same sender, whose places begin anew.
  const life = randomBytes(6).toString('hex');
  const waiting = new Map<string, Outgoing>();
  const inboxes = new Set<RedisInbox>();
  let place = 0;

  const put = async (to: string, from: string, batch: readonly Queued[]): Promise<void> => {
    const head = [String(MOST_WAITING_ENVELOPES), String(INBOX_KEEP_MS), `${life} ${from}`];
    const envelopes = batch.flatMap((one) => [String(one.place), one.body]);
    try {
      const reply = await link.run(scripts.send, keys.inbox(to), [...head, ...envelopes]);
      if (reply !== 1) throw new StoreError('no-inbox', `node ${to} has no inbox`);
      for (const { resolve } of batch) resolve();
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
  };

  const empty = async (to: string, outgoing: Outgoing): Promise<void> => {
    for (let batch = takeBatch(outgoing); batch.length > 0; batch = takeBatch(outgoing)) {
      await put(to, batch[0]?.from ?? '', batch);
    }
    waiting.delete(to);
  };

  return {
    async open(node, handler) {
      const inbox = new RedisInbox({ ...options, node, handler, onClosed: () => inboxes.delete(inbox) });
      inboxes.add(inbox);
      await inbox.start();
      return inbox;
    },
    send: (from, to, body) =>
      new Promise((resolve, reject) => {
        const outgoing = waiting.get(to) ?? { queue: [], bytes: 0 };
        if (outgoing.queue.length >= MOST_QUEUED || outgoing.bytes > MOST_QUEUED_BYTES) {
          reject(new StoreError('unavailable', `too much waits to be sent to node ${to}`));
          return;
        }
        place += 1;
        outgoing.queue.push({ from, place, body, resolve, reject });
        outgoing.bytes += body.length;
        if (waiting.has(to)) return;
        waiting.set(to, outgoing);
        // In the next turn of the event loop, so that what is sent within one turn goes out together.
        setImmediate(() => void empty(to, outgoing));
      }),
    close() {
      for (const inbox of inboxes) inbox.abandon();
    },
  };
}

/** The first of the queue, from one sender. */
function takeBatch(outgoing: Outgoing): Queued[] {
  const { queue } = outgoing;
  let count = 0;
  let size = 0;
  for (const { from, body } of queue) {
    if (count === BATCH_ENVELOPES || (count > 0 && (size + body.length > BATCH_BYTES || from !== queue[0]?.from)))
      break;
    count += 1;
    size += body.length;
  }
  outgoing.bytes -= size;
  return queue.splice(0, count);
}
