/** What a node's sessions are and know, as the payload by which they come to a home. */
import { type Arrival, type KnownRoom, knownRoom } from '../../core/arrival.ts';
import { occupies } from '../../core/carriers.ts';
import { serviceOf } from '../../core/occupancy.ts';
import { RoomSet } from '../../core/room-set.ts';
import type { Carrier, Member, Session, SessionId } from '../../core/state.ts';
import { factsOf, type RoomFacts } from '../../core/watch.ts';
import { Payload, Reading, type TextRef } from './envelope.ts';
import type { CarrierFacts, SessionFacts } from './items.ts';
import type { Mirror } from './mirror.ts';
import { fromPlain, type Plain, toPlain } from './plain.ts';

type KnowledgeItem =
  | { readonly kind: 'session'; readonly facts: Plain }
  | { readonly kind: 'carrier'; readonly facts: Plain }
  | RoomItem
  | { readonly kind: 'credentials' };

interface RoomItem {
  readonly kind: 'room';
  readonly facts: RoomFacts;
  readonly members: readonly {
    readonly session: SessionId;
    readonly asked: string;
    readonly show: string;
    readonly priority: number;
    readonly at: number;
    readonly stanza: TextRef;
  }[];
  readonly roster: readonly (readonly [string, { readonly nick: string; readonly digest: string }])[];
  readonly self: string;
  readonly subject: string;
  readonly said: KnownRoom['said'];
  readonly heard: readonly { readonly key: string; readonly at: number; readonly stanza: TextRef | undefined }[];
}

export function writeKnowledge(mirror: Mirror, hasCredentials: boolean, now: number): Buffer {
  const payload = new Payload<KnowledgeItem>();
  for (const session of mirror.sessions.values()) writeSession(payload, session);
  for (const id of mirror.own) {
    const carrier = mirror.carriers.get(id);
    if (carrier) writeCarrier(payload, carrier);
  }
  const own = new Set([...mirror.sessions.values(), ...mirror.carriers.values()].map(({ jid }) => jid));
  for (const room of mirror.watched.values()) {
    // A stream that has come with a session is to leave it: the home sees that it carries it.
    if (room.phase === 'leaving') continue;
    payload.add(
      writeRoom(
        payload,
        knownRoom(room, factsOf(room, mirror.services.facts(serviceOf(room))), own, mirror.before(room.key), now),
      ),
    );
  }
  for (const known of mirror.newcomers.rooms) payload.add(writeRoom(payload, known));
  if (hasCredentials) payload.add({ kind: 'credentials' });
  return payload.seal();
}

/** One session that has come from another node, for a home that knows this one. */
export function writeArrival(session: Session, carrier: Carrier, rooms: readonly KnownRoom[], hasCredentials: boolean) {
  const payload = new Payload<KnowledgeItem>();
  writeSession(payload, session);
  writeCarrier(payload, carrier);
  for (const known of rooms) payload.add(writeRoom(payload, known));
  if (hasCredentials) payload.add({ kind: 'credentials' });
  return payload.seal();
}

function writeSession(payload: Payload<KnowledgeItem>, { rooms: _, ...facts }: Session): void {
  payload.add({ kind: 'session', facts: toPlain(facts, payload) });
}

/** With the rooms that it is in: what others still say of its stay is for nobody (see `Passage`). */
function writeCarrier(payload: Payload<KnowledgeItem>, carrier: Carrier): void {
  const { overdue: _, ...own } = carrier;
  const rooms = [...carrier.rooms].filter((room) => occupies(carrier, room));
  payload.add({ kind: 'carrier', facts: toPlain({ ...own, rooms }, payload) });
}

function writeRoom(payload: Payload<KnowledgeItem>, known: KnownRoom): RoomItem {
  const { facts, members, roster, self, subject, said, heard } = known;
  return {
    kind: 'room',
    facts,
    members: [...members].map(([session, { asked, presentation }]) => {
      const { show, priority, at, stanza } = presentation;
      return { session, asked, show, priority, at, stanza: payload.stanza(stanza) };
    }),
    roster: [...roster],
    self,
    subject,
    said,
    heard: heard.map(({ key, at, stanza }) => ({ key, at, stanza: stanza && payload.stanza(stanza) })),
  };
}

/** @throws SyntaxError or ViolationError on what no node has written */
export function readKnowledge(payload: Buffer): { readonly arrival: Arrival; readonly hasCredentials: boolean } {
  const reading = new Reading<KnowledgeItem>(payload);
  const { items } = reading;
  const sessions = items.flatMap((item) => (item.kind === 'session' ? [readSession(reading, item.facts)] : []));
  const carriers = items.flatMap((item) => (item.kind === 'carrier' ? [readCarrier(reading, item.facts)] : []));
  const known = items.flatMap((item) => (item.kind === 'room' ? [readRoom(reading, item)] : []));
  const hasCredentials = items.some(({ kind }) => kind === 'credentials');
  return { arrival: { sessions, carriers, watched: [], known }, hasCredentials };
}

function readSession(reading: Reading<KnowledgeItem>, plain: Plain): Session {
  const facts = fromPlain(plain, reading) as SessionFacts;
  // What it lacks is told once it is known what that is.
  return { ...facts, device: facts.device, isLagging: false, rooms: new RoomSet() };
}

function readCarrier(reading: Reading<KnowledgeItem>, plain: Plain): Carrier {
  const facts = fromPlain(plain, reading) as CarrierFacts;
  return { ...facts, session: facts.session, rooms: new RoomSet(facts.rooms) };
}

function readRoom(reading: Reading<KnowledgeItem>, item: RoomItem): KnownRoom {
  const { facts, roster, self, subject, said } = item;
  const members = new Map<SessionId, Member>();
  for (const { session, asked, stanza, ...presentation } of item.members) {
    members.set(session, {
      asked,
      presentation: { ...presentation, stanza: reading.stanza(stanza) },
      lag: undefined,
      lacks: undefined,
    });
  }
  const heard = item.heard.map(({ key, at, stanza }) => ({
    key,
    at,
    stanza: stanza === undefined ? undefined : reading.stanza(stanza),
  }));
  return { facts, members, roster: new Map(roster), self, subject, said, heard };
}
