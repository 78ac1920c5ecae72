/**
 * An account stream whose connection broke goes on over another one (XEP-0198 section 5): tried at once, then with growing
 * pauses, for as long as the server keeps the session.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { AccountConnectError, type AccountConnection } from './account-connect.ts';

/** Pause before the second try (ms); it doubles, up to the most, and is shortened by chance to as little as half. */
const PAUSE_MS = 500;
const MOST_PAUSE_MS = 60_000;

export interface ResumptionRequest {
  /** One try, for that long at most (ms); rejects with an AccountConnectError. */
  readonly attempt: (timeoutMs: number) => Promise<AccountConnection>;
  /** How long the server keeps the session (ms). */
  readonly forMs: number;
  /** Tries that count as made: a stream that breaks again and again is not tried at once. */
  readonly triesMade: number;
  readonly signal: AbortSignal;
}

/**
 * Resolves with the connection on which the server has granted the resumption. Rejects with an AccountConnectError: `not-resumed`
 * when the time is over or the server refuses it, else with why no try can succeed. Rejects with what the signal says when aborted.
 */
export async function resumeInTime(request: ResumptionRequest): Promise<AccountConnection> {
  const { attempt, forMs, signal } = request;
  const end = performance.now() + forMs;
  for (let tries = request.triesMade; ; tries += 1) {
    if (tries > 0) await pause(pauseBefore(tries), undefined, { signal, ref: false });
    const leftMs = Math.ceil(end - performance.now());
    if (leftMs <= 0) throw new AccountConnectError('not-resumed', 'no connection in time');
    try {
      return await attempt(leftMs);
    } catch (error) {
      if (signal.aborted || !isPassing(error)) throw error;
    }
  }
}

function pauseBefore(tries: number): number {
  return Math.min(PAUSE_MS * 2 ** (tries - 1), MOST_PAUSE_MS) * (0.5 + Math.random() / 2);
}

function isPassing(error: unknown): boolean {
  return error instanceof AccountConnectError && (error.code === 'unreachable' || error.code === 'tls');
}
