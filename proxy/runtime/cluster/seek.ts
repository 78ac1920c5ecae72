/** Finding out which node is an account's home: it is who has claimed it. */
import type { Log } from '../../ops/log.ts';
import type { Fence } from '../../store/store.ts';
import type { ClusterNode } from './node.ts';

/** Pauses between tries (ms): doubled, up to the most. */
const PAUSE_MS = 20;
const MOST_PAUSE_MS = 500;

/** Claims the account, or learns who has; tries until the store answers. Undefined: nobody wants to know any more. */
export async function findHome(
  node: ClusterNode,
  account: string,
  isWanted: () => boolean,
  log: Pick<Log, 'debug'>,
): Promise<Fence | undefined> {
  for (let pause = PAUSE_MS; isWanted(); pause = Math.min(pause * 2, MOST_PAUSE_MS)) {
    try {
      const fence = await node.claim(account);
      // A claim that nobody wants any more is given up when somebody else asks for the home here.
      return isWanted() ? fence : undefined;
    } catch (error) {
      log.debug({ error }, 'no home was found');
    }
    await sleep(pause);
  }
  return undefined;
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms).unref());
}
