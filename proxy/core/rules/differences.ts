/**
 * What a room shows to a stream that has come in anew, against what the sessions were shown: they see the difference only (L9, L5).
 */
import { readdress } from '../../xml/edit.ts';
import { NS } from '../../xml/names.ts';
import { parseStanza, type Stanza } from '../../xml/stanza.ts';
import { escapeXml } from '../../xml/text.ts';
import { carrierJids, memberIds } from '../carriers.ts';
import { nickOf } from '../occupancy.ts';
import { presenceDigest, selfDigest } from '../self-presence.ts';
import type { Move, Occupancy, Turn } from '../state.ts';
import { forkSelf } from './room-presence.ts';

/** What the room shows to the new carrier against what the sessions were shown. */
export function tellDifferences(turn: Turn, room: Occupancy, move: Move): void {
  const { state, out } = turn;
  const members = memberIds(room);
  for (const [key, occupant] of room.roster) {
    if (!move.roster.has(key)) out.fork(members, goneOccupant(room, occupant.nick));
  }
  for (const [key, occupant] of move.roster) {
    const known = room.roster.get(key);
    const isSame = known && presenceDigest(known.presence) === presenceDigest(occupant.presence);
    if (!isSame) out.fork(members, occupant.presence);
  }
  room.roster.clear();
  for (const [key, occupant] of move.roster) room.roster.set(key, occupant);
  const previous = room.self;
  if (!move.self) return;
  room.self = move.self;
  room.nick = nickOf(move.self);
  // The address of a stream that was lost says nothing either.
  const carriers = new Set([...carrierJids(state), ...(move.from === undefined ? itemJids(previous) : [])]);
  if (!previous || selfDigest(previous, carriers) !== selfDigest(move.self, carriers)) {
    forkSelf(turn, room, withoutId(move.self));
  }
}

function itemJids(self: Stanza | undefined): string[] {
  const items = self?.root.child('x', NS.mucUser)?.children ?? [];
  return items.map((item) => item.attr('jid')).filter((jid) => jid !== undefined);
}

function goneOccupant(room: Occupancy, nick: string): Stanza {
  return parseStanza(
    `<presence xmlns='${NS.client}' type='unavailable' from='${escapeXml(`${room.name}/${nick}`)}'>` +
      `<x xmlns='${NS.mucUser}'><item affiliation='none' role='none'/></x></presence>`,
  );
}

/** The id is that of our own join. */
function withoutId(stanza: Stanza): Stanza {
  return parseStanza(readdress(stanza, { id: null }), stanza.declarations);
}
