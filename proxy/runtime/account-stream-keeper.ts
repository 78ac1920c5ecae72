/** The account stream of an account, and the password that opens it. */
import type { HostConfig } from '../config.ts';
import { faceIn } from '../core/face.ts';
import type { Input, Owed } from '../core/inputs.ts';
import type { AccountState, CarrierId } from '../core/state.ts';
import type { Credentials } from '../stream/sasl-relay.ts';
import { AccountStream } from './account-stream.ts';
import type { AccountDeps } from './deps.ts';
import type { Ports } from './ports.ts';

/** Who hears of the stream. */
export interface StreamOwner {
  /** The account's state, where the rules run here. */
  readonly state: AccountState | undefined;
  input(input: Input): void;
  loseCarrier(carrier: CarrierId, isConflict?: boolean, owed?: Owed): void;
}

/** A password, and what the store has of it. */
interface Held extends Credentials {
  readonly host: HostConfig;
  /** As it was put there, or found there; undefined: it was not, as far as this node knows. */
  sealed: string | undefined;
}

export class AccountStreamKeeper {
  readonly #bare: string;
  readonly #deps: AccountDeps;
  readonly #ports: Ports;
  readonly #owner: StreamOwner;
  #credentials: Held | undefined;
  #stream: AccountStream | undefined;
  /** That with which the stream was opened: another one may be known since. */
  #inUse: Held | undefined;
  /** What the store has of the account's credentials, as far as this node knows. */
  #sealed: string | undefined;
  /** How often the store was asked, or what it says has become of no use. */
  #asks = 0;
  /** Full JID of the stream, once it is open. */
  #jid: string | undefined;

  constructor(bare: string, deps: AccountDeps, ports: Ports, owner: StreamOwner) {
    this.#bare = bare;
    this.#deps = deps;
    this.#ports = ports;
    this.#owner = owner;
  }

  /** A password that was right. The latest one counts. */
  offerCredentials(credentials: Credentials, host: HostConfig): void {
    if (!host.accountStreams) return;
    this.#learn(credentials, host, this.#sealedOf(credentials, host));
  }

  #learn({ username, secret }: Credentials, host: HostConfig, sealed: string | undefined): void {
    this.#credentials = { username, secret, host, sealed };
    this.#owner.input({ kind: 'credentials', known: true });
  }

  /** A device may come with what the store has already. */
  #sealedOf(credentials: Credentials, host: HostConfig): string | undefined {
    return [this.#credentials, this.#inUse].find((one) => one && isSame(one, { ...credentials, host }))?.sealed;
  }

  /** Credentials that the store has had, sealed so. */
  restoreCredentials(credentials: Credentials, host: HostConfig, sealed: string): void {
    this.#sealed = sealed;
    if (host.accountStreams) this.#learn(credentials, host, sealed);
  }

  /** The store may have lost what it had. */
  recordCredentials(): void {
    if (this.#sealed !== undefined && this.isInUse) this.#deps.sealing?.put(this.#bare, this.#sealed);
  }

  /** The keys for sealing are others than before. */
  sealAnew(): void {
    const before = this.#sealed;
    if (before === undefined || !this.isInUse) return;
    this.#sealed = this.#deps.sealing?.sealAnew(this.#bare, before);
    for (const one of [this.#credentials, this.#inUse]) if (one?.sealed === before) one.sealed = this.#sealed;
  }

  /** With it a node that has the key can open the stream anew; undefined: there is no such thing. */
  get sealed(): string | undefined {
    return this.#sealed;
  }

  get hasCredentials(): boolean {
    return this.#credentials !== undefined;
  }

  /** Opens the stream with what the store has of the password, which no node has seen; its owner hears what comes of it. */
  async openSealed(): Promise<void> {
    const { sealing, config } = this.#deps;
    this.#asks += 1;
    const asked = this.#asks;
    let isFinal = true;
    const found = await sealing?.recall(this.#bare).catch(() => {
      isFinal = false;
    });
    // Meanwhile a device may have come with it, or nobody needs it any more.
    if (this.#stream || this.#asks !== asked) return;
    const host = found && config.hosts[found.kept.host];
    if (found && host?.accountStreams && !this.#credentials) {
      this.#sealed = found.sealed;
      const { username, secret } = found.kept;
      this.#credentials = { username, secret, host, sealed: found.sealed };
    }
    if (!this.open()) this.#owner.input({ kind: 'account-stream-failed', final: isFinal });
  }

  /** Opens the stream; its owner hears what comes of it. False: no password is known. */
  open(): boolean {
    const credentials = this.#credentials;
    if (!credentials) return false;
    const stream = new AccountStream(this.#bare, credentials, this.#deps, {
      ready: (carrier, jid, languages, stanzaBytes) => {
        this.#ports.carriers.set(carrier, stream);
        this.#jid = jid;
        const { username, secret, host } = credentials;
        credentials.sealed = this.#deps.sealing?.keep(this.#bare, { username, secret, host: host.name, stanzaBytes });
        this.#sealed = credentials.sealed;
        // A device has come with it while the stream was being opened.
        const latest = this.#credentials;
        if (latest && isSame(latest, credentials)) latest.sealed = credentials.sealed;
        this.#deps.faces.enter(jid, (room) => faceIn(this.#owner.state, room));
        this.#owner.input({ kind: 'carrier-ready', carrier, type: 'account-stream', jid, languages });
      },
      failed: (final, isRefused) => {
        this.#stream = undefined;
        this.#inUse = undefined;
        if (final) this.#refused(credentials, isRefused);
        else this.#owner.input({ kind: 'account-stream-failed', final: false });
      },
      stanza: (carrier, stanza) => {
        const shown = this.#deps.faces.show(stanza, this.#bare);
        this.#owner.input({ kind: 'carrier-stanza', carrier, stanza: shown });
      },
      lost: (carrier, isConflict, owed, isRefused) => {
        this.#stream = undefined;
        this.#inUse = undefined;
        this.#hasEnded();
        this.#owner.loseCarrier(carrier, isConflict, owed);
        if (isRefused && this.#credentials === credentials) this.#refused(credentials, true);
        // A newer one is known, and is tried next.
        else if (isRefused) this.#deleteSealed(credentials);
      },
    });
    this.#stream = stream;
    this.#inUse = credentials;
    stream.open();
    return true;
  }

  /**
   * The server does not take that password (`isRefused`), or offers no way to give it; one that has been seen since may be the right one.
   * What the store has is as good as before where the server has only been set up otherwise.
   */
  #refused(credentials: Held, isRefused: boolean): void {
    const isLatest = this.#credentials === credentials;
    if (isLatest) this.#credentials = undefined;
    if (isRefused) this.#deleteSealed(credentials);
    this.#owner.input({ kind: 'account-stream-failed', final: isLatest });
  }

  /** What the store has of that one, and of no other that has come to be there since. */
  #deleteSealed(refused: Held): void {
    const { sealed } = refused;
    if (sealed === undefined) return;
    this.#deps.sealing?.refused(this.#bare, sealed);
    refused.sealed = undefined;
    if (this.#sealed === sealed) this.#sealed = undefined;
  }

  /** Ends the stream and forgets the password. */
  close(): void {
    this.#asks += 1;
    this.forget();
    this.end();
  }

  /** Forgets the password; the stream stays. */
  forget(): void {
    this.#credentials = undefined;
  }

  /** Ends the stream; with the password another can be opened. */
  end(): void {
    this.#asks += 1;
    if (this.#stream) this.#ports.carriers.delete(this.#stream.id);
    this.#stream?.close();
    this.#stream = undefined;
    this.#inUse = undefined;
    this.#hasEnded();
  }

  #hasEnded(): void {
    if (this.#jid !== undefined) this.#deps.faces.leave(this.#jid);
    this.#jid = undefined;
  }

  /** The stream is open, or is being opened. */
  get isInUse(): boolean {
    return this.#stream !== undefined;
  }
}

function isSame(one: Omit<Held, 'sealed'>, other: Omit<Held, 'sealed'>): boolean {
  return one.username === other.username && one.secret === other.secret && one.host.name === other.host.name;
}
