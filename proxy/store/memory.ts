/** The store of a single process: all state in its memory, gone with it. Each method does its work before it returns. */
import type { Bus } from './bus.ts';
import { createMemoryBus } from './memory-bus.ts';
import { createMemoryCursors } from './memory-cursors.ts';
import { createMemoryHibernations } from './memory-hibernations.ts';
import { createMemoryLogs } from './memory-logs.ts';
import { createMemberships } from './memory-memberships.ts';
import { createMemoryVault } from './memory-vault.ts';
import { type Claim, type Fence, type Homes, type NodeRecord, type Nodes, type Store, StoreError } from './store.ts';

export interface MemoryStoreOptions {
  /** Milliseconds of a clock that never goes back. */
  readonly now: () => number;
  readonly bus?: Bus;
}

interface Held extends Fence {
  expiresAt: number;
}

interface Life {
  readonly record: NodeRecord;
  expiresAt: number;
}

type Lives = Map<string, Life>;

type IsAlive = (node: string) => boolean;

/** Creates an empty store. */
export function createMemoryStore(options: MemoryStoreOptions): Store {
  const lives: Lives = new Map();
  const isAlive: IsAlive = (id) => (lives.get(id)?.expiresAt ?? Number.NEGATIVE_INFINITY) > options.now();
  const homes = createHomes(options.now, isAlive);
  const check = (account: string, fence?: Fence): void => {
    if (fence && !homes.isHome(account, fence)) throw new StoreError('stale-home', `not the home of ${account}`);
  };
  const memberships = createMemberships(check, (account) => vault.changed(account));
  const vault = createMemoryVault(options.now, memberships);
  return {
    memberships: memberships.api,
    homes: homes.api,
    nodes: createNodes(options.now, lives, isAlive, homes.forget),
    cursors: createMemoryCursors(options.now),
    logs: createMemoryLogs(options.now, check),
    hibernations: createMemoryHibernations(options.now),
    vault,
    bus: options.bus ?? createMemoryBus(),
    close: async () => {},
  };
}

function createNodes(now: () => number, lives: Lives, isAlive: IsAlive, forgetClaims: (node: string) => void): Nodes {
  const sorted = () => [...lives.values()].map(({ record }) => record).sort((a, b) => (a.id < b.id ? -1 : 1));
  return {
    async announce(node, ttlMs) {
      if (lives.has(node.id) && !isAlive(node.id)) throw new StoreError('node-expired', `node ${node.id} has expired`);
      lives.set(node.id, { record: { ...node }, expiresAt: now() + ttlMs });
    },
    async heartbeat(id, ttlMs) {
      const life = lives.get(id);
      if (!life || !isAlive(id)) return false;
      life.expiresAt = now() + ttlMs;
      return true;
    },
    async alive() {
      return sorted()
        .filter(({ id }) => isAlive(id))
        .map((record) => ({ ...record }));
    },
    async expired() {
      return sorted()
        .map(({ id }) => id)
        .filter((id) => !isAlive(id));
    },
    async deadMs(id) {
      return Math.max(0, now() - (lives.get(id)?.expiresAt ?? now()));
    },
    async remove(id) {
      lives.delete(id);
      forgetClaims(id);
    },
  };
}

interface MemoryHomes {
  readonly api: Homes;
  readonly isHome: (account: string, fence: Fence) => boolean;
  readonly forget: (node: string) => void;
}

function createHomes(now: () => number, isAlive: IsAlive): MemoryHomes {
  const held = new Map<string, Held>();
  // One counter for all accounts: nothing need be remembered of an account that is gone.
  let lastEpoch = 0;

  const inForce = (account: string): Held | undefined => {
    const claim = held.get(account);
    return claim && claim.expiresAt > now() && isAlive(claim.node) ? claim : undefined;
  };
  const own = (account: string, fence: Fence): Held | undefined => {
    const claim = inForce(account);
    return claim?.node === fence.node && claim.epoch === fence.epoch ? claim : undefined;
  };

  const claimedBy = (node: string): string[] =>
    [...held].filter(([, claim]) => claim.node === node).map(([account]) => account);

  const api: Homes = {
    async claim(account, node, leaseMs): Promise<Claim> {
      if (!isAlive(node)) throw new StoreError('node-expired', `node ${node} is not alive`);
      const current = inForce(account);
      if (current && current.node !== node) return { granted: false, heldBy: current.node, epoch: current.epoch };
      const epoch = current?.epoch ?? ++lastEpoch;
      held.set(account, { node, epoch, expiresAt: now() + leaseMs });
      return { granted: true, epoch };
    },
    async renew(account, fence, leaseMs) {
      const claim = own(account, fence);
      if (claim) claim.expiresAt = now() + leaseMs;
      return claim !== undefined;
    },
    async release(account, fence) {
      return own(account, fence) !== undefined && held.delete(account);
    },
    async move(account, fence, to, leaseMs) {
      if (!own(account, fence) || !isAlive(to)) return undefined;
      const epoch = ++lastEpoch;
      held.set(account, { node: to, epoch, expiresAt: now() + leaseMs });
      return epoch;
    },
    async holder(account) {
      const claim = inForce(account);
      return claim && { node: claim.node, epoch: claim.epoch };
    },
    async held(node) {
      return claimedBy(node).sort();
    },
  };
  return {
    api,
    isHome: (account, fence) => own(account, fence) !== undefined,
    forget: (node) => {
      for (const account of claimedBy(node)) held.delete(account);
    },
  };
}
