/** What a node that is not an account's home knows of the account: enough to route its own sessions' stanzas. */
import type { Arrival, KnownRoom } from '../../core/arrival.ts';
import { newCarrier, newSession } from '../../core/beginnings.ts';
import { entered } from '../../core/entry.ts';
import type { Input } from '../../core/inputs.ts';
import { serviceOf } from '../../core/occupancy.ts';
import { type Passage, shownOf } from '../../core/passage.ts';
import { presentationOf } from '../../core/rules/join.ts';
import type { Services } from '../../core/services.ts';
import type { AccountState, Carrier, CarrierId, Occupancy, Session, SessionId, Settings } from '../../core/state.ts';
import type { AccountView } from '../../core/view.ts';
import {
  applyFacts,
  factsOf,
  noteSaid,
  noteShown,
  type RoomFacts,
  stopWatching,
  watchedRoom,
} from '../../core/watch.ts';
import { type BareKey, bareKey, resourceOf } from '../../xml/address.ts';
import { parseStanza, type Stanza } from '../../xml/stanza.ts';
import type { Ports } from '../ports.ts';
import type { ViewItem } from './items.ts';
import { Newcomers } from './newcomers.ts';
import { Unanswered } from './unanswered.ts';

export class Mirror implements AccountView {
  readonly bare: string;
  readonly settings: Settings;
  readonly services: Services;
  /** Sessions of this node. */
  readonly sessions = new Map<SessionId, Session>();
  /** All streams of the account. Those of this node are what is said here, in whatever state the home is. */
  readonly carriers = new Map<CarrierId, Carrier>();
  /** Streams that are on this node. */
  readonly own = new Set<CarrierId>();
  /** Ids are known by their start, which nobody can guess. */
  readonly requests = { size: 1, has: (id: string): boolean => this.nextId > 0 && id.startsWith(this.idPrefix) };
  /** Rooms that sessions here have joined, or streams here carry. */
  readonly watched = new Map<BareKey, Occupancy>();
  /** What the last message was when the first session here came in. */
  readonly #before = new Map<BareKey, string | undefined>();
  readonly newcomers = new Newcomers();
  readonly unanswered = new Unanswered();
  idPrefix = '';
  nextId = 0;
  accountStream: AccountState['accountStream'] = 'off';

  readonly #now: () => number;

  constructor(bare: string, settings: Settings, services: Services, now: () => number) {
    this.#now = now;
    this.bare = bare;
    this.settings = settings;
    this.services = services;
  }

  addSession(
    { id, jid, asked, languages }: Pick<Session, 'id' | 'jid' | 'asked' | 'languages'>,
    carrier: CarrierId,
    device: string | undefined,
  ): { session: Session; carrier: Carrier } {
    const session = newSession({ id, jid, asked, device, carrier, languages });
    this.sessions.set(id, session);
    return {
      session,
      carrier: this.addCarrier({ id: carrier, kind: 'borrowed', jid, session: id, languages }),
    };
  }

  /** A session comes, with its stream, that another node has had. */
  restore(passage: Passage, isKnown: boolean): void {
    const { session, carrier, rooms, before, requests } = passage;
    this.sessions.set(session.id, session);
    this.carriers.set(carrier.id, carrier);
    this.own.add(carrier.id);
    if (isKnown) return;
    const others = rooms.filter(({ key, members }) => this.watched.has(key) && members.size > 0);
    this.newcomers.add(
      others.map((room) => this.shown(passage, room)),
      requests,
    );
    for (const room of rooms) {
      if (this.watched.has(room.key)) continue;
      this.watched.set(room.key, room);
      this.#before.set(room.key, before.get(room.key));
    }
  }

  /** What of a room the one session has been shown that it came with. */
  shown({ before, own: streams }: Passage, room: Occupancy): KnownRoom {
    const here = [...this.sessions.values(), ...this.carriers.values()].map(({ jid }) => jid);
    const own = new Set([...here, ...streams]);
    const about = { own, before: before.get(room.key), now: this.#now() };
    return shownOf(room, factsOf(room, this.services.facts(serviceOf(room))), about);
  }

  /** For a home that is here: what it knows of the rooms counts, and of those that it does not what the session has been shown. */
  arrivalAt({ rooms: atHome }: AccountState, passage: Passage): Arrival {
    const { session, carrier, rooms, requests } = passage;
    const isKnown = ({ key }: Occupancy): boolean => (atHome.get(key)?.phase ?? 'ended') !== 'ended';
    const watched = rooms.filter((room) => !isKnown(room));
    const joined = rooms.filter((room) => isKnown(room) && room.members.size > 0);
    const known = joined.map((room) => this.shown(passage, room));
    return { sessions: [session], carriers: [carrier], watched, known, requests };
  }

  addCarrier(known: Pick<Carrier, 'id' | 'kind' | 'jid' | 'session' | 'languages'>): Carrier {
    const carrier = newCarrier(known);
    this.carriers.set(carrier.id, carrier);
    this.own.add(carrier.id);
    return carrier;
  }

  dropCarrier(id: CarrierId): void {
    this.carriers.delete(id);
    this.own.delete(id);
  }

  /** The home has told what can be seen of the account. */
  get isTold(): boolean {
    return this.idPrefix !== '';
  }

  /** The home's account of it. `isPresumed`: a join is on its way to the home, which had not seen it. */
  apply(item: ViewItem, isPresumed: (session: SessionId, room: BareKey) => boolean): void {
    this.idPrefix = item.idPrefix;
    this.nextId = item.hasIds ? 1 : 0;
    this.accountStream = item.accountStream as AccountState['accountStream'];
    for (const domain of item.services ?? []) this.services.learn(domain);
    for (const { id, entered, left } of item.sessions) {
      const session = this.sessions.get(id);
      if (!session) continue;
      for (const room of entered) session.rooms.add(room);
      for (const room of left) {
        if (isPresumed(id, room)) continue;
        session.rooms.delete(room);
        this.unanswered.settleJoin(id, room);
      }
    }
    for (const { id, jid, kind, status, entered, left } of item.carriers) {
      let carrier = this.carriers.get(id);
      if (!carrier) {
        // A stream of this node that is gone here is gone there soon.
        carrier = newCarrier({ id, kind, jid, session: undefined });
        this.carriers.set(id, carrier);
      }
      carrier.status = status;
      for (const room of entered) carrier.rooms.add(room);
      for (const room of left) {
        carrier.rooms.delete(room);
        this.#forgetIfOver(room);
      }
    }
    for (const id of item.gone) if (!this.own.has(id)) this.carriers.delete(id);
  }

  dropSession(id: SessionId): void {
    const rooms = this.sessions.get(id)?.rooms ?? [];
    this.sessions.delete(id);
    this.newcomers.drop(id);
    this.unanswered.drop(id);
    for (const room of rooms) this.left(room, id);
  }

  /** Something has happened to sessions and streams here. */
  note(input: Input): void {
    const session = 'session' in input ? this.sessions.get(input.session) : undefined;
    switch (input.kind) {
      case 'session-presence':
        if (session) Object.assign(session, { available: input.available, show: input.show, priority: input.priority });
        return;
      case 'session-carbons':
        if (session) session.carbons = input.enabled;
        return;
      case 'session-push':
        if (session) session.push = input.enabled ? { owed: undefined, count: 0, at: 0 } : undefined;
        return;
      case 'session-hibernates':
        if (session) Object.assign(session, { isHibernating: true, isStreamKept: input.isStreamKept === true });
        return;
      case 'session-cursors':
        for (const [room, cursor] of input.cursors) session?.cursors.set(room, cursor);
        return;
      case 'session-awakes':
        if (session) {
          const carrier = this.carriers.get(session.carrier);
          if (carrier?.status === 'hibernating') carrier.status = 'ready';
          Object.assign(session, { isHibernating: false, isStreamKept: false });
        }
        return;
      case 'session-stanza': {
        const room = entered(input.stanza);
        // What the client sends behind its join is for the room.
        if (room !== undefined) session?.rooms.add(room);
        this.#noteSent(input.session, input.stanza, room !== undefined);
        return;
      }
      case 'carrier-ready': {
        const { carrier: id, type: kind, jid, languages } = input;
        this.addCarrier({ id, kind, jid, session: undefined, ...(languages && { languages }) });
        return;
      }
      default:
        return;
    }
  }

  /** All that is known of rooms, for a home that is here; nothing is watched any more. */
  takeWatched(): Occupancy[] {
    const all = [...this.watched.values()];
    this.watched.clear();
    this.#before.clear();
    this.unanswered.clear();
    return all;
  }

  // Rooms.

  /** A session here has sent something to a room. */
  #noteSent(id: SessionId, stanza: Stanza, isJoin: boolean): void {
    const key = bareKey(stanza.to ?? '');
    if (key === undefined) return;
    if (isJoin) this.unanswered.join(id, key, stanza);
    else if (this.unanswered.follow(id, key, stanza)) return;
    else if (stanza.name === 'iq') this.unanswered.request(id, stanza);
    else if (stanza.type === 'groupchat') {
      const room = this.watched.get(key);
      if (room?.members.has(id)) noteSaid(room, id, stanza, this.#now());
    } else if (stanza.name === 'presence' && stanza.type === undefined) {
      const member = this.watched.get(key)?.members.get(id);
      if (member) member.presentation = presentationOf(copy(stanza), this.#now());
    }
  }

  /** The home has a session here sent this. */
  noteSentTo(session: SessionId, text: Buffer): void {
    const isPresence = text[1] === 0x70;
    const isIq = text[1] === 0x69;
    if (isIq && !this.unanswered.hasRequests) return;
    const stanza = parseStanza(text);
    if (isPresence) this.noteShown(stanza);
    else if (isIq) {
      if (stanza.type === 'result' || stanza.type === 'error') this.unanswered.settleRequest(session, stanza.id);
    } else if (stanza.type === 'error') this.forgetSaid(session, stanza.from, stanza.id);
  }

  /** A message of the session is answered for. `address`: that of the room. */
  forgetSaid(session: SessionId, address: string | undefined, id: string | undefined): void {
    const room = this.watched.get(bareKey(address ?? '') ?? ('' as BareKey));
    const index = room?.sent.findIndex((sent) => sent.session === session && sent.id === id) ?? -1;
    if (index >= 0) room?.sent.splice(index, 1);
  }

  /** A stream here is in rooms. */
  get isCarrying(): boolean {
    for (const id of this.own) if ((this.carriers.get(id)?.rooms.size ?? 0) > 0) return true;
    return false;
  }

  /** What this node has known as the account's home, as far as its own sessions and streams go. */
  adopt(state: AccountState, ports: Ports): void {
    this.idPrefix = state.idPrefix;
    this.nextId = state.nextId;
    this.accountStream = state.accountStream;
    const known = new Map(this.carriers);
    this.carriers.clear();
    this.own.clear();
    this.watched.clear();
    this.#before.clear();
    for (const carrier of state.carriers.values()) this.carriers.set(carrier.id, carrier);
    for (const id of ports.carriers.keys()) {
      // One that has come just now is known here alone.
      const carrier = this.carriers.get(id) ?? known.get(id);
      if (!carrier) continue;
      this.carriers.set(id, carrier);
      this.own.add(id);
    }
    for (const id of ports.sessions.keys()) {
      const session = state.sessions.get(id);
      if (!session) continue;
      this.sessions.set(id, session);
      this.#takeHeld(session);
    }
    for (const room of state.rooms.values()) this.#adoptRoom(room, ports);
  }

  /** A join that has waited at the home is one that no room has answered. */
  #takeHeld(session: Session): void {
    const stanzas = session.held?.map(({ stanza }) => stanza) ?? [];
    session.held = undefined;
    const key = bareKey(stanzas[0]?.to ?? '');
    if (key !== undefined) this.unanswered.adopt(session.id, key, stanzas);
  }

  #adoptRoom(room: Occupancy, ports: Ports): void {
    for (const { session, stanza, behind } of room.waiting) {
      const all = [stanza, ...behind.map((one) => one.stanza)];
      if (ports.sessions.has(session)) this.unanswered.adopt(session, room.key, all);
    }
    if (room.phase !== 'joined') return;
    const watched = watchedRoom(factsOf(room, this.services.facts(serviceOf(room))), this.settings);
    for (const [id, member] of room.members) if (ports.sessions.has(id)) watched.members.set(id, member);
    this.watched.set(room.key, watched);
    if (watched.members.size === 0) {
      this.#forgetIfOver(room.key);
      return;
    }
    for (const [key, occupant] of room.roster) watched.roster.set(key, occupant);
    watched.sent = room.sent.filter(({ session, isGroupchat }) => isGroupchat && ports.sessions.has(session));
    watched.joinedAt = room.joinedAt;
    watched.self = room.self;
    watched.subject = room.subject;
    watched.subjectAt = room.subjectAt;
    watched.roomPresence = room.roomPresence;
    const now = this.#now();
    watched.log.precede(room.log.entries(now), now, () => true);
  }

  noteFacts(facts: RoomFacts): void {
    const room = this.watched.get(facts.room);
    if (room) applyFacts(room, facts);
    else this.watched.set(facts.room, watchedRoom(facts, this.settings));
    this.services.hearNicks(serviceOf({ key: facts.room }), facts, this.#now());
  }

  entered(key: BareKey, id: SessionId, last: string | undefined): void {
    const join = this.unanswered.settleJoin(id, key);
    const room = this.watched.get(key);
    if (!room) return;
    const arrived = this.newcomers.entered(key, id);
    const known = room.members.get(id) ?? arrived?.members.get(id);
    const stanza = join ?? known?.presentation.stanza;
    if (!stanza) return;
    if (room.members.size === 0) {
      this.#before.set(key, last);
      room.joinedAt = this.#now();
    }
    const asked = join ? resourceOf(join.to ?? '') : (known?.asked ?? room.nick);
    room.members.set(id, { asked, presentation: presentationOf(stanza, this.#now()), lag: undefined });
  }

  left(key: BareKey, id: SessionId): void {
    const room = this.watched.get(key);
    if (!room?.members.delete(id) || room.members.size > 0) return;
    stopWatching(room, this.settings);
    this.#forgetIfOver(key);
  }

  /** What the last message was when the first session here came into the room. */
  before(key: BareKey): string | undefined {
    return this.#before.get(key);
  }

  /** Something was shown to sessions here. */
  noteShown(stanza: Stanza): void {
    const room = this.watched.get(bareKey(stanza.from ?? '') ?? ('' as BareKey));
    if (room && room.members.size > 0) noteShown(room, stanza, this.#now());
  }

  #forgetIfOver(key: BareKey): void {
    const room = this.watched.get(key);
    if (!room || room.members.size > 0) return;
    for (const id of this.own) if (this.carriers.get(id)?.rooms.has(key)) return;
    this.watched.delete(key);
    this.#before.delete(key);
  }
}

function copy(stanza: Stanza): Stanza {
  return parseStanza(Buffer.from(stanza.bytes), stanza.declarations);
}
