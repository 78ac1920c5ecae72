/**
 * An account stream: an upstream stream that the proxy opens for the account alone, invisible to contacts (DESIGN "Carriers").
 */
import type { HostConfig } from '../config.ts';
import type { CarrierId } from '../core/state.ts';
import type { Leg, LegHandler } from '../net/leg.ts';
import type { Credentials } from '../stream/sasl-relay.ts';
import { accountKey, splitJid } from '../xml/address.ts';
import { NS } from '../xml/names.ts';
import type { Stanza } from '../xml/stanza.ts';
import { AccountConnectError, connectAccountStream } from './account-connect.ts';
import { becomeReachable, profileOf } from './carrier-profile.ts';
import type { AccountDeps } from './deps.ts';
import { Outlet } from './outlet.ts';
import type { CarrierPort } from './ports.ts';

/** Start of the resource of every account stream; the rest is fresh each time. */
export const ACCOUNT_RESOURCE = 'minimix-rooms-';

export interface AccountStreamEvents {
  ready(carrier: CarrierId, jid: string): void;
  /** Could not be opened; `final`: trying again is pointless. */
  failed(final: boolean): void;
  stanza(carrier: CarrierId, stanza: Stanza): void;
  /** Was open, and ended without our doing; `isConflict`: the server has sessions enough of this account. */
  lost(carrier: CarrierId, isConflict: boolean): void;
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
  #isReady = false;
  #isClosed = false;
  #isConflict = false;

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
    const { host, username, secret } = this.#credentials;
    const connection = await connectAccountStream(
      {
        host,
        username,
        domain: splitJid(this.#bare).domain,
        password: secret,
        resource: `${ACCOUNT_RESOURCE}${this.#deps.token()}`,
        signal: this.#abort.signal,
      },
      this.#deps,
    );
    const { leg, jid } = connection;
    if (this.#isClosed) {
      leg.end();
      return;
    }
    this.#leg = leg;
    this.outlet = new Outlet(leg);
    if (accountKey(jid) !== accountKey(this.#bare))
      throw new AccountConnectError('protocol', 'The server bound another account.');
    const profile = profileOf(connection.serverHeader);
    await becomeReachable(leg, profile, this.#deps.token());
    if (this.#isClosed) return;
    leg.handler = this.#handler(leg);
    this.#isReady = true;
    this.#deps.metrics.accountStreamsOpened.inc();
    this.#deps.log.info({ leg: leg.id, profile, mechanism: connection.mechanism }, 'account stream open');
    this.#events.ready(this.id, jid);
    leg.release();
  }

  #failed(error: unknown): void {
    this.#leg?.destroy();
    if (this.#isClosed) return;
    this.#isClosed = true;
    const code = error instanceof AccountConnectError ? error.code : 'protocol';
    const reason = error instanceof Error ? error.message : String(error);
    this.#deps.metrics.accountStreamsFailed.inc({ reason: code });
    this.#deps.log.warn({ code, reason }, 'account stream could not be opened');
    this.#events.failed(code === 'refused' || code === 'no-mechanism');
  }

  #handler(leg: Leg): LegHandler {
    return {
      header: () => {},
      stanza: (stanza) => {
        if (stanza.ns === NS.streams) this.#streamError(stanza);
        else if (stanza.ns === NS.client) this.#events.stanza(this.id, stanza);
      },
      end: () => leg.end(),
      violation: () => {},
      closed: () => this.#lost(),
      drain: () => this.outlet.drain(),
    };
  }

  #streamError(stanza: Stanza): void {
    const condition = stanza.root.children.find((child) => child.ns === NS.streamErrors)?.name ?? 'undefined-condition';
    this.#isConflict = condition === 'conflict';
    this.#deps.metrics.streamErrors.inc({ condition, leg: 'upstream' });
    this.#deps.log.warn({ leg: this.#leg?.id, condition }, 'account stream ended by the server');
  }

  #lost(): void {
    this.outlet.close();
    if (this.#isClosed) return;
    this.#isClosed = true;
    if (this.#isReady) this.#events.lost(this.id, this.#isConflict);
    else this.#events.failed(false);
  }

  wake(): void {}

  relayDownstream(): void {}

  hold(): void {}

  free(): void {}

  suspend(): void {}

  /** Ends the stream; no event follows. */
  close(): void {
    this.#isClosed = true;
    this.#abort.abort();
    this.#leg?.end();
  }
}
