/**
 * Opens a stream to the server of a host: connection, stream header and, where configured, STARTTLS with the server, whose
 * steps stay in here.
 */
import type { HostConfig } from '../config.ts';
import { type Leg, SILENT } from '../net/leg.ts';
import type { Route } from '../net/proxy-header.ts';
import { isFeatures, readFeatures } from '../stream/features.ts';
import { readStreamError } from '../stream/stream-error.ts';
import type { Violation } from '../xml/framer.ts';
import { NS } from '../xml/names.ts';
import type { Declarations, Stanza } from '../xml/stanza.ts';

export interface UpstreamDeps {
  /** Connects; the leg's first stream is not opened yet. */
  readonly dial: (host: HostConfig, options: DialRequest) => Promise<Leg>;
  /** How long a connected server may take for its next step in opening the stream. Default 10 s. */
  readonly openTimeoutMs?: number;
}

export interface DialRequest {
  /** Gives up at once when aborted. */
  readonly signal?: AbortSignal | undefined;
  /** The connection of the client whom it is for, for servers that are told (S4); absent: it is the proxy's own. */
  readonly client?: Route | undefined;
}

export interface UpstreamRequest {
  readonly host: HostConfig;
  /** Attributes of our stream header: to, from, version, xml:lang. */
  readonly attributes: Readonly<Record<string, string | undefined>>;
  readonly declarations?: Declarations;
  readonly client?: Route;
}

export type UpstreamErrorCode = 'unreachable' | 'tls' | 'timeout' | 'stream-error' | 'aborted';

/** Why there is no upstream stream; `violation` is what the client is told. */
export class UpstreamError extends Error {
  override readonly name = 'UpstreamError';
  readonly code: UpstreamErrorCode;
  readonly violation: Violation;

  constructor(code: UpstreamErrorCode, violation: Violation, cause?: unknown) {
    super(violation.text, { cause });
    this.code = code;
    this.violation = violation;
  }
}

export const DEFAULT_OPEN_TIMEOUT_MS = 10_000;

/**
 * Resolves with a leg on which our stream header has been written and the server's has not been seen yet: set its handler
 * in the continuation. Rejects with an UpstreamError; no connection stays behind then.
 */
export async function openUpstream(request: UpstreamRequest, deps: UpstreamDeps, signal?: AbortSignal): Promise<Leg> {
  const leg = await dial(request, deps, signal);
  try {
    if (signal?.aborted) throw failure('aborted', 'Given up');
    if (request.host.upstream.scheme === 'xmpp+starttls') await secure(leg, request, deps, signal);
    if (leg.isClosed) throw failure('unreachable', 'The server has closed the connection');
    leg.header(request.attributes, request.declarations);
    return leg;
  } catch (error) {
    leg.handler = SILENT;
    leg.destroy();
    throw error instanceof UpstreamError ? error : failure('unreachable', 'The server cannot be reached', error);
  }
}

async function dial(request: UpstreamRequest, deps: UpstreamDeps, signal?: AbortSignal): Promise<Leg> {
  try {
    return await deps.dial(request.host, { signal, client: request.client });
  } catch (error) {
    const isTls = error instanceof Error && 'code' in error && error.code === 'tls';
    throw failure(isTls ? 'tls' : 'unreachable', 'The server cannot be reached', error);
  }
}

/** STARTTLS as a client, RFC 6120 section 5.4. Afterwards the server waits for the header of a new stream. */
async function secure(leg: Leg, request: UpstreamRequest, deps: UpstreamDeps, signal?: AbortSignal): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const timeoutMs = deps.openTimeoutMs ?? DEFAULT_OPEN_TIMEOUT_MS;
    const giveUp = (error: UpstreamError) => settle(() => reject(error));
    const onAbort = () => giveUp(failure('aborted', 'Given up'));
    const timer = setTimeout(() => giveUp(failure('timeout', 'The server does not answer')), timeoutMs);
    const settle = (then: () => void) => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
      leg.handler = SILENT;
      then();
    };
    signal?.addEventListener('abort', onAbort);
    leg.handler = {
      ...SILENT,
      stanza: (stanza) => {
        const step = startTlsStep(stanza);
        if (step === 'wait') return;
        if (step instanceof UpstreamError) giveUp(step);
        else if (step === 'proceed') settle(resolve);
        else leg.send(step);
      },
      end: () => giveUp(failure('unreachable', 'The server has closed the stream')),
      violation: ({ text }) => giveUp(failure('unreachable', `The server breaks the rules: ${text}`)),
      closed: (error) => giveUp(failure('unreachable', 'The server has closed the connection', error)),
    };
    // The attributes of the client's header are for the stream behind TLS; without a version no features would come.
    leg.header({ to: request.attributes.to, version: '1.0' });
  });
  try {
    await leg.startTls();
  } catch (error) {
    throw failure('tls', 'The server cannot be reached', error);
  }
}

function startTlsStep(stanza: Stanza): string | 'proceed' | 'wait' | UpstreamError {
  const error = readStreamError(stanza);
  if (error !== undefined) return new UpstreamError('stream-error', error);
  if (isFeatures(stanza)) {
    if (readFeatures(stanza).startTls === 'absent') return failure('tls', 'The server has no TLS');
    return `<starttls xmlns='${NS.tls}'/>`;
  }
  if (stanza.ns !== NS.tls) return 'wait';
  return stanza.name === 'proceed' ? 'proceed' : failure('tls', 'The server refuses TLS');
}

function failure(code: UpstreamErrorCode, text: string, cause?: unknown): UpstreamError {
  return new UpstreamError(code, { condition: 'remote-connection-failed', text }, cause);
}
