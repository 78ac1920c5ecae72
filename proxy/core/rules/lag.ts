/**
 * A session that hibernates for long (XEP-0198 section 5): beyond a bound what the rooms say waits no more in its own queue. When
 * it is resumed it is told from what the account knows anyway: the difference in the roster, and the messages from the log.
 */
import { carrierJids } from '../carriers.ts';
import { keyOfNick, nickOf } from '../occupancy.ts';
import { asHistory, subjectOf } from '../replay.ts';
import { NO_CODES, selfDigest, selfPresenceFor } from '../self-presence.ts';
import type { Lag, Member, Occupancy, Session, Turn } from '../state.ts';
import { rosterDifferences } from './differences.ts';
import { renamed } from './self-fork.ts';

/** Too much waits for the session: the logs keep the rest. */
export function sessionLags(turn: Turn, session: Session): void {
  if (!session.isHibernating || session.isLagging) return;
  session.isLagging = true;
  for (const key of session.rooms) {
    const room = turn.state.rooms.get(key);
    const member = room?.members.get(session.id);
    if (!room || !member) continue;
    const { roster, self, subject } = room;
    member.lag = { from: room.log.end, roster: new Map(roster), self, subject };
  }
}

/** A message has gone into the room's log, and another perhaps out of it: who was owed that one cannot be told everything any more. */
export function noteLosses(turn: Turn, room: Occupancy): void {
  for (const [id, { lag }] of room.members) {
    if (lag && !room.log.has(lag.from)) turn.out.push({ kind: 'session-behind', session: id });
  }
}

/** The session is resumed: it is told what it has missed in each room. */
export function toldFromLogs(turn: Turn, session: Session): void {
  if (!session.isLagging) return;
  session.isLagging = false;
  for (const key of session.rooms) {
    const room = turn.state.rooms.get(key);
    const member = room?.members.get(session.id);
    if (room && member) tellFromLog(turn, room, session, member);
  }
}

/** The session hears the room from here on; what it has missed comes first. */
export function tellFromLog(turn: Turn, room: Occupancy, session: Session, member: Member): void {
  const { lag } = member;
  if (!lag) return;
  member.lag = undefined;
  const { out, now } = turn;
  const to = [session.id];
  for (const stanza of rosterDifferences(room, lag.roster, room.roster)) out.fork(to, stanza);
  tellSelf(turn, room, session, lag);
  for (const entry of room.log.since(lag.from, now) ?? room.log.entries(now)) out.fork(to, asHistory(room, entry));
  if (room.subject !== lag.subject) out.fork(to, subjectOf(room));
}

/** The account's own presence, where that is another now. */
function tellSelf(turn: Turn, room: Occupancy, session: Session, lag: Lag): void {
  const { self } = room;
  if (!self) return;
  const carriers = carrierJids(turn.state);
  const before = lag.self === undefined ? room.nick : nickOf(lag.self);
  const view = { to: session.jid, id: undefined, carriers, add: [], remove: NO_CODES };
  const isRenamed = keyOfNick(before) !== keyOfNick(room.nick);
  if (isRenamed) {
    const end = renamed(room, room.nick, before);
    turn.out.toSession(session.id, selfPresenceFor(end, view), end);
  }
  const isSame = lag.self !== undefined && selfDigest(lag.self, carriers) === selfDigest(self, carriers);
  if (isRenamed || !isSame) turn.out.toSession(session.id, selfPresenceFor(self, view), self);
}
