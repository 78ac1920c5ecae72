/**
 * Whether the account has subscribed to a room (MUC/Sub, ejabberd; see rules/subscribed.ts): the room's service is asked, as bookmarks are read, since
 * any device may have done so, at any time. What is seen of a change on any stream only says that it is to be asked anew.
 */
import { type BareKey, bareKey } from '../xml/address.ts';
import { NS } from '../xml/names.ts';
import type { Stanza } from '../xml/stanza.ts';
import { escapeXml } from '../xml/text.ts';
import { autojoinMark } from './bookmark-state.ts';
import { entered } from './entry.ts';
import { serviceOf } from './occupancy.ts';
import { isHiding } from './rules/hide.ts';
import { isAwaited } from './rules/travellers.ts';
import { type AccountState, freshId, type Occupancy, type Turn } from './state.ts';

/** For the service's answer (ms): later it may be asked anew. */
const ANSWER_MS = 20_000;

/** Whether the request of a client may change what the account has subscribed to. */
export function changesSubscription({ type, root }: Stanza): boolean {
  return type === 'set' && root.children[0]?.ns === NS.mucSub;
}

/** What a room says of itself: where it can be subscribed to, its service is asked. */
export function noteOffer(turn: Turn, room: Occupancy, info: Stanza): void {
  const query = info.type === 'result' ? info.root.child('query', NS.discoInfo) : undefined;
  if (!query) return;
  const isOffered = query.children.some((one) => one.name === 'feature' && one.attr('var') === NS.mucSub);
  if (!isOffered) room.subscription = undefined;
  else if (!room.subscription) {
    room.subscription = { isHeld: false };
    askSubscriptions(turn, room);
  }
}

/** The server has confirmed what a client wants of its subscription to the room, which offers one, then. */
export function subscriptionChanged(turn: Turn, key: BareKey): void {
  const room = turn.state.rooms.get(key);
  if (!room) return;
  room.subscription ??= { isHeld: false };
  // What has been asked before may have been answered before.
  for (const { subscription } of turn.state.rooms.values()) if (subscription) subscription.asked = undefined;
  askSubscriptions(turn, room);
}

/** Asks the room's service, if it has not been asked already: one answer tells of all its rooms. */
function askSubscriptions(turn: Turn, room: Occupancy): void {
  const { state, out, now } = turn;
  const { carrier, subscription } = room;
  const service = serviceOf(room);
  if (carrier === undefined || !subscription || isAsked(turn, service)) return;
  const id = freshId(state);
  subscription.asked = { id, carrier, at: now };
  const to = escapeXml(service);
  out.toCarrier(carrier, `<iq type='get' id='${id}' to='${to}'><subscriptions xmlns='${NS.mucSub}'/></iq>`);
}

function isAsked({ state, now }: Turn, service: string): boolean {
  for (const room of state.rooms.values()) {
    const asked = room.subscription?.asked;
    if (!asked || now - asked.at >= ANSWER_MS || !state.carriers.has(asked.carrier)) continue;
    if (serviceOf(room) === service) return true;
  }
  return false;
}

/** The rooms that the answer tells of have been subscribed to, and others not. */
export function noteSubscriptions(rooms: readonly Occupancy[], { root }: Stanza): void {
  const list = root.child('subscriptions', NS.mucSub);
  if (!list) return;
  const held = new Set(list.children.map((one) => bareKey(one.attr('jid') ?? '')));
  for (const { key, subscription } of rooms) if (subscription) subscription.isHeld = held.has(key);
}

/** Whether the account has subscribed to the room, as far as is known. */
export function isSubscribed({ subscription }: Occupancy): boolean {
  return subscription?.isHeld === true;
}

/** Whether nobody is in the room any more, and the account is to leave it to its subscription; where that is not known the service is asked. */
export function isLeftToSubscription(turn: Turn, room: Occupancy): boolean {
  const { phase, members, waiting, subscription } = room;
  if (!subscription || phase !== 'joined' || members.size > 0 || waiting.length > 0) return false;
  if (isHidden(turn.state, room) || isExpected(turn, room)) return false;
  if (subscription.isHeld) return !isWantedThere(turn.state, room);
  askSubscriptions(turn, room);
  return false;
}

/** Somebody is about to be in the room: its join waits for the end of its device's earlier session (rules/ghost.ts), or it goes on elsewhere. */
function isExpected(turn: Turn, room: Occupancy): boolean {
  const isHeld = [...turn.state.sessions.values()].some(({ held }) =>
    held?.some(({ stanza }) => entered(stanza) === room.key),
  );
  return isHeld || isAwaited(turn, room);
}

/** Somebody hides the room, which is no wish of the account to be out (rules/hide.ts). */
function isHidden({ sessions }: AccountState, room: Occupancy): boolean {
  for (const id of room.hiddenFrom ?? []) {
    const session = sessions.get(id);
    if (session && isHiding(session, room)) return true;
  }
  return false;
}

/** Who wants the account in the room without a device has said so in the settings. */
function isWantedThere(state: AccountState, { key }: Occupancy): boolean {
  const { leaveWhen, bookmarks } = state.settings;
  return leaveWhen === 'never' || (bookmarks?.autojoin === true && autojoinMark(state, key) !== undefined);
}
