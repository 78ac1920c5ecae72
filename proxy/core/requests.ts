/** Requests of sessions to rooms that have no answer, and will have none: an error in its place, never silence (M4). */
import { stanzaError } from '../xml/build.ts';
import type { CarrierId, Turn } from './state.ts';

/** The session that has asked gets an error of type `wait`. Nothing happens when the request has been answered. */
export function failRequest(
  { state, out }: Turn,
  id: string,
  condition: 'remote-server-timeout' | 'service-unavailable',
  text: string,
): void {
  const pending = state.requests.get(id);
  if (!pending) return;
  state.requests.delete(id);
  out.clearTimer(`iq ${id}`);
  const { session, stanza } = pending;
  const to = state.sessions.get(session)?.jid;
  if (to !== undefined) out.toSession(session, stanzaError(stanza, { to, type: 'wait', condition, text }), stanza);
}

/** The stream that requests went through is gone or given back, and their answers with it. */
export function failRequestsOf(turn: Turn, carrier: CarrierId): void {
  for (const [id, pending] of [...turn.state.requests]) {
    if (pending.carrier !== carrier) continue;
    failRequest(turn, id, 'service-unavailable', 'The connection to the room was lost before it answered.');
  }
}
