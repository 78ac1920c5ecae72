/**
 * Opens a stream to the server of a host: connection, stream header and, where configured, STARTTLS with the server, whose
 * steps stay in here.
 */
import type { HostConfig } from '../config.ts';
import type { Leg } from '../net/leg.ts';
import type { Declarations, Violation } from '../xml/index.ts';

export interface UpstreamDeps {
  /** Connects; the leg's first stream is not opened yet. */
  readonly dial: (host: HostConfig, remoteAddress: string | undefined) => Promise<Leg>;
}

export interface UpstreamRequest {
  readonly host: HostConfig;
  /** Attributes of our stream header: to, from, version, xml:lang. */
  readonly attributes: Readonly<Record<string, string | undefined>>;
  readonly declarations?: Declarations;
  /** The client's address, for servers that are told (S4). */
  readonly remoteAddress?: string;
}

export type UpstreamErrorCode = 'unreachable' | 'tls' | 'timeout' | 'stream-error' | 'aborted';

/** Why there is no upstream stream; `violation` is what the client is told. */
export class UpstreamError extends Error {
  override readonly name = 'UpstreamError';
  readonly code: UpstreamErrorCode;
  readonly violation: Violation;

  constructor(code: UpstreamErrorCode, violation: Violation) {
    super(violation.text);
    this.code = code;
    this.violation = violation;
  }
}

/**
 * Resolves with a leg on which our stream header has been written and the server's has not been seen yet: set its handler
 * in the continuation. Rejects with an UpstreamError; no connection stays behind then.
 */
export declare function openUpstream(request: UpstreamRequest, deps: UpstreamDeps, signal?: AbortSignal): Promise<Leg>;
