/** One upstream stream of the proxy's own, authenticated with a user's password and bound to a fresh resource. */
import type { HostConfig } from '../config.ts';
import type { Leg } from '../net/leg.ts';
import type { Log } from '../ops/log.ts';
import type { ServerFeatures } from '../stream/features.ts';
import type { StreamHeader } from '../xml/index.ts';
import type { UpstreamDeps } from './upstream.ts';

export interface AccountConnectRequest {
  readonly host: HostConfig;
  /** Localpart, or what the user gave as authentication id. */
  readonly username: string;
  readonly domain: string;
  readonly password: string;
  /** Fresh each time; the server may still bind another one: look at the result's jid. */
  readonly resource: string;
  readonly lang?: string;
  /** Gives up at once when aborted (rejects with 'unreachable'). */
  readonly signal?: AbortSignal;
  /** For the whole of it, in milliseconds. Default 30 000. */
  readonly timeoutMs?: number;
}

export interface AccountConnectDeps extends UpstreamDeps {
  readonly log: Log;
}

/** Bound, no presence sent. `leg` is HELD: set its handler in the continuation of the promise, then `release()`. */
export interface AccountConnection {
  readonly leg: Leg;
  readonly jid: string;
  /** Mechanism that was used. */
  readonly mechanism: string;
  readonly features: ServerFeatures;
  readonly serverHeader: StreamHeader;
}

/**
 * - `unreachable`: no connection, no answer in time, the server is shutting down or says "temporary": try again later.
 * - `refused`: the server refuses these credentials. Final: forget the password.
 * - `no-mechanism`: the server offers none that we speak.
 * - `conflict`: the server refuses another session or this resource (bind error or stream error conflict,
 *   resource-constraint, not-allowed): long back-off.
 * - `protocol`: it said something that we do not understand, or its proof of knowing the password was wrong.
 * - `tls`: no TLS where it is wanted, or its certificate is not valid.
 */
export type AccountConnectCode = 'unreachable' | 'refused' | 'no-mechanism' | 'conflict' | 'protocol' | 'tls';

export class AccountConnectError extends Error {
  override readonly name = 'AccountConnectError';
  readonly code: AccountConnectCode;
  /** The server's own condition (SASL, stanza or stream error), where it gave one. */
  readonly condition: string | undefined;

  constructor(code: AccountConnectCode, message: string, condition?: string) {
    super(message);
    this.code = code;
    this.condition = condition;
  }
}

/** Rejects with an AccountConnectError only; no connection stays behind then. */
export declare function connectAccountStream(
  request: AccountConnectRequest,
  deps: AccountConnectDeps,
): Promise<AccountConnection>;
