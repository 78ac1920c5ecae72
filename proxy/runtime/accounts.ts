/**
 * The accounts of this node and their sessions; what happens when a client is bound, and when it comes back while its old
 * connection lingers (DESIGN "Resources").
 */
import type { SessionId } from '../core/state.ts';
import type { Leg } from '../net/leg.ts';
import { accountKey, type BareKey, bareKey, bareOf, nickKey, resourceOf, splitJid } from '../xml/address.ts';
import { AccountRunner } from './account-runner.ts';
import type { AccountDeps } from './deps.ts';
import type { BoundSession, ResourceRequest, ResumedSession, ResumeRequest } from './negotiation.ts';
import { ClientSession } from './session.ts';

/** Renamed resources whose binding has not come yet; beyond this many the oldest is forgotten. */
const MOST_RENAMED = 1000;

export class Accounts {
  readonly #deps: AccountDeps;
  readonly #runners = new Map<BareKey, AccountRunner>();
  readonly #sessions = new Set<ClientSession>();
  /** Resource given in place of one that a carrier has: to the one that was asked for. */
  readonly #renamed = new Map<string, string>();
  /** Sessions that can be resumed, by the name that the server gave them. */
  readonly #resumable = new Map<string, ClientSession>();
  readonly #resumeKeys = new WeakMap<ClientSession, string>();
  /** The resource that each session's client knows itself by. */
  readonly #asked = new WeakMap<ClientSession, string>();

  constructor(deps: AccountDeps) {
    this.#deps = deps;
  }

  get size(): number {
    return this.#runners.size;
  }

  get sessionCount(): number {
    return this.#sessions.size;
  }

  runners(): Iterable<AccountRunner> {
    return this.#runners.values();
  }

  /** A client has bound a resource. Both legs are held until what is known of its device has been read. */
  async bound(bound: BoundSession): Promise<void> {
    const bare = bareOf(bound.jid);
    const runner = this.#runner(accountKey(bare), bare, bound);
    const session: ClientSession = new ClientSession(bound, runner, this.#deps, {
      over: () => this.#over(session),
      resumable: (previd) => this.#noteResumable(session, resumeKey(bound.host.name, previd)),
    });
    this.#sessions.add(session);
    if (bound.password) runner.offerCredentials(bound.password, bound.host);
    this.#endGhost(session);
    await this.#recall(runner, session.id);
    session.start();
  }

  /** How far the session's device had come, its ghost's way included. */
  async #recall(runner: AccountRunner, id: SessionId): Promise<void> {
    const device = runner.state.sessions.get(id)?.device;
    if (device === undefined) return;
    const cursors = await this.#deps.store.readCursors(runner.state.bare, device);
    if (cursors.size > 0) runner.input({ kind: 'session-cursors', session: id, cursors });
  }

  #over(session: ClientSession): void {
    this.#sessions.delete(session);
    this.#forgetResumable(session);
  }

  #noteResumable(session: ClientSession, key: string): void {
    this.#forgetResumable(session);
    this.#resumable.set(key, session);
    this.#resumeKeys.set(session, key);
  }

  #forgetResumable(session: ClientSession): void {
    const key = this.#resumeKeys.get(session);
    if (key !== undefined && this.#resumable.get(key) === session) this.#resumable.delete(key);
  }

  /** The `<resume/>` for the server in place of a client's; undefined: no such session is known here. */
  prepareResume({ domain, previd, h, version }: ResumeRequest): string | undefined {
    const session = this.#resumable.get(resumeKey(domain, previd));
    return session?.hibernation.version === version ? session.hibernation.prepare(h) : undefined;
  }

  /** The server has refused it. */
  resumeRefused({ domain, previd }: ResumeRequest): void {
    this.#resumable.get(resumeKey(domain, previd))?.hibernation.refused();
  }

  /** The server has granted the resumption, which proves whose session it is. */
  resumed(resumed: ResumedSession): void {
    const { domain, previd } = resumed.request;
    const session = this.#resumable.get(resumeKey(domain, previd));
    if (session) {
      session.hibernation.resumed(resumed);
      return;
    }
    resumed.server.destroy();
    resumed.client.error({ condition: 'internal-server-error', text: 'The session is gone' });
  }

  /** Bare JID whose session it is, if it is kept here and could go on; undefined: no such session is. */
  ownerOf({ domain, previd, h, version }: ResumeRequest): string | undefined {
    const session = this.#resumable.get(resumeKey(domain, previd));
    return session?.hibernation.version === version && session.hibernation.canResumeHere(h) ? session.bare : undefined;
  }

  /** The client has proved to be of the account that `ownerOf` has just named. */
  resumedHere({ domain, previd, h }: ResumeRequest, client: Leg): void {
    const session = this.#resumable.get(resumeKey(domain, previd));
    if (!session) throw new Error('a session was resumed that is not there');
    session.hibernation.resumedHere(h, client);
  }

  #runner(key: BareKey, bare: string, { host, serverHeader }: BoundSession): AccountRunner {
    let runner = this.#runners.get(key);
    if (!runner) {
      const created = new AccountRunner(bare, this.#deps.settingsFor(host, serverHeader), this.#deps, () => {
        if (this.#runners.get(key) === created) this.#runners.delete(key);
      });
      runner = created;
      this.#runners.set(key, runner);
    }
    return runner;
  }

  /**
   * A client that asks for the resource of a stream which carries rooms gets another one: the server would end that stream,
   * and other occupants would see the account leave. The user name is a hint: it decides a name, never access.
   */
  resourceFor(request: ResourceRequest): string | undefined {
    const { asked, userHint, domain } = request;
    if (asked === undefined || asked === '' || userHint === undefined) return asked;
    const local = splitJid(userHint).local || userHint;
    const named = `${local}@${domain}`;
    const runner = this.#runners.get(accountKey(named)) ?? this.#runners.get(bareKey(named) ?? ('' as BareKey));
    if (!runner || !this.#carriesRooms(runner, asked)) return asked;
    // As the server will write it, so that the session is known again when it is bound.
    const own = nickKey(asked) ?? asked;
    const given = `${own}-${this.#deps.token().slice(0, 6)}`;
    if (this.#renamed.size >= MOST_RENAMED) {
      const oldest = this.#renamed.keys().next();
      if (!oldest.done) this.#renamed.delete(oldest.value);
    }
    this.#renamed.set(given, own);
    return given;
  }

  #carriesRooms(runner: AccountRunner, resource: string): boolean {
    const { carriers, services } = runner.state;
    // The server has normalised what it bound, and will do so with what is asked for now.
    const asked = nickKey(resource);
    for (const carrier of carriers.values()) {
      if (nickKey(resourceOf(carrier.jid)) !== asked) continue;
      for (const room of carrier.rooms) {
        // Where a nick cannot be shared, binding the same resource anew is what clears the ghost out of the room.
        if (!services.facts(splitJid(room).domain).refusesSharedNick) return true;
      }
    }
    return false;
  }

  /** The session's earlier connections, whatever the resource that they were given, make way for it (RFC 6120 section 7.7.2.2). */
  #endGhost(session: ClientSession): void {
    const given = resourceOf(session.jid);
    const asked = this.#renamed.get(given) ?? given;
    this.#renamed.delete(given);
    this.#asked.set(session, asked);
    for (const other of this.#sessions) {
      if (other !== session && other.bare === session.bare && this.#asked.get(other) === asked) other.replace();
    }
  }

  /** Ends every session and account stream, at the end of the process. */
  shutDown(): void {
    for (const session of [...this.#sessions]) session.shutDown();
    for (const runner of [...this.#runners.values()]) runner.close();
    this.#runners.clear();
    for (const stream of this.#deps.leaving) stream.abort();
  }
}

/** A domain has no space in it. */
function resumeKey(domain: string, previd: string): string {
  return `${domain} ${previd}`;
}
