/**
 * What of an account goes with a session that is carried on elsewhere, by another node or by this one when it is started anew: the
 * session and its stream, its rooms as it has been shown them, what it has asked there and was not answered.
 */
import type { BareKey } from '../xml/address.ts';
import type { Stanza } from '../xml/stanza.ts';
import { type KnownRoom, knownRoom } from './arrival.ts';
import { occupies } from './carriers.ts';
import { RoomSet } from './room-set.ts';
import type {
  AccountState,
  Carrier,
  CarrierId,
  Member,
  Occupancy,
  PendingRequest,
  QueuedStanza,
  SentMessage,
  Session,
  SessionId,
} from './state.ts';
import type { RoomFacts } from './watch.ts';

export interface Passage {
  /** With the rooms that it has joined. */
  readonly session: Session;
  readonly carrier: Carrier;
  /** Rooms that it has joined, and those that its stream is in: to be left, if the session is in no place there. */
  readonly rooms: readonly Occupancy[];
  /** What the last message of a room was when the session came in, where its log begins then. */
  readonly before: ReadonlyMap<BareKey, string>;
  /** Full JIDs of the account's streams where it comes from: what it has been shown may bear them. */
  readonly own: readonly string[];
  /** Joins that no room has answered, each with what was sent behind it. */
  readonly asked: readonly Stanza[];
  /** A home elsewhere may have said some of that, and not told yet; absent: it has not. */
  readonly isUnsure?: boolean;
  /** Requests to rooms whose answers come on its own stream, by the proxy's id. */
  readonly requests: ReadonlyMap<string, PendingRequest>;
  /** Those whose answers nobody will hear. */
  readonly unanswered: readonly Stanza[];
}

/** What an account is known by, at home or elsewhere. */
export interface PassageSource {
  readonly sessions: ReadonlyMap<SessionId, Session>;
  readonly carriers: ReadonlyMap<CarrierId, Carrier>;
  readonly rooms: ReadonlyMap<BareKey, Occupancy>;
  /** See `Passage`. */
  before?(room: BareKey): string | undefined;
}

export type Unfinished = Pick<Passage, 'asked' | 'isUnsure' | 'requests' | 'unanswered'>;

/** What the session of an account that is at home here is owed. */
export function unfinishedOf({ sessions, rooms, requests }: AccountState, id: SessionId): Unfinished {
  const own = sessions.get(id)?.carrier;
  const pending = [...requests].filter(([, { session }]) => session === id);
  const asked = [...rooms.values()].flatMap(({ waiting }) =>
    waiting
      .filter(({ session, isForsaken }) => session === id && !isForsaken)
      .flatMap(({ stanza, behind }) => [stanza, ...behind.map((one) => one.stanza)]),
  );
  for (const { stanza } of sessions.get(id)?.held ?? []) asked.push(stanza);
  return {
    asked,
    requests: new Map(pending.filter(([, { carrier }]) => carrier === own)),
    unanswered: pending.filter(([, { carrier }]) => carrier !== own).map(([, { stanza }]) => stanza),
  };
}

/** Undefined: nothing is known of the session. Nothing of the source is changed. */
export function passageOf(source: PassageSource, id: SessionId, unfinished: Unfinished): Passage | undefined {
  const known = source.sessions.get(id);
  const carrier = known && source.carriers.get(known.carrier);
  if (!known || !carrier) return undefined;
  const rooms: Occupancy[] = [];
  const before = new Map<BareKey, string>();
  const joined = new RoomSet();
  const places = new RoomSet();
  for (const key of new Set([...known.rooms, ...carrier.rooms])) {
    const room = source.rooms.get(key);
    // A room that has ended is kept for what is still said of it, and has no place for anybody.
    if (!room || room.phase === 'ended') continue;
    const isInside = room.phase === 'joined' && room.members.has(id);
    if (!isInside && !occupies(carrier, key)) continue;
    const part = partOf(room, known, carrier);
    rooms.push(part);
    if (part.members.size > 0) joined.add(key);
    const last = source.before?.(key);
    if (last !== undefined) before.set(key, last);
    if (occupies(carrier, key)) places.add(key);
  }
  const asleep = { held: undefined, isHibernating: true, isStreamKept: false, isBeforeParking: false };
  const session = { ...known, ...asleep, rooms: joined };
  return {
    session,
    carrier: { ...carrier, status: 'hibernating', rooms: places, overdue: undefined },
    rooms,
    before,
    own: [...source.carriers.values()].map(({ jid }) => jid),
    ...unfinished,
  };
}

/** The room as far as it is the session's. */
function partOf(room: Occupancy, session: Session, carrier: Carrier): Occupancy {
  const member = room.phase === 'joined' ? room.members.get(session.id) : undefined;
  const isOwn = (one: { readonly session: SessionId | undefined }): boolean => one.session === session.id;
  return {
    ...room,
    phase: member ? 'joined' : 'leaving',
    carrier: member && room.carrier === carrier.id ? carrier.id : undefined,
    attempt: undefined,
    move: undefined,
    members: new Map(member ? [[session.id, member]] : []),
    waiting: [],
    queue: room.queue.filter(isOwn),
    sent: room.sent.filter(isOwn),
    presences: room.presences.filter(isOwn),
    meanwhile: undefined,
    lists: undefined,
    ping: undefined,
    unsure: undefined,
    isForbidden: undefined,
    probes: [],
    departing: new Map(member ? [] : [[carrier.id, { sent: false }]]),
    // What another stream has heard before may be sent again on this one.
    overlap: member && room.overlap,
    ahead: member && room.ahead?.carrier === carrier.id ? room.ahead : undefined,
    refused: new Set(),
    tries: 0,
    retryAt: undefined,
    isReplaced: false,
    kept: [],
    farewell: undefined,
    parting: undefined,
  };
}

/** The same under other names: the old ones may not have ended yet where they were given. */
export function renamed(passage: Passage, id: SessionId, carrierId: CarrierId): Passage {
  const old = passage.carrier.id;
  const carrierOf = (one: CarrierId): CarrierId => (one === old ? carrierId : one);
  const sent = (one: SentMessage): SentMessage => ({ ...one, session: id, carrier: carrierOf(one.carrier) });
  const queued = (one: QueuedStanza): QueuedStanza => ({ ...one, session: id });
  const rooms = passage.rooms.map(
    (room): Occupancy => ({
      ...room,
      carrier: room.carrier && carrierOf(room.carrier),
      members: new Map([...room.members.values()].map((member) => [id, member])),
      queue: room.queue.map(queued),
      sent: room.sent.map(sent),
      presences: room.presences.map((one) => ({ ...one, session: id, carrier: carrierOf(one.carrier) })),
      overlap: room.overlap?.renamed(old, carrierId),
      ahead: room.ahead && { ...room.ahead, carrier: carrierOf(room.ahead.carrier) },
      departing: new Map([...room.departing].map(([one, state]) => [carrierOf(one), state])),
    }),
  );
  const requests = [...passage.requests].map(([name, one]): [string, PendingRequest] => [
    name,
    { ...one, session: id, carrier: carrierId },
  ]);
  return {
    ...passage,
    session: { ...passage.session, id, carrier: carrierId, former: passage.session.id },
    carrier: { ...passage.carrier, id: carrierId, session: id },
    rooms,
    requests: new Map(requests),
  };
}

/** What the session has been shown of a room, for a home that knows the room. `own`: addresses that stand for the account. */
export function shownOf(
  room: Occupancy,
  facts: RoomFacts,
  {
    own,
    before,
    now,
  }: { readonly own: ReadonlySet<string>; readonly before: string | undefined; readonly now: number },
): KnownRoom {
  const [entry] = room.members;
  const [id, member] = entry ?? [];
  const members = new Map<SessionId, Member>(
    id && member ? [[id, { ...member, lag: undefined, lacks: undefined }]] : [],
  );
  if (member?.lacks) return { ...member.lacks, facts, members };
  const { lag } = member ?? {};
  const shown = lag
    ? { ...room, roster: new Map(lag.roster), self: lag.self, subject: lag.subject, log: room.log.upTo(lag.from, now) }
    : room;
  return { ...knownRoom(shown, facts, own, before, now), members };
}
