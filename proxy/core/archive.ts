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
import { entryMarks, entryMessageKey, entryStanza, type LogEntry, marksOf } from './log-entry.ts';
import { messageKey, OWN_ARCHIVE, roomStanzaId } from './message-key.ts';
import { shorten } from './shorten.ts';
import type { StanzaLog } from './stanza-log.ts';
import type { Occupancy } from './state.ts';
import { refer, refers } from './translate.ts';

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
    const { id, from } = entryMarks(entry);
    return id === undefined ? [] : [{ id, from, at: entry.at, bytes: entry.text.length, entry }];
  });
}

/**
 * The room's own presence as sessions are given it: a hash of what the room can do (XEP-0115) is none of what it says here, the archive included.
 * Without one clients ask.
 */
export function shownPresence({ archive }: Occupancy, presence: Stanza): Stanza {
  const hash = archive && presence.root.child('c', NS.caps);
  if (!hash) return presence;
  return parseStanza(new Edit(presence).remove(hash).toBuffer(), presence.declarations);
}

/** A message of an archived room as sessions are given it; `isLogged`: it is about to go into the log. */
export function marked(room: Occupancy, stanza: Stanza, isLogged: boolean): Stanza {
  if (!room.archive) return stanza;
  return markedFor(room.log, room.archive, stanza, isLogged ? messageKey(stanza) : undefined);
}

/** All that is in the log has an id, and no two have the same. */
export function markLog({ log, archive }: Occupancy): void {
  if (!archive) return;
  const seen = new Set<string>();
  log.rewrite((entry) => {
    const { id } = entryMarks(entry);
    if (id !== undefined && !seen.has(id) && (isOurs(id, entry) || (archive.hasIds && !id.startsWith(OWN_ARCHIVE)))) {
      seen.add(id);
      return undefined;
    }
    const stanza = entryStanza(entry);
    const said = markedFor(log, archive, stanza, entryMessageKey(entry));
    const marks = marksOf(said);
    if (marks.id !== undefined) seen.add(marks.id);
    return said === stanza
      ? undefined
      : { ...entry, text: Buffer.from(said.bytes), marks, names: undefined, known: undefined };
  });
}

/** The proxy has given the message this id, or would have. */
function isOurs(id: string, entry: LogEntry): boolean {
  return id.startsWith(OWN_ARCHIVE) && id.startsWith(OWN_ARCHIVE + shorten(entryMessageKey(entry)));
}

/** `key`: of the message, if it is to have an id. */
function markedFor(log: StanzaLog, { hasIds }: OwnArchive, stanza: Stanza, key: string | undefined): Stanza {
  const isMarked = hasIds && roomStanzaId(stanza) !== undefined;
  const foreign = isMarked ? [] : stanza.root.children.filter((child) => isOfRoom(child, stanza));
  const isGiven = !isMarked && key !== undefined;
  if (foreign.length === 0 && !isGiven && !refers(stanza)) return stanza;
  const edit = new Edit(stanza);
  const isReferred = refer(log, stanza, edit);
  if (foreign.length === 0 && !isGiven && !isReferred) return stanza;
  // Where the room gives none, occupants have written them.
  for (const child of foreign) edit.remove(child);
  if (isGiven) {
    const id = freshArchiveId(log, key);
    const by = escapeXml(bareOf(stanza.from ?? ''));
    edit.append(stanza.root, `<stanza-id xmlns='${NS.stanzaId}' by='${by}' id='${id}'/>`);
  }
  return parseStanza(edit.toBuffer(), stanza.declarations);
}

function isOfRoom(child: Stanza['root'], { from = '' }: Stanza): boolean {
  return child.name === 'stanza-id' && child.ns === NS.stanzaId && bareKey(child.attr('by') ?? '') === bareKey(from);
}

/** Not yet in the log: of messages that are alike each has its own. */
function freshArchiveId(log: StanzaLog, key: string): string {
  const start = OWN_ARCHIVE + shorten(key);
  const taken = new Set<string | undefined>();
  log.some((entry) => {
    const { id } = entryMarks(entry);
    if (id?.startsWith(start)) taken.add(id);
    return false;
  });
  let id = start;
  for (let number = 2; taken.has(id); number += 1) id = `${start}-${number}`;
  return id;
}
