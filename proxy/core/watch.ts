/**
 * A room as the sessions of one node see it, on a node that is not the account's home: what they were shown, so that they can be
 * brought up to date when the home is lost, and what another home needs in order to go on in its place.
 */
import type { BareKey } from '../xml/address.ts';
import type { Stanza } from '../xml/stanza.ts';
import type { OwnArchive } from './archive.ts';
import { entryMessageKey } from './log-entry.ts';
import { messageKey } from './message-key.ts';
import {
  createOccupancy,
  detach,
  forgetRoomState,
  isSelf,
  NOWHERE,
  nickOf,
  noteConfigChange,
  noteOccupant,
  noteRoomPresence,
} from './occupancy.ts';
import { isKept, isSubject, noteReflected, noteSubject } from './rules/groupchat.ts';
import type { NickFacts } from './services.ts';
import { delayStamp } from './stanza-log.ts';
import type { CarrierId, Occupancy, SessionId, Settings } from './state.ts';

/** Messages that are kept of a room: those that another home might not have heard, and some more. */
const MOST_KEPT = 100;
const MOST_KEPT_BYTES = 128 * 1024;

/** Messages that the room has not shown, of all sessions here. */
const MOST_SAID = 256;

/** What a home says of a room that a node's sessions have joined, or that a stream of the node carries. */
export interface RoomFacts {
  readonly room: BareKey;
  readonly name: string;
  readonly nick: string;
  readonly codes: readonly string[];
  readonly marksSelf: boolean;
  readonly isRoomPresenceLast: boolean;
  readonly password: string | undefined;
  readonly carrier: CarrierId | undefined;
  /** What is known of its service, see `ServiceFacts`. */
  readonly nickRefusedUntil: number;
  readonly nickSharedUntil: number;
  readonly archive?: OwnArchive | undefined;
  /** Accounts can subscribe to it (MUC/Sub): whether this one has, its service is asked. */
  readonly isForSubscribers?: boolean;
}

export function factsOf(room: Occupancy, { nickRefusedUntil, nickSharedUntil }: NickFacts): RoomFacts {
  const { key, name, nick, codes, marksSelf, isRoomPresenceLast, password, carrier, archive, subscription } = room;
  const own = { name, nick, codes: [...codes], marksSelf, isRoomPresenceLast, password, carrier, archive };
  const isForSubscribers = subscription !== undefined;
  return { room: key, ...own, isForSubscribers, nickRefusedUntil, nickSharedUntil };
}

/** A room that is watched from now on. */
export function watchedRoom(facts: RoomFacts, settings: Settings): Occupancy {
  const bounded = {
    ...settings,
    historyStanzas: Math.min(settings.historyStanzas, MOST_KEPT),
    historyBytes: Math.min(settings.historyBytes, MOST_KEPT_BYTES),
  };
  const room = createOccupancy(facts.room, facts.name, facts.nick, bounded);
  applyFacts(room, facts);
  return room;
}

export function applyFacts(room: Occupancy, facts: RoomFacts): void {
  room.phase = 'joined';
  room.name = facts.name;
  room.nick = facts.nick;
  room.codes.clear();
  for (const code of facts.codes) room.codes.add(code);
  room.marksSelf = facts.marksSelf;
  room.isRoomPresenceLast = facts.isRoomPresenceLast;
  room.password = facts.password;
  room.carrier = facts.carrier;
  room.archive = facts.archive;
  if (facts.isForSubscribers) room.subscription ??= { isHeld: false };
}

/** A session here has said something to the room, which has not shown it. Beyond a number the oldest counts as shown. */
export function noteSaid(room: Occupancy, session: SessionId, stanza: Stanza, now: number): void {
  const { id, to = room.name } = stanza;
  const carrier = room.carrier ?? NOWHERE;
  room.sent.push({ id, session, carrier, to, isGroupchat: true, at: now, isStranded: false });
  if (room.sent.length > MOST_SAID) room.sent.shift();
}

/** Nobody here hears the room any more. */
export function stopWatching(room: Occupancy, settings: Settings): void {
  forgetRoomState(room, settings);
  room.sent = [];
}

/** Something of the room was shown to sessions here. */
export function noteShown(room: Occupancy, stanza: Stanza, now: number): void {
  if (stanza.name === 'presence') notePresence(room, stanza);
  else if (stanza.name === 'message' && stanza.type === 'groupchat') noteMessage(room, stanza, now);
}

function notePresence(room: Occupancy, stanza: Stanza): void {
  if (stanza.type !== undefined && stanza.type !== 'unavailable') return;
  const isHere = stanza.type === undefined;
  if (nickOf(stanza) === '') {
    if (isHere) noteRoomPresence(room, stanza);
  } else if (!isSelf(stanza, room.nick)) noteOccupant(room.roster, stanza);
  else if (isHere) {
    room.self = detach(stanza);
    // What the home that is elsewhere has sent for it is not known here.
    room.shown = undefined;
  }
}

function noteMessage(room: Occupancy, stanza: Stanza, now: number): void {
  noteReflected(room, stanza);
  if (isSubject(stanza)) noteSubject(room, stanza, delayStamp(stanza) === undefined ? now : undefined);
  else if (!isKept(stanza)) noteConfigChange(room.codes, stanza);
  else if (!isReplayed(room, stanza, now)) room.log.add(stanza, now);
}

/** What a later session is given as history the room has said before. */
function isReplayed(room: Occupancy, stanza: Stanza, now: number): boolean {
  const stamp = delayStamp(stanza);
  if (stamp === undefined) return false;
  const entries = room.log.entries(now);
  const last = entries.at(-1);
  if (!last) return false;
  if (stamp < last.at) return true;
  const key = messageKey(stanza);
  return entries.some((entry) => entryMessageKey(entry) === key);
}
