/**
 * Whether the account is still in a room (L8): asked by a ping to its own nick (XEP-0410) while the room is silent, when an error lets it be
 * doubted, and when sessions ask it themselves; one ping answers all. A room that knows the account no more has it back (heal.ts).
 */
import { bareKey, resourceOf } from '../../xml/address.ts';
import { NS } from '../../xml/names.ts';
import type { Stanza } from '../../xml/stanza.ts';
import { escapeXml } from '../../xml/text.ts';
import { chance } from '../jitter.ts';
import { detach, keyOfNick, NOWHERE, serviceOf } from '../occupancy.ts';
import { answerIn, passRefusals, tellIn, tellUnknown } from '../ping-answers.ts';
import type { AccountState, Carrier, CarrierId, Occupancy, Refused, SelfPing, Session, Turn } from '../state.ts';
import { freshId } from '../state.ts';
import { isAnsweredBy, takeSent } from './groupchat.ts';
import { losePlace } from './heal.ts';
import { takeRefused } from './nick.ts';
import { giveUpPlace, removedForGood } from './removal.ts';
import { shownBefore } from './shown.ts';
import { bePatient } from './stranded.ts';

/** What a room was heard to say so long ago still proves that the account is in (ms). */
const FRESH_MS = 10_000;
/** A ping that is not answered within this time has told nothing (ms). */
const TIMEOUT_MS = 15_000;
/** Pause after a ping that has told nothing (ms), doubled each time up to the most, then half of it or up to half as much again. */
const PAUSE_MS = 1000;
const PAUSE_MOST_MS = 30_000;
/** Sessions' own pings, and refused messages, that may wait for one answer. */
const MOST_WAITING = 64;
/** Rooms that are asked at one moment; the others are when the next ones are looked for. */
const MOST_AT_ONCE = 20;
/** Silent rooms are looked for so many times within the interval. */
const LOOKS = 3;

/** To be called after each input: as long as the account has rooms, silent ones are looked for. */
export function watchSilence({ state, out }: Turn): void {
  const { selfPingMs } = state.settings;
  if (state.isWatching || selfPingMs === 0 || state.rooms.size === 0) return;
  state.isWatching = true;
  out.setTimer('silence', Math.ceil((selfPingMs / LOOKS) * (0.5 + chance(state, String(state.nextId)))));
}

/** The time to look for silent rooms has come. */
export function askSilent(turn: Turn): void {
  turn.state.isWatching = false;
  let asked = 0;
  for (const room of turn.state.rooms.values()) {
    if (asked === MOST_AT_ONCE) return;
    if (isSilent(turn, room) && ask(turn, room)) asked += 1;
  }
}

/** For the interval, or up to a quarter of it more or less. */
function isSilent({ state, now }: Turn, room: Occupancy): boolean {
  if (room.unsure || state.services.facts(serviceOf(room)).selfPing === 'never') return false;
  return now - room.heardAt >= state.settings.selfPingMs * (0.75 + chance(state, room.key) / 2);
}

/** Asks the room, unless it has been asked already. Undefined: there is no stream to ask through. */
function ask({ state, out, now }: Turn, room: Occupancy): SelfPing | undefined {
  if (room.ping) return room.ping;
  const carrier = room.carrier === undefined ? undefined : state.carriers.get(room.carrier);
  if (room.phase !== 'joined' || !carrier || carrier.status === 'hibernating') return undefined;
  const ping: SelfPing = { id: freshId(state), carrier: carrier.id, at: now, waiting: [], refused: [] };
  room.ping = ping;
  out.setTimer(`ping ${room.key}`, TIMEOUT_MS);
  const to = escapeXml(`${room.name}/${room.nick}`);
  out.toCarrier(carrier.id, `<iq type='get' id='${ping.id}' to='${to}'><ping xmlns='${NS.ping}'/></iq>`);
  return ping;
}

/** A joined session asks whether it is in. False: it asks something else, or nothing can be said without the room. */
export function ownSelfPing(turn: Turn, room: Occupancy, session: Session, stanza: Stanza): boolean {
  const isPing = stanza.type === 'get' && stanza.root.child('ping', NS.ping) !== undefined;
  if (!isPing || room.phase !== 'joined' || !room.members.has(session.id)) return false;
  const nick = resourceOf(stanza.to ?? '');
  if (nick === '' || keyOfNick(nick) !== keyOfNick(room.nick)) return false;
  if (!room.ping && turn.now - room.heardAt <= FRESH_MS) {
    answerIn(turn, session, stanza);
    return true;
  }
  const ping = ask(turn, room);
  if (!ping || ping.waiting.length >= MOST_WAITING) return false;
  ping.waiting.push({ session: session.id, stanza: detach(stanza) });
  return true;
}

/** Conditions with which rooms, and servers in their place, refuse what somebody says who is not in. */
const REFUSALS = [
  'not-acceptable',
  'not-allowed',
  'item-not-found',
  'service-unavailable',
  'remote-server-not-found',
] as const;
/** A time-out does not say that nobody has got it. */
const DOUBTFUL = [...REFUSALS, 'remote-server-timeout'] as const;
const UNREACHABLE = ['remote-server-not-found', 'remote-server-timeout'] as const;

/** The room's side has answered something with an error on the stream that carries it: that may be because the account is out. */
export function doubt(turn: Turn, room: Occupancy, stanza: Stanza): SelfPing | undefined {
  const error = stanza.root.child('error');
  // Occupants answer for themselves, but where the room does not let it through to them.
  const isRooms = stanza.name === 'presence' || resourceOf(stanza.from ?? '') === '';
  // A room refuses many a request that it does not know or has nothing to say to.
  const words = stanza.name === 'iq' ? UNREACHABLE : DOUBTFUL;
  const isDoubtful =
    error?.child('not-acceptable') !== undefined || (isRooms && words.some((one) => error?.child(one)));
  return isDoubtful ? ask(turn, room) : undefined;
}

/**
 * A message that the room has refused. True: it may have been refused since the account is out, and waits for that to be known; if so it
 * is sent again when the account is back.
 */
export function doubtMessage(turn: Turn, room: Occupancy, stanza: Stanza): boolean {
  const ping = doubt(turn, room, stanza);
  if (!ping || ping.refused.length >= MOST_WAITING || stanza.root.child('error')?.child('remote-server-timeout'))
    return false;
  const sent = takeSent(room, isAnsweredBy(stanza), ({ text }) => text !== undefined);
  if (!sent?.text) return false;
  ping.refused.push({ session: sent.session, stanza: sent.text, error: detach(stanza) });
  return true;
}

/** The same of a presence, a nick change or a status. */
export function doubtPresence(turn: Turn, room: Occupancy, stanza: Stanza): boolean {
  const ping = doubt(turn, room, stanza);
  if (!ping || ping.refused.length >= MOST_WAITING) return false;
  const pending = takeRefused(room, stanza);
  // One of the proxy's own is made anew when the account is back, but for a nick change, which is asked for again then.
  if (pending && pending.session === undefined && keyOfNick(pending.nick) !== keyOfNick(room.nick))
    ping.change = pending;
  if (pending?.session !== undefined) {
    const { session, join } = pending;
    const refused = { session, error: detach(stanza), isOutdated: pending.says === undefined };
    ping.refused.push(
      join ? { ...refused, stanza: join.stanza, isJoin: true } : { ...refused, stanza: pending.stanza },
    );
  }
  return true;
}

/** The account is out, and the room refuses what was said before that was known. True: it is sent again when the account is back. */
export function sayAgain({ state }: Turn, room: Occupancy, stanza: Stanza): boolean {
  const error = stanza.root.child('error');
  if (resourceOf(stanza.from ?? '') !== '' || !REFUSALS.some((one) => error?.child(one))) return false;
  const sent = takeSent(
    room,
    isAnsweredBy(stanza),
    ({ text, session }) => text !== undefined && state.sessions.has(session),
  );
  if (!sent?.text) return false;
  const place = room.queue.findLastIndex(({ isAgain }) => isAgain) + 1;
  room.queue.splice(place, 0, { session: sent.session, stanza: sent.text, isAgain: true });
  return true;
}

/** An IQ answer on a carrier of the room. False: it answers no ping of the proxy's. */
export function selfPingAnswered(turn: Turn, room: Occupancy, carrier: Carrier, stanza: Stanza): boolean {
  const { ping } = room;
  if (!ping || stanza.id !== ping.id || carrier.id !== ping.carrier || !isRoomsOwn(room, stanza)) return false;
  turn.out.clearTimer(`ping ${room.key}`);
  room.ping = undefined;
  settle(turn, room, ping, verdictOf(turn.state, room, stanza));
  return true;
}

/** Of the room, or of the account's own nick: the id is known to nobody else. */
function isRoomsOwn(room: Occupancy, { from = '' }: Stanza): boolean {
  const nick = resourceOf(from);
  return bareKey(from) === room.key && (nick === '' || keyOfNick(nick) === keyOfNick(room.nick));
}

type Verdict = 'in' | 'out' | 'unknown';

/** XEP-0410 section 3.2, and what servers were seen to answer for services that are away. */
function verdictOf({ services }: AccountState, room: Occupancy, stanza: Stanza): Verdict {
  const service = serviceOf(room);
  if (stanza.type === 'result') {
    services.learnSelfPing(service, 'answered');
    return 'in';
  }
  const error = stanza.root.child('error');
  const is = (condition: string): boolean => error?.child(condition) !== undefined;
  if (is('not-acceptable')) return 'out';
  // Said of a nick that has just been changed; mu-conference says it to those who are not in.
  if (is('item-not-found')) return room.presences.length > 0 ? 'unknown' : 'out';
  if (is('remote-server-not-found') || is('remote-server-timeout') || error?.attr('type') === 'wait') return 'unknown';
  const isAnswered = services.facts(service).selfPing === 'answered';
  // The one who is pinged does not know pings; or the server says it for a service that is away.
  if (is('service-unavailable') || is('feature-not-implemented')) return isAnswered ? 'unknown' : 'in';
  // A room that lets nobody ask its occupants.
  if (is('forbidden') || is('not-allowed')) return isAnswered ? 'out' : 'in';
  return 'out';
}

/** No answer. */
export function selfPingTimeout(turn: Turn, room: Occupancy): void {
  const { ping, unsure } = room;
  room.ping = undefined;
  if (ping) {
    const isHeard = room.heardAt > ping.at;
    if (isHeard) forgetPings(turn, room);
    settle(turn, room, ping, isHeard ? 'in' : 'unknown');
  } else if (unsure && !ask(turn, room)) room.unsure = undefined;
}

/** A room that speaks and does not answer cannot answer. */
function forgetPings({ state }: Turn, room: Occupancy): void {
  const service = serviceOf(room);
  if (state.services.facts(service).selfPing === 'unknown') state.services.learnSelfPing(service, 'never');
}

function settle(turn: Turn, room: Occupancy, ping: SelfPing, verdict: Verdict): void {
  if (room.phase !== 'joined') {
    tellIn(turn, room, ping);
    passRefusals(turn, room, ping);
  } else if (verdict === 'in') {
    room.heardAt = turn.now;
    room.unsure = undefined;
    tellIn(turn, room, ping);
    passRefusals(turn, room, ping);
  } else if (verdict === 'out') outside(turn, room, ping);
  else {
    tellUnknown(turn, ping);
    passRefusals(turn, room, ping);
    unsure(turn, room);
  }
}

/** The room knows the account no more. */
function outside(turn: Turn, room: Occupancy, ping: SelfPing): void {
  room.unsure = undefined;
  // The place is being taken again already.
  const isHealed = room.carrier === undefined || losePlace(turn, room, room.carrier);
  if (isHealed) again(turn, room, ping);
  else {
    room.ping = ping;
    removedForGood(turn, room, 'The room does not know the account any more.');
  }
}

/** What sessions have asked and said goes to the room when the account is back. */
function again(turn: Turn, room: Occupancy, { waiting, refused, change }: SelfPing): void {
  if (change) room.presences.unshift({ ...change, carrier: NOWHERE });
  if (refused.some(({ stanza }) => stanza.name === 'presence')) room.shown = shownBefore(room);
  const meant = refused.filter((one) => one.stanza.name !== 'presence' || isMeant(room, one));
  const said = meant.map(({ session, stanza, isOutdated = false }) => {
    return { session, stanza, isAgain: stanza.name === 'message', isOutdated };
  });
  room.queue.unshift(...said, ...waiting);
  if (room.queue.length > 0) bePatient(turn, room);
}

/** A presence whose sender has not left meanwhile, nor said otherwise of its availability. */
function isMeant({ members, nick, presences }: Occupancy, { session, stanza, isJoin }: Refused): boolean {
  const member = members.get(session);
  const isStatus = !isJoin && ['', keyOfNick(nick)].includes(keyOfNick(resourceOf(stanza.to ?? '')));
  if (!member || !isStatus) return member !== undefined;
  const isSaidSince = presences.some((pending) => pending.session === session && pending.says);
  return !isSaidSince && member.presentation.stanza.bytes.equals(stanza.bytes);
}

/** The service is away, or silent: it is asked again, for as long as a lost place may take to be healed. */
function unsure(turn: Turn, room: Occupancy): void {
  const { state, now } = turn;
  const { healMs } = state.settings;
  room.unsure ??= { since: now, tries: 0 };
  if (now < room.unsure.since + healMs) {
    const pause = Math.min(PAUSE_MS * 2 ** room.unsure.tries, PAUSE_MOST_MS);
    room.unsure.tries += 1;
    turn.out.setTimer(`ping ${room.key}`, Math.round(pause * (0.5 + chance(state, `${room.key} ${now}`))));
    return;
  }
  room.unsure = undefined;
  room.heardAt = now;
  const isAnswered = state.services.facts(serviceOf(room)).selfPing === 'answered';
  if (isAnswered && healMs > 0) giveUpPlace(turn, room, 'The room cannot be reached any more.');
  else forgetPings(turn, room);
}

/** The account has just been let in, or its carrier has changed: what waits for an answer from the last one has it. */
export function provedIn(turn: Turn, room: Occupancy, isRejoin: boolean): void {
  const { ping } = room;
  room.heardAt = turn.now;
  room.ping = undefined;
  room.unsure = undefined;
  turn.out.clearTimer(`ping ${room.key}`);
  if (!ping) return;
  if (isRejoin) again(turn, room, ping);
  else {
    tellIn(turn, room, ping);
    passRefusals(turn, room, ping);
  }
}

/** The stream that the ping went through is gone. */
export function pingLost(turn: Turn, room: Occupancy, carrier: CarrierId): void {
  const { ping } = room;
  if (ping?.carrier !== carrier) return;
  room.ping = undefined;
  turn.out.clearTimer(`ping ${room.key}`);
  again(turn, room, ping);
}
