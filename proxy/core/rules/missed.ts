/**
 * The messages of a room when streams come and go (M1): each is passed on once, in the room's order. While two streams hear
 * the room the old one is heard to its end first; what a stream is told when it comes in is passed on if sessions lack it.
 */
import type { Stanza } from '../../xml/stanza.ts';
import { hearerIds } from '../carriers.ts';
import { detach } from '../occupancy.ts';
import { contentKey, delayStamp, entryStanza } from '../stanza-log.ts';
import type { CarrierId, Occupancy, Turn } from '../state.ts';
import { groupchat, isSubject, noteSubject } from './groupchat.ts';
import { message } from './private-message.ts';

/** A message, no error, on the stream that carries the room. */
export function hear(turn: Turn, room: Occupancy, carrier: CarrierId, stanza: Stanza): void {
  if (room.ahead) room.ahead.stanzas.push(detach(stanza));
  else say(turn, room, carrier, stanza);
}

function say(turn: Turn, room: Occupancy, carrier: CarrierId, stanza: Stanza): void {
  if (stanza.type !== 'groupchat') message(turn, room, carrier, stanza);
  // History that comes behind a rejoin which took too long is known as far as the log goes.
  else if (delayStamp(stanza) !== undefined) passMissed(turn, room, carrier, stanza);
  else groupchat(turn, room, carrier, stanza);
}

/** The old stream of a hand-over has said all that it had to say. */
export function catchUp(turn: Turn, room: Occupancy): void {
  const { ahead } = room;
  room.ahead = undefined;
  if (!ahead) return;
  for (const stanza of ahead.stanzas) say(turn, room, ahead.carrier, stanza);
}

/** A message on a stream that is coming in, or has just come in. */
export function pass(turn: Turn, room: Occupancy, carrier: CarrierId, stanza: Stanza): void {
  if (stanza.type !== 'groupchat') message(turn, room, carrier, stanza);
  // The subject that ends a join answer is known already.
  else if (!isSubject(stanza)) groupchat(turn, room, carrier, stanza);
}

/** A message that came with or behind a rejoin: passed on unless the log shows that the sessions have it. */
export function passMissed(turn: Turn, room: Occupancy, carrier: CarrierId, stanza: Stanza): void {
  if (stanza.type === 'groupchat' && isSubject(stanza)) {
    const known = room.subject?.root.child('subject')?.text();
    if (stanza.root.child('subject')?.text() === (known ?? '')) return;
    noteSubject(room, stanza, turn.now);
    turn.out.fork(hearerIds(room), stanza);
    return;
  }
  if (stanza.type === 'groupchat' && isLogged(room, stanza, turn.now)) return;
  pass(turn, room, carrier, stanza);
}

function isLogged(room: Occupancy, stanza: Stanza, now: number): boolean {
  const key = contentKey(stanza);
  return room.log.entries(now).some((entry) => contentKey(entryStanza(entry)) === key);
}
