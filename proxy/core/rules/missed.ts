/**
 * The messages of a room when streams come and go (M1): each is passed on once, in the room's order. While two streams hear
 * the room the old one is heard to its end first; what a stream is told when it comes in is passed on if sessions lack it.
 */
import type { Stanza } from '../../xml/stanza.ts';
import { marked } from '../archive.ts';
import { subjectText } from '../arrival.ts';
import { hearerIds } from '../carriers.ts';
import { detach } from '../occupancy.ts';
import { delayStamp } from '../stanza-log.ts';
import type { CarrierId, Move, Occupancy, Turn } from '../state.ts';
import { groupchat, isSubject, noteSubject } from './groupchat.ts';
import { message } from './private-message.ts';

/** A message, no error, on the stream that carries the room. */
export function hear(turn: Turn, room: Occupancy, carrier: CarrierId, stanza: Stanza): void {
  if (!room.ahead) {
    say(turn, room, carrier, stanza);
    return;
  }
  room.ahead.stanzas.push({ stanza: detach(stanza), nick: room.nick });
}

function say(turn: Turn, room: Occupancy, carrier: CarrierId, stanza: Stanza, own = room.nick): void {
  if (stanza.type !== 'groupchat') message(turn, room, carrier, stanza);
  // History that comes behind a rejoin which took too long is known as far as the log goes.
  else if (delayStamp(stanza) !== undefined) passMissed(turn, room, carrier, stanza, own);
  else groupchat(turn, room, carrier, stanza, own);
}

/**
 * The old stream of a hand-over has said all that it had to say, or, `isLost`, that is not certain: then what the room has told
 * the new one of its history and subject fills the gap.
 */
export function catchUp(turn: Turn, room: Occupancy, isLost = false): void {
  const { ahead } = room;
  room.ahead = undefined;
  if (!ahead) return;
  const { carrier, told, outdated, stanzas } = ahead;
  if (isLost) passTold(turn, room, { carrier, heard: told, outdated });
  else for (const stanza of told) if (!isRepeated(stanza)) say(turn, room, carrier, stanza);
  for (const { stanza, nick } of stanzas) say(turn, room, carrier, stanza, nick);
}

function isRepeated(stanza: Stanza): boolean {
  return stanza.type === 'groupchat' && (isSubject(stanza) || delayStamp(stanza) !== undefined);
}

/** What a stream has heard while it came in: of a hand-over, or taken from one. */
type Told = Pick<Move, 'carrier' | 'outdated'> & { readonly heard: readonly Stanza[] };

/**
 * What came with a join, in order, passed on as far as sessions lack it. The subject that ends the join's answer may be older than the one that
 * another stream has heard meanwhile, or newer: it is older where it is one that others have followed since, or where this stream has heard the
 * known one behind it.
 */
export function passTold(turn: Turn, room: Occupancy, { carrier, heard, outdated }: Told): void {
  const known = subjectText(room);
  const isKnown = (stanza: Stanza): boolean => isSubjectChange(stanza) && textOf(stanza) === known;
  const last = heard.findLastIndex(isKnown);
  // What is passed on makes others outdated.
  const before = [...outdated];
  for (const [index, stanza] of heard.entries()) {
    const isOld = isSubjectChange(stanza) && (last < 0 ? before.includes(textOf(stanza)) : index <= last);
    if (!isOld) passMissed(turn, room, carrier, stanza);
  }
}

function isSubjectChange(stanza: Stanza): boolean {
  return stanza.type === 'groupchat' && isSubject(stanza);
}

function textOf({ root }: Stanza): string {
  return root.child('subject')?.text() ?? '';
}

/** Whether what the room tells of its history goes on from what is known here: else something lies between. Undefined: it tells none. */
export function goesOn({ now }: Turn, room: Occupancy, told: readonly Stanza[]): boolean | undefined {
  const history = told.filter((one) => one.type === 'groupchat' && !isSubject(one) && delayStamp(one) !== undefined);
  const isKnown = (one: Stanza): boolean => room.log.wasAdded(marked(room, one, false), now);
  return history.length === 0 ? undefined : room.log.size === 0 || history.some(isKnown);
}

/** A message on a stream that is coming in, or has just come in. */
export function pass(turn: Turn, room: Occupancy, carrier: CarrierId, stanza: Stanza, own = room.nick): void {
  if (stanza.type !== 'groupchat') message(turn, room, carrier, stanza);
  // The subject that ends a join answer is known already.
  else if (!isSubject(stanza)) groupchat(turn, room, carrier, stanza, own);
}

/** A message that came with or behind a rejoin: passed on unless the log shows that the sessions have it. */
export function passMissed(turn: Turn, room: Occupancy, carrier: CarrierId, stanza: Stanza, own = room.nick): void {
  if (isSubjectChange(stanza)) {
    if (textOf(stanza) === subjectText(room)) return;
    noteSubject(room, stanza, turn.now);
    turn.out.fork(hearerIds(room), stanza);
    return;
  }
  // It is known as it went into the log: without ids that occupants have written into a room that gives none.
  const said = marked(room, stanza, false);
  if (stanza.type === 'groupchat' && room.log.wasAdded(said, turn.now)) return;
  pass(turn, room, carrier, stanza, own);
}
