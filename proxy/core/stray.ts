/**
 * A stanza of a room that answers nothing of ours: on a borrowed carrier it belongs to the stream's own client, which may
 * have asked before its stream became an occupant; on an account stream nobody can have asked.
 */
import type { Stanza } from '../xml/stanza.ts';
import type { DropReason } from './effects.ts';
import type { CarrierId, Turn } from './state.ts';

export function stray(turn: Turn, id: CarrierId, stanza: Stanza, reason: DropReason): void {
  const carrier = turn.state.carriers.get(id);
  const session = carrier?.session === undefined ? undefined : turn.state.sessions.get(carrier.session);
  if (session) turn.out.push({ kind: 'relay-downstream', carrier: id, stanza });
  else turn.out.drop(reason);
}
