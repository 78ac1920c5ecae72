/**
 * Sessions that have come from another home are shown what they lack of a room, no more and no less: others' presences, the
 * account's own, messages, the subject. What they have heard and nobody here has, the others are given.
 */
import { type KnownRoom, subjectText } from '../arrival.ts';
import { carrierJids, hearerIds } from '../carriers.ts';
import { entryMessageKey, entryStanza } from '../log-entry.ts';
import { NO_CODES, presenceDigest, selfDigest, selfPresenceFor } from '../self-presence.ts';
import { shorten } from '../shorten.ts';
import type { Occupancy, SessionId, Turn } from '../state.ts';
import { goneOccupant } from './differences.ts';
import { noteLogged } from './groupchat.ts';

/** The room is known as it is now: members that lack something are given it, and are members like the others. False: there are none. */
export function bringUpToDate(turn: Turn, room: Occupancy): boolean {
  const groups = new Map<KnownRoom, SessionId[]>();
  for (const [id, { lacks }] of room.members) {
    if (!lacks) continue;
    const group = groups.get(lacks);
    if (group) group.push(id);
    else groups.set(lacks, [id]);
  }
  for (const [known, sessions] of groups) {
    passRoster(turn, room, known, sessions);
    passSelf(turn, room, known, sessions);
    passMessages(turn, room, known, sessions);
    if (known.subject !== subjectText(room) && room.subject) turn.out.fork(sessions, room.subject);
    for (const id of sessions) {
      const member = room.members.get(id);
      if (member) member.lacks = undefined;
    }
  }
  return groups.size > 0;
}

function passRoster({ out }: Turn, room: Occupancy, known: KnownRoom, sessions: SessionId[]): void {
  for (const [key, { nick }] of known.roster) if (!room.roster.has(key)) out.fork(sessions, goneOccupant(room, nick));
  for (const [key, { presence }] of room.roster) {
    if (known.roster.get(key)?.digest !== shorten(presenceDigest(presence))) out.fork(sessions, presence);
  }
}

function passSelf({ state, out }: Turn, room: Occupancy, known: KnownRoom, sessions: SessionId[]): void {
  const { self } = room;
  const carriers = carrierJids(state);
  if (!self || known.self === shorten(selfDigest(self, carriers))) return;
  for (const id of sessions) {
    const to = state.sessions.get(id)?.jid;
    if (to === undefined) continue;
    out.toSession(id, selfPresenceFor(self, { to, id: undefined, carriers, add: [], remove: NO_CODES }), self);
  }
}

/** All nodes hear the messages in one order: of two, one has heard what the other has, and perhaps more. */
function passMessages(turn: Turn, room: Occupancy, known: KnownRoom, sessions: SessionId[]): void {
  const { out, now } = turn;
  const entries = room.log.entries(now).map((entry) => {
    const stanza = entryStanza(entry);
    return { key: entryMessageKey(entry), at: entry.at, stanza };
  });
  const heardHere = new Set(entries.map(({ key }) => key));
  const heardThere = new Set(known.heard.map(({ key }) => key));
  // Without a message that both have heard time tells.
  const isShared = entries.some(({ key }) => heardThere.has(key));
  const last = known.heard.at(-1)?.at ?? 0;
  let isBehind = false;
  for (const { key, at, stanza } of entries) {
    if (heardThere.has(key)) isBehind = true;
    else if (isBehind || (!isShared && at >= last)) out.fork(sessions, stanza);
  }
  const others = hearerIds(room);
  for (const { key, stanza } of known.heard) {
    if (!stanza || heardHere.has(key)) continue;
    room.log.add(stanza, now);
    noteLogged(turn, room);
    out.fork(others, stanza);
  }
}
