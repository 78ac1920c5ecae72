/** What a node that has died leaves in the store is taken away by one that lives. */
import type { Store } from '../../store/store.ts';

/**
 * Its sessions are gone, its claims are void. Rooms of an account that nobody is there to be in any more are left by the end
 * of the dead node's streams. May be done by several nodes at a time.
 * @throws StoreError
 */
export async function cleanUp({ memberships, homes, nodes }: Store, dead: string): Promise<void> {
  const accounts = new Set([...(await memberships.accounts(dead)), ...(await homes.held(dead))]);
  for (const account of accounts) {
    const { sessions, occupancies } = await memberships.snapshot(account);
    const left = sessions.filter(({ node }) => node === dead);
    for (const { id } of left) await memberships.removeSession(account, id);
    if (sessions.length > left.length || (await homes.holder(account)) !== undefined) continue;
    for (const { room } of occupancies) await memberships.endOccupancy(account, room);
  }
  await nodes.remove(dead);
}
