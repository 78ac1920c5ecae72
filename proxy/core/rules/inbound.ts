/**
 * Requests of the room's side to the account (XEP-0045 section 17.4): the most active joined session answers, else the proxy,
 * so that the occupant is taken for no ghost.
 */
import { type StanzaErrorOptions, stanzaError } from '../../xml/build.ts';
import { Edit, readdress } from '../../xml/edit.ts';
import { NS } from '../../xml/names.ts';
import { emptied, parseStanza, type Stanza } from '../../xml/stanza.ts';
import { mostActive } from '../carriers.ts';
import { detach } from '../occupancy.ts';
import type { CarrierId, Occupancy, Session, SessionId, Turn } from '../state.ts';

/** Requests from the side of the account's rooms that its sessions may have to answer at a time. */
const MOST_INBOUND = 256;
/** Of a larger one the content is not kept. */
const MOST_KEPT_BYTES = 1024;

/** The room's side asks the account: the most active joined session answers, else the proxy, so that the occupant is no ghost. */
export function inbound(
  turn: Turn,
  room: Occupancy,
  carrier: CarrierId,
  stanza: Stanza,
  session = mostActive(turn.state, room),
): void {
  const { state, out } = turn;
  if (!isAnswerable(stanza)) {
    out.drop('oversize');
    return;
  }
  // COMPAT: mu-conference sends a self-ping (XEP-0410) back to the occupant who sent it: that it arrives is the answer.
  const isOwnId = state.requests.has(stanza.id ?? '') || (stanza.id !== undefined && stanza.id === room.ping?.id);
  const isSelfPing = isOwnId && stanza.root.child('ping', NS.ping) !== undefined;
  const isTooMuch = state.inbound.size >= MOST_INBOUND;
  if (isTooMuch) out.drop('queue-full');
  if (!session || isSelfPing || isTooMuch) {
    out.toCarrier(carrier, answerForAbsent(stanza));
    return;
  }
  const key = inboundKey(stanza.from ?? '', stanza.id);
  // A ping, which the proxy can answer itself, is small.
  const kept = stanza.length > MOST_KEPT_BYTES ? emptied(stanza) : detach(stanza);
  state.inbound.set(key, { session: session.id, carrier, room: room.key, stanza: kept });
  out.setTimer(`inbound ${key}`, state.settings.iqTimeoutMs);
  out.toSession(session.id, readdress(stanza, { to: session.jid }), stanza);
}

function inboundKey(peer: string, id: string | undefined): string {
  return `${id ?? ''} ${peer}`;
}

/** A session's answer to such a request goes back through the carrier that it came on; any other is dropped. */
export function inboundAnswer(turn: Turn, session: Session, stanza: Stanza): void {
  const { state, out } = turn;
  const key = inboundKey(stanza.to ?? '', stanza.id);
  const pending = state.inbound.get(key);
  if (pending?.session !== session.id) {
    out.drop('client-error-reply');
    return;
  }
  state.inbound.delete(key);
  out.clearTimer(`inbound ${key}`);
  out.toCarrier(pending.carrier, readdress(stanza, { from: null }), session.id, stanza);
}

/** The asked session did not answer, or has gone. */
export function inboundUnanswered(turn: Turn, key: string): void {
  const { state, out } = turn;
  const pending = state.inbound.get(key);
  if (!pending) return;
  state.inbound.delete(key);
  out.clearTimer(`inbound ${key}`);
  if (state.carriers.has(pending.carrier)) out.toCarrier(pending.carrier, answerForAbsent(pending.stanza));
}

/** The session hears the room no more: what it has been asked there is answered without it. */
export function inboundOver(turn: Turn, session: SessionId, room?: Occupancy): void {
  for (const [key, pending] of [...turn.state.inbound]) {
    if (pending.session === session && (!room || pending.room === room.key)) inboundUnanswered(turn, key);
  }
}

/** A longer id than any client makes, which its sender's server may have lengthened on the way: the answer would bear it, and could be too big for the stream. */
const MOST_ID = 1024;

/** Whether an answer with the stanza's id can go on a stream that others depend on. */
export function isAnswerable({ id }: Stanza): boolean {
  return id === undefined || id.length <= MOST_ID;
}

/** What the proxy answers in the account's name: a ping is alive (XEP-0199), all else is not to be had. */
export function answerForAbsent(stanza: Stanza): string | Buffer {
  if (stanza.type === 'get' && stanza.root.child('ping', NS.ping)) {
    const edit = new Edit(stanza);
    const { root } = stanza;
    edit.setAttr(root, 'type', 'result');
    edit.removeAttr(root, 'to');
    edit.removeAttr(root, 'from');
    if (stanza.from !== undefined) edit.setAttr(root, 'to', stanza.from);
    for (const child of root.children) edit.remove(child);
    return edit.toBuffer();
  }
  return refusalOn(stanza, { type: 'cancel', condition: 'service-unavailable' });
}

/** An error for whoever has sent the stanza, to go on the carrier that it came on: `from` must not stand there. */
export function refusalOn(stanza: Stanza, error: Pick<StanzaErrorOptions, 'type' | 'condition'>): Buffer {
  return readdress(parseStanza(stanzaError(stanza, error)), { from: null });
}
