/** The end of an occupancy: what is left of it, and for whom. */
import { dropStored, isForNext, keepOnwards, keepPrivate } from './kept.ts';
import { dismissSessions } from './occupancy.ts';
import { closePing } from './ping-answers.ts';
import type { Occupancy, Turn } from './state.ts';

/** How long an ended occupancy still swallows what a service sends after it (ms). */
const AFTERMATH_MS = 10_000;

/** The account is not in the room any more. Sessions must have been told before. `isComing`: somebody waits to be let in, and takes what is kept. */
export function endOccupancy(turn: Turn, room: Occupancy, isComing = false): void {
  const { out } = turn;
  closePing(turn, room);
  dismissSessions(turn, room);
  keepUnheard(turn, room);
  room.attempt = undefined;
  room.move = undefined;
  room.overlap = undefined;
  room.ahead = undefined;
  room.farewell = undefined;
  room.parting = undefined;
  room.lostAt = undefined;
  room.backAt = undefined;
  room.tries = 0;
  room.retryAt = undefined;
  for (const timer of ['join', 'grace', 'leave', 'overlap', 'settle', 'move', 'retry', 'offer', 'presence', 'stranded'])
    out.clearTimer(`${timer} ${room.key}`);
  if (room.phase !== 'ended') out.push({ kind: 'store-end', room: room.key });
  // A room that could not be joined may be joined later, and go on from what was heard before.
  const { keepsLogs } = turn.state.settings;
  const wasInside = (room.phase === 'joined' || room.phase === 'leaving') && room.past === undefined;
  if (wasInside && keepsLogs) out.push({ kind: 'forget-log', room: room.key });
  // What has been read is there still, and comes again with the next join.
  else if (typeof room.past === 'object') dropStored(room);
  if (!isComing) keepOnwards(turn, room, wasInside);
  room.past = undefined;
  room.phase = 'ended';
  room.carrier = undefined;
  // The service may still say things about this place, as ejabberd does after a kick of two sessions: they are swallowed.
  out.setTimer(`ended ${room.key}`, AFTERMATH_MS);
}

/** What occupants have said to the account alone while a stream came in, and nobody has been told yet. */
export function keepUnheard(turn: Turn, room: Occupancy): void {
  const { attempt, move, ahead, overlap } = room;
  const heard = [
    ...(attempt?.early.map((stanza) => ({ carrier: attempt.carrier, stanza })) ?? []),
    ...(move?.heard.map((stanza) => ({ carrier: move.carrier, stanza })) ?? []),
    ...(ahead
      ? [...ahead.told, ...ahead.stanzas.map(({ stanza }) => stanza)].map((stanza) => ({
          carrier: ahead.carrier,
          stanza,
        }))
      : []),
  ];
  for (const { carrier, stanza } of heard) {
    if (!isForNext(stanza)) continue;
    if (!overlap || overlap.isNew(carrier, stanza)) keepPrivate(turn, room, stanza);
  }
}
