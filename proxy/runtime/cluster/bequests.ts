/**
 * A node that stops and has accounts without devices gives them to nodes that can open their streams (C4): the home goes there first, then the
 * rooms are handed over from stream to stream, unseen where an account may share its nick.
 */
import { Seal } from '../../store/seal.ts';
import type { ClusterNode } from './node.ts';
import { sleep } from './seek.ts';
import type { SharedAccount } from './shared-account.ts';

/** Accounts that are given away at a time: each opens a stream. */
const AT_ONCE = 16;
const STEP_MS = 5;

/** To be called when all else is on its way. Ends at that time (monotonic), or when it can be done no more. */
export async function bequeathAll(accounts: Iterable<SharedAccount>, node: ClusterNode, end: number): Promise<void> {
  const queue = [...accounts].filter(isForHeirs);
  const work = async (): Promise<void> => {
    for (let one = queue.pop(); one && performance.now() < end; one = queue.pop()) await bequeath(one, node, end);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
}

/** Nobody elsewhere has it, and no session goes on with its rooms. */
function isForHeirs({ isLeftBehind, isDrained, ports }: SharedAccount): boolean {
  return isLeftBehind && isDrained && ![...ports.sessions.values()].some(({ isTransferable }) => isTransferable);
}

async function bequeath(account: SharedAccount, node: ClusterNode, end: number): Promise<void> {
  const { sealed } = account.accountStream;
  const key = sealed === undefined ? undefined : Seal.keyOf(sealed);
  const heir = key === undefined ? undefined : node.peerWith(key);
  if (heir === undefined || account.isOver) return;
  await account.bequeath(heir);
  while (!account.isDrained && !account.isOver && node.isReached && performance.now() < end) await sleep(STEP_MS);
}
