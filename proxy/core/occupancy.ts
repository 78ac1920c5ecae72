/**
 * An occupancy's beginning and end, and the roster of occupants.
 */
import { type BareKey, nickKey, resourceOf, splitJid } from '../xml/address.ts';
import { stanzaError } from '../xml/build.ts';
import { Edit } from '../xml/edit.ts';
import { NS } from '../xml/names.ts';
import type { Node } from '../xml/spans.ts';
import { parseStanza, type Stanza } from '../xml/stanza.ts';
import { escapeXml } from '../xml/text.ts';
import { autojoinMark } from './bookmark-state.ts';
import { releaseRoom } from './carriers.ts';
import { statusCodes } from './self-presence.ts';
import { StanzaLog } from './stanza-log.ts';
import type { Attempt, CarrierId, Move, NickKey, Occupancy, Occupant, SentMessage, Settings, Turn } from './state.ts';

export function createOccupancy(key: BareKey, name: string, nick: string, settings: Settings): Occupancy {
  return {
    key,
    name,
    nick,
    phase: 'joining',
    carrier: undefined,
    attempt: undefined,
    move: undefined,
    members: new Map(),
    shown: undefined,
    waiting: [],
    roster: new Map(),
    self: undefined,
    codes: new Set(),
    marksSelf: false,
    subject: undefined,
    subjectAt: undefined,
    joinedAt: 0,
    roomPresence: undefined,
    roomFarewell: undefined,
    isRoomPresenceLast: false,
    log: createLog(settings),
    archive: undefined,
    past: undefined,
    password: undefined,
    queue: [],
    sent: [],
    presences: [],
    probes: [],
    departing: new Map(),
    overlap: undefined,
    ahead: undefined,
    refused: new Set(),
    heardAt: 0,
    ping: undefined,
    unsure: undefined,
    lostAt: undefined,
    backAt: undefined,
    tries: 0,
    retryAt: undefined,
    isReplaced: false,
    kept: [],
    farewell: undefined,
    leftBy: undefined,
    challenged: false,
  };
}

function createLog(settings: Settings): StanzaLog {
  const { historyStanzas, historyAgeMs, historyBytes } = settings;
  return new StanzaLog({ stanzas: historyStanzas, ageMs: historyAgeMs, bytes: historyBytes });
}

/** What is known of the room is to come anew, with the answer to a join. */
export function forgetRoomState(room: Occupancy, settings: Settings): void {
  room.roster.clear();
  room.self = undefined;
  room.codes.clear();
  room.roomPresence = undefined;
  room.roomFarewell = undefined;
  room.challenged = false;
  room.archive = undefined;
  room.isTemporary = undefined;
  room.dismissed = undefined;
  room.subscription = undefined;
  forgetDiscussion(room, settings);
}

/** The room's presence of its own, when it does not come with the account's join. The first one then tells nothing of an order, and counts as last. */
export function noteRoomPresence(room: Occupancy, stanza: Stanza): void {
  if (!room.roomPresence) room.isRoomPresenceLast = room.self !== undefined;
  room.roomPresence = detach(stanza);
}

/** History and subject are to come, or to come once more. */
export function forgetDiscussion(room: Occupancy, settings: Settings): void {
  room.subject = undefined;
  room.subjectAt = undefined;
  room.log = createLog(settings);
}

/** The normalised domain of the room's service. */
export function serviceOf({ key }: Pick<Occupancy, 'key'>): string {
  return splitJid(key).domain;
}

/** Whether two streams of the account may have its nick in the room, as far as is known. */
export function isNickShared({ state, now }: Turn, room: Occupancy): boolean {
  return (room.nickRefusedUntil ?? 0) <= now && !state.services.refusesSharedNick(serviceOf(room), now);
}

/** A copy of the stanza that does not hold the wire's read buffer in memory. */
export function detach(stanza: Stanza): Stanza {
  return parseStanza(Buffer.from(stanza.bytes), stanza.declarations);
}

export function nickOf(stanza: Stanza): string {
  return resourceOf(stanza.from ?? '');
}

export function keyOfNick(nick: string): NickKey {
  return nickKey(nick) ?? nick;
}

/** Applies another occupant's presence to a roster. */
export function noteOccupant(roster: Map<NickKey, Occupant>, stanza: Stanza): void {
  const nick = nickOf(stanza);
  if (stanza.type === 'unavailable') roster.delete(keyOfNick(nick));
  else roster.set(keyOfNick(nick), { nick, presence: standing(stanza) });
}

/** The presence as one who joins later is shown it: without the news of who changed what, and why (XEP-0045 section 8.4 and others). */
export function standing(stanza: Stanza): Stanza {
  const item = stanza.root.child('x', NS.mucUser)?.child('item');
  const news = item?.children.filter((child) => child.name === 'actor' || child.name === 'reason') ?? [];
  if (news.length === 0) return detach(stanza);
  const edit = new Edit(stanza);
  for (const child of news) edit.remove(child);
  return parseStanza(edit.toBuffer(), stanza.declarations);
}

/**
 * Applies another occupant's presence in the answer to a join. Before the self-presence, an `unavailable` of somebody who is not there
 * tells of a member who is away: Prosody shows these where the room is configured so.
 */
export function noteAnswered({ roster, self }: Attempt, stanza: Stanza): void {
  const nick = nickOf(stanza);
  const isAway = stanza.type === 'unavailable' && !self && !roster.has(keyOfNick(nick));
  if (isAway) roster.set(keyOfNick(nick), { nick, presence: detach(stanza) });
  else noteOccupant(roster, stanza);
}

/** Whether what the room has said last of the account's own occupant is of the stay that this join finds, and not of the one that it begins. */
export function isBeforeJoin({ isAnew, self, joinId }: Move): boolean {
  return isAnew === true && self?.id !== joinId;
}

/** Codes about the room that the room itself gives with a self-presence (100: JIDs are seen, 170: it is logged). */
export function noteRoomCodes(codes: Set<string>, self: Stanza): void {
  for (const code of statusCodes(self)) {
    if (code === '100' || code === '170') codes.add(code);
  }
}

/** Configuration changes (XEP-0045 section 10.2.1) change what a later session must be told. Only the room itself tells of them. */
export function noteConfigChange(codes: Set<string>, message: Stanza): void {
  if (nickOf(message) !== '') return;
  for (const code of statusCodes(message)) {
    if (code === '170' || code === '172') codes.add(code === '172' ? '100' : '170');
    else if (code === '171') codes.delete('170');
    else if (code === '173' || code === '174') codes.delete('100');
  }
}

/** Whether the presence is of the account's own occupant: 110, or the account's nick on services that do not say. */
export function isSelf(stanza: Stanza, nick: string): boolean {
  return keyOfNick(nickOf(stanza)) === keyOfNick(nick) || statusCodes(stanza).includes('110');
}

/** Whether the account's occupant has gone, and has not only changed its nick. */
export function isOwnEnd(stanza: Stanza, nick: string): boolean {
  return stanza.type === 'unavailable' && isSelf(stanza, nick) && !statusCodes(stanza).includes('303');
}

/** Whether it is for the room, and not for a client, to say this of an occupant. */
export function isRoomsWord({ name, ns }: Node): boolean {
  return (name === 'x' && ns.startsWith(NS.muc)) || (name === 'occupant-id' && ns === NS.occupantId);
}

/** The id that the room has given the account (XEP-0421), for presences that the proxy makes in the room's name; else empty. */
export function ownOccupantId({ self }: Occupancy): string {
  const id = self?.root.child('occupant-id', NS.occupantId)?.attr('id');
  return id === undefined ? '' : `<occupant-id xmlns='${NS.occupantId}' id='${escapeXml(id)}'/>`;
}

/** The occupancy as it stands now, to the store. */
export function recordOccupancy(turn: Turn, room: Occupancy): void {
  const kind = room.carrier === undefined ? undefined : turn.state.carriers.get(room.carrier)?.kind;
  const { name, nick, password } = room;
  const bookmarked = autojoinMark(turn.state, room.key) !== undefined;
  const carrier = kind ?? 'borrowed';
  turn.out.push({ kind: 'store-occupancy', room: room.key, name, nick, carrier, bookmarked, password });
}

/** No session is in the room any more, nor waits to be. They must have been told before. */
export function dismissSessions(turn: Turn, room: Occupancy): void {
  const { state, out } = turn;
  for (const id of room.members.keys()) {
    room.dismissed ??= new Set();
    room.dismissed.add(id);
    state.sessions.get(id)?.rooms.delete(room.key);
    out.push({ kind: 'store-leave', room: room.key, session: id });
  }
  for (const { session } of room.waiting) state.sessions.get(session)?.rooms.delete(room.key);
  room.members.clear();
  room.waiting = [];
  refuseQueued(turn, room, room.queue);
  failStranded(turn, room);
}

/** Stands for the stream that was to bring a presence to the room, and has not. */
export const NOWHERE = '' as CarrierId;

/** The stay that these presences were sent in is over: the next one may ask for them again (rules/nick.ts). */
export function presencesLost({ presences }: Occupancy, carrier: CarrierId): void {
  for (const pending of presences) if (pending.carrier === carrier) pending.carrier = NOWHERE;
}

/** The same of messages: an error may still come to them, and no history of the next stay tells that they were lost. */
export function messagesPast(room: Occupancy): void {
  room.sent = room.sent.map((sent) => ({ ...sent, carrier: NOWHERE }));
}

/** What waited for a carrier goes nowhere: an error, never silence (M4). A presence has its answer in the end of the stay. */
export function refuseQueued({ state, out }: Turn, room: Occupancy, refused: Occupancy['queue']): void {
  for (const { session, stanza } of refused) {
    const to = state.sessions.get(session)?.jid;
    if (to === undefined || stanza.name === 'presence') continue;
    if (stanza.type === 'error' || stanza.type === 'result') continue;
    const text = 'The connection to the room was lost.';
    out.toSession(session, stanzaError(stanza, { to, type: 'wait', condition: 'service-unavailable', text }), stanza);
  }
  room.queue = room.queue.filter((queued) => !refused.includes(queued));
}

/** What a lost stream has taken with it, of those of `isMeant`, will not be shown by the room any more: an error to each sender. */
export function failStranded({ state, out }: Turn, room: Occupancy, isMeant = (_: SentMessage): boolean => true): void {
  const failed = room.sent.filter((sent) => sent.isStranded && isMeant(sent));
  if (failed.length === 0) return;
  room.sent = room.sent.filter((sent) => !failed.includes(sent));
  for (const { session, id, to } of failed) {
    out.drop('carrier-lost');
    const jid = state.sessions.get(session)?.jid;
    if (jid === undefined) continue;
    const attributes = `from='${escapeXml(to)}' to='${escapeXml(jid)}'${id === undefined ? '' : ` id='${escapeXml(id)}'`}`;
    const text = 'The connection to the room was lost before the message was seen there.';
    out.toSession(
      session,
      `<message ${attributes} type='error'><error type='wait'><service-unavailable xmlns='${NS.stanzaErrors}'/>` +
        `<text xmlns='${NS.stanzaErrors}' xml:lang='en'>${text}</text></error></message>`,
    );
  }
}

/** The aftermath is over, or a new join begins: nothing of the old occupancy stays. */
export function forgetOccupancy(turn: Turn, room: Occupancy): void {
  const { state, out } = turn;
  out.clearTimer(`ended ${room.key}`);
  if (state.rooms.get(room.key) === room) state.rooms.delete(room.key);
  for (const carrier of [...state.carriers.values()]) {
    if (carrier.rooms.has(room.key)) releaseRoom(turn, carrier.id, room);
  }
}

/** Whether a join presence carries the `muc` child (XEP-0045 section 7.2.1). */
export function hasMucChild(stanza: Stanza): boolean {
  return stanza.root.child('x', NS.muc) !== undefined;
}
