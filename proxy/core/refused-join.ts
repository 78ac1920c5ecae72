/** A join under another nick that the room refuses as the nick change that it was to the room. */
import { Edit } from '../xml/edit.ts';
import { NS } from '../xml/names.ts';
import type { Stanza } from '../xml/stanza.ts';
import type { Occupancy, Session, Turn } from './state.ts';

/** The session has asked for the nick by a join, and stays what it was (XEP-0045 section 7.2.8: the `muc` child). */
export function refuseJoin({ out }: Turn, room: Occupancy, session: Session, stanza: Stanza): void {
  const { root } = stanza;
  const edit = new Edit(stanza).setAttr(root, 'to', session.jid);
  if (!root.child('x', NS.muc)) edit.append(root, `<x xmlns='${NS.muc}'/>`);
  out.toSession(session.id, edit.toBuffer(), stanza);
  // The session's node waits for its join to be answered.
  out.push({ kind: 'store-join', room: room.key, session: session.id });
}
