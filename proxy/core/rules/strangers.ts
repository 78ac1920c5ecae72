/**
 * What reaches an account stream from others than its rooms: it has a full JID that members of non-anonymous rooms can see.
 * Messages are for the account's sessions; requests are refused; presence is nobody's.
 */
import { NS } from '../../xml/names.ts';
import type { Stanza } from '../../xml/stanza.ts';
import { detach } from '../occupancy.ts';
import { delayed } from '../replay.ts';
import type { CarrierId, Session, Turn } from '../state.ts';
import { answerForAbsent } from './inbound.ts';

/** Messages kept for a session to come; beyond this many the oldest goes. */
const MOST_KEPT = 100;

export function stranger(turn: Turn, carrier: CarrierId, stanza: Stanza): void {
  const { state, out, now } = turn;
  if (stanza.name === 'iq') {
    if (stanza.type === 'get' || stanza.type === 'set') out.toCarrier(carrier, answerForAbsent(stanza));
    else out.drop('unmatched-iq');
    return;
  }
  if (stanza.root.children.some((child) => child.ns === NS.carbons)) {
    // Who was to get the message itself has it.
    out.drop('carbon-of-carrier');
    return;
  }
  if (stanza.name !== 'message' || stanza.type === 'error' || stanza.type === 'groupchat') {
    out.drop(stanza.name === 'message' ? 'left-room' : 'carrier-presence');
    return;
  }
  const available = [...state.sessions.values()].filter((session) => session.available);
  if (available.length > 0) {
    out.fork(
      available.map((session) => session.id),
      stanza,
    );
    return;
  }
  state.kept.push({ stanza: detach(stanza), at: now });
  if (state.kept.length > MOST_KEPT) {
    state.kept.shift();
    out.drop('queue-full');
  }
}

/** A session has become available: it is given what was kept. */
export function deliverKept(turn: Turn, session: Session): void {
  for (const { stanza, at } of turn.state.kept.splice(0)) {
    turn.out.fork([session.id], delayed(stanza, turn.state.bare, at));
  }
}
