/** What another node has been told of the account's state: its sessions' rooms, and the rooms of all streams. */
import type { RoomSet } from '../../core/room-set.ts';
import type { AccountState, CarrierId, SessionId } from '../../core/state.ts';
import { type BareKey, splitJid } from '../../xml/address.ts';
import type { RoomChange, ViewItem } from './items.ts';

interface Told {
  readonly rooms: Set<BareKey>;
  version: number;
  status: string;
}

export class ViewSent {
  readonly #sessions = new Map<SessionId, Told>();
  readonly #carriers = new Map<CarrierId, Told>();
  readonly #services = new Set<string>();
  #servicesAt = -1;
  #rest = '';

  forgetSession(id: SessionId): void {
    this.#sessions.delete(id);
  }

  /** The other node has added the room by itself. */
  presume(id: SessionId, room: BareKey): void {
    const told = open(this.#sessions, id);
    told.rooms.add(room);
    told.version = -1;
  }

  /** What has changed since it was told last; `sessions` are those of the other node. */
  changes(state: AccountState, sessions: Iterable<SessionId>, seen: number): ViewItem | undefined {
    const sessionChanges: ViewItem['sessions'][number][] = [];
    for (const id of sessions) {
      const session = state.sessions.get(id);
      const change = session && changeOf(open(this.#sessions, id), id, session.rooms);
      if (change) sessionChanges.push(change);
    }
    const carriers: ViewItem['carriers'][number][] = [];
    for (const { id, jid, kind, status, rooms } of state.carriers.values()) {
      const isNew = !this.#carriers.has(id);
      const told = open(this.#carriers, id);
      const change = changeOf(told, id, rooms);
      if (!change && !isNew && told.status === status) continue;
      told.status = status;
      carriers.push({ ...(change ?? { id, entered: [], left: [] }), jid, kind, status });
    }
    const gone = [...this.#carriers.keys()].filter((id) => !state.carriers.has(id));
    for (const id of gone) this.#carriers.delete(id);
    const services = this.#newServices(state, carriers.length > 0);
    const { idPrefix, accountStream } = state;
    const hasIds = state.nextId > 0;
    const rest = `${idPrefix} ${hasIds} ${accountStream}`;
    const count = sessionChanges.length + carriers.length + gone.length + services.length;
    if (rest === this.#rest && count === 0) return undefined;
    this.#rest = rest;
    const view = { seen, idPrefix, hasIds, accountStream, sessions: sessionChanges, carriers, gone };
    return { kind: 'view', ...view, ...(services.length > 0 ? { services } : {}) };
  }

  /** A node on which nobody has joined must know all the same what is an entry to a room of the account. */
  #newServices({ carriers, services }: AccountState, isChanged: boolean): string[] {
    if (!isChanged && this.#servicesAt === services.version) return [];
    this.#servicesAt = services.version;
    const found: string[] = [];
    for (const { rooms } of carriers.values()) {
      for (const room of rooms) {
        const { domain } = splitJid(room);
        if (this.#services.has(domain) || !services.isMuc(domain)) continue;
        this.#services.add(domain);
        found.push(domain);
      }
    }
    return found;
  }
}

function open<Id>(map: Map<Id, Told>, id: Id): Told {
  let told = map.get(id);
  if (!told) {
    told = { rooms: new Set(), version: -1, status: '' };
    map.set(id, told);
  }
  return told;
}

function changeOf<Id>(told: Told, id: Id, rooms: RoomSet): RoomChange<Id> | undefined {
  if (told.version === rooms.version) return undefined;
  told.version = rooms.version;
  const entered = [...rooms].filter((room) => !told.rooms.has(room));
  const left = [...told.rooms].filter((room) => !rooms.has(room));
  if (entered.length + left.length === 0) return undefined;
  for (const room of entered) told.rooms.add(room);
  for (const room of left) told.rooms.delete(room);
  return { id, entered, left };
}
