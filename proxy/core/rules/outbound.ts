/**
 * What may go to a carrier (M9a): a carrier is shared by all devices of the account, so that no stanza of one of them may end
 * or deaden it. `from` is removed, as a wrong one closes ejabberd's stream; oversize stanzas are answered here, as they close
 * Prosody's stream and silently deaden jabberd2's.
 */
import { stanzaError } from '../../xml/build.ts';
import { readdress } from '../../xml/edit.ts';
import { NS } from '../../xml/names.ts';
import type { Stanza } from '../../xml/stanza.ts';
import type { Occupancy, Session, Turn } from '../state.ts';

/** Room for what the proxy itself adds to a stanza: ids, a query id. */
const MARGIN_BYTES = 256;

/** Whether the stanza is small enough for a carrier. */
export function isSmallEnough({ state }: Turn, stanza: Stanza): boolean {
  return stanza.length <= mostBytes(state);
}

/** The same; if it is not, the session has been told and the stanza is done with. */
export function fits(turn: Turn, session: Session, stanza: Stanza): boolean {
  const { out, state } = turn;
  if (isSmallEnough(turn, stanza)) return true;
  const most = mostBytes(state);
  out.drop('oversize');
  if (stanza.type !== 'error' && stanza.type !== 'result') {
    out.toSession(
      session.id,
      stanzaError(stanza, {
        to: session.jid,
        type: 'modify',
        condition: 'policy-violation',
        text: `The stanza has ${stanza.length} bytes; at most ${most} may go to a room.`,
        extra: `<stanza-too-big xmlns='${NS.xmppErrors}'/>`,
      }),
      stanza,
    );
  }
  return false;
}

/** Sends a client's stanza through the room's carrier, or keeps it until there is one. */
export function throughCarrier(turn: Turn, room: Occupancy, session: Session, stanza: Stanza): void {
  if (room.carrier === undefined) return;
  turn.out.toCarrier(room.carrier, readdress(stanza, { from: null }), session.id, stanza);
}

function mostBytes({ settings }: Turn['state']): number {
  return settings.carrierStanzaBytes - MARGIN_BYTES;
}
