/** What joined sessions are told of the account's own occupant: each sees it as its own (XEP-0045 section 7.2.2). */
import { NS } from '../../xml/names.ts';
import { parseStanza, type Stanza } from '../../xml/stanza.ts';
import { escapeXml } from '../../xml/text.ts';
import { carrierJids, hearerIds } from '../carriers.ts';
import { NO_CODES, selfPresenceFor } from '../self-presence.ts';
import { isOwnId, type Occupancy, type SessionId, type Turn } from '../state.ts';

const NOBODY: ReadonlyMap<SessionId, unknown> = new Map();

/** The account's own presence to each joined session but these, as that session's own. */
export function forkSelf(turn: Turn, room: Occupancy, stanza: Stanza, except = NOBODY): void {
  const { state, out } = turn;
  const carriers = carrierJids(state);
  // A room repeats the id of the last presence; one of the proxy's own says nothing to a client.
  const id = isOwnId(state, stanza.id) ? undefined : stanza.id;
  for (const hearer of hearerIds(room)) {
    const session = state.sessions.get(hearer);
    if (!session || except.has(hearer)) continue;
    const view = { to: session.jid, id, carriers, add: [], remove: NO_CODES };
    out.toSession(hearer, selfPresenceFor(stanza, view), stanza);
  }
}

/** The first of the two presences of a nick change, from `before` to `nick`. */
export function renamed(room: Occupancy, nick: string, before = room.nick): Stanza {
  return parseStanza(
    `<presence xmlns='${NS.client}' type='unavailable' from='${escapeXml(`${room.name}/${before}`)}'><x xmlns='${NS.mucUser}'>` +
      `<item affiliation='none' role='participant' nick='${escapeXml(nick)}'/><status code='303'/></x></presence>`,
  );
}
