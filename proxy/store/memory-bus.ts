/** The bus of nodes that live in one process. */
import { type Bus, type Envelope, type InboxHandler, MOST_WAITING_ENVELOPES } from './bus.ts';
import { StoreError } from './store.ts';

export interface MemoryBusOptions {
  /** Runs something later, in the order of the calls. Tests play delays with it. */
  readonly defer?: (run: () => void) => void;
}

interface Waiting {
  readonly handler: InboxHandler;
  queue: Envelope[];
  hasGap: boolean;
  isScheduled: boolean;
}

/** Creates a bus without inboxes. */
export function createMemoryBus({ defer = setImmediate }: MemoryBusOptions = {}): Bus {
  const inboxes = new Map<string, Waiting>();

  const schedule = (inbox: Waiting, node: string): void => {
    if (inbox.isScheduled) return;
    inbox.isScheduled = true;
    defer(() => {
      inbox.isScheduled = false;
      const { queue, hasGap } = inbox;
      inbox.queue = [];
      inbox.hasGap = false;
      if (hasGap && inboxes.get(node) === inbox) inbox.handler.gap();
      for (const envelope of queue) if (inboxes.get(node) === inbox) inbox.handler.envelope(envelope);
    });
  };

  return {
    async open(node, handler) {
      const inbox: Waiting = { handler, queue: [], hasGap: false, isScheduled: false };
      inboxes.set(node, inbox);
      return {
        close: async () => {
          if (inboxes.get(node) === inbox) inboxes.delete(node);
        },
        pending: async () => inbox.queue.length,
      };
    },
    async send(from, to, body) {
      const inbox = inboxes.get(to);
      if (!inbox) throw new StoreError('no-inbox', `node ${to} has no inbox`);
      inbox.queue.push({ from, body });
      if (inbox.queue.length > MOST_WAITING_ENVELOPES) {
        inbox.queue.shift();
        inbox.hasGap = true;
      }
      schedule(inbox, to);
    },
  };
}
