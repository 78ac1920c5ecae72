/**
 * Whom others see in a room where it shows addresses (XEP-0045 section 7.2.3): without the proxy that is a device, so an account that a stream of
 * the proxy's own carries has the face of the device that joined first.
 */
import type { BareKey } from '../xml/address.ts';
import type { AccountState } from './state.ts';

export interface Face {
  /** Full JID of the session; undefined: none is there, or waits to be let in. */
  readonly jid: string | undefined;
  /** The account is in the room, or on its way into it. */
  readonly isIn: boolean;
}

export const NO_FACE: Face = { jid: undefined, isIn: false };

/** The account's face in the room; undefined `state`: the rules run on another node. */
export function faceIn(state: AccountState | undefined, key: BareKey): Face {
  if (!state) return { jid: undefined, isIn: true };
  const { rooms, sessions } = state;
  const room = rooms.get(key);
  if (!room || room.phase === 'leaving' || room.phase === 'ended') return NO_FACE;
  for (const id of room.members.keys()) {
    const jid = sessions.get(id)?.jid;
    if (jid !== undefined) return { jid, isIn: true };
  }
  const first = room.waiting.find(({ session, isForsaken }) => !isForsaken && sessions.has(session));
  return { jid: first && sessions.get(first.session)?.jid, isIn: true };
}
