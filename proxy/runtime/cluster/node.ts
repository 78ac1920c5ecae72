/**
 * This process among the others: its id, its life in the store, its inbox. An id has one life; a process whose id has expired
 * goes on under a fresh one.
 */
import type { Log } from '../../ops/log.ts';
import type { Metrics } from '../../ops/metrics.ts';
import type { Envelope, Inbox } from '../../store/bus.ts';
import type { Hibernations } from '../../store/hibernations.ts';
import { type Fence, type Store, StoreError } from '../../store/store.ts';
import { cleanUp } from './clean-up.ts';
import { readBody, writeBody } from './envelope.ts';
import type { NodeHandler, NodeMessage } from './node-handler.ts';
import { sleep } from './seek.ts';

/** How long a claim is in force without being renewed (ms). It ends with its node's life anyway. */
export const CLAIM_MS = 3_600_000;
/** Heartbeats in the life of a node without any. */
const BEATS = 4;
/** The part of that life that is left when the node no longer trusts it. */
const MARGIN = 0.2;
/**
 * Part of a node's life for which others are waited for that seem to be dead when this one has been cut off from the store for so
 * long: they were cut off as well, most likely, and come back with what is under way.
 */
const PATIENCE = 0.5;
/** Nodes that are told to stop within so long of each other (ms) give nothing to each other. */
const TOGETHER_MS = 100;
/** Pause before the store is tried again (ms). */
const RETRY_MS = 250;

export interface NodeOptions {
  readonly store: Store;
  readonly log: Log;
  readonly metrics: Pick<Metrics, 'drops' | 'envelopes'>;
  /** How long the others believe this node alive without a sign of life (ms). */
  readonly lifeMs: number;
  readonly newId: () => string;
  /** Names of the keys with which it opens what is sealed, as of now; undefined: it has none. */
  readonly opens?: (() => readonly string[]) | undefined;
}

export class ClusterNode {
  readonly #options: NodeOptions;
  #handler: NodeHandler | undefined;
  #id: string;
  #inbox: Inbox | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** Monotonic time until which nobody can believe this node dead. */
  #sureUntil = Number.NEGATIVE_INFINITY;
  /** The store answered last time. */
  #isReached = false;
  #isStopped = false;
  #beating: Promise<void> | undefined;
  #peers = new Set<string>();
  /** Which keys the others believe this node to have: their names, with a space between. */
  #told = '';
  /** It is about to stop: it takes nothing up any more. */
  #isLeaving = false;
  readonly #since = Date.now();
  /** Which keys nodes have, as of the last heartbeat. */
  #opens = new Map<string, readonly string[]>();
  /** Monotonic time until which nobody else is held for dead. */
  #patientUntil = Number.NEGATIVE_INFINITY;

  constructor(options: NodeOptions) {
    this.#options = options;
    this.#id = options.newId();
  }

  /** A word that no node has used. */
  readonly newId = (): string => this.#options.newId();

  /** Nodes that live, as of now. @throws StoreError */
  async others(): Promise<readonly string[]> {
    const alive = await this.#options.store.nodes.alive();
    return alive.map(({ id }) => id).filter((id) => id !== this.#id);
  }

  get hibernations(): Hibernations {
    return this.#options.store.hibernations;
  }

  get id(): string {
    return this.#id;
  }

  /** The store can be reached. */
  get isReached(): boolean {
    return this.#isReached;
  }

  /** Envelopes in the inbox that have not been handled; undefined: cannot be found out now. */
  async pending(): Promise<number | undefined> {
    if (!this.#isReached) return undefined;
    try {
      return await this.#inbox?.pending();
    } catch {
      // Counted where Redis is asked.
      return undefined;
    }
  }

  /** Other nodes that live, as of the last heartbeat. */
  get peers(): ReadonlySet<string> {
    return this.#peers;
  }

  /** Another node that has the key, by chance, and is none of those; undefined: there is none. */
  peerWith(key: string, but: ReadonlySet<string> = new Set()): string | undefined {
    const able = [...this.#peers].filter((id) => !but.has(id) && this.#opens.get(id)?.includes(key));
    return able[Math.floor(Math.random() * able.length)];
  }

  /** Whether another node has any key. */
  get isKeyNear(): boolean {
    return [...this.#peers].some((id) => (this.#opens.get(id)?.length ?? 0) > 0);
  }

  /** While the store cannot be reached it is tried again, without waiting for the next beat: the node is known to others when it is. */
  async start(handler: NodeHandler): Promise<void> {
    this.#handler = handler;
    try {
      await this.#announce();
    } catch (error) {
      this.#options.log.warn({ error }, 'the store cannot be reached');
      this.#tryAgain();
    }
    const { lifeMs } = this.#options;
    this.#timer = setInterval(
      () => void (this.#beating === undefined ? this.beat() : this.#stayAlive()),
      lifeMs / BEATS,
    );
    this.#timer.unref();
  }

  async #announce(): Promise<void> {
    const { store } = this.#options;
    const begun = performance.now();
    this.#inbox = await store.bus.open(this.#id, {
      envelope: (envelope) => this.#receive(envelope),
      gap: () => this.#handler?.gap(),
    });
    await this.#tellKeys(true);
    this.#trust(begun);
    await this.#lookAround();
  }

  /** What this node can open, if it is not what the others know. @throws StoreError */
  async #tellKeys(isAnew: boolean): Promise<void> {
    const { store, lifeMs, opens } = this.#options;
    const names = this.#isLeaving ? undefined : opens?.();
    const told = names?.join(' ') ?? '';
    if (!isAnew && told === this.#told) return;
    await store.nodes.announce({ id: this.#id, since: this.#since, ...(names && { opens: names }) }, lifeMs);
    this.#told = told;
  }

  /** The keys are others than before. While the store is away the others are told when it is back. */
  async keysChanged(): Promise<void> {
    // One that is under way may not have looked at them.
    await this.#beating;
    await this.beat();
  }

  /** Before a stop: accounts that have lost their home are given to other nodes from now on, and this one knows which of them do not stop too. */
  async withdraw(): Promise<void> {
    this.#isLeaving = true;
    if (!this.#options.opens || !this.#isReached) return;
    await this.keysChanged();
    await sleep(TOGETHER_MS);
    await this.keysChanged();
  }

  #trust(begun: number): void {
    const { lifeMs } = this.#options;
    const wasCutOff = !this.#isReached && begun > this.#sureUntil && this.#sureUntil > 0;
    if (wasCutOff) this.#patientUntil = performance.now() + PATIENCE * lifeMs;
    this.#isReached = true;
    // A sign of life that was given earlier may be answered later.
    this.#sureUntil = Math.max(this.#sureUntil, begun + lifeMs * (1 - MARGIN));
  }

  /**
   * Whether the others still believe this node alive. While the store cannot be reached nobody can take anything over, and
   * sessions that are here go on: that counts as sure. Not sure is a process that has stood still.
   */
  get isSure(): boolean {
    return performance.now() <= this.#sureUntil || !this.#isReached;
  }

  /** A sign of life, and a look at the others. Also to be called when the node is not sure. */
  beat(): Promise<void> {
    this.#beating ??= this.#beat().finally(() => {
      this.#beating = undefined;
    });
    return this.#beating;
  }

  /** The last look at the others takes long, as one does that cleans up behind many accounts: nobody is to hold this node for dead meanwhile. */
  async #stayAlive(): Promise<void> {
    if (this.#isStopped || !this.#isReached) return;
    const { store, lifeMs, log } = this.#options;
    const begun = performance.now();
    try {
      const isKnown = await store.nodes.heartbeat(this.#id, lifeMs);
      // One that was taken for dead goes on under another id, and one in doubt has more to do: with the next beat.
      if (isKnown && this.#isReached && this.isSure) this.#trust(begun);
    } catch (error) {
      log.debug({ error }, 'a sign of life did not reach the store');
    }
  }

  async #beat(): Promise<void> {
    const { store, lifeMs, log } = this.#options;
    if (this.#isStopped) return;
    let wasSure = this.#isReached && this.isSure;
    const before = this.#id;
    const begun = performance.now();
    try {
      if (!this.#isAnnounced) {
        await this.#inbox?.close();
        await this.#announce();
      } else if (await store.nodes.heartbeat(this.#id, lifeMs)) {
        // Somebody may have found it in doubt while the answer was under way.
        wasSure &&= this.#isReached && this.isSure;
        this.#trust(begun);
        await this.#tellKeys(false);
        await this.#lookAround();
      } else await this.#revive();
    } catch (error) {
      if (this.#isReached) log.warn({ error }, 'the store cannot be reached');
      this.#isReached = false;
      if (!this.#isAnnounced) this.#tryAgain();
      return;
    }
    const isRenamed = this.#id !== before;
    if ((!wasSure || isRenamed) && !this.#isStopped) this.#handler?.recovered(isRenamed);
  }

  /** The others have been told of this node, once at least. */
  get #isAnnounced(): boolean {
    return this.#sureUntil > Number.NEGATIVE_INFINITY;
  }

  #tryAgain(): void {
    setTimeout(() => void this.beat(), RETRY_MS).unref();
  }

  /** The others hold this node for dead. */
  async #revive(): Promise<void> {
    const { log, newId } = this.#options;
    log.warn({ node: this.#id }, 'this node was taken for dead; it goes on under another id');
    await this.#inbox?.close();
    this.#id = newId();
    await this.#announce();
  }

  async #lookAround(): Promise<void> {
    const { store } = this.#options;
    const records = await store.nodes.alive();
    const alive = new Set(records.map(({ id }) => id));
    alive.delete(this.#id);
    this.#opens = new Map(records.map(({ id, opens = [] }) => [id, opens]));
    if (performance.now() < this.#patientUntil) {
      for (const id of alive) this.#peers.add(id);
      return;
    }
    const gone = [...this.#peers].filter((id) => !alive.has(id));
    this.#peers = alive;
    for (const id of gone) this.#handler?.lost(id);
    for (const id of await store.nodes.expired()) await cleanUp(store, id);
    this.#handler?.lookedAround();
  }

  #receive({ from, body }: Envelope): void {
    // It may die before the next look: then that one finds it gone.
    if (from !== this.#id) this.#peers.add(from);
    try {
      const { head, payload } = readBody<NodeMessage>(body);
      this.#handler?.message(from, head, payload);
    } catch (error) {
      this.#options.metrics.drops.inc({ reason: 'fault' });
      // Its message may quote what somebody has written.
      const name = error instanceof Error ? error.name : typeof error;
      this.#options.log.error({ from, name }, 'fault in what another node has sent');
    }
  }

  /** In the order of the calls. When it cannot be put into the other node's inbox, `unreachable` or, later, `recovered` tells. */
  send(to: string, message: NodeMessage, payload?: Buffer): void {
    if (this.#isStopped) return;
    this.#options.metrics.envelopes.inc({ kind: message.kind });
    this.#options.store.bus.send(this.#id, to, writeBody(message, payload)).catch((error: unknown) => {
      const code = error instanceof StoreError ? error.code : 'unavailable';
      this.#options.log.debug({ to, code }, 'another node was not reached');
      if (code === 'no-inbox') this.#handler?.unreachable(to);
      else this.#outOfReach();
    });
  }

  /** A step that fails for want of the store is a sign that it is away. */
  async #asking<T>(step: Promise<T>): Promise<T> {
    try {
      return await step;
    } catch (error) {
      if (error instanceof StoreError && error.code === 'unavailable') this.#outOfReach();
      throw error;
    }
  }

  /** What was sent is lost; with the next beat that succeeds all channels are looked after. */
  #outOfReach(): void {
    if (!this.#isReached) return;
    this.#isReached = false;
    this.#tryAgain();
  }

  /**
   * Makes this node the account's home, unless another one is.
   * @throws StoreError
   */
  async claim(account: string): Promise<Fence> {
    const { store } = this.#options;
    const node = this.#id;
    const claim = await this.#asking(store.homes.claim(account, node, CLAIM_MS));
    return claim.granted ? { node, epoch: claim.epoch } : { node: claim.heldBy, epoch: claim.epoch };
  }

  /** Whether another node is the account's home. @throws StoreError */
  async isElsewhere(account: string): Promise<boolean> {
    if (!this.#isReached) return false;
    const holder = await this.#options.store.homes.holder(account);
    return holder !== undefined && holder.node !== this.#id;
  }

  /** False: it is not this node's any more. */
  renew(account: string, fence: Fence): Promise<boolean> {
    return this.#options.store.homes.renew(account, fence, CLAIM_MS);
  }

  /** Gives the account to another node; undefined: it was not this node's to give, or the other is dead. */
  async move(account: string, fence: Fence, to: string): Promise<Fence | undefined> {
    const epoch = await this.#options.store.homes.move(account, fence, to, CLAIM_MS);
    return epoch === undefined ? undefined : { node: to, epoch };
  }

  /** Gives the account up if this node has claimed it; `isUnused`: there still is nobody here who wants it. */
  async renounce(account: string, isUnused: () => boolean): Promise<void> {
    try {
      const fence = await this.#options.store.homes.holder(account);
      if (fence?.node === this.#id && isUnused()) this.release(account, fence);
    } catch (error) {
      this.#options.log.debug({ error }, 'a home could not be given up');
    }
  }

  /** Gives the account up if this node has claimed it. @throws StoreError */
  async giveUp(account: string): Promise<void> {
    const { homes } = this.#options.store;
    const fence = await homes.holder(account);
    if (fence?.node === this.#id) await homes.release(account, fence);
  }

  /** Gives the account up. */
  release(account: string, fence: Fence): void {
    this.#options.store.homes.release(account, fence).catch((error: unknown) => {
      // The claim ends with this node's life at the latest.
      this.#options.log.debug({ error }, 'a home could not be released');
    });
  }

  /** In order: the others learn at once. `isOver`: nothing is left for them to clean up, as there is behind a node that has died. */
  async stop(isOver = true): Promise<void> {
    this.#isStopped = true;
    clearInterval(this.#timer);
    try {
      await this.#inbox?.close();
      if (isOver) await this.#options.store.nodes.remove(this.#id);
    } catch (error) {
      this.#options.log.debug({ error }, 'the node could not be signed off');
    }
  }
}
