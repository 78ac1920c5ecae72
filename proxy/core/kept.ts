/**
 * Private messages that came while no session was in the room (M3, M6): kept for the next one that joins, bounded. When the account is in
 * the room no more they are for the account's next session, wherever that is.
 */
import type { Stanza } from '../xml/stanza.ts';
import { keepLetter } from './letters.ts';
import { entryStanza, type LogEntry } from './log-entry.ts';
import { messageKey } from './message-key.ts';
import { detach, nickOf } from './occupancy.ts';
import type { KeptPrivate } from './private.ts';
import { isSameOccupant, retractionOf } from './retraction.ts';
import type { Occupancy, Turn } from './state.ts';

/** Private messages of a room kept for a session to come, and their bytes; beyond this the oldest goes. */
const MOST_KEPT = 100;
const MOST_KEPT_BYTES = 256 * 1024;
/** Nodes that have missed one message of a room give it back within so long of each other (ms). */
const GIVEN_BACK_MS = 60_000;

/** A private message of an occupant that has something to say. */
export function isForNext(stanza: Stanza): boolean {
  const { type, root } = stanza;
  if (type === 'groupchat' || nickOf(stanza) === '') return false;
  return root.child('body') !== undefined || retractionOf(stanza) !== undefined;
}

/** For the next session that joins. */
export function keepPrivate(turn: Turn, room: Occupancy, stanza: Stanza): void {
  keepOne(turn, room, { stanza: detach(stanza), at: turn.now });
}

/** The same, of what is kept already. */
export function keepOne(turn: Turn, room: Occupancy, one: KeptPrivate): void {
  const { kept } = room;
  forgetOld(turn, room);
  kept.push(one);
  noteKept(turn, room);
  let bytes = kept.reduce((sum, one) => sum + one.stanza.length, 0);
  while (kept.length > MOST_KEPT || bytes > MOST_KEPT_BYTES) {
    bytes -= kept.shift()?.stanza.length ?? 0;
    turn.out.drop('queue-full');
  }
}

/** Its sender, and nobody else, takes a kept message back before anybody has seen it (XEP-0424): it is gone. False: it is not here. */
export function unkeepPrivate(turn: Turn, room: Occupancy, stanza: Stanza): boolean {
  const { kept } = room;
  const target = retractionOf(stanza)?.target;
  if (target === undefined) return false;
  const isMeant = (one: KeptPrivate): boolean =>
    one.stanza.id === target && isSameOccupant(one.stanza, stanza, !one.isNickFreed);
  const index = kept.findLastIndex((one) => isMeant(one));
  if (index < 0) return false;
  kept.splice(index, 1);
  noteKept(turn, room);
  return true;
}

/** What was kept for a session that has come now, oldest first (M6): not what is older than history. */
export function takeKept(turn: Turn, room: Occupancy): { readonly stanza: Stanza; readonly at: number }[] {
  forgetOld(turn, room);
  if (room.kept.length > 0) noteKept(turn, room);
  return room.kept.splice(0);
}

/** What another home has kept and nobody has taken: older than what came since. Who has its nicks now is not known. */
export function keepAlso({ kept }: Occupancy, entries: readonly LogEntry[]): void {
  const known = { isNickFreed: true, isStored: true } as const;
  kept.unshift(...entries.map((entry) => ({ stanza: entryStanza(entry), at: entry.at, ...known })));
}

/** The store has them still. */
export function dropStored({ kept }: Occupancy): void {
  kept.splice(0, kept.length, ...kept.filter(({ isStored }) => !isStored));
}

/**
 * The account has no place in the room any more. `wasInside`: it has had one. Where that is so because the home stops, the store has them
 * still, for the next home (log-keeper.ts).
 */
export function keepOnwards(turn: Turn, room: Occupancy, wasInside: boolean): void {
  const { isStopping, settings } = turn.state;
  const waiting = room.kept.splice(0);
  for (const { stanza, missedBy } of waiting) if (missedBy) noteGivenBack(turn, stanza, missedBy);
  if (isStopping && settings.keepsLogs && wasInside) return;
  for (const { stanza, at } of waiting) if (!keepLetter(turn, stanza, at)) turn.out.drop('letters-full');
}

/** Sessions' nodes have given the message back, and it is kept in no room: should another node do so too, it is the same. */
export function noteGivenBack({ state, now }: Turn, stanza: Stanza, missedBy: readonly string[]): void {
  const lately = (state.givenBack ?? []).filter(({ at }) => at > now - GIVEN_BACK_MS).slice(1 - MOST_KEPT);
  state.givenBack = [...lately, { key: messageKey(stanza), at: now, missedBy }];
}

/** Whether it is that, for other sessions; it counts for these too then. */
export function isGivenBack({ state, now }: Turn, ids: readonly string[], stanza: Stanza): boolean {
  const key = messageKey(stanza);
  const one = state.givenBack?.find(
    (one) => one.key === key && one.at > now - GIVEN_BACK_MS && !ids.some((id) => one.missedBy.includes(id)),
  );
  if (one) one.missedBy = [...one.missedBy, ...ids];
  return one !== undefined;
}

/** An occupant has given up the nick (`room/nick`): who takes it next has said nothing of what is known. */
export function nickFreed({ log, kept }: Occupancy, from: string): void {
  log.free(from);
  for (const one of kept) if (one.stanza.from === from) one.isNickFreed = true;
}

/** The room was not heard for some time: any nick may be another occupant's now. */
export function nicksFreed({ log, kept }: Occupancy): void {
  log.freeAll();
  for (const one of kept) one.isNickFreed = true;
}

function noteKept({ state, out }: Turn, { key }: Occupancy): void {
  if (state.settings.keepsLogs) out.push({ kind: 'store-kept', room: key });
}

function forgetOld({ state, out, now }: Turn, { kept }: Occupancy): void {
  for (let first = kept[0]; first && first.at < now - state.settings.historyAgeMs; first = kept[0]) {
    kept.shift();
    out.drop('no-session');
  }
}
