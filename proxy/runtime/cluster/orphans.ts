/**
 * Accounts without devices whose home is no more (DESIGN "Several nodes"): a node that lives takes each up, if the store has its sealed
 * credentials and its time without sessions is not over. Which accounts these are is a list in the store, put there by whoever cleans up
 * behind a dead node (clean-up.ts) or by a node that stops. All nodes look; the claim decides.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { HostConfig } from '../../config.ts';
import type { Estate } from '../../core/estate.ts';
import type { Store } from '../../store/store.ts';
import type { Deposit } from '../../store/vault.ts';
import { accountKey, type BareKey } from '../../xml/address.ts';
import type { AccountDeps } from '../deps.ts';
import type { Kept, Sealing } from '../sealing.ts';
import type { Cluster } from './cluster.ts';
import { inLanes } from './lanes.ts';
import type { SharedAccount } from './shared-account.ts';

/** Of the list, at a look. */
const PAGE = 200;
/** Accounts that are taken up at a time by one node: each opens a stream. */
const AT_ONCE = 8;
/** For so long at most a node waits before it begins, by chance, so that nodes do not all reach for the same (ms). */
const JITTER_MS = 300;
/** How long one account may take to have its stream before the next one's turn (ms), and how often it is looked at. */
const OPEN_MS = 30_000;
const STEP_MS = 20;
/** Pause before one that could not be taken up is tried again (ms): doubled, up to the most. */
const PAUSE_MS = 5000;
const MOST_PAUSE_MS = 300_000;
/** Those that are not tried for now are remembered. */
const MOST_POSTPONED = 10_000;
/** What has waited for so long nobody with a key is there to take: a node without keys gives it up (ms). */
const UNWANTED_MS = 60_000;
/** Of the looks, such a node takes every so many. */
const LOOKS_WITHOUT = 20;

/** What is necessary of the cluster. */
export type Neighbourhood = Pick<Cluster, 'node' | 'account' | 'find'>;

interface Found {
  readonly kept: Kept;
  readonly host: HostConfig;
  readonly sealed: string;
  readonly lingerMs: number;
}

export class Orphans {
  readonly #cluster: Neighbourhood;
  readonly #store: Pick<Store, 'vault' | 'memberships'>;
  readonly #deps: AccountDeps;
  #isLooking = false;
  #isOver = false;
  #from = 0;
  #looks = 0;
  /** That there are accounts which this node cannot open; it would be told of each of them. */
  #hasTold = false;
  /** When each may be tried again (monotonic), and after which pause. */
  readonly #postponed = new Map<string, { readonly until: number; readonly pause: number }>();

  constructor(cluster: Neighbourhood, store: Pick<Store, 'vault' | 'memberships'>, deps: AccountDeps) {
    this.#cluster = cluster;
    this.#store = store;
    this.#deps = deps;
  }

  /** Takes up what waits; to be called now and then. Does nothing while it is at it. Never rejects. */
  async look(): Promise<void> {
    if (this.#isLooking || this.#isOver) return;
    this.#isLooking = true;
    try {
      const { sealing } = this.#deps;
      if (sealing) await this.#takeUpAll(sealing);
      else if (!this.#cluster.node.isKeyNear && this.#looks++ % LOOKS_WITHOUT === 0) await this.#giveUpAll();
    } catch (error) {
      this.#deps.log.debug({ error }, 'orphans could not be looked for');
    } finally {
      this.#isLooking = false;
    }
  }

  close(): void {
    this.#isOver = true;
  }

  async #takeUpAll(sealing: Sealing): Promise<void> {
    const { accounts, next } = await this.#store.vault.orphans(this.#from, PAGE);
    this.#from = next;
    const due = accounts.filter((name) => (this.#postponed.get(name)?.until ?? 0) <= performance.now());
    if (due.length === 0) return;
    await delay(Math.random() * JITTER_MS, undefined, { ref: false });
    // Another order than other nodes have.
    const queue = due.map((name) => ({ name, at: Math.random() })).sort((a, b) => a.at - b.at);
    await inLanes(
      queue,
      AT_ONCE,
      ({ name }) => this.#takeUp(name, sealing),
      () => this.#isOver,
    );
  }

  async #takeUp(name: string, sealing: Sealing): Promise<void> {
    try {
      const deposit = await this.#store.vault.read(name);
      const found = deposit && this.#open(name, deposit, sealing);
      if (found === 'later') this.#postpone(name);
      else if (!found) await this.#giveUp(name);
      else if (await this.#adopt(name, found, sealing)) this.#postponed.delete(name);
      else this.#postpone(name);
    } catch (error) {
      this.#deps.metrics.orphans.inc({ result: 'failed' });
      this.#deps.log.debug({ error }, 'an orphan could not be taken up');
      this.#postpone(name);
    }
  }

  #postpone(name: string): void {
    const pause = Math.min((this.#postponed.get(name)?.pause ?? PAUSE_MS / 2) * 2, MOST_PAUSE_MS);
    this.#postponed.delete(name);
    const [oldest] = this.#postponed.keys();
    if (oldest !== undefined && this.#postponed.size >= MOST_POSTPONED) this.#postponed.delete(oldest);
    this.#postponed.set(name, { until: performance.now() + pause * (0.5 + Math.random()), pause });
  }

  /** `later`: another node, or this one with other settings, may be able to; undefined: nobody should. */
  #open(name: string, { text, aloneMs = 0 }: Deposit, sealing: Sealing): Found | 'later' | undefined {
    const { config, log, metrics } = this.#deps;
    const lingerMs = config.lingerMs - aloneMs;
    if (lingerMs <= 0) return undefined;
    const unsealed = sealing.open(name, text);
    if (unsealed.result === 'broken') {
      log.warn({ account: name }, 'what was sealed of an account has been tampered with');
      return undefined;
    }
    if (unsealed.result === 'unknown-key') {
      metrics.orphans.inc({ result: 'unknown-key' });
      log[this.#hasTold ? 'debug' : 'warn'](
        { account: name },
        'not taken up: sealed with another key than this node has',
      );
      this.#hasTold = true;
      return 'later';
    }
    const { kept } = unsealed;
    const host = config.hosts[kept.host];
    if (!host?.accountStreams) {
      metrics.orphans.inc({ result: 'unknown-host' });
      return 'later';
    }
    return { kept, host, sealed: text, lingerMs };
  }

  /** False: it is another node's. */
  async #adopt(name: string, { kept, host, sealed, lingerMs }: Found, sealing: Sealing): Promise<boolean> {
    const { node } = this.#cluster;
    const { vault, memberships } = this.#store;
    const key = accountKey(name);
    if ((await node.claim(key)).node !== node.id) return false;
    const { occupancies } = await memberships.snapshot(name);
    const rooms = occupancies.map(({ room, address, nick, sealed: secret }) => ({
      key: room as BareKey,
      name: address,
      nick,
      password: secret === undefined ? undefined : sealing.openRoom(name, room, secret),
    }));
    const estate: Estate = { rooms, lingerMs };
    if (this.#isOver) return false;
    const settings = { ...this.#deps.settingsFor(host, NOT_KNOWN) };
    const account = this.#cluster.account(key, name, {
      ...settings,
      carrierStanzaBytes: host.carrierStanzaBytes ?? kept.stanzaBytes,
    });
    if (!(await account.takeUp(estate, kept, host, sealed))) return false;
    await vault.adopt(name);
    this.#deps.metrics.orphans.inc({ result: 'taken-up' });
    this.#deps.log.info({ account: name, rooms: rooms.length }, 'an account without devices was taken up');
    await this.#untilOpen(account);
    return true;
  }

  async #untilOpen(account: SharedAccount): Promise<void> {
    const end = performance.now() + OPEN_MS;
    while (account.state?.accountStream === 'opening' && performance.now() < end && !this.#isOver) {
      await delay(STEP_MS, undefined, { ref: false });
    }
  }

  /** A node without keys: what is sealed is of no use here, and is not kept for ever. */
  async #giveUpAll(): Promise<void> {
    for (const name of await this.#store.vault.waiting(UNWANTED_MS, PAGE)) {
      if (this.#isOver) return;
      await this.#giveUp(name);
    }
  }

  /** Nobody can, or should, be in its rooms any more. */
  async #giveUp(name: string): Promise<void> {
    const { node } = this.#cluster;
    const { vault, memberships } = this.#store;
    const key = accountKey(name);
    const fence = await node.claim(key);
    if (fence.node !== node.id) return;
    await vault.forget(name);
    // Whoever is here already has the account as it is.
    if (!this.#cluster.find(key)) {
      const { sessions, occupancies } = await memberships.snapshot(name);
      if (sessions.length === 0) for (const { room } of occupancies) await memberships.endOccupancy(name, room, fence);
      await node.renounce(key, () => this.#cluster.find(key) === undefined);
    }
    await vault.adopt(name);
    this.#postponed.delete(name);
    this.#deps.metrics.orphans.inc({ result: 'given-up' });
  }
}

/** No stream of the server has been seen. */
const NOT_KNOWN = { attributes: new Map<string, string>(), declarations: new Map<string, string>() };
