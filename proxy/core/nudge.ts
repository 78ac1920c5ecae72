/**
 * Push for rooms (XEP-0357). Without a proxy the server would push when a room says something to a session that hibernates;
 * here the room speaks to another stream of the account. A *nudge* is a message of the proxy's own, from that stream to the
 * sleeping session's full JID: the server queues it and pushes, and the session's proxy drops it when it comes. It bears the
 * text of the message, as a server may be set to push that, and the type that no server archives, copies or stores offline.
 */
import { bareOf } from '../xml/address.ts';
import type { Stanza } from '../xml/stanza.ts';
import { escapeXml } from '../xml/text.ts';
import { delayStamp } from './stanza-log.ts';
import { type AccountState, type Carrier, freshId, type Occupancy, type Session, type Turn } from './state.ts';
import type { AccountView } from './view.ts';

/** Between two nudges of a session (ms): what comes meanwhile is told of once, when this time is over. */
const PAUSE_MS = 5000;
/** Nudges to a session while it sleeps: servers bound its queue, 500 stanzas on Prosody, and give up what exceeds it. */
const MOST = 200;
/** Of a text (UTF-16 units). */
const MOST_TEXT = 500;

/** What a session that hibernates has been told of by nudges. */
export interface Push {
  /** Text of the last message that it has not been told of. */
  owed: string | undefined;
  /** Nudges since it went to sleep, and when the last one was sent (epoch ms). */
  count: number;
  at: number;
}

/** The server has begun or ended to push for this session. */
export function notePush(turn: Turn, session: Session, enabled: boolean): void {
  if (!enabled) forgetNudges(turn, session);
  session.push = enabled ? { owed: undefined, count: 0, at: 0 } : undefined;
  if (enabled) turn.state.hasPush = true;
}

/** The session is awake, or gone: nothing is owed to it. */
export function forgetNudges(turn: Turn, session: Session): void {
  const { push } = session;
  if (!push) return;
  if (push.owed !== undefined) turn.out.clearTimer(timerOf(session));
  push.owed = undefined;
  push.count = 0;
  push.at = 0;
}

/** The room says something to its members, live: those that sleep are to be woken up. */
export function nudgeMembers(turn: Turn, room: Occupancy, stanza: Stanza): void {
  const { state } = turn;
  if (!state.hasPush) return;
  const text = wordOf(stanza);
  if (text === '') return;
  for (const id of room.members.keys()) {
    const session = state.sessions.get(id);
    if (!session?.push || !session.isHibernating || hasOwnPlace(state, session, room)) continue;
    oweNudge(session, text);
    payNudge(turn, session);
  }
}

/** What a room says live that its members may be woken up for; empty: nothing. */
export function wordOf(stanza: Stanza): string {
  return delayStamp(stanza) === undefined ? (stanza.root.child('body')?.text() ?? '') : '';
}

/** The session has missed a message of this text; it is told of by `payNudge`. */
export function oweNudge({ push }: Session, text: string | undefined): void {
  if (push && text) push.owed = text.slice(0, MOST_TEXT).replace(/[\ud800-\udbff]$/, '');
}

/** The server itself queues and pushes what this room says. */
function hasOwnPlace(state: AccountState, session: Session, room: Occupancy): boolean {
  const own = state.carriers.get(session.carrier);
  return own?.status === 'hibernating' && own.rooms.has(room.key);
}

/** Sends the nudge that is owed to a session, if the time has come and there is a stream for it. */
export function payNudge(turn: Turn, session: Session): void {
  const { state, out, now } = turn;
  const { push } = session;
  if (push?.owed === undefined || push.count >= MOST) return;
  // As long as its stream is being freed of rooms the server does not know that it sleeps.
  if (state.carriers.get(session.carrier)?.status !== 'hibernating') return;
  const wait = push.at + PAUSE_MS - now;
  if (wait > 0) {
    out.setTimer(timerOf(session), wait);
    return;
  }
  const carrier = otherStream(state, session);
  if (!carrier) return;
  const body = `<body>${escapeXml(push.owed)}</body>`;
  push.owed = undefined;
  push.count += 1;
  push.at = now;
  out.toCarrier(
    carrier.id,
    `<message type='groupchat' id='${freshId(state)}' to='${escapeXml(session.jid)}'>${body}</message>`,
  );
}

/** A stream of the account that is heard by the server, the account stream first. */
function otherStream(state: AccountState, session: Session): Carrier | undefined {
  let found: Carrier | undefined;
  for (const carrier of state.carriers.values()) {
    if (carrier.id === session.carrier || carrier.status === 'hibernating') continue;
    if (!found || carrier.kind === 'account-stream') found = carrier;
  }
  return found;
}

/** Whether a stanza of the server's is a nudge that has come to its session, or come back from a session that is gone. */
export function isNudge(
  stanza: Stanza,
  { nextId, idPrefix, bare }: Pick<AccountView, 'nextId' | 'idPrefix' | 'bare'>,
): boolean {
  if (nextId === 0 || stanza.name !== 'message') return false;
  if (stanza.type !== 'groupchat' && stanza.type !== 'error') return false;
  return stanza.id?.startsWith(idPrefix) === true && bareOf(stanza.from ?? '') === bare;
}

/** The key of the timer that ends the pause. */
function timerOf(session: Session): string {
  return `nudge ${session.id}`;
}
