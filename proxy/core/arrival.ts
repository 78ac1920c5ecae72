/** Sessions and streams that come to a home, with what they are and what they have seen of their rooms. */
import type { Stanza } from '../xml/stanza.ts';
import type { Estate } from './estate.ts';
import { entryMessageKey, entryStanza } from './log-entry.ts';
import { keyOfNick } from './occupancy.ts';
import { presenceDigest, selfDigest } from './self-presence.ts';
import { shorten } from './shorten.ts';
import type { Carrier, Member, NickKey, Occupancy, PendingRequest, SentMessage, Session, SessionId } from './state.ts';
import type { RoomFacts } from './watch.ts';

export interface Arrival {
  /** With the rooms that they have joined, or wait to. */
  readonly sessions: readonly Session[];
  /** With the rooms that they are in. */
  readonly carriers: readonly Carrier[];
  /** Rooms that the home's own sessions and streams have been in: all that is known of them here. */
  readonly watched: readonly Occupancy[];
  /** The same of another node, in short. */
  readonly known: readonly KnownRoom[];
  /** Requests to rooms whose answers come on these streams, by the proxy's id. */
  readonly requests?: ReadonlyMap<string, PendingRequest>;
  /** What the store has of an account that nobody has come with. */
  readonly estate?: Estate | undefined;
}

export const NOBODY: Arrival = { sessions: [], carriers: [], watched: [], known: [] };

/** What sessions have been shown of a room, in short: enough to see what they lack. */
export interface KnownRoom {
  readonly facts: RoomFacts;
  readonly members: ReadonlyMap<SessionId, Member>;
  /** Other occupants, with a digest of each one's presence. */
  readonly roster: ReadonlyMap<NickKey, { readonly nick: string; readonly digest: string }>;
  readonly self: string;
  readonly subject: string;
  /** What they have said to all and the room has not shown. */
  readonly said: readonly Pick<SentMessage, 'id' | 'session' | 'to' | 'at'>[];
  /** The last messages, oldest first, by what tells them apart; the stanza of those that others might not have heard. */
  readonly heard: readonly { readonly key: string; readonly at: number; readonly stanza: Stanza | undefined }[];
}

/** Messages older than this all nodes have heard (ms). */
const RECENT_MS = 60_000;

/**
 * `own`: addresses that stand for the account itself. `before`: what the last message was when the sessions came in;
 * undefined: there was none, or it is among those that they have heard.
 */
export function knownRoom(
  room: Occupancy,
  facts: RoomFacts,
  own: ReadonlySet<string>,
  before: string | undefined,
  now: number,
): KnownRoom {
  const roster = new Map<NickKey, { nick: string; digest: string }>();
  for (const { nick, presence } of room.roster.values()) {
    roster.set(keyOfNick(nick), { nick, digest: shorten(presenceDigest(presence)) });
  }
  const heard: KnownRoom['heard'][number][] = before === undefined ? [] : [{ key: before, at: 0, stanza: undefined }];
  for (const entry of room.log.entries(now)) {
    const stanza = entryStanza(entry);
    heard.push({ key: entryMessageKey(entry), at: entry.at, stanza: entry.at >= now - RECENT_MS ? stanza : undefined });
  }
  const self = room.self ? shorten(selfDigest(room.self, own)) : '';
  // No room shows what was said in private to who has said it.
  const toAll = room.sent.filter(({ isGroupchat }) => isGroupchat);
  const said = toAll.map(({ id, session, to, at }) => ({ id, session, to, at }));
  return { facts, members: room.members, roster, self, subject: subjectText(room), said, heard };
}

export function subjectText(room: Occupancy): string {
  return room.subject?.root.child('subject')?.text() ?? '';
}

/** What the last message was. */
export function lastHeard(room: Occupancy, now: number): string | undefined {
  const last = room.log.entries(now).at(-1);
  return last && entryMessageKey(last);
}
