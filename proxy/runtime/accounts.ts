/**
 * The accounts of this node and their sessions; what happens when a client is bound, and when it comes back while its old
 * connection lingers (DESIGN "Resources").
 */

import type { AccountView } from '../core/view.ts';
import type { Leg } from '../net/leg.ts';
import { accountKey, type BareKey, bareKey, bareOf, nickKey, resourceOf, splitJid } from '../xml/address.ts';
import type { Account } from './account.ts';
import { AccountRunner } from './account-runner.ts';
import type { BoundSession, Hint, ResourceRequest, ResumedSession, ResumeRequest } from './bound-session.ts';
import type { Cluster } from './cluster/cluster.ts';
import type { AccountDeps } from './deps.ts';
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
  /** Shares the accounts with other nodes. */
  readonly #cluster: Cluster | undefined;

  constructor(deps: AccountDeps, cluster?: Cluster) {
    this.#deps = deps;
    this.#cluster = cluster;
  }

  get size(): number {
    return this.#cluster?.size ?? this.#runners.size;
  }

  get sessionCount(): number {
    return this.#sessions.size;
  }

  /** Of the accounts that are at home here. */
  *runners(): Iterable<AccountRunner> {
    yield* this.#runners.values();
    for (const { runner } of this.#cluster?.accounts() ?? []) if (runner) yield runner;
  }

  /** A client has bound a resource. Both legs are held until what is known of its device has been read. */
  async bound(bound: BoundSession): Promise<void> {
    const bare = bareOf(bound.jid);
    const account = this.#account(accountKey(bare), bare, bound);
    const session: ClientSession = new ClientSession(bound, this.#askedFor(bound), account, this.#deps, {
      over: () => this.#over(session),
      resumable: (previd) => this.#noteResumable(session, resumeKey(bound.host.name, previd)),
    });
    this.#sessions.add(session);
    if (bound.password) account.offerCredentials(bound.password, bound.host);
    await this.#recall(account, session);
    session.start();
  }

  /** How far the session's device had come, its ghost's way included. */
  async #recall(account: Account, { id, bare, device }: ClientSession): Promise<void> {
    if (device === undefined) return;
    const cursors = await this.#deps.store.readCursors(bare, device);
    if (cursors.size > 0) account.input({ kind: 'session-cursors', session: id, cursors });
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

  #account(key: BareKey, bare: string, { host, serverHeader }: BoundSession): Account {
    if (this.#cluster) return this.#cluster.account(key, bare, this.#deps.settingsFor(host, serverHeader));
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

  /** What `resourceFor` looks at may be on another node: it is fetched, which takes a bounded time. */
  prepare({ userHint, domain, serverHeader }: Hint): Promise<void> | undefined {
    const host = this.#deps.config.hosts[domain];
    if (!this.#cluster || userHint === undefined || !host || !serverHeader) return undefined;
    const named = `${splitJid(userHint).local || userHint}@${domain}`;
    return this.#cluster.prepare(accountKey(named), named, () => this.#deps.settingsFor(host, serverHeader));
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
    const view = this.#view(accountKey(named)) ?? this.#view(bareKey(named) ?? ('' as BareKey));
    if (!view || !carriesRooms(view, asked)) return asked;
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

  #view(key: BareKey): AccountView | undefined {
    return this.#runners.get(key)?.state ?? this.#cluster?.find(key)?.view;
  }

  /** The resource by which the client knows itself, whatever it was given. */
  #askedFor(bound: BoundSession): string {
    const given = resourceOf(bound.jid);
    const asked = this.#renamed.get(given) ?? given;
    this.#renamed.delete(given);
    return asked;
  }

  /** Ends every session and account stream, at the end of the process. */
  shutDown(): void {
    for (const session of [...this.#sessions]) session.shutDown();
    for (const runner of [...this.#runners.values()]) runner.close();
    this.#runners.clear();
    for (const stream of this.#deps.leaving) stream.abort();
  }
}

function carriesRooms({ carriers, services }: AccountView, resource: string): boolean {
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

/** A domain has no space in it. */
function resumeKey(domain: string, previd: string): string {
  return `${domain} ${previd}`;
}
