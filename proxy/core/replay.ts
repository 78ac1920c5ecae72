/**
 * Replay: what a session that joins is sent, in protocol order (XEP-0045 section 7.1): other occupants, self-presence,
 * history, subject, then what was said while the account's own join was being answered. One function for every join.
 */

import { nickKey, resourceOf } from '../xml/address.ts';
import { Edit, readdress } from '../xml/edit.ts';
import { NS } from '../xml/names.ts';
import { parseStanza, type Stanza } from '../xml/stanza.ts';
import { escapeXml } from '../xml/text.ts';
import { shownPresence } from './archive.ts';
import { carrierJids } from './carriers.ts';
import { countBehind, historyWish, selectHistory } from './history.ts';
import { takeKept } from './kept.ts';
import { entryStanza, type LogEntry } from './log-entry.ts';
import { selfPresenceFor } from './self-presence.ts';
import type { Cursor, Occupancy, Session, Turn } from './state.ts';

export interface ReplayOptions {
  readonly join: Stanza;
  /** The nick that the session asked for: another than the account's earns it a 210. */
  readonly asked: string;
  /** Whether this very join has created the room (201). */
  readonly isCreator: boolean;
  /** What the room has said to the one who joins. */
  readonly notices: readonly Stanza[];
  /** Log entries from here on were said after the room had admitted the account: live, not history. */
  readonly liveFrom: LogEntry | undefined;
  /** The session was in before, and has heard the log's entries from here on. */
  readonly heardFrom?: LogEntry | undefined;
  /** How far the device had come before; undefined: it is not known. */
  readonly cursor: Cursor | undefined;
}

/** Codes that belong to the join which the room answered, or that may have changed since. */
const JOIN_CODES: ReadonlySet<string> = new Set(['110', '201', '210', '303', '100', '170']);

export function replay(turn: Turn, room: Occupancy, session: Session, options: ReplayOptions): void {
  const { state, out, now } = turn;
  const to = [session.id];
  if (room.roomPresence && !room.isRoomPresenceLast) out.fork(to, shownPresence(room, room.roomPresence));
  for (const occupant of room.roster.values()) out.fork(to, occupant.presence);
  if (room.self) {
    const add = [...room.codes];
    if (options.isCreator) add.push('201');
    if (nickKey(options.asked) !== nickKey(room.nick)) add.push('210');
    const view = { to: session.jid, id: options.join.id, carriers: carrierJids(state), add, remove: JOIN_CODES };
    // Between the two presences of a nick change the room has shown the new nick's presence to nobody yet.
    const isRenaming = nickKey(resourceOf(room.self.from ?? '')) !== nickKey(room.nick);
    const self = isRenaming
      ? parseStanza(readdress(room.self, { from: `${room.name}/${room.nick}` }), room.self.declarations)
      : room.self;
    out.toSession(session.id, selfPresenceFor(self, view), self);
  }
  for (const notice of options.notices) out.fork(to, notice);
  const entries = before(room.log.entries(now), options.heardFrom);
  const cut = options.liveFrom ? entries.indexOf(options.liveFrom) : -1;
  const past = cut < 0 ? entries : entries.slice(0, cut);
  const wish = historyWish(options.join);
  const usual = Math.max(state.settings.historyDefault, countBehind(past, options.cursor));
  for (const entry of selectHistory(past, wish, usual, now, ` to='${session.jid}'`.length)) {
    out.fork(to, asHistory(room, entry));
  }
  out.fork(to, subjectOf(room));
  if (room.roomPresence && room.isRoomPresenceLast) out.fork(to, shownPresence(room, room.roomPresence));
  if (cut >= 0) for (const entry of entries.slice(cut)) out.fork(to, entryStanza(entry));
  for (const { stanza, at } of takeKept(turn, room)) out.fork(to, delayed(stanza, room.name, at));
}

function before(entries: readonly LogEntry[], end: LogEntry | undefined): readonly LogEntry[] {
  return end === undefined ? entries : entries.slice(0, entries.indexOf(end));
}

/** A message that was said before, as the room would send it with its history. */
export function asHistory(room: Occupancy, entry: LogEntry): Stanza {
  const stanza = entryStanza(entry);
  return entry.delayed ? stanza : delayed(stanza, room.name, entry.at);
}

/** The message with a `<delay/>` (XEP-0203) of this moment. */
export function delayed(stanza: Stanza, from: string, at: number): Stanza {
  const edit = new Edit(stanza);
  const stamp = new Date(at).toISOString();
  edit.append(stanza.root, `<delay xmlns='${NS.delay}' from='${escapeXml(from)}' stamp='${stamp}'/>`);
  return parseStanza(edit.toBuffer(), stanza.declarations);
}

/** The subject always comes, empty where the room has none or does not say (section 7.2.15). */
export function subjectOf(room: Occupancy): Stanza {
  if (!room.subject) {
    return parseStanza(
      `<message xmlns='${NS.client}' type='groupchat' from='${escapeXml(room.name)}'><subject/></message>`,
    );
  }
  return room.subjectAt === undefined ? room.subject : asGiven(room, room.subject, room.subjectAt);
}

/**
 * A subject that was heard when it was set, as the room gives it to who joins later (measured): without an id and what else came with it, and with
 * its time, as clients take it for one that has just been set otherwise. COMPAT: ejabberd, which shows the room itself before its occupants, gives no time.
 */
function asGiven({ name, roomPresence, isRoomPresenceLast }: Occupancy, heard: Stanza, at: number): Stanza {
  const edit = new Edit(heard).removeAttr(heard.root, 'id');
  for (const child of heard.root.children) if (child.name !== 'subject') edit.remove(child);
  const bare = parseStanza(edit.toBuffer(), heard.declarations);
  return roomPresence && !isRoomPresenceLast ? bare : delayed(bare, name, at);
}
