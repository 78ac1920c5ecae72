/** What sessions of a node that is not the home have asked of rooms and have no answer to: it is asked again, or refused, when the home is lost. */
import type { Unfinished } from '../../core/passage.ts';
import type { SessionId } from '../../core/state.ts';
import type { BareKey } from '../../xml/address.ts';
import { emptied, parseStanza, type Stanza } from '../../xml/stanza.ts';

/** Stanzas of one session behind a join that are kept. */
const MOST_ASKED = 200;
/** Unanswered requests that are kept. */
const MOST_REQUESTS = 2048;

/** A stanza, and whose it is. */
export interface Asked {
  readonly session: SessionId;
  readonly stanza: Stanza;
}

export class Unanswered {
  /** The join first, then what was sent behind it, by session and room. */
  readonly #joins = new Map<string, Stanza[]>();
  /** Requests without what is in them, by session and id. */
  readonly #requests = new Map<string, Asked>();

  /** A session wants to enter the room. Another join takes the place of the one before it. */
  join(session: SessionId, room: BareKey, stanza: Stanza): void {
    const name = nameOf(session, room);
    this.#joins.set(name, [copyOf(stanza), ...(this.#joins.get(name) ?? []).slice(1)]);
  }

  isJoining(session: SessionId): boolean {
    return [...this.#joins.keys()].some((name) => name.startsWith(`${session} `));
  }

  /** The session sends something behind its join; false: no join is under way. */
  follow(session: SessionId, room: BareKey, stanza: Stanza): boolean {
    const asked = this.#joins.get(nameOf(session, room));
    // Bounded as at the home, which refuses what is beyond.
    if (asked && asked.length < MOST_ASKED) asked.push(copyOf(stanza));
    return asked !== undefined;
  }

  /** A join, and what is behind it, as the home has had them. */
  adopt(session: SessionId, room: BareKey, stanzas: readonly Stanza[]): void {
    this.#joins.set(nameOf(session, room), [...stanzas]);
  }

  /** The room has let the session in, or not, or is left. Returns the join. */
  settleJoin(session: SessionId, room: BareKey): Stanza | undefined {
    const name = nameOf(session, room);
    const [join] = this.#joins.get(name) ?? [];
    this.#joins.delete(name);
    return join;
  }

  request(session: SessionId, stanza: Stanza): void {
    if (stanza.type !== 'get' && stanza.type !== 'set') return;
    // More than the home lets a session have unanswered are refused there.
    if (this.#requests.size >= MOST_REQUESTS) return;
    this.#requests.set(`${session} ${stanza.id}`, { session, stanza: emptied(stanza) });
  }

  /** An answer goes to the session. */
  settleRequest(session: SessionId, id: string | undefined): void {
    this.#requests.delete(`${session} ${id}`);
  }

  get hasRequests(): boolean {
    return this.#requests.size > 0;
  }

  /** All joins, each with what is behind it. */
  *joins(): Iterable<Asked> {
    for (const [name, stanzas] of this.#joins) {
      const session = name.slice(0, name.indexOf(' ')) as SessionId;
      for (const stanza of stanzas) yield { session, stanza };
    }
  }

  /** What rooms have not answered and, with the home, cannot answer any more. */
  takeRequests(): Asked[] {
    const all = [...this.#requests.values()];
    this.#requests.clear();
    return all;
  }

  /** What the one session is owed. */
  of(id: SessionId): Unfinished {
    const own = (all: Iterable<Asked>): Stanza[] =>
      [...all].filter(({ session }) => session === id).map(({ stanza }) => stanza);
    return { asked: own(this.joins()), isUnsure: true, requests: new Map(), unanswered: own(this.#requests.values()) };
  }

  /** The session has gone. */
  drop(id: SessionId): void {
    for (const name of this.#joins.keys()) if (name.startsWith(`${id} `)) this.#joins.delete(name);
    for (const [name, { session }] of this.#requests) if (session === id) this.#requests.delete(name);
  }

  clear(): void {
    this.#joins.clear();
    this.#requests.clear();
  }
}

function nameOf(session: SessionId, room: BareKey): string {
  return `${session} ${room}`;
}

function copyOf(stanza: Stanza): Stanza {
  return parseStanza(Buffer.from(stanza.bytes), stanza.declarations);
}
