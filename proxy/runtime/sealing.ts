/**
 * What an account needs in order to go on without its devices, in and out of the store (X4): the password with which its stream was opened,
 * sealed, and the passwords of its rooms.
 */
import type { Log } from '../ops/log.ts';
import type { Metrics } from '../ops/metrics.ts';
import { OwedSteps } from '../store/owed-steps.ts';
import { type Opened, Seal } from '../store/seal.ts';
import type { Vault } from '../store/vault.ts';
import type { Credentials } from '../stream/sasl-relay.ts';

const PASSWORD = 'password';
/** Refused passwords that are still to be deleted; beyond that the oldest is left to its time in the store. */
const MOST_REFUSED = 10_000;

/** What is sealed of an account. */
export interface Kept extends Credentials {
  /** Name of the host. */
  readonly host: string;
  /** The largest stanza for a stream of this server. */
  readonly stanzaBytes: number;
}

/**
 * - `unknown-key`: it was sealed with a key that this node does not have.
 * - `broken`: it counts as not there.
 */
export type Unsealed =
  | { readonly result: 'opened'; readonly kept: Kept }
  | { readonly result: 'unknown-key' }
  | { readonly result: 'broken' };

export interface SealingOptions {
  readonly seal: Seal;
  readonly vault: Vault;
  readonly log: Log;
  readonly metrics: Pick<Metrics, 'sealed'>;
}

/** A password that a server has refused, as the store has it. */
interface Refused {
  readonly account: string;
  readonly sealed: string;
}

export class Sealing {
  #seal: Seal;
  /** What was used before the keys were read the last time. */
  #former: Seal;
  readonly #vault: Vault;
  readonly #log: Log;
  readonly #metrics: SealingOptions['metrics'];
  /** Not known to be deleted yet: as if they were. */
  readonly #refused: OwedSteps<Refused>;

  constructor({ seal, vault, log, metrics }: SealingOptions) {
    this.#seal = seal;
    this.#former = seal;
    this.#vault = vault;
    this.#log = log;
    this.#metrics = metrics;
    this.#refused = new OwedSteps({
      most: MOST_REFUSED,
      take: (refused) => this.#delete(refused),
      onOverfull: () => metrics.sealed.inc({ event: 'failed' }),
      log,
      failed: 'a refused password was not deleted',
    });
  }

  /** Seals with the first of these keys from now on, and opens with them; what is sealed with others stays so until `sealAnew`. */
  useKeys(seal: Seal): void {
    this.#former = this.#seal;
    this.#seal = seal;
  }

  /** What the store has of the account, sealed with the first key of now. Returns what it has of it then. */
  sealAnew(account: string, sealed: string): string {
    if (Seal.keyOf(sealed) === this.#seal.ids[0]) return sealed;
    let opened = this.#seal.open(sealed, { account, purpose: PASSWORD });
    if (opened.result === 'unknown-key') opened = this.#former.open(sealed, { account, purpose: PASSWORD });
    return this.#count(opened).result === 'opened' && 'text' in opened
      ? this.keep(account, readKept(opened.text))
      : sealed;
  }

  /** Names of the keys with which this node opens what is sealed. */
  get opens(): readonly string[] {
    return this.#seal.ids;
  }

  /** The server has taken these credentials. `account`: bare JID. Returns what the store has of them now. */
  keep(account: string, { username, secret, host, stanzaBytes }: Kept): string {
    const text = JSON.stringify({ username, secret, host, stanzaBytes });
    const sealed = this.#seal.seal(text, { account, purpose: PASSWORD });
    this.#metrics.sealed.inc({ event: 'sealed' });
    this.put(account, sealed);
    return sealed;
  }

  /** The store may have lost it. */
  put(account: string, sealed: string): void {
    if (this.#isRefused(account, sealed)) return;
    this.#done(this.#vault.put(account, sealed));
  }

  /**
   * The server refuses what is in it: it is deleted, unless another node has put something else since. While the store is away that is tried
   * again, and it counts as deleted here.
   */
  refused(account: string, sealed: string): void {
    this.#done(this.#refused.take(nameOf(account, sealed), { account, sealed }));
  }

  async #delete({ account, sealed }: Refused): Promise<void> {
    await this.#vault.forget(account, sealed);
    this.#metrics.sealed.inc({ event: 'deleted' });
  }

  #isRefused(account: string, sealed: string): boolean {
    return this.#refused.get(nameOf(account, sealed)) !== undefined;
  }

  /** Nothing is tried again. */
  close(): void {
    this.#refused.close();
  }

  /** What the store has of the account, where it can be opened. @throws StoreError where it does not say */
  async recall(account: string): Promise<{ readonly kept: Kept; readonly sealed: string } | undefined> {
    try {
      const sealed = (await this.#vault.read(account))?.text;
      const isGood = sealed !== undefined && !this.#isRefused(account, sealed);
      const unsealed = isGood ? this.open(account, sealed) : undefined;
      return sealed !== undefined && unsealed?.result === 'opened' ? { kept: unsealed.kept, sealed } : undefined;
    } catch (error) {
      this.#failed(error);
      throw error;
    }
  }

  open(account: string, sealed: string): Unsealed {
    const opened = this.#count(this.#seal.open(sealed, { account, purpose: PASSWORD }));
    if (opened.result !== 'opened') return { result: opened.result };
    return { result: 'opened', kept: readKept(opened.text) };
  }

  /** A room's password, to lie in the store with the account's place there. */
  sealRoom(account: string, room: string, password: string): string {
    return this.#seal.seal(password, { account, purpose: roomPurpose(room) });
  }

  /** Undefined: it cannot be opened; the room is asked without. */
  openRoom(account: string, room: string, sealed: string): string | undefined {
    const opened = this.#count(this.#seal.open(sealed, { account, purpose: roomPurpose(room) }));
    return opened.result === 'opened' ? opened.text : undefined;
  }

  #count(opened: Opened): Opened {
    this.#metrics.sealed.inc({ event: opened.result });
    return opened;
  }

  #done(step: Promise<unknown>): void {
    step.catch((error: unknown) => this.#failed(error));
  }

  #failed(error: unknown): void {
    this.#metrics.sealed.inc({ event: 'failed' });
    this.#log.debug({ error }, 'the store does not keep, or give, what is sealed');
  }
}

/** What has the right tag was written here, or at a node like this one. */
function readKept(text: string): Kept {
  return JSON.parse(text) as Kept;
}

/** A bare JID has no space in it. */
function nameOf(account: string, sealed: string): string {
  return `${account} ${sealed}`;
}

function roomPurpose(room: string): string {
  return `room ${room}`;
}
