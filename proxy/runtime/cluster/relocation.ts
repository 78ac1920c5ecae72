/** The home follows the carrier: when it is to move to another node, how it leaves this one, and who comes along with one that arrives. */
import type { Input } from '../../core/inputs.ts';
import type { Fence } from '../../store/store.ts';
import type { ChannelEnd } from './channel.ts';
import { isCarrying } from './draining.ts';
import type { Home } from './home.ts';
import { type House, type MovedGuest, packHouse } from './moving-house.ts';
import type { Part } from './part.ts';
import type { Visit } from './visit.ts';

/** With no session and no rooms on streams of this node, a node that has them is the better home; so it is when this one `isDraining`. */
export function isBetterElsewhere(
  { ports, accountStream }: Part,
  { guests, state }: Home,
  isDraining: boolean,
): boolean {
  if (guests.sessionCount === 0) return false;
  // An account stream that was lost is opened again after a pause, and sessions elsewhere may be about to go as well.
  const { accountStream: phase } = state;
  const willOpen = phase === 'opening' || (accountStream.hasCredentials && phase !== 'off');
  if ((ports.sessions.size > 0 || accountStream.isInUse || willOpen) && !isDraining) return false;
  return ![...ports.carriers.keys()].some((id) => isCarrying(state, id));
}

/**
 * The whole account goes to the node of the claim, where this one is a guest at the other end of `channel`; the others are told. Returns
 * what has happened here that is not in it.
 */
export function sendHouse(part: Part, home: Home, { node: to, epoch }: Fence, channel: ChannelEnd): readonly Input[] {
  const { node, key, bare, ports, accountStream, deps } = part;
  const own: MovedGuest = {
    node: node.id,
    channel: channel.state,
    sessions: [...ports.sessions.keys()],
    carriers: [...ports.carriers.keys()],
    hasCredentials: accountStream.hasCredentials,
  };
  const late = home.runner.takeQueue();
  const due = late.flatMap((one) => (one.kind === 'timer' ? [{ key: one.key, ms: 0 }] : []));
  const guests = home.guests.moved;
  const house: House = { state: home.state, timers: [...home.runner.timers, ...due], guests: [...guests, own] };
  node.send(to, { kind: 'home', account: key, bare, epoch }, packHouse(house, deps.now()));
  for (const guest of guests) if (guest.node !== to) node.send(guest.node, { kind: 'moved', account: key, epoch, to });
  home.guests.refuseLate('no-home');
  return late.filter(({ kind }) => kind !== 'timer');
}

/**
 * The other nodes are guests of the home that has come here `from` another one, by the channels that they have. Returns how much the old
 * home had taken of what this node has told it, as its guest (`visit`).
 */
export function restoreGuests(
  { key: account, node }: Part,
  home: Home,
  guests: readonly MovedGuest[],
  { visit, from }: { readonly visit: Visit | undefined; readonly from: string },
): number {
  const { epoch } = home.fence;
  let seen = 0;
  for (const guest of guests) {
    if (guest.channel.id === visit?.channel.id) {
      seen = guest.channel.seen;
      // What the old home had still to say came before the house.
      for (const { number, payload: late } of guest.channel.unseen) {
        visit.take(from, { kind: 'data', account, channel: visit.channel.id, epoch, number, seen }, late);
      }
    } else if (guest.node !== node.id) home.guests.restore(guest);
  }
  return seen;
}
