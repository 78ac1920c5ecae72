/**
 * What a room shows to a stream that has come in anew, against what the sessions were shown: they see the difference only (L9, L5).
 */
import { readdress } from '../../xml/edit.ts';
import { NS } from '../../xml/names.ts';
import { parseStanza, type Stanza } from '../../xml/stanza.ts';
import { escapeXml } from '../../xml/text.ts';
import { carrierJids, hearerIds } from '../carriers.ts';
import { keyOfNick, nickOf } from '../occupancy.ts';
import { presenceDigest, selfDigest } from '../self-presence.ts';
import type { Move, NickKey, Occupancy, Occupant, Turn } from '../state.ts';
import { forkSelf, renamed } from './self-fork.ts';

/** What the room shows to the new carrier against what the sessions were shown. */
export function tellDifferences(turn: Turn, room: Occupancy, move: Move): void {
  const { state, out } = turn;
  const members = hearerIds(room);
  const nick = move.self && nickOf(move.self);
  // The room that had forgotten the account has let it in under the nick that was asked for, or the old stream was renamed as this one came in.
  const isRenamed = nick !== undefined && keyOfNick(nick) !== keyOfNick(room.nick);
  if (isRenamed) {
    forkSelf(turn, room, renamed(room, nick));
    // That nick was another occupant's meanwhile, as it seemed: the account's.
    room.roster.delete(keyOfNick(nick));
  }
  for (const stanza of rosterDifferences(room, room.roster, move.roster)) out.fork(members, stanza);
  room.roster.clear();
  for (const [key, occupant] of move.roster) room.roster.set(key, occupant);
  const previous = room.self;
  if (!move.self) return;
  room.self = move.self;
  room.nick = nickOf(move.self);
  // The address of a stream that was lost says nothing either.
  const carriers = new Set([...carrierJids(state), ...(move.from === undefined ? itemJids(previous) : [])]);
  if (isRenamed || !previous || selfDigest(previous, carriers) !== selfDigest(move.self, carriers)) {
    forkSelf(turn, room, withoutId(move.self));
  }
}

/** What turns the one roster into the other, for somebody who has seen the first: who has gone, then who has come or changed. */
export function rosterDifferences(
  room: Occupancy,
  before: ReadonlyMap<NickKey, Occupant>,
  after: ReadonlyMap<NickKey, Occupant>,
): Stanza[] {
  const told: Stanza[] = [];
  for (const [key, { nick, presence }] of before) {
    if (!after.has(key) && presence.type !== 'unavailable') told.push(goneOccupant(room, nick));
  }
  for (const [key, { presence }] of after) {
    const known = before.get(key)?.presence;
    // A member who is away, and was not there before, is no news.
    if (!known && presence.type === 'unavailable') continue;
    const isSame = known === presence || (known && presenceDigest(known) === presenceDigest(presence));
    if (!isSame) told.push(presence);
  }
  return told;
}

function itemJids(self: Stanza | undefined): string[] {
  const items = self?.root.child('x', NS.mucUser)?.children ?? [];
  return items.map((item) => item.attr('jid')).filter((jid) => jid !== undefined);
}

export function goneOccupant(room: Occupancy, nick: string): Stanza {
  return parseStanza(
    `<presence xmlns='${NS.client}' type='unavailable' from='${escapeXml(`${room.name}/${nick}`)}'>` +
      `<x xmlns='${NS.mucUser}'><item affiliation='none' role='none'/></x></presence>`,
  );
}

/** The id is that of our own join. */
function withoutId(stanza: Stanza): Stanza {
  return parseStanza(readdress(stanza, { id: null }), stanza.declarations);
}
