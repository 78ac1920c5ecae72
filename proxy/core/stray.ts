/**
 * A stanza of a room that answers nothing of ours: on a borrowed carrier it belongs to the stream's own client, which may
 * have asked before its stream became an occupant; on an account stream nobody can have asked.
 */
import type { Stanza } from '../xml/stanza.ts';
import type { DropReason } from './effects.ts';
import type { CarrierId, SessionId, Turn } from './state.ts';

export function stray(turn: Turn, id: CarrierId, stanza: Stanza, reason: DropReason): void {
  if (stanza.id?.startsWith(turn.state.idPrefix)) {
    // The late answer to something of the proxy's own: a fence, a request that was given up.
    turn.out.drop(reason);
    return;
  }
  const carrier = turn.state.carriers.get(id);
  const session = carrier?.session === undefined ? undefined : turn.state.sessions.get(carrier.session);
  if (session && isTaken(turn, session.id, stanza)) turn.out.drop('unmatched-iq');
  else if (session) turn.out.push({ kind: 'relay-downstream', carrier: id, stanza });
  else turn.out.drop(reason);
}

/** An answer under the id of a request that this client waits for by way of the account: not the true one, but taken for it. */
function isTaken(turn: Turn, session: SessionId, stanza: Stanza): boolean {
  if (stanza.name !== 'iq' || stanza.type === 'get' || stanza.type === 'set') return false;
  return [...turn.state.requests.values()].some(
    (pending) => pending.session === session && pending.originalId === stanza.id,
  );
}
