/**
 * Groupchat messages (M1, M2, M8): out once, in once to each joined session, unchanged but for the address.
 */
import { NS } from '../../xml/names.ts';
import type { Stanza } from '../../xml/stanza.ts';
import { marked } from '../archive.ts';
import { subjectText } from '../arrival.ts';
import { hearerIds, memberIds } from '../carriers.ts';
import { roomStanzaId } from '../message-key.ts';
import { nudgeMembers } from '../nudge.ts';
import { detach, keyOfNick, nickOf, noteConfigChange } from '../occupancy.ts';
import { retractionOf } from '../retraction.ts';
import { statusCodes } from '../self-presence.ts';
import { delayStamp, roomStamp } from '../stanza-log.ts';
import type { CarrierId, Occupancy, SentMessage, Session, Turn } from '../state.ts';
import { forRoom } from '../translate.ts';
import { tellActivity } from './hide.ts';
import { noteLosses } from './lag.ts';
import { isSmallEnough, throughCarrier } from './outbound.ts';

/** Messages on their way whose error could still come; beyond this many the oldest is taken for delivered. */
const MOST_SENT = 256;
/** Of so many of them the text is kept if it is no longer (bytes), in case the room refuses it for not knowing the account. */
const MOST_TEXTS = 32;
const MOST_TEXT_BYTES = 4096;

/** A joined session says something to the room. */
export function sendGroupchat(turn: Turn, room: Occupancy, session: Session, stanza: Stanza): void {
  const translated = forRoom(room, stanza);
  // An occupant may have written an id of any length.
  const said = isSmallEnough(turn, translated) ? translated : stanza;
  noteSent(turn, room, session, said);
  throughCarrier(turn, room, session, said);
}

/** The room says something. `own`: the account's nick when it was heard. */
export function groupchat(turn: Turn, room: Occupancy, carrier: CarrierId, stanza: Stanza, own = room.nick): void {
  const { out } = turn;
  if (room.overlap && !room.overlap.isNew(carrier, stanza)) {
    out.drop('overlap');
    return;
  }
  noteReflected(room, stanza, own);
  const isSubjectChange = isSubject(stanza);
  const isLogged = !isSubjectChange && isKept(stanza);
  say(turn, room, marked(room, stanza, isLogged), isSubjectChange, isLogged);
}

function say(turn: Turn, room: Occupancy, stanza: Stanza, isSubjectChange: boolean, isLogged: boolean): void {
  const { state, out, now } = turn;
  if (isSubjectChange) noteSubject(room, stanza, now);
  else if (isLogged) {
    room.log.add(stanza, now, state.services);
    noteLosses(turn, room);
    noteLogged(turn, room);
    tellActivity(turn, room);
  } else {
    noteConfigChange(room.codes, stanza);
    // What has been said of it before (grace.ts) may be so no more.
    if (nickOf(stanza) === '' && statusCodes(stanza).includes('104')) room.isTemporary = undefined;
  }
  // Whom the log is kept for needs nothing else of what can be told from it, and no news of who is typing.
  const isRetold = isSubjectChange || isLogged || isChatState(stanza);
  out.fork(isRetold ? hearerIds(room) : memberIds(room), stanza);
  nudgeMembers(turn, room, stanza);
}

/** Another message is in the log, or what it has been made of one. */
export function noteLogged({ state, out }: Turn, { key }: Occupancy): void {
  if (state.settings.keepsLogs) out.push({ kind: 'store-log', room: key });
}

/** Nothing but a chat state (XEP-0085), beside marks of the server. */
function isChatState({ root }: Stanza): boolean {
  return (
    root.children.some(({ ns }) => ns === NS.chatStates) && root.children.every(({ ns }) => CHAT_STATE_MARKS.has(ns))
  );
}

const CHAT_STATE_MARKS: ReadonlySet<string> = new Set([NS.chatStates, NS.hints, NS.stanzaId, NS.occupantId]);

/** A subject, and neither body nor thread: with one of them it is a message like others (XEP-0045 section 8.1). */
export function isSubject({ root }: Stanza): boolean {
  return root.child('subject') !== undefined && root.child('body') === undefined && root.child('thread') === undefined;
}

/** So many texts of subjects are remembered while a stream comes in. */
const OUTDATED = 20;

/** `at`: when it was heard live, epoch ms; undefined when the room replays it. What a stream that is coming in is told may be the one before. */
export function noteSubject(room: Occupancy, stanza: Stanza, at: number | undefined): void {
  for (const { outdated } of [room.move, room.ahead].filter((one) => one !== undefined)) {
    outdated.push(subjectText(room));
    if (outdated.length > OUTDATED) outdated.shift();
  }
  room.subject = detach(stanza);
  room.subjectAt = roomStamp(stanza) === undefined ? at : undefined;
}

/**
 * What the room itself says to those present, such as old services' greeting of the one who joins: no part of the
 * discussion. What the room has put into its archive (XEP-0359) or replays as history is.
 */
export function isNotice(stanza: Stanza): boolean {
  const { root } = stanza;
  return (
    nickOf(stanza) === '' &&
    root.child('body') !== undefined &&
    roomStanzaId(stanza) === undefined &&
    delayStamp(stanza) === undefined
  );
}

/**
 * What rooms keep as history: messages with a body, and what else an occupant says that the room archives (a reaction, a
 * marker), unless they ask to be forgotten (XEP-0334), and what takes something back (M7). What the room replays as history is,
 * whatever it is.
 */
export function isKept(stanza: Stanza): boolean {
  if (delayStamp(stanza) !== undefined || retractionOf(stanza)) return true;
  const { root } = stanza;
  return (
    (root.child('body') !== undefined || isArchived(stanza)) &&
    !isNotice(stanza) &&
    !isChatState(stanza) &&
    root.child('no-store', NS.hints) === undefined &&
    root.child('no-permanent-store', NS.hints) === undefined
  );
}

/** An occupant's message that bears the mark of the room's own archive. */
function isArchived(stanza: Stanza): boolean {
  return nickOf(stanza) !== '' && roomStanzaId(stanza) !== undefined;
}

/** Whom an error with this id will concern. Two sessions may use one id: answers come in the order of sending. */
export function noteSent({ now }: Turn, room: Occupancy, session: Pick<Session, 'id'>, stanza: Stanza): void {
  const { carrier } = room;
  if (carrier === undefined) return;
  const { id, to = room.name } = stanza;
  const isGroupchat = stanza.type === 'groupchat';
  const isTextKept = isGroupchat && stanza.length <= MOST_TEXT_BYTES && room.sent.length < MOST_TEXTS;
  const text = isTextKept ? { text: detach(stanza) } : {};
  room.sent.push({ id, session: session.id, carrier, to, isGroupchat, at: now, isStranded: false, ...text });
  if (room.sent.length > MOST_SENT) room.sent.shift();
}

/** The oldest message on its way that `isMeant`, which is so no more; undefined: there is none, or it is not one of those wanted. */
export function takeSent(
  room: Occupancy,
  isMeant: (sent: SentMessage) => boolean,
  isWanted = (_: SentMessage): boolean => true,
): SentMessage | undefined {
  const index = room.sent.findIndex(isMeant);
  const sent = room.sent[index];
  if (!sent || !isWanted(sent)) return undefined;
  room.sent.splice(index, 1);
  return sent;
}

/** An error that has this id answers the message. */
export function isAnsweredBy({ id }: Stanza): (sent: SentMessage) => boolean {
  return (sent) => sent.id === id;
}

/** The room shows a message: one of the account has arrived. One sent without an id may have been given one (Prosody). */
export function noteReflected(room: Occupancy, stanza: Stanza, own = room.nick): void {
  const nick = keyOfNick(nickOf(stanza));
  if (nick !== keyOfNick(own)) {
    // Under a nick that was asked for: the stream that would have told of the change was lost.
    if (room.presences.some((pending) => keyOfNick(pending.nick) === nick)) takeShown(room, stanza.id);
    return;
  }
  if (!takeShown(room, stanza.id)) takeShown(room, undefined);
}

/** A private message, which the room does not show to its sender, may have the same id. */
function takeShown(room: Occupancy, id: string | undefined): boolean {
  return takeSent(room, (sent) => sent.isGroupchat && sent.id === id) !== undefined;
}
