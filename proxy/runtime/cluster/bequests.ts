/**
 * A node that stops and has accounts without devices gives them to nodes that can open their streams (C4): the home goes there first, then the
 * rooms are handed over from stream to stream, unseen where an account may share its nick.
 */
import type { Log } from '../../ops/log.ts';
import { Seal } from '../../store/seal.ts';
import type { Vault } from '../../store/vault.ts';
import type { Heirs } from './heirs.ts';
import { inLanes } from './lanes.ts';
import type { ClusterNode } from './node.ts';
import { sleep } from './seek.ts';
import type { SharedAccount } from './shared-account.ts';

/** Accounts that are given away at a time: each opens a stream. */
const AT_ONCE = 16;
const STEP_MS = 5;

export interface Testator {
  readonly node: ClusterNode;
  readonly heirs: Pick<Heirs, 'ask'>;
  readonly vault: Pick<Vault, 'read'>;
  readonly log: Log;
}

/** To be called when all else is on its way. Ends at that time (monotonic), or when it can be done no more. */
export async function bequeathAll(accounts: Iterable<SharedAccount>, testator: Testator, end: number): Promise<void> {
  await inLanes(
    [...accounts].filter(isForHeirs),
    AT_ONCE,
    (one) => bequeath(one, testator, end),
    () => performance.now() >= end,
  );
}

/** Nobody elsewhere has it, and no session goes on with its rooms. */
function isForHeirs({ isLeftBehind, isDrained, ports }: SharedAccount): boolean {
  return isLeftBehind && isDrained && ![...ports.sessions.values()].some(({ isTransferable }) => isTransferable);
}

async function bequeath(account: SharedAccount, testator: Testator, end: number): Promise<void> {
  const { node } = testator;
  const key = await keyOf(account, testator);
  const tried = new Set<string>();
  const isOpen = (): boolean => !account.isOver && node.isReached && performance.now() < end;
  // One that is here still, or again, its heir has not been able to take: it may have ended meanwhile.
  while (key !== undefined && isOpen() && isForHeirs(account)) {
    const heir = await heirFor(account, key, testator, tried, end);
    if (heir === undefined || account.isOver) return;
    tried.add(heir);
    // Without the store it is tried until that is back.
    await Promise.race([account.bequeath(heir), sleep(end - performance.now())]);
    while (!account.isLeftBehind && !account.isDrained && isOpen()) await sleep(STEP_MS);
  }
}

/** A node that has the key and will stay, as far as it knows, and that has not been `tried`; undefined: there is none. */
async function heirFor(
  { key: account }: SharedAccount,
  key: string,
  { node, heirs }: Testator,
  tried: ReadonlySet<string>,
  end: number,
): Promise<string | undefined> {
  const passed = new Set(tried);
  for (let heir = node.peerWith(key, passed); heir !== undefined; heir = node.peerWith(key, passed)) {
    if (await heirs.ask(heir, account, end)) return heir;
    if (performance.now() >= end || !node.isReached) return undefined;
    passed.add(heir);
  }
  return undefined;
}

/** The name of the key that opens what is sealed of the account, here or by another node; undefined: there is nothing, or it is not known. */
async function keyOf({ accountStream, bare }: SharedAccount, { vault, log }: Testator): Promise<string | undefined> {
  try {
    const sealed = accountStream.sealed ?? (await vault.read(bare))?.text;
    return sealed === undefined ? undefined : Seal.keyOf(sealed);
  } catch (error) {
    log.debug({ error }, 'the store does not tell what is sealed of an account');
    return undefined;
  }
}
