/**
 * MUC/Sub (ejabberd): a room writes to the bare address of an account that has subscribed to it, so that messages reach devices that have not joined,
 * offline storage and push. It does so only while no stream of the account is in the room: an account that stayed there for a device to come would keep
 * from its devices what they have subscribed to. So it leaves with its last joined session, and the subscription goes on.
 */
import { bareKey, resourceOf } from '../../xml/address.ts';
import type { Stanza } from '../../xml/stanza.ts';
import { serviceOf } from '../occupancy.ts';
import type { Carrier, Occupancy, Session, Turn } from '../state.ts';
import { isLeftToSubscription, isSubscribed, noteSubscriptions } from '../subscription.ts';
import { sendGroupchat } from './groupchat.ts';
import { leaveRoom } from './leave.ts';
import { sendMessage } from './private-message.ts';

/** An IQ on a stream of the account. False: it answers no question about subscriptions. */
export function subscriptionsAnswered(turn: Turn, carrier: Carrier, stanza: Stanza): boolean {
  const { name, type, id, from = '' } = stanza;
  if (name !== 'iq' || (type !== 'result' && type !== 'error') || resourceOf(from) !== '') return false;
  const rooms = [...turn.state.rooms.values()].filter(
    (room) => room.subscription !== undefined && serviceOf(room) === bareKey(from),
  );
  const asker = rooms.find(({ subscription }) => subscription?.asked?.id === id);
  if (!asker?.subscription || asker.subscription.asked?.carrier !== carrier.id) return false;
  asker.subscription.asked = undefined;
  noteSubscriptions(rooms, stanza);
  for (const room of rooms) if (isSubscribed(room)) leaveToSubscription(turn, room);
  return true;
}

/** Who was to come into the room has not, or it is known now that the account has subscribed to it. */
export function leaveToSubscription(turn: Turn, room: Occupancy): void {
  if (isLeftToSubscription(turn, room)) leaveRoom(turn, room);
}

/** A session that has only subscribed says something, and its own stream is in the room for others. False: it may not. */
export function speakSubscribed(turn: Turn, room: Occupancy, session: Session, stanza: Stanza): boolean {
  if (stanza.name !== 'message' || !isSubscribed(room)) return false;
  if (stanza.type === 'groupchat') sendGroupchat(turn, room, session, stanza);
  else sendMessage(turn, room, session, stanza);
  return true;
}
