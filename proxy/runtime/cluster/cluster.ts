/** The accounts of a node that shares them with other nodes, and what the nodes have to say to each other. */
import type { Settings } from '../../core/state.ts';
import { type Fence, type Store, StoreError } from '../../store/store.ts';
import { accountKey, type BareKey } from '../../xml/address.ts';
import type { AccountDeps } from '../deps.ts';
import { bequeathAll } from './bequests.ts';
import { Heirs, isOfHeirs } from './heirs.ts';
import { inLanes } from './lanes.ts';
import { LeftStreams } from './left-streams.ts';
import { Lending } from './lending.ts';
import { isLending } from './lent-messages.ts';
import type { Message } from './messages.ts';
import { readHouseSettings } from './moving-house.ts';
import { CLAIM_MS, type ClusterNode } from './node.ts';
import type { NodeHandler, NodeMessage } from './node-handler.ts';
import { Orphans } from './orphans.ts';
import { isRecall, Recalls } from './recalls.ts';
import { sleep } from './seek.ts';
import { SharedAccount } from './shared-account.ts';

/** Accounts that are left to others at a time. */
const LEFT_AT_ONCE = 16;
/** Pause between accounts whose passwords are sealed with another key (ms). */
const SEAL_MS = 1;
/** How long a node that stops waits for others to take leave of its sessions (ms), and how often it looks. */
const FAREWELL_MS = 1000;
const STEP_MS = 5;

export class Cluster implements NodeHandler {
  readonly node: ClusterNode;
  readonly recalls: Recalls;
  readonly lending: Lending;
  readonly leftStreams: LeftStreams;
  readonly #deps: AccountDeps;
  readonly #accounts = new Map<string, SharedAccount>();
  readonly #store: Store;
  readonly #orphans: Orphans;
  readonly #heirs: Heirs;
  /** Accounts that have been at home here to the end, and that others may take up. */
  readonly #left: SharedAccount[] = [];
  #renewal: NodeJS.Timeout | undefined;
  #isDraining = false;

  constructor(node: ClusterNode, deps: AccountDeps, store: Store) {
    this.node = node;
    this.#store = store;
    this.#orphans = new Orphans(this, store, deps);
    this.#heirs = new Heirs(node);
    this.recalls = new Recalls(node, deps.log);
    this.lending = new Lending(node, deps);
    this.leftStreams = new LeftStreams(store.hibernations, deps.log);
    this.#deps = deps;
  }

  async start(): Promise<void> {
    await this.node.start(this);
    this.#renewal = setInterval(() => void this.#renew(), CLAIM_MS / 3);
    this.#renewal.unref();
  }

  /** One after the other, so that the store is not asked all at once. */
  async #renew(): Promise<void> {
    for (const account of [...this.#accounts.values()]) {
      try {
        await account.renew();
      } catch (error) {
        this.#deps.log.debug({ error }, 'a home could not be renewed');
      }
    }
  }

  /** The keys for sealing are others than before. One account after the other, as above. */
  async keysChanged(): Promise<void> {
    await this.node.keysChanged();
    for (const account of [...this.#accounts.values()]) {
      if (!account.isOver) account.sealAnew();
      await sleep(SEAL_MS);
    }
  }

  accounts(): Iterable<SharedAccount> {
    return this.#accounts.values();
  }

  get size(): number {
    return this.#accounts.size;
  }

  find(key: BareKey): SharedAccount | undefined {
    return this.#accounts.get(key);
  }

  /** The proof that the account (bare JID) is at home here, as it is now; undefined: it is not. */
  fenceOf(bare: string): Fence | undefined {
    return this.find(accountKey(bare))?.fence;
  }

  /** The account as this node has it; there is one from now on. */
  account(key: BareKey, bare: string, settings: Settings): SharedAccount {
    const known = this.#accounts.get(key);
    if (known) return known;
    const created: SharedAccount = new SharedAccount(key, bare, settings, this.#deps, this.node, () => {
      if (this.#accounts.get(key) === created) this.#accounts.delete(key);
    });
    this.#accounts.set(key, created);
    return created;
  }

  /** A session of the account is about to come: what other nodes have of it is wanted here by then, if it can be had soon. */
  async prepare(key: BareKey, bare: string, settings: () => Settings): Promise<void> {
    try {
      const isLooked = this.node.isReached ? this.leftStreams.look(key) : undefined;
      const known = this.#accounts.get(key);
      if (known) await known.warm();
      else if (await this.node.isElsewhere(key)) await this.account(key, bare, settings()).warm();
      await isLooked;
    } catch (error) {
      this.#deps.log.debug({ error }, 'nothing could be found out before a client binds');
    }
  }

  message(from: string, message: NodeMessage, payload: Buffer): void {
    if (isRecall(message)) {
      this.recalls.message(from, message);
      return;
    }
    if (isLending(message)) {
      this.lending.message(from, message, payload);
      return;
    }
    if (isOfHeirs(message)) {
      this.#heirs.message(from, message);
      return;
    }
    this.#ofAccount(from, message, payload);
    if (message.kind !== 'home') return;
    this.#heirs.arrived(message.account);
    // Who has sent it here could not know.
    if (this.#isDraining) this.#accounts.get(message.account)?.drain();
  }

  #ofAccount(from: string, message: Message, payload: Buffer): void {
    const account = this.#accounts.get(message.account);
    if (account) account.message(from, message, payload);
    else if (message.kind === 'home') this.#moveIn(from, message, payload);
    else if (message.kind === 'attach' || message.kind === 'data') {
      // Also who was attached to a home that is none any more must look for another.
      const { account: name, channel } = message;
      this.node.send(from, { kind: 'refused', account: name, channel, reason: 'no-home' });
      void this.node.renounce(name, () => !this.#accounts.has(name));
    }
  }

  /** An account comes to this node that has nothing of it: any more, or because this node is its heir. */
  #moveIn(from: string, message: Extract<Message, { kind: 'home' }>, payload: Buffer): void {
    const { account, bare } = message;
    this.account(account as BareKey, bare, readHouseSettings(payload)).message(from, message, payload);
  }

  gap(): void {
    this.recovered(false);
  }

  lost(node: string): void {
    this.lending.lost(node);
    this.#heirs.unreachable(node);
    for (const account of [...this.#accounts.values()]) account.lost(node);
  }

  unreachable(node: string): void {
    this.lending.lost(node);
    this.#heirs.unreachable(node);
    for (const account of [...this.#accounts.values()]) account.unreachable(node);
  }

  recovered(isRenamed: boolean): void {
    this.lending.doubt();
    for (const account of [...this.#accounts.values()]) account.recovered(isRenamed);
  }

  lookedAround(): void {
    void this.#orphans.look();
  }

  /** Before a stop: what hangs on this node goes to nodes that stay, as far as that is done within the time. */
  async drain(timeoutMs: number): Promise<void> {
    this.#orphans.close();
    this.#isDraining = true;
    this.#heirs.decline();
    const end = performance.now() + timeoutMs;
    for (const account of [...this.#accounts.values()]) account.drain();
    // Looking around may mean much cleaning up behind nodes that have died.
    await Promise.race([this.node.withdraw(), sleep(timeoutMs / 2)]);
    const { vault } = this.#store;
    const { log } = this.#deps;
    const bequeath = (): Promise<void> =>
      bequeathAll(this.#accounts.values(), { node: this.node, heirs: this.#heirs, vault, log }, end);
    await bequeath();
    if (await this.#heirs.settled(end)) await bequeath();
    const isDone = (): boolean => [...this.#accounts.values()].every(({ isDrained }) => isDrained);
    // Without the store nothing can be given to anybody.
    await this.#until(() => isDone() || !this.node.isReached, end - performance.now());
    this.lending.cutOff();
  }

  /** All sessions of this node have ended: the others have been told, or cannot be. */
  async farewell(): Promise<void> {
    const isSaid = (): boolean => [...this.#accounts.values()].every(({ isHeard }) => isHeard);
    await this.#until(() => isSaid() || !this.node.isReached, FAREWELL_MS);
  }

  async #until(isDone: () => boolean, mostMs: number): Promise<void> {
    const end = performance.now() + mostMs;
    while (!isDone() && performance.now() < end) await sleep(STEP_MS);
  }

  /** Their streams have ended with this node, and nobody else has them: another node may take them up. False: the store went away meanwhile. */
  async #leaveBehind(): Promise<boolean> {
    let isAway = false;
    const leave = async ({ key, bare }: SharedAccount): Promise<void> => {
      try {
        // Listed first: should this process end here, its claims are void, and they are found all the same.
        if (await this.#store.vault.orphan(bare, 0)) await this.node.giveUp(key);
      } catch (error) {
        // Without the store nobody can; or they are found as after a crash.
        this.#deps.log.debug({ error }, 'an account was not left to others');
        isAway ||= error instanceof StoreError && error.code === 'unavailable';
      }
    };
    await inLanes(this.#left.splice(0), LEFT_AT_ONCE, leave, () => isAway);
    return !isAway;
  }

  /** Ends the account streams of all accounts. */
  close(): void {
    for (const account of [...this.#accounts.values()]) {
      if (account.isLeftBehind) this.#left.push(account);
      account.close();
    }
    this.#accounts.clear();
  }

  async stop(): Promise<void> {
    clearInterval(this.#renewal);
    this.#orphans.close();
    this.recalls.close();
    this.#heirs.close();
    this.lending.close();
    this.close();
    await this.node.stop(await this.#leaveBehind());
  }
}
