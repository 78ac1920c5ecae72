/**
 * Homes in Redis. A claim lies with its account, the nodes elsewhere (in a cluster, on another machine): a step is told until
 * when a node is known to live, and says when that is not enough to decide. Then Redis is asked, and the step tried again.
 *
 * Epochs come from the clock of Redis (us) and are higher than the last one remembered, so they grow
 * - always, while the account's last claim is remembered (days after it ended), also when the clock is set back;
 * - and when it is forgotten, or lost by a fail-over or a restart, unless the clock of what serves the account then is
 *   behind by more than the time since that claim.
 */
import type { Argument } from './redis-link.ts';
import type { Lives, RedisParts } from './redis-nodes.ts';
import type { Script } from './redis-scripts.ts';
import { type Claim, type Fence, type Homes, StoreError } from './store.ts';

/** How often a step is tried again because a node has beaten its heart, or the home has moved, in between. */
const MOST_TRIES = 20;

export function createRedisHomes(parts: RedisParts): Homes {
  const { link, scripts, keys, index, lives, turns, keepMs } = parts;
  const fenced = (account: string, fence: Fence, script: Script, args: readonly string[]) =>
    runFenced(parts, { account, fence, script, args });

  return {
    async claim(account, node, leaseMs): Promise<Claim> {
      let holder = '';
      let holderLife = 0;
      for (let tries = 0; tries < MOST_TRIES; tries += 1) {
        const args = [keepMs, node, lives.known(node), leaseMs, holder, holderLife].map(String);
        const reply = (await link.run(scripts.claim, keys.account(account), args)) as [string, ...(string | null)[]];
        const [answer, first, second, third] = reply;
        if (answer === 'held') return { granted: false, heldBy: String(first), epoch: Number(second) };
        if (answer === 'lapsed') await stillAlive(lives, node);
        if (answer === 'who') {
          holder = String(first);
          holderLife = await lives.ask(holder);
        }
        if (answer !== 'granted') continue;
        const epoch = String(first);
        const isNew = second !== node || third !== epoch;
        if (isNew) await index.add(keys.homesOn(node), account, epoch);
        // Whose it was before, released or not: that node's list need not name it any longer.
        if (second && second !== node) await index.remove(keys.homesOn(second), account, third ?? '0');
        return { granted: true, epoch: Number(epoch) };
      }
      throw contended(account);
    },
    async renew(account, fence, leaseMs) {
      return (await fenced(account, fence, scripts.renew, [String(leaseMs)])) !== undefined;
    },
    async release(account, fence) {
      // Behind what the home has written before: it would be refused.
      const reply = await turns.run(account, () => fenced(account, fence, scripts.release, []));
      if (reply === undefined) return false;
      await index.remove(keys.homesOn(fence.node), account, String(fence.epoch));
      return true;
    },
    async move(account, fence, to, leaseMs) {
      for (let tries = 0; tries < MOST_TRIES; tries += 1) {
        const reply = await fenced(account, fence, scripts.move, [to, String(lives.known(to)), String(leaseMs)]);
        if (reply === undefined) return undefined;
        if (reply[0] === 'target') {
          if ((await lives.ask(to)) === 0) return undefined;
          continue;
        }
        const epoch = String(reply[1]);
        await index.add(keys.homesOn(to), account, epoch);
        if (to !== fence.node) await index.remove(keys.homesOn(fence.node), account, String(fence.epoch));
        return Number(epoch);
      }
      throw contended(account);
    },
    async holder(account) {
      const claim = (await link.run(scripts.holder, keys.account(account), [])) as [string, string] | null;
      if (!claim || (await lives.ask(claim[0])) === 0) return undefined;
      return { node: claim[0], epoch: Number(claim[1]) };
    },
    held: (node) => index.all(keys.homesOn(node)),
  };
}

/** A step that only the home may do. */
export interface FencedStep {
  readonly account: string;
  /** Undefined: whoever does it is trusted. */
  readonly fence: Fence | undefined;
  readonly script: Script;
  readonly args: readonly Argument[];
  /** Keys behind those of every account, in the same slot. */
  readonly more?: readonly string[];
}

/** Runs it; its reply begins with the standing of the fence. Undefined: the claim is not in force, nothing has changed. */
export async function runFenced(parts: RedisParts, step: FencedStep): Promise<unknown[] | undefined> {
  const { link, keys, lives, keepMs } = parts;
  const { account, fence, script, args, more = [] } = step;
  for (let tries = 0; tries < MOST_TRIES; tries += 1) {
    const life = fence ? lives.known(fence.node) : 0;
    const proof = [keepMs, fence?.node ?? '', fence?.epoch ?? 0, life].map(String);
    const reply = (await link.run(script, [...keys.account(account), ...more], [...proof, ...args])) as unknown[];
    if (reply[0] === 'stale') return undefined;
    if (reply[0] !== 'lapsed' || !fence) return reply;
    if ((await lives.ask(fence.node)) === 0) return undefined;
  }
  throw contended(account);
}

async function stillAlive(lives: Lives, node: string): Promise<void> {
  if ((await lives.ask(node)) === 0) throw new StoreError('node-expired', `node ${node} is not alive`);
}

function contended(account: string): StoreError {
  return new StoreError('unavailable', `the home of ${account} changes too fast`);
}
