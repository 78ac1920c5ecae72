/**
 * What sessions have sent to a room before it could be passed on: behind a join that is under way (J7), or while no stream
 * carries the room. It reaches the room also when its sender does not wait for that, as it would have without the proxy.
 */
import { resourceOf } from '../../xml/address.ts';
import { Edit, readdress } from '../../xml/edit.ts';
import type { Stanza } from '../../xml/stanza.ts';
import { detach, keyOfNick, refuseQueued } from '../occupancy.ts';
import type { CarrierId, Occupancy, QueuedStanza, Session, SessionId, Turn, WaitingJoin } from '../state.ts';
import { freshId } from '../state.ts';
import { doubtOf } from './doubt.ts';
import { isWord } from './forsaken.ts';
import { noteSent } from './groupchat.ts';
import { request } from './iq.ts';
import { leaveByPolicy } from './leave.ts';
import { notePending, noteSaidSince } from './nick.ts';
import { withoutJoin } from './other-nick.ts';
import { sessionStanza } from './session-stanza.ts';
import { noteShown } from './shown.ts';
import { sendAgain } from './stranded.ts';
import { noteUnsaid } from './travellers.ts';

/** Stanzas that a session sent behind its join, now that the join is answered. */
export function flushBehind(turn: Turn, room: Occupancy, wait: WaitingJoin): void {
  const isLost = wait.isForsaken && (room.carrier === undefined || room.phase !== 'joined');
  if (isLost) noteUnsaid(turn, wait.session, room.key);
  for (const one of wait.behind.splice(0)) {
    flush(turn, room, { ...one, session: wait.session, isForsaken: wait.isForsaken }, undefined);
  }
}

/** What members sent to the room while it could not be passed on. `isWhole`: see `doubtOf`. */
export function flushQueue(turn: Turn, room: Occupancy, isWhole?: boolean): void {
  for (const queued of room.queue.splice(0)) flush(turn, room, queued, isWhole);
}

type Flushed = QueuedStanza & { readonly isForsaken?: boolean };

function flush(turn: Turn, room: Occupancy, queued: Flushed, isWhole: boolean | undefined): void {
  const { session, stanza, isAgain, isUnsure, isForsaken, isOutdated } = queued;
  const sender = turn.state.sessions.get(session);
  const doubt = isUnsure ? doubtOf(turn, room, stanza, isWhole) : 'unsent';
  if (doubt === 'unknown' && isForsaken) turn.out.drop('no-session');
  else if (doubt === 'unknown') refuseQueued(turn, room, [queued]);
  else if (doubt === 'sent') return;
  else if (isForsaken && sender && stanza.name === 'iq') askFor(turn, room, sender, queued);
  else if (isForsaken || !sender) sayFor(turn, room, session, stanza);
  else if (isAgain) sendAgain(turn, room, sender, stanza);
  else sessionStanza(turn, sender, stanza);
  if (isOutdated) noteSaidSince(room, session);
}

/** In the account's name: its sender has gone, and nobody waits for an answer. */
function sayFor(turn: Turn, room: Occupancy, session: SessionId, stanza: Stanza): void {
  const { out } = turn;
  const { carrier, phase } = room;
  if (stanza.name === 'presence' && stanza.type === 'unavailable') {
    if (phase === 'joined' && room.members.size === 0) leaveByPolicy(turn, room);
  } else if (carrier === undefined || phase !== 'joined' || !isWord(stanza)) {
    out.drop('no-session');
  } else {
    // It may come from another node yet, and say that again.
    if (stanza.type === 'groupchat') noteSent(turn, room, { id: session }, stanza);
    sendFor(turn, room, carrier, stanza);
  }
}

/** Who has left in mid-join is still there, and is owed an answer (RFC 6120 section 8.2.3). */
function askFor(turn: Turn, room: Occupancy, sender: Session, queued: QueuedStanza): void {
  const isOver = room.carrier === undefined || room.phase !== 'joined';
  if (isOver) refuseQueued(turn, room, [queued]);
  else if (isWord(queued.stanza)) request(turn, room, sender, queued.stanza);
}

function sendFor(turn: Turn, room: Occupancy, carrier: CarrierId, stanza: Stanza): void {
  const { out, state } = turn;
  if (stanza.name !== 'iq') {
    const nick = resourceOf(stanza.to ?? '');
    // The presence of siblings that are there goes before the last one of somebody who has gone.
    const isStatus = stanza.name === 'presence' && (nick === '' || keyOfNick(nick) === keyOfNick(room.nick));
    if (isStatus && room.members.size > 0) return;
    const said = stanza.name === 'presence' ? withoutJoin(detach(stanza)) : stanza;
    if (said.name === 'presence') {
      notePending(turn, room, undefined, nick === '' ? room.nick : nick, said);
      if (isStatus) noteShown(turn, room, said);
    }
    out.toCarrier(carrier, readdress(said, { from: null }), undefined, said);
    return;
  }
  const edit = new Edit(stanza);
  edit.removeAttr(stanza.root, 'from');
  edit.setAttr(stanza.root, 'id', freshId(state));
  out.toCarrier(carrier, edit.toBuffer(), undefined, stanza);
}
