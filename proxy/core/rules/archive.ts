/**
 * The archive of a room that has none, for joined sessions (`archive: on`): it is announced in what the room says of itself, and queries are
 * answered from the account's stanza log (XEP-0313), in one turn, so that nothing live comes in between.
 */
import { resourceOf } from '../../xml/address.ts';
import { stanzaError } from '../../xml/build.ts';
import { Edit } from '../../xml/edit.ts';
import { NS, type StanzaCondition } from '../../xml/names.ts';
import type { Node } from '../../xml/spans.ts';
import type { Stanza } from '../../xml/stanza.ts';
import { escapeXml } from '../../xml/text.ts';
import { type ArchivedEntry, archiveFor, archiveOf, markLog } from '../archive.ts';
import { type Page, pageOf } from '../archive-page.ts';
import { entryStanza } from '../log-entry.ts';
import { QUERY_FORM, readQuery } from '../mam-query.ts';
import { isDelayOfRoom } from '../stanza-log.ts';
import type { Occupancy, Session, Turn } from '../state.ts';
import { noteOffer } from '../subscription.ts';
import { noteLasting } from './grace.ts';
import { noteLogged } from './groupchat.ts';

/** What a page may have in bytes; one message always has place. */
const MOST_PAGE_BYTES = 256 * 1024;

/** The room has said what it is and can do. A refusal to say so changes nothing. */
export function noteRoomInfo(turn: Turn, room: Occupancy, info: Stanza): void {
  const { state } = turn;
  noteLasting(room, info);
  noteOffer(turn, room, info);
  if (!state.settings.archive || info.type !== 'result') return;
  if (!info.root.child('query', NS.discoInfo)) return;
  const { archive } = room;
  room.archive = archiveFor(info);
  const isSame = archive?.hasIds === room.archive?.hasIds;
  if (isSame) return;
  markLog(room);
  noteLogged(turn, room);
}

/** Whether the answer to the request will be what the room itself is and can do. */
export function asksForInfo({ type, to = '', root }: Stanza): boolean {
  const query = root.child('query', NS.discoInfo);
  return type === 'get' && query !== undefined && query.attr('node') === undefined && resourceOf(to) === '';
}

/** That answer, to a session: who is inside is told of the archive. */
export function tellOfArchive(turn: Turn, room: Occupancy, session: Session, info: Stanza, edit: Edit): void {
  if (room.phase === 'joined') noteRoomInfo(turn, room, info);
  const query = info.root.child('query', NS.discoInfo);
  if (!query || !room.archive || !room.members.has(session.id)) return;
  const features = [NS.mam, NS.mamExtended, ...(room.archive.hasIds ? [] : [NS.stanzaId])];
  for (const name of features) edit.append(query, `<feature xmlns='${NS.discoInfo}' var='${name}'/>`);
}

/** A joined session asks the room's archive. False: that is the room's to answer, or no such request. */
export function archiveRequest(turn: Turn, room: Occupancy, session: Session, stanza: Stanza): boolean {
  if (!room.archive || resourceOf(stanza.to ?? '') !== '') return false;
  const query = stanza.root.child('query', NS.mam);
  if (stanza.type === 'get' && query) answer(turn, session, stanza, `<query xmlns='${NS.mam}'>${QUERY_FORM}</query>`);
  else if (stanza.type === 'set' && query) sendPage(turn, room, session, stanza, query);
  else if (stanza.type === 'get' && stanza.root.child('metadata', NS.mam)) {
    answer(turn, session, stanza, metadata(archiveOf(room.log, turn.now)));
  } else return false;
  return true;
}

function sendPage(turn: Turn, room: Occupancy, session: Session, stanza: Stanza, node: Node): void {
  const query = readQuery(node);
  if (typeof query === 'string') {
    refuse(turn, session, stanza, 'modify', query);
    return;
  }
  const page = pageOf(archiveOf(room.log, turn.now), query, MOST_PAGE_BYTES);
  if (page === 'item-not-found') {
    refuse(turn, session, stanza, 'cancel', page);
    return;
  }
  const queryId = node.attr('queryid');
  const items = query.isFlipped ? [...page.items].reverse() : page.items;
  for (const item of items) sendResult(turn, room, session, queryId, item);
  answer(turn, session, stanza, fin(page));
}

function sendResult(
  turn: Turn,
  room: Occupancy,
  session: Session,
  queryId: string | undefined,
  item: ArchivedEntry,
): void {
  const name = queryId === undefined ? '' : ` queryid='${escapeXml(queryId)}'`;
  const delay = `<delay xmlns='${NS.delay}' stamp='${new Date(item.at).toISOString()}'/>`;
  const said = entryStanza(item.entry);
  turn.out.toSession(
    session.id,
    `<message from='${escapeXml(room.name)}' to='${escapeXml(session.jid)}'>` +
      `<result xmlns='${NS.mam}'${name} id='${escapeXml(item.id)}'><forwarded xmlns='${NS.forward}'>${delay}${forwarded(said)}` +
      '</forwarded></result></message>',
    said,
  );
}

/** The message as the room has said it, without an address of the account's, and without what its delay has said elsewhere now. */
function forwarded(said: Stanza): string {
  const edit = new Edit(said);
  edit.removeAttr(said.root, 'to');
  if (said.root.attr('xmlns') === undefined) edit.setAttr(said.root, 'xmlns', said.outerDefault || NS.client);
  for (const child of said.root.children) if (isDelayOfRoom(child, said)) edit.remove(child);
  return edit.toBuffer().toString('utf8');
}

/** XEP-0313 section 4.2, XEP-0059: `complete` where nothing is left to be paged to. */
function fin({ items, index, count, isComplete }: Page<ArchivedEntry>): string {
  const [first, last] = [items[0], items.at(-1)];
  const ends =
    first && last ? `<first index='${index}'>${escapeXml(first.id)}</first><last>${escapeXml(last.id)}</last>` : '';
  const complete = isComplete ? ` complete='true'` : '';
  return `<fin xmlns='${NS.mam}'${complete}><set xmlns='${NS.rsm}'>${ends}<count>${count}</count></set></fin>`;
}

/** Where the archive begins and ends (XEP-0313 section 5). */
function metadata(archive: readonly ArchivedEntry[]): string {
  const end = (name: string, one: ArchivedEntry | undefined): string =>
    one ? `<${name} id='${escapeXml(one.id)}' timestamp='${new Date(one.at).toISOString()}'/>` : '';
  return `<metadata xmlns='${NS.mam}'>${end('start', archive[0])}${end('end', archive.at(-1))}</metadata>`;
}

function answer({ out }: Turn, session: Session, { to = '', id }: Stanza, content: string): void {
  const name = id === undefined ? '' : ` id='${escapeXml(id)}'`;
  out.toSession(
    session.id,
    `<iq type='result' from='${escapeXml(to)}' to='${escapeXml(session.jid)}'${name}>${content}</iq>`,
  );
}

function refuse(
  { out }: Turn,
  session: Session,
  stanza: Stanza,
  type: 'modify' | 'cancel',
  condition: StanzaCondition,
): void {
  out.toSession(session.id, stanzaError(stanza, { to: session.jid, type, condition }), stanza);
}
