/**
 * What the room sees of the account (L6): the presence of its most active joined session, capabilities and avatar hash
 * included; with no session it is `xa` by the policy. Sent on change only, and not more often than needed; who becomes
 * available is shown at once.
 */
import { NS } from '../../xml/names.ts';
import type { Node } from '../../xml/spans.ts';
import { parseStanza, type Stanza } from '../../xml/stanza.ts';
import { escapeXml } from '../../xml/text.ts';
import { availability, mostActive } from '../carriers.ts';
import { languageIn } from '../language.ts';
import { keyOfNick } from '../occupancy.ts';
import type { Move, Occupancy, Shown, Turn } from '../state.ts';
import { freshId } from '../state.ts';
import { statedIn } from '../stated.ts';
import { isRenaming, notePending } from './nick.ts';

/** What is to be shown waits as long for a nick change to be answered, before that is looked at again (ms). */
const RENAMING_MS = 1000;

/** Children that say how available somebody is (RFC 6121 section 4.7.2). */
const STATES: ReadonlySet<string> = new Set(['show', 'status', 'priority']);

/** What rooms and servers add, beside what is in namespaces of MUC. */
const OF_ROOM: ReadonlySet<string> = new Set([NS.occupantId, NS.delay, NS.stanzaId, NS.hats]);

/** What a client's presence holds, avatar hash and capabilities included, without what belongs to the room. */
export function presenceContent(presence: Stanza, isWanted: (name: string) => boolean = () => true): string {
  // What stands under a stream header's prefixes does not stand elsewhere.
  if (presence.outerPrefixes.length > 0) return '';
  let content = '';
  for (const child of contentOf(presence)) if (isWanted(child.name)) content += standalone(presence, child);
  return content;
}

function contentOf({ root }: Stanza): Node[] {
  return root.children.filter(({ ns }) => !ns.startsWith(NS.muc) && !OF_ROOM.has(ns));
}

/** A child's text, with the prefixes that the presence itself declares for it. */
function standalone({ bytes, root }: Stanza, child: Node): string {
  const declared = root.attributes.filter(({ name }) => name.startsWith('xmlns:') && child.attr(name) === undefined);
  const declarations = declared.map(({ name, value }) => ` ${name}='${escapeXml(value)}'`).join('');
  const text = (from: number, to: number): string => bytes.toString('utf8', from, to);
  return text(child.start, child.nameEnd) + declarations + text(child.nameEnd, child.end);
}

/** The room has been sent this presence, or soon will have been. */
export function noteShown(turn: Turn, room: Occupancy, presence: Stanza): void {
  const rank = availability(statedIn(presence).show);
  room.shown = { content: presenceContent(presence), presence, rank, at: turn.now };
  turn.out.clearTimer(`presence ${room.key}`);
}

/** The room has not taken the last one: it shows what it showed before. */
export function shownBefore(room: Occupancy): Occupancy['shown'] {
  return room.self ? shownBy(room, room.self) : room.shown;
}

/**
 * What the room was last sent, by what it shows: in the words of a session that says the same, as the server writes it in its own way,
 * and adds to it.
 */
export function shownBy({ members }: Occupancy, self: Stanza): Shown {
  const rank = availability(statedIn(self).show);
  for (const { presentation } of members.values()) {
    const { stanza } = presentation;
    if (saysTheSame(self, stanza)) return { content: presenceContent(stanza), presence: stanza, rank, at: 0 };
  }
  return { content: presenceContent(self), presence: self, rank, at: 0 };
}

/** Whether what is shown is what was asked for. */
function saysTheSame(shown: Stanza, asked: Stanza): boolean {
  const [there, here] = [shown, asked].map((one) => new Set(contentOf(one).map(asWord))) as [Set<string>, Set<string>];
  for (const one of here) if (!there.delete(one)) return false;
  // COMPAT: Prosody adds an avatar's hash, or that there is none.
  const added = contentOf(shown).filter((child) => there.has(asWord(child)));
  return added.every(({ name, ns }) => name === 'x' && ns === NS.vcardUpdate) && !asked.root.child('x', NS.vcardUpdate);
}

/** What an element says, however it is written. */
function asWord(node: Node): string {
  const said = node.attributes.filter(({ name }) => name !== 'xmlns' && !name.startsWith('xmlns:'));
  const attributes = said.map(({ name, value }) => JSON.stringify([name, value])).sort();
  return JSON.stringify([node.ns, node.name, attributes, node.text(), node.children.map(asWord)]);
}

/**
 * What was said of the account on the old stream of a hand-over since the new one's join ends with the old one: it is said again. So is
 * what was lost with the place: a rejoin holds what the room was last heard to show, and behind it presences are asked for again.
 */
export function noteOutdated(room: Occupancy, { from, at, isOutdated }: Move): void {
  const isAgain = room.presences.some((pending) => keyOfNick(pending.nick) === keyOfNick(room.nick));
  if (isAgain) return;
  if (from === undefined || isOutdated || (room.shown?.at ?? 0) >= at) room.shown = shownBefore(room);
}

/** Who the most active session is may have changed, or the room has a carrier again. */
export function showMostActive(turn: Turn, room: Occupancy): void {
  const wanted = wantedPresence(turn, room);
  if (!wanted) return;
  // On its way from one stream to another the room is shown nothing that would part the two; afterwards this is called again.
  if (room.carrier === undefined || room.move) return;
  // To the nick that it has it would change that back; to the other one it would be refused with the change.
  if (isRenaming(turn, room)) turn.out.setTimer(`presence ${room.key}`, RENAMING_MS);
  else if (isDue(turn, room, wanted.rank)) send(turn, room, wanted);
  else
    turn.out.setTimer(`presence ${room.key}`, (room.shown?.at ?? 0) + turn.state.settings.presencePauseMs - turn.now);
}

/** Whether a presence that says so much may go to the room now. */
export function isDue(turn: Turn, { shown }: Occupancy, rank: number): boolean {
  return !shown || rank > shown.rank || turn.now >= shown.at + turn.state.settings.presencePauseMs;
}

/** A session has joined: that costs the room no stanza (J1), unless the account was less available than this session is. */
export function showIfMore(turn: Turn, room: Occupancy): void {
  const wanted = wantedPresence(turn, room);
  if (wanted && room.shown && wanted.rank > room.shown.rank) showMostActive(turn, room);
}

/** A session has gone. With nobody left one may come back at once, as after a page reload: that is waited for. */
export function showWithout(turn: Turn, room: Occupancy): void {
  if (room.phase !== 'joined') return;
  if (room.members.size > 0) showMostActive(turn, room);
  else if (wantedPresence(turn, room)) turn.out.setTimer(`presence ${room.key}`, turn.state.settings.presencePauseMs);
}

interface Wanted {
  readonly content: string;
  /** Whose content it is. */
  readonly presence: Stanza;
  readonly rank: number;
}

/** Undefined: what is shown is right. */
function wantedPresence({ state }: Turn, room: Occupancy): Wanted | undefined {
  if (room.phase !== 'joined') return undefined;
  const { shown } = room;
  const active = mostActive(state, room);
  const member = active && room.members.get(active.id);
  let wanted: Wanted;
  if (member) {
    const { show, stanza } = member.presentation;
    wanted = { content: presenceContent(stanza), presence: stanza, rank: availability(show) };
  } else {
    // Who only sleeps (XEP-0198) is still seen as it was.
    if (room.members.size > 0 || state.settings.presenceAbsent === 'last' || !shown) return undefined;
    const kept = presenceContent(shown.presence, (name) => !STATES.has(name));
    wanted = { content: `<show>xa</show>${kept}`, presence: shown.presence, rank: availability('xa') };
  }
  return wanted.content === shown?.content ? undefined : wanted;
}

function send(turn: Turn, room: Occupancy, { content, presence, rank }: Wanted): void {
  if (room.carrier === undefined) return;
  room.shown = { content, presence, rank, at: turn.now };
  const to = escapeXml(`${room.name}/${room.nick}`);
  const xml = `<presence id='${freshId(turn.state)}' to='${to}'${languageIn(presence)}>${content}</presence>`;
  notePending(turn, room, undefined, room.nick, parseStanza(xml));
  turn.out.toCarrier(room.carrier, xml);
}
