/**
 * The accounts of this node and their sessions; what happens when a client is bound, and when it comes back while its old
 * connection lingers (DESIGN "Resources").
 */

import type { EstateRoom } from '../core/estate.ts';
import { renamed } from '../core/passage.ts';
import type { AccountView } from '../core/view.ts';
import { type Leg, SILENT } from '../net/leg.ts';
import type { SleeperRecord } from '../store/hibernations.ts';
import { accountKey, type BareKey, bareKey, bareOf, nickKey, resourceOf, splitJid } from '../xml/address.ts';
import type { Account } from './account.ts';
import { AccountRunner } from './account-runner.ts';
import type {
  BoundSession,
  Hint,
  KeptElsewhere,
  Recalled,
  ResourceRequest,
  ResumedSession,
  ResumeRequest,
} from './bound-session.ts';
import type { Cluster } from './cluster/cluster.ts';
import { roomsOn } from './cluster/left-streams.ts';
import type { AccountDeps } from './deps.ts';
import { Recall, resumeKey } from './recall.ts';
import { ClientSession } from './session.ts';
import type { SessionEvents } from './session-hibernation.ts';
import { readRecord, writeRecord } from './session-record.ts';

/** Renamed resources whose binding has not come yet; beyond this many the oldest is forgotten. */
const MOST_RENAMED = 1000;
/** How much longer than the server a session is kept in the store (ms). */
const RECORD_MARGIN_MS = 60_000;

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
  /** Sessions that are on their way from other nodes. */
  readonly #coming = new Set<Promise<void>>();
  /** Finds sessions that are not here. */
  readonly #recall: Recall | undefined;

  constructor(deps: AccountDeps, cluster?: Cluster) {
    this.#deps = deps;
    this.#cluster = cluster;
    if (!cluster) return;
    cluster.recalls.holder = this;
    cluster.lending.borrower = this;
    this.#recall = new Recall(cluster.node.hibernations, cluster.recalls, cluster.lending, deps.log);
  }

  get size(): number {
    return this.#cluster?.size ?? this.#runners.size;
  }

  get sessionCount(): number {
    return this.#sessions.size - this.parkedCount;
  }

  /** Streams of this node whose clients have gone, kept for their rooms. */
  get parkedCount(): number {
    return this.#deps.parking.count;
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
    const events = this.#eventsOf(() => session, bound.host.name);
    const session: ClientSession = new ClientSession(bound, this.#askedFor(bound), account, this.#deps, events);
    this.#sessions.add(session);
    if (bound.password) account.offerCredentials(bound.password, bound.host);
    await Promise.all([this.#readCursors(account, session), this.#inherit(session)]);
    session.start();
  }

  #eventsOf(session: () => ClientSession, domain: string): SessionEvents {
    return {
      over: () => this.#over(session()),
      resumable: (previd) => this.#noteResumable(session(), resumeKey({ domain, previd })),
    };
  }

  /** How far the session's device had come, its ghost's way included. */
  async #readCursors(account: Account, { id, bare, device }: ClientSession): Promise<void> {
    if (device === undefined) return;
    const cursors = await this.#deps.store.readCursors(bare, device);
    if (cursors.size > 0) account.input({ kind: 'session-cursors', session: id, cursors });
  }

  /** The account may be in rooms still by streams that a node has left to the server when it stopped. */
  async #inherit({ bare }: ClientSession): Promise<void> {
    const key = accountKey(bare);
    if (!this.#cluster?.leftStreams.isKnown(key)) return;
    const rooms = await this.#cluster.leftStreams.take(key);
    if (rooms) this.#cluster.find(key)?.inherit({ rooms, lingerMs: this.#deps.config.lingerMs });
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
    const session = this.#resumable.get(resumeKey({ domain, previd }));
    return session?.hibernation.version === version ? session.hibernation.prepare(h) : undefined;
  }

  /** Finds a session that is not here; undefined: there is nowhere else. */
  get recall(): ((request: ResumeRequest) => Promise<Recalled | KeptElsewhere | undefined>) | undefined {
    const recall = this.#recall;
    return recall && ((request) => recall.find(request));
  }

  /** The session goes on at another node, to which the server has granted it. False: it is not here, or cannot be put into the store. */
  async transfer(request: ResumeRequest): Promise<boolean> {
    const key = resumeKey(request);
    const session = this.#resumable.get(key);
    const put = session && this.#record(key, session);
    return put !== undefined && (await put());
  }

  /** This node is about to stop: what can be resumed elsewhere is put into the store, and its clients are cut off, to come back at once. */
  async transferAll(): Promise<void> {
    await Promise.all(this.#coming);
    // All of them as they are now: what one of them lets go of concerns the others.
    const puts = [...this.#resumable].map(([key, session]) => this.#record(key, session));
    await Promise.all(puts.map((put) => put?.()));
  }

  /** This node is about to stop: of parked streams that the server keeps the next node is told what it needs to know. */
  async leaveParked(): Promise<void> {
    const cluster = this.#cluster;
    if (!cluster) return;
    const left = new Map<BareKey, { resources: string[]; rooms: EstateRoom[]; ms: number }>();
    for (const { bare, jid, carrierId, leftMs } of this.#sessions) {
      const key = accountKey(bare);
      const state = cluster.find(key)?.state;
      // Where the home is elsewhere, the account goes on there.
      if (leftMs === undefined || !state) continue;
      const all = left.get(key) ?? { resources: [], rooms: [], ms: 0 };
      all.resources.push(resourceOf(jid));
      all.rooms.push(...roomsOn(state, carrierId));
      all.ms = Math.max(all.ms, leftMs);
      left.set(key, all);
    }
    await Promise.all([...left].map(([key, { ms, ...streams }]) => cluster.leftStreams.put(key, streams, ms)));
  }

  /** Writes the session down; it is over here with the step that is returned. Undefined: nobody else could resume it. */
  #record(key: string, session: ClientSession): (() => Promise<boolean>) | undefined {
    const transfer = session.transfer();
    const store = this.#cluster?.node.hibernations;
    if (!transfer || !store) return undefined;
    const { record, leave, cut } = transfer;
    const { resumableMs } = record.legs.managed;
    const state = writeRecord(record, this.#deps.now());
    const kept: SleeperRecord = { account: session.bare, session: session.id, state };
    return async () => {
      leave();
      try {
        await store.put(key, kept, resumableMs + RECORD_MARGIN_MS);
        return true;
      } catch (error) {
        this.#deps.metrics.drops.inc({ reason: 'no-store' });
        this.#deps.log.warn({ error }, 'a session could not be put into the store');
        return false;
      } finally {
        cut();
      }
    };
  }

  /** The server has refused it. */
  resumeRefused({ domain, previd }: ResumeRequest): void {
    this.#resumable.get(resumeKey({ domain, previd }))?.hibernation.refused();
  }

  /** The server has granted the resumption, which proves whose session it is. */
  resumed(resumed: ResumedSession): void {
    const session = this.#resumable.get(resumeKey(resumed.request));
    if (session) session.hibernation.resumed(resumed);
    else if (resumed.recalled) this.#expect(this.#resumedFromElsewhere(resumed, resumed.recalled));
    else notResumed(resumed);
  }

  #expect(coming: Promise<void>): void {
    this.#coming.add(coming);
    void coming.finally(() => this.#coming.delete(coming));
  }

  /** Both legs are held until the session is here. */
  async #resumedFromElsewhere(resumed: ResumedSession, recalled: Recalled): Promise<void> {
    const { client, server } = resumed;
    client.handler = SILENT;
    server.handler = SILENT;
    try {
      const kept = await recalled.claim();
      if (!kept || !this.#cluster) {
        notResumed(resumed);
        return;
      }
      await this.#carryOn(this.#cluster, resumed, kept);
    } catch (error) {
      this.#deps.log.error({ error }, 'a session could not be carried on');
      notResumed(resumed);
    }
  }

  async #carryOn(cluster: Cluster, resumed: ResumedSession, kept: SleeperRecord): Promise<void> {
    const { client, server, stream, host, request } = resumed;
    const settings = this.#deps.settingsFor(host, stream.serverHeader);
    const record = readRecord(kept.state, settings);
    const { jid, asked, device } = record;
    const bare = bareOf(jid);
    const account = cluster.account(accountKey(bare), bare, settings);
    await account.steady();
    const bound = { jid, asked: device, client, server, features: stream.features, mechanism: stream.mechanism };
    const events = this.#eventsOf(() => session, host.name);
    let { passage } = record;
    const session: ClientSession = new ClientSession(bound, asked, account, this.#deps, events, {
      record,
      enter: (one, carrier) => {
        passage = renamed(passage, one.id, one.carrierId);
        return account.restoreSession(one, passage, carrier);
      },
    });
    this.#sessions.add(session);
    this.#noteResumable(session, resumeKey(request));
    try {
      account.arrived(passage);
      if (stream.credentials) account.offerCredentials(stream.credentials, host);
      await account.steady(true);
      session.hibernation.carryOn(resumed, record);
    } catch (error) {
      session.hibernation.expire();
      throw error;
    }
  }

  /** Bare JID whose session it is, if it is kept here and could go on; undefined: no such session is. */
  ownerOf({ domain, previd, h, version }: ResumeRequest): string | undefined {
    const session = this.#resumable.get(resumeKey({ domain, previd }));
    return session?.hibernation.version === version && session.hibernation.canResumeHere(h) ? session.bare : undefined;
  }

  /** The client has proved to be of the account that `ownerOf` has just named. */
  resumedHere({ domain, previd, h }: ResumeRequest, client: Leg): void {
    const session = this.#resumable.get(resumeKey({ domain, previd }));
    if (!session) throw new Error('a session was resumed that is not there');
    session.hibernation.resumedHere(h, client);
  }

  /** The client has proved it to another node, which lends its leg. False: the session has ended meanwhile. */
  takeLeg(request: ResumeRequest, leg: Leg): boolean {
    if (this.ownerOf(request) === undefined) return false;
    this.resumedHere(request, leg);
    return true;
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
    const key = accountKey(named);
    const view = this.#view(key) ?? this.#view(bareKey(named) ?? ('' as BareKey));
    const isLeft = this.#cluster?.leftStreams.resources(key).some((one) => nickKey(one) === nickKey(asked)) === true;
    if (!isLeft && !(view && carriesRooms(view, asked, this.#deps.now()))) return asked;
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

function carriesRooms({ carriers, services }: AccountView, resource: string, now: number): boolean {
  // The server has normalised what it bound, and will do so with what is asked for now.
  const asked = nickKey(resource);
  for (const carrier of carriers.values()) {
    if (nickKey(resourceOf(carrier.jid)) !== asked) continue;
    for (const room of carrier.rooms) {
      // Where a nick cannot be shared, binding the same resource anew is what clears the ghost out of the room.
      if (!services.refusesSharedNick(splitJid(room).domain, now)) return true;
    }
  }
  return false;
}

/** The server keeps the session: nothing is said to it. */
function notResumed({ server, client }: ResumedSession): void {
  server.destroy();
  client.error({ condition: 'internal-server-error', text: 'The session is gone' });
}
