/**
 * An account stream: an upstream stream that the proxy opens for the account alone, invisible to contacts (DESIGN "Carriers").
 * Where the server has stream management (XEP-0198) it survives its connections: what is sent waits until it has another one,
 * and the rules hear of none of it unless the server has given the session up.
 */
import type { HostConfig } from '../config.ts';
import type { Owed } from '../core/inputs.ts';
import { type Languages, languagesOf } from '../core/language.ts';
import type { CarrierId } from '../core/state.ts';
import { type Leg, type LegHandler, SILENT } from '../net/leg.ts';
import type { Credentials } from '../stream/sasl-relay.ts';
import { accountKey, splitJid } from '../xml/address.ts';
import { NS } from '../xml/names.ts';
import type { Stanza } from '../xml/stanza.ts';
import { AccountConnectError, type AccountConnection, connectAccountStream } from './account-connect.ts';
import { resumeInTime } from './account-resumption.ts';
import { becomeReachable, carrierStanzaBytes, profileOf } from './carrier-profile.ts';
import type { AccountDeps } from './deps.ts';
import { isManagement, tooHigh } from './managed-stream.ts';
import { Outlet } from './outlet.ts';
import { owedMessages } from './owed.ts';
import { enableManagement, OwnStream } from './own-stream.ts';
import type { CarrierPort } from './ports.ts';

/** Start of the resource of every account stream; the rest is fresh each time. */
export const ACCOUNT_RESOURCE = 'minimix-rooms-';

/** A connection that has lasted so long (ms) begins a new count of those that broke. */
const STABLE_MS = 60_000;
/** Connections that may break in a row before the stream is given up. */
const MOST_BREAKS = 10;
/** For one try to resume (ms). */
const CONNECT_MS = 30_000;

export interface AccountStreamEvents {
  /** `stanzaBytes`: the largest stanza that is safe on it, as far as the server is known. */
  ready(carrier: CarrierId, jid: string, languages: Languages | undefined, stanzaBytes: number): void;
  /** Could not be opened; `final`: trying again is pointless. */
  failed(final: boolean, isRefused: boolean): void;
  stanza(carrier: CarrierId, stanza: Stanza): void;
  /**
   * Was open, and ended without our doing; `isConflict`: the server has sessions enough of this account; `isRefused`: it does not
   * take the password any more.
   */
  lost(carrier: CarrierId, isConflict: boolean, owed: Owed, isRefused: boolean): void;
}

export class AccountStream implements CarrierPort {
  readonly id: CarrierId;
  outlet!: Outlet;
  readonly #bare: string;
  readonly #credentials: Credentials & { readonly host: HostConfig };
  readonly #deps: AccountDeps;
  readonly #events: AccountStreamEvents;
  readonly #abort = new AbortController();
  #leg: Leg | undefined;
  /** Stream management; undefined: the server has none. */
  #own: OwnStream | undefined;
  #jid = '';
  /** There is no connection, and another one is tried for. */
  #isAway = false;
  /** Nobody needs the stream any more; it has still to say so. */
  #isLeaving = false;
  #isClosed = false;
  /** The server has ended the stream, so that there is nothing to resume. */
  #isEnded = false;
  #isConflict = false;
  /** Connections that broke in a row, and when the present one began. */
  #breaks = 0;
  #connectedAt = 0;

  constructor(
    bare: string,
    credentials: Credentials & { readonly host: HostConfig },
    deps: AccountDeps,
    events: AccountStreamEvents,
  ) {
    this.id = `a${deps.serial()}` as CarrierId;
    this.#bare = bare;
    this.#credentials = credentials;
    this.#deps = deps;
    this.#events = events;
  }

  /** Tells `ready` or `failed`, later. */
  open(): void {
    void this.#open().catch((error: unknown) => this.#failed(error));
  }

  async #open(): Promise<void> {
    const { log, metrics } = this.#deps;
    const connection = await this.#connect();
    const { leg, jid } = connection;
    if (this.#isClosed) {
      leg.end();
      return;
    }
    this.#leg = leg;
    this.outlet = new Outlet(leg, (xml) => this.#own?.sent(xml));
    if (accountKey(jid) !== accountKey(this.#bare))
      throw new AccountConnectError('protocol', 'The server bound another account.');
    const profile = profileOf(connection.serverHeader);
    await becomeReachable(leg, profile, this.#deps.token());
    await this.#manage(connection);
    if (this.#isClosed) return;
    this.#jid = jid;
    leg.handler = this.#handler(leg);
    this.#connectedAt = performance.now();
    metrics.accountStreamsOpened.inc();
    log.info({ leg: leg.id, profile, mechanism: connection.mechanism }, 'account stream open');
    const { serverHeader } = connection;
    const languages = languagesOf(undefined, serverHeader.attributes.get('xml:lang'));
    this.#events.ready(this.id, jid, languages, carrierStanzaBytes(serverHeader));
    leg.release();
  }

  #connect(resume?: { readonly jid: string; readonly xml: string }, timeoutMs?: number): Promise<AccountConnection> {
    const { host, username, secret } = this.#credentials;
    return connectAccountStream(
      {
        host,
        username,
        domain: splitJid(this.#bare).domain,
        password: secret,
        resource: `${ACCOUNT_RESOURCE}${this.#deps.token()}`,
        signal: this.#abort.signal,
        ...(resume && { resume }),
        ...(timeoutMs !== undefined && { timeoutMs: Math.min(timeoutMs, CONNECT_MS) }),
      },
      this.#deps,
    );
  }

  /** Both sides count from here on, where the server can. */
  async #manage({ leg, features }: AccountConnection): Promise<void> {
    const { offerStreamManagement, config } = this.#deps;
    const management = offerStreamManagement ? await enableManagement(leg, features) : undefined;
    if (!management || this.#isClosed) return;
    this.#own = new OwnStream(management, this.outlet, config.limits.pingMs, () => this.#abort.abort());
    this.#own.start();
  }

  #failed(error: unknown): void {
    this.#leg?.destroy();
    if (this.#isClosed) return;
    this.#isClosed = true;
    const code = error instanceof AccountConnectError ? error.code : 'protocol';
    const reason = error instanceof Error ? error.message : String(error);
    this.#deps.metrics.accountStreamsFailed.inc({ reason: code });
    this.#deps.log.warn({ code, reason }, 'account stream could not be opened');
    this.#events.failed(isFinal(code), code === 'refused');
  }

  #handler(leg: Leg): LegHandler {
    return {
      header: () => {},
      stanza: (stanza) => this.#stanza(leg, stanza),
      end: () => {
        this.#isEnded = true;
        leg.end();
      },
      // What broke a rule would come again.
      violation: () => {
        this.#isEnded = true;
      },
      closed: () => this.#broken(),
      drain: () => this.outlet.drain(),
    };
  }

  #stanza(leg: Leg, stanza: Stanza): void {
    if (stanza.ns === NS.streams) this.#streamError(stanza);
    else if (stanza.ns === NS.client) {
      if (!this.#isLeaving) this.#events.stanza(this.id, stanza);
      this.#own?.taken();
    } else if (this.#own && isManagement(stanza) && this.#own.handle(stanza) === 'too-high') {
      this.#isEnded = true;
      leg.error(tooHigh(stanza));
    }
  }

  #streamError(stanza: Stanza): void {
    const condition = stanza.root.children.find((child) => child.ns === NS.streamErrors)?.name ?? 'undefined-condition';
    this.#isEnded = true;
    this.#isConflict = condition === 'conflict';
    this.#deps.metrics.streamErrors.inc({ condition, leg: 'upstream' });
    this.#deps.log.warn({ leg: this.#leg?.id, condition }, 'account stream ended by the server');
  }

  /** The connection is gone. */
  #broken(): void {
    if (this.#isClosed) return;
    const now = performance.now();
    this.#breaks = now - this.#connectedAt >= STABLE_MS ? 0 : this.#breaks + 1;
    const forMs = this.#own?.resumableMs;
    if (this.#own && forMs !== undefined && !this.#isEnded && this.#breaks <= MOST_BREAKS)
      void this.#resume(this.#own, forMs);
    else this.#lost();
  }

  /** Goes on over another connection, or ends the stream. Never rejects. */
  async #resume(own: OwnStream, forMs: number): Promise<void> {
    const { log, metrics } = this.#deps;
    this.#isAway = true;
    own.suspend();
    log.info({ leg: this.#leg?.id }, 'account stream broken');
    const attempt = (timeoutMs: number) => this.#connect({ jid: this.#jid, xml: own.resumption }, timeoutMs);
    // The first break of a stream that has lasted is followed by a try at once.
    const triesMade = Math.max(0, this.#breaks - 1);
    try {
      const connection = await resumeInTime({ attempt, forMs, triesMade, signal: this.#abort.signal });
      if (!this.#abort.signal.aborted) {
        this.#resumed(own, connection);
        return;
      }
      connection.leg.destroy();
      throw new AccountConnectError('unreachable', 'given up');
    } catch (error) {
      if (this.#isClosed) return;
      if (!(error instanceof AccountConnectError || this.#abort.signal.aborted))
        log.error({ error }, 'fault in the resumption of an account stream');
      const { code, condition, handled } = asConnectError(error);
      const isExpired = code === 'not-resumed' && condition === undefined;
      metrics.accountStreamResumptions.inc({
        result: isExpired ? 'expired' : code === 'not-resumed' ? 'refused' : 'failed',
      });
      log.warn({ code, condition }, 'account stream could not be resumed');
      this.#isConflict = code === 'conflict';
      this.#lost(handled, code === 'refused');
    }
  }

  #resumed(own: OwnStream, { leg, resumed }: AccountConnection): void {
    const { log, metrics } = this.#deps;
    this.#isAway = false;
    this.#leg = leg;
    leg.handler = this.#handler(leg);
    this.#connectedAt = performance.now();
    if (!resumed || !own.resume(leg, resumed)) {
      metrics.accountStreamResumptions.inc({ result: 'failed' });
      leg.handler = SILENT;
      leg.end();
      leg.release();
      this.#lost();
      return;
    }
    metrics.accountStreamResumptions.inc({ result: 'resumed' });
    log.info({ leg: leg.id }, 'account stream resumed');
    if (this.#isLeaving) this.#end();
    leg.release();
  }

  /** The stream is gone for good; `handled`: what the server had got of it, where it said so. */
  #lost(handled?: number, isRefused = false): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#deps.leaving.delete(this);
    const { leg } = this.outlet;
    const owed = this.#own?.end(handled) ?? { unsent: this.outlet.close(), unacknowledged: undefined };
    if (!this.#isLeaving) this.#events.lost(this.id, this.#isConflict, owedMessages(owed, leg.declared), isRefused);
  }

  wake(): void {}

  relayDownstream(): void {}

  hold(): void {}

  /** It has never had a client. */
  park(): void {}

  free(): void {
    this.close();
  }

  suspend(): void {}

  /** Ends the stream; no event follows. What waits for a connection is still said, within the server's time. */
  close(): void {
    this.#isLeaving = true;
    if (this.#isAway) this.#deps.leaving.add(this);
    else this.#end();
  }

  /** Ends the stream as it is. */
  abort(): void {
    this.#isLeaving = true;
    this.#end();
  }

  #end(): void {
    this.#isClosed = true;
    this.#deps.leaving.delete(this);
    this.#abort.abort();
    this.#own?.stop();
    if (!this.#leg) return;
    const unsent = this.outlet.close().length;
    if (unsent > 0) this.#deps.metrics.drops.inc({ reason: 'leg-ended' }, unsent);
    this.#leg.end();
  }
}

/** Trying again with this password is pointless (X4). */
function isFinal(code: AccountConnectError['code']): boolean {
  return code === 'refused' || code === 'no-mechanism';
}

function asConnectError(error: unknown): AccountConnectError {
  return error instanceof AccountConnectError ? error : new AccountConnectError('unreachable', 'given up');
}
