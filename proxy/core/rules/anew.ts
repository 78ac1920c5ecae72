/**
 * A room that has forgotten the account and says nothing, and then takes a status or a nick change of it for a join, as services do that know
 * groupchat 1.0 (XEP-0045 section 7.2.1): it shows all that it shows to who joins. It is joined in full on the same stream, and sessions see
 * differences only.
 *
 * A service may show the others once only, to who comes in (mu-conference does): what came since the presence was sent is part of the answer.
 */
import type { Stanza } from '../../xml/stanza.ts';
import { detach, keyOfNick, nickOf, noteAnswered } from '../occupancy.ts';
import { presenceDigest, statusCodes } from '../self-presence.ts';
import type { Carrier, Move, Occupancy, SentPresence, Turn } from '../state.ts';
import { guiseOf } from './guise.ts';
import { isStable, losePlace } from './heal.ts';
import { startMove } from './move.ts';

/** The key of what a room shows of itself. */
const ROOM_ITSELF = keyOfNick('');

/**
 * Another occupant's presence, or the room's own, while a status or nick change is on its way, and no stream comes or goes. True: it was shown
 * before as it is, and is part of the answer to a join, or kept back until that is known: behind a nick change until the room has answered it. The
 * room's own, which ejabberd puts before the others', proves nothing by itself.
 */
export function comesInAnew(turn: Turn, room: Occupancy, stanza: Stanza): boolean {
  const carrier = mayHaveLetIn(turn, room);
  if (!carrier) return false;
  const asked = room.presences.at(-1);
  if (!asked) return false;
  room.meanwhile ??= { shown: new Set(), held: new Map() };
  const { shown, held } = room.meanwhile;
  const key = keyOfNick(nickOf(stanza));
  if (!isRepeated(room, stanza)) {
    if (held.delete(key)) turn.out.drop('overlap');
    if (key === ROOM_ITSELF) return false;
    if (stanza.type === undefined) shown.add(key);
    else shown.delete(key);
    return false;
  }
  held.set(key, detach(stanza));
  if (key === ROOM_ITSELF || keyOfNick(asked.nick) !== keyOfNick(room.nick)) return true;
  if (joinInFull(turn, room, carrier, asked.nick, asked.stanza)) return true;
  held.delete(key);
  return false;
}

/**
 * The account's own presence. True: with it the room has let the account in, under the nick to which it has asked to be changed, or, behind what
 * the room shows of itself, under its own. Nobody has seen a change (there was no 303), and what others show was repeated before it.
 */
export function comesInUnder(turn: Turn, room: Occupancy, stanza: Stanza, nick: string): boolean {
  const isOther = keyOfNick(nick) !== keyOfNick(room.nick);
  const isTold = isOther || room.meanwhile?.held.has(ROOM_ITSELF) === true;
  if (!isTold || stanza.type !== undefined || !statusCodes(stanza).includes('110')) return false;
  const carrier = mayHaveLetIn(turn, room);
  const asked = room.presences.findLast((one) => keyOfNick(one.nick) === keyOfNick(nick));
  if (!carrier || !asked || !room.meanwhile || room.meanwhile.held.size === 0) return false;
  const move = joinInFull(turn, room, carrier, nick, stanza);
  if (!move) return false;
  move.self = detach(stanza);
  if (isOther) noteAsker(room, asked, nick);
  return true;
}

/** Who has asked for the nick has it. */
export function noteAsker({ members }: Occupancy, asked: SentPresence | undefined, nick: string): void {
  const member = asked?.session === undefined ? undefined : members.get(asked.session);
  if (member) member.asked = nick;
}

/** What was kept back, to be passed on: the room has answered what was on its way, or nothing is. */
export function takeHeld(room: Occupancy): Iterable<Stanza> {
  const { held } = room.meanwhile ?? {};
  room.meanwhile = undefined;
  return held?.values() ?? [];
}

/** The stream whose presences the room may have taken for a join: all that are on their way went through it, and are for one nick. */
function mayHaveLetIn({ state, now }: Turn, room: Occupancy): Carrier | undefined {
  const { carrier: id, presences } = room;
  const carrier = id === undefined ? undefined : state.carriers.get(id);
  if (
    !room.marksSelf ||
    carrier?.status !== 'ready' ||
    room.move ||
    room.departing.size > 0 ||
    room.overlap?.isOver === false
  )
    return undefined;
  // A service that answers each status so has forgotten nothing.
  if (room.backAt !== undefined && !isStable(room, now)) return undefined;
  const nick = presences[0]?.nick ?? room.nick;
  const isOne = presences.every((one) => one.carrier === id && keyOfNick(one.nick) === keyOfNick(nick));
  return isOne ? carrier : undefined;
}

/** Ids say nothing: who has come back to a room that had forgotten all has another one, too. */
export function isRepeated(room: Occupancy, stanza: Stanza): boolean {
  const key = keyOfNick(nickOf(stanza));
  const known = key === ROOM_ITSELF ? room.roomPresence : room.roster.get(key)?.presence;
  if (!known || stanza.type !== undefined) return false;
  return presenceDigest(known) === presenceDigest(stanza);
}

/** Undefined: the loss cannot be healed in time. What the room goes on to say is part of the answer to the join. */
function joinInFull(turn: Turn, room: Occupancy, carrier: Carrier, nick: string, presence: Stanza): Move | undefined {
  const { shown = [], held } = room.meanwhile ?? {};
  if (!losePlace(turn, room, carrier.id, true)) return undefined;
  room.retryAt = undefined;
  turn.out.clearTimer(`retry ${room.key}`);
  // Any other stream would leave this one behind in the room.
  const move = startMove(turn, room, carrier, undefined, guiseOf(nick, presence));
  move.isAnew = true;
  for (const key of shown) {
    const occupant = room.roster.get(key);
    if (occupant) move.roster.set(key, occupant);
  }
  for (const [key, stanza] of held ?? []) if (key !== ROOM_ITSELF) noteAnswered(move, stanza);
  room.meanwhile = undefined;
  return move;
}
