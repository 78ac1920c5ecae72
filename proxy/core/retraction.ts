/**
 * Messages that take others back (M7): retraction by their sender (XEP-0424), moderation by the room (XEP-0425). What was taken back
 * stays in the log as a tombstone, so that nobody is shown it again; corrections of it (XEP-0308) go with it.
 */
import { Edit } from '../xml/edit.ts';
import { NS } from '../xml/names.ts';
import type { Node } from '../xml/spans.ts';
import type { Stanza } from '../xml/stanza.ts';
import { escapeXml } from '../xml/text.ts';
import { entryStanza, type LogEntry } from './log-entry.ts';
import { contentKey, messageKey, roomStanzaId } from './message-key.ts';

export interface Retraction {
  /** What is taken back, by the room's id for it, its own, or its sender's (XEP-0359). */
  readonly target: string;
  /** The room's word on anybody's message; undefined: its sender's. */
  readonly moderated: Node | undefined;
  readonly reason: string | undefined;
  readonly stanza: Stanza;
}

/** A message that takes another back has an element of one of these namespaces. */
export const RETRACTING: readonly string[] = [NS.retract, NS.fasten];
const KINDS: ReadonlySet<string> = new Set(RETRACTING);

/** What a groupchat message takes back; undefined: it does not, or has no right to. */
export function retractionOf(stanza: Stanza): Retraction | undefined {
  const child = stanza.root.children.find(({ ns }) => KINDS.has(ns));
  const target = child?.attr('id');
  if (!child || target === undefined || target === '') return undefined;
  const isOld = child.name === 'apply-to';
  if (!isOld && child.name !== 'retract') return undefined;
  const moderated = isOld ? child.child('moderated', NS.moderateOld) : child.child('moderated', NS.moderate);
  const isRetract = !isOld || (moderated ?? child).child('retract', NS.retractOld) !== undefined;
  // Only the room itself, whose address has no nick, can speak for another occupant.
  const isRoom = stanza.from !== undefined && !stanza.from.includes('/');
  if (!isRetract || isRoom !== (moderated !== undefined)) return undefined;
  const reason = (child.child('reason') ?? moderated?.child('reason'))?.text();
  return { target, moderated, reason, stanza };
}

const IDS: ReadonlySet<string> = new Set(['origin-id', 'stanza-id']);

/** By what others may refer to a message: its ids, and that of the one which it corrects. */
export function namesOf(said: Stanza): readonly string[] {
  const ids = said.root.children.filter(({ ns, name }) => ns === NS.stanzaId && IDS.has(name));
  const names = [said.id, ...ids.map((one) => one.attr('id')), said.root.child('replace', NS.correct)?.attr('id')];
  return names.filter((name) => name !== undefined);
}

/** What a retraction finds: it is the message meant, and `isOwn` tells whether it comes from the same occupant. */
export function isTarget(said: Stanza, { target, moderated }: Retraction, isOwn: () => boolean): boolean {
  if (moderated) return roomStanzaId(said) === target;
  const isNamed =
    said.id === target ||
    said.root.children.some((one) => one.ns === NS.stanzaId && IDS.has(one.name) && one.attr('id') === target);
  return isNamed && isOwn();
}

/** Whether the message corrects the other one. */
export function corrects(correction: Stanza, { id }: Stanza): boolean {
  return id !== undefined && correction.root.child('replace', NS.correct)?.attr('id') === id;
}

/**
 * Whether two messages come from one occupant: by the room's occupant ids (XEP-0421); where it gives none by the nick, if that `isKept`: nobody
 * else has had it since.
 */
export function isSameOccupant(one: Stanza, other: Stanza, isKept: boolean): boolean {
  const [a, b] = [occupantIdOf(one), occupantIdOf(other)];
  if (a !== undefined || b !== undefined) return a === b;
  return isKept && one.from === other.from;
}

function occupantIdOf({ root }: Stanza): string | undefined {
  return root.child('occupant-id', NS.occupantId)?.attr('id');
}

/** What stays of a message that has been taken back: who and when, not what. */
const STAYING: ReadonlySet<string> = new Set([NS.stanzaId, NS.occupantId, NS.delay, NS.legacyDelay]);

/** The entry as it is from now on (XEP-0424 section 5). It is still known by what it was. */
export function tombstone(entry: LogEntry, retraction: Retraction, now: number): LogEntry {
  const said = entryStanza(entry);
  const edit = new Edit(said);
  for (const child of said.root.children) if (!STAYING.has(child.ns)) edit.remove(child);
  edit.append(said.root, retractedElement(retraction, now));
  const keys = entry.keys ?? { content: contentKey(said), message: messageKey(said) };
  return { ...entry, text: edit.toBuffer(), keys, known: undefined };
}

function retractedElement({ stanza, moderated, reason }: Retraction, now: number): string {
  const id = stanza.id === undefined ? '' : ` id='${escapeXml(stanza.id)}'`;
  const by = moderated?.attr('by');
  const name = by === undefined ? '' : ` by='${escapeXml(by)}'`;
  const occupant = moderated?.child('occupant-id', NS.occupantId)?.attr('id');
  const who = occupant === undefined ? '' : `<occupant-id xmlns='${NS.occupantId}' id='${escapeXml(occupant)}'/>`;
  const moderator = moderated ? `<moderated xmlns='${NS.moderate}'${name}>${who}</moderated>` : '';
  const why = reason === undefined ? '' : `<reason>${escapeXml(reason)}</reason>`;
  return `<retracted xmlns='${NS.retract}' stamp='${new Date(now).toISOString()}'${id}>${moderator}${why}</retracted>`;
}
