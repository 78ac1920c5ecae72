/** How a store that is away is tried again: after a moment, and then more and more rarely. */

/** The first pause (ms). */
export const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 10_000;

/** The pause after one of `pauseMs` (0: there was none). */
export function longer(pauseMs: number): number {
  return Math.min(Math.max(FIRST_PAUSE_MS, pauseMs * 2), LONGEST_PAUSE_MS);
}
