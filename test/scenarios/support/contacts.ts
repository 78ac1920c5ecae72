/** Contacts: two accounts that see each other's presence. */
import type { Client } from '../../support/client.ts';

/** Subscribes both to each other, and takes all that comes of it out of their inboxes. */
export async function befriend(one: Client, other: Client): Promise<void> {
  for (const client of [one, other]) await client.iq(`<iq type='get'><query xmlns='jabber:iq:roster'/></iq>`);
  for (const [asks, grants] of [
    [one, other],
    [other, one],
  ] as const) {
    asks.send(`<presence type='subscribe' to='${grants.bareJid}'/>`);
    await grants.pick(`<presence type='subscribe' from='${asks.bareJid}'/>`);
    grants.send(`<presence type='subscribed' to='${asks.bareJid}'/>`);
    await asks.pick(`<presence type='subscribed' from='${grants.bareJid}'/>`);
  }
  // Each sees the other come and go once: then the server has settled what it has to say about it.
  for (const [seen, seeing] of [
    [one, other],
    [other, one],
  ] as const) {
    seen.send('<presence><status>friends</status><priority>0</priority></presence>');
    await seeing.upTo(`<presence from='${seen.jid}'><status>friends</status></presence>`);
  }
  await one.fence();
  await other.fence();
}
