/**
 * The archive of a room that has none of its own: the account's stanza log of it, told as such (XEP-0313). Messages of such rooms carry an id that the
 * archive knows (XEP-0359): the room's where it gives one, else the proxy's, which is made from what the message is, so that it is the
 * same on each node and after each join.
 */
import { bareKey, bareOf } from '../xml/address.ts';
import { Edit } from '../xml/edit.ts';
import { NS } from '../xml/names.ts';
import { parseStanza, type Stanza } from '../xml/stanza.ts';
import { escapeXml } from '../xml/text.ts';
import type { Archived } from './archive-page.ts';
import { entryStanza, type LogEntry } from './log-entry.ts';
import { messageKey, OWN_ARCHIVE, roomStanzaId, stanzaIdOf } from './message-key.ts';
import { shorten } from './shorten.ts';
import type { StanzaLog } from './stanza-log.ts';
import type { Occupancy } from './state.ts';

/** What a room's own words (XEP-0030) say of its archive. Undefined: it has one, and what it says and is asked is its own business. */
export interface OwnArchive {
  /** The room gives messages ids (XEP-0359): those are to be believed. */
  readonly hasIds: boolean;
}

/** From a room's answer to a `disco#info` request without a node. */
export function archiveFor(info: Stanza): OwnArchive | undefined {
  const features = new Set<string | undefined>();
  for (const child of info.root.child('query', NS.discoInfo)?.children ?? []) {
    if (child.name === 'feature') features.add(child.attr('var'));
  }
  if (features.has(NS.mam) || features.has(NS.mam1)) return undefined;
  return { hasIds: features.has(NS.stanzaId) };
}

/** An entry with its id, once that has been looked for. */
export interface ArchivedEntry extends Archived {
  readonly entry: LogEntry;
}

/** Oldest first; messages that have been heard before the archive was begun, and bear no id, are not part of it. */
export function archiveOf(log: StanzaLog, now: number): ArchivedEntry[] {
  return log.entries(now).flatMap((entry) => {
    const id = idOf(entry);
    return id === undefined
      ? []
      : [{ id, from: entryStanza(entry).from ?? '', at: entry.at, bytes: entry.text.length, entry }];
  });
}

function idOf(entry: LogEntry): string | undefined {
  entry.memo ??= { id: stanzaIdOf(entryStanza(entry)) };
  return entry.memo.id;
}

/** A message of an archived room as sessions are given it; `isLogged`: it is about to go into the log. */
export function marked(room: Occupancy, stanza: Stanza, isLogged: boolean): Stanza {
  if (!room.archive) return stanza;
  return markedFor(room.log, room.archive, stanza, isLogged);
}

/** All that is in the log has an id, and no two have the same. */
export function markLog({ log, archive }: Occupancy): void {
  if (!archive) return;
  const seen = new Set<string>();
  log.rewrite((entry) => {
    const stanza = entryStanza(entry);
    const id = idOf(entry);
    if (id !== undefined && !seen.has(id) && (isOurs(id, stanza) || (archive.hasIds && !id.startsWith(OWN_ARCHIVE)))) {
      seen.add(id);
      return undefined;
    }
    const said = markedFor(log, archive, stanza, true);
    const given = stanzaIdOf(said);
    if (given !== undefined) seen.add(given);
    return said === stanza
      ? undefined
      : { ...entry, text: Buffer.from(said.bytes), memo: { id: given }, names: undefined, known: undefined };
  });
}

/** The proxy has given the message this id, or would have. */
function isOurs(id: string, stanza: Stanza): boolean {
  return id.startsWith(OWN_ARCHIVE + shorten(messageKey(stanza)));
}

function markedFor(log: StanzaLog, { hasIds }: OwnArchive, stanza: Stanza, isLogged: boolean): Stanza {
  if (hasIds && roomStanzaId(stanza) !== undefined) return stanza;
  const foreign = stanza.root.children.filter((child) => isOfRoom(child, stanza));
  if (foreign.length === 0 && !isLogged) return stanza;
  const edit = new Edit(stanza);
  // Where the room gives none, occupants have written them.
  for (const child of foreign) edit.remove(child);
  if (isLogged) {
    const id = freshArchiveId(log, stanza);
    const by = escapeXml(bareOf(stanza.from ?? ''));
    edit.append(stanza.root, `<stanza-id xmlns='${NS.stanzaId}' by='${by}' id='${id}'/>`);
  }
  return parseStanza(edit.toBuffer(), stanza.declarations);
}

function isOfRoom(child: Stanza['root'], { from = '' }: Stanza): boolean {
  return child.name === 'stanza-id' && child.ns === NS.stanzaId && bareKey(child.attr('by') ?? '') === bareKey(from);
}

/** Not yet in the log: of messages that are alike each has its own. */
function freshArchiveId(log: StanzaLog, stanza: Stanza): string {
  const start = OWN_ARCHIVE + shorten(messageKey(stanza));
  let id = start;
  for (let number = 2; log.some((entry) => idOf(entry) === id); number += 1) id = `${start}-${number}`;
  return id;
}
