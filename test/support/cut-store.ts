/** A store as one node sees it, that a test can cut off: nothing is written, what comes waits. */
import type { Envelope } from '../../proxy/store/bus.ts';
import { type Store, StoreError } from '../../proxy/store/store.ts';

/**
 * The same store; while `isCut` says so every step rejects with `unavailable`, and what comes for the node waits. While `isStill`
 * says so nothing goes either way, as for a process that has been stopped; while `isDeaf` says so only what comes for the node waits.
 */
export function cuttable(
  store: Store,
  isCut: () => boolean,
  isStill = (): boolean => false,
  isDeaf = (): boolean => false,
): Store {
  const refuse = (): void => {
    if (isCut()) throw new StoreError('unavailable', 'cut off');
  };
  const part = <T extends object>(steps: T): T =>
    new Proxy(steps, {
      get: (target, name) => {
        const step = Reflect.get(target, name) as (...args: unknown[]) => Promise<unknown>;
        return async (...args: unknown[]) => {
          while (isStill()) await new Promise((resolve) => setTimeout(resolve, 5));
          refuse();
          return step.apply(target, args);
        };
      },
    });
  return {
    memberships: part(store.memberships),
    homes: part(store.homes),
    nodes: part(store.nodes),
    cursors: part(store.cursors),
    logs: part(store.logs),
    hibernations: part(store.hibernations),
    vault: part(store.vault),
    bus: {
      open: async (node, handler) => {
        refuse();
        const held: Envelope[] = [];
        const pass = (): void => {
          while (held.length > 0 && !isCut() && !isStill() && !isDeaf()) handler.envelope(held.shift() as Envelope);
        };
        const timer = setInterval(pass, 5);
        timer.unref();
        const inbox = await store.bus.open(node, {
          envelope: (envelope) => {
            held.push(envelope);
            pass();
          },
          gap: () => handler.gap(),
        });
        return {
          close: () => {
            clearInterval(timer);
            held.length = 0;
            return inbox.close();
          },
          pending: () => inbox.pending(),
        };
      },
      send: async (from, to, body) => {
        refuse();
        await store.bus.send(from, to, body);
      },
    },
    close: () => store.close(),
  };
}
