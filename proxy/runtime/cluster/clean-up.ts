/** What a node that has died leaves in the store is taken away by one that lives. */
import type { Store } from '../../store/store.ts';

/**
 * Its sessions are gone, its claims are void. An account that is in rooms and that nobody is there to be in them any more waits for a node
 * that takes it up, where its credentials are sealed in the store; else its rooms are left by the end of the dead node's streams. May be done
 * by several nodes at a time.
 * @throws StoreError
 */
export async function cleanUp({ memberships, homes, nodes, vault }: Store, dead: string): Promise<void> {
  const deadMs = await nodes.deadMs(dead);
  const held = new Set(await homes.held(dead));
  for (const account of new Set([...(await memberships.accounts(dead)), ...held])) {
    const { sessions, occupancies } = await memberships.snapshot(account);
    const left = sessions.filter(({ node }) => node === dead);
    for (const { id } of left) await memberships.removeSession(account, id);
    const isOthers = sessions.length > left.length || (await homes.holder(account)) !== undefined;
    // Whoever has gone on since may not know of all its rooms.
    if (isOthers && !held.has(account)) continue;
    if (occupancies.length > 0 && (await vault.orphan(account, deadMs))) continue;
    if (isOthers) continue;
    for (const { room } of occupancies) await memberships.endOccupancy(account, room);
  }
  await nodes.remove(dead);
}
